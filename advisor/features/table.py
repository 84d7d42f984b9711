"""The feature table: every declared column, one row a process of the last sample."""

from __future__ import annotations

import difflib
from types import MappingProxyType
from typing import NamedTuple

import polars as pl

from advisor.features import (
    applications,
    eligibility,
    host_memory,
    host_pools,
    host_thp,
    memory,
    observation,
    pages,
    placement,
    probes,
    processes,
    program,
    rates,
    segments,
    structure,
    tlb,
)
from advisor.features.declare import Feature, HostValues, Value
from advisor.features.mappings import mapping_frame, sum_measures
from advisor.profile.model import Profile
from advisor.profile.timeline import ProcessState, Timeline, fold_samples

FEATURES: MappingProxyType[str, Feature] = MappingProxyType(
    {
        feature.name: feature
        for theme in (
            program,
            applications,
            memory,
            eligibility,
            pages,
            rates,
            structure,
            segments,
            placement,
            tlb,
            observation,
            probes,
            host_thp,
            host_memory,
            host_pools,
        )
        for feature in theme.FEATURES
    }
)
"""All declared features by name, in the order of the table's columns."""

SCHEMA = pl.Schema({name: feature.dtype for name, feature in FEATURES.items()})
"""Columns and types of the feature table, whatever the profile."""


class UnknownFeatureError(LookupError):
    """No feature has this name; `similar` are the names that come close."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.similar = difflib.get_close_matches(name, FEATURES)
        super().__init__(f"no feature is called {name!r}")


class Observed(NamedTuple):
    """A timeline as frames: what the table and the reasons against huge pages are both made from."""

    timeline: Timeline
    processes: list[ProcessState]
    mappings: pl.DataFrame
    host: HostValues


def explain_feature(name: str) -> Feature:
    """The declaration of one feature. Raises UnknownFeatureError."""
    try:
        return FEATURES[name]
    except KeyError:
        raise UnknownFeatureError(name) from None


def feature_table(profile: Profile) -> pl.DataFrame:
    """One row a process that lived at the last sample, columns as in `SCHEMA`; ordered by pid and start time."""
    return feature_table_of(observe(fold_samples(profile)))


def observe(timeline: Timeline) -> Observed:
    """The state of a timeline as it is now, as frames."""
    living = sorted(timeline.processes.values(), key=lambda process: process.identity)
    return Observed(timeline, living, mapping_frame(living), host_values(timeline))


def host_values(timeline: Timeline) -> dict[str, Value]:
    """Every host column that does not depend on the table itself."""
    values: dict[str, Value] = {"host": timeline.header.host.hostname}
    values |= host_memory.host_values(timeline) | host_thp.host_values(timeline) | placement.host_values(timeline)
    base_page, pmd = timeline.header.host.base_page_bytes, host_thp.pmd_bytes(timeline)
    values |= host_memory.contiguity(timeline.host_last, base_page, pmd)
    values |= host_pools.host_values(timeline.host_last.pools, pmd)
    values |= host_memory.supply_values(timeline.host_last, values)
    return values | tlb.host_values(timeline.header.host.tlb, values)


def feature_table_of(observed: Observed) -> pl.DataFrame:
    """`feature_table` of something already observed."""
    timeline, host = observed.timeline, observed.host
    frame = processes.counter_frame(timeline, observed.processes).hstack(program.rows(observed.processes))
    frame = frame.hstack(applications.rows(observed.processes, timeline.header.host.arch))
    frame = frame.hstack(probes.rows(observed.processes, timeline.header.host.base_page_bytes))
    frame = frame.hstack(pages.rows(observed.processes, timeline.host_last))
    frame = frame.hstack(segments.rows(observed.processes, host))
    frame = frame.hstack(placement.rows(timeline, observed.processes, host)).with_columns(_literals(host))
    frame = _with_measures(frame, observed)
    frame = frame.with_columns(host_khugepaged_pass_s=_khugepaged_pass(frame, host))
    frame = memory.derive(frame)
    frame = pages.derive(eligibility.derive(frame))
    frame = rates.derive(frame, timeline.host_last.uptime_s)
    frame = structure.derive(frame, observed.mappings)
    frame = program.derive(frame)
    frame = observation.derive(frame, timeline.last_t_s)
    frame = frame.with_columns(host_collapsible_bytes=_collapsible_bytes(frame))
    return tlb.derive(frame).select(SCHEMA.names())


def _literals(host: HostValues) -> list[pl.Expr]:
    return [pl.lit(value, dtype=FEATURES[name].dtype).alias(name) for name, value in host.items()]


def _with_measures(frame: pl.DataFrame, observed: Observed) -> pl.DataFrame:
    """Join what the mappings of each process add up to.

    A process whose smaps was read and is empty (a zombie) has none of anything: 0, not unknown.
    """
    host = observed.host
    measures = memory.measures(host) | eligibility.measures(host) | structure.MEASURES
    measures |= placement.measures() | segments.measures(host)
    sums = sum_measures(observed.mappings, measures, memory.MAXIMA | program.MAXIMA)
    joined = frame.join(sums, on="row", how="left", maintain_order="left")
    is_empty = pl.col("maps_known") & pl.col("vma_count").is_null()
    if not joined.select(is_empty.any()).item():
        return joined
    return joined.with_columns(
        pl.when(is_empty).then(0).otherwise(name).alias(name)
        for name in sums.columns
        if name not in ("row", "hugetlb_page_bytes")
    )


def _collapsible_bytes(frame: pl.DataFrame) -> pl.Expr:
    rest = (frame["thp_eligible_anon_rss_bytes"] - frame["anon_huge_bytes"]).drop_nulls().clip(lower_bound=0)
    return pl.lit(int(rest.sum()) if len(rest) else None, dtype=pl.Int64)


def _khugepaged_pass(frame: pl.DataFrame, host: HostValues) -> pl.Expr:
    slots = frame["eligible_anon_slot_bytes"].drop_nulls()
    eligible_bytes = int(slots.sum()) if len(slots) else None
    return pl.lit(host_thp.pass_s(eligible_bytes, host["host_khugepaged_scan_bytes_per_s"]), dtype=pl.Float64)
