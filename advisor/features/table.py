"""The feature table: every declared column, one row a process of the last sample."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
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


HOST = structure.HOST

MEASURED_BY = (
    "host_base_page_bytes",
    "host_pmd_bytes",
    "host_pool_gigantic_page_bytes",
    "host_thp_enabled",
    "host_mthp_enabled",
)
"""Values of a host that measures of its mappings depend on."""

KNOWN_KINDS_OF_HOST = 64
"""Kinds of hosts, by MEASURED_BY, of which measures are kept as expressions; a fleet has a few."""


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


class HostFrames(NamedTuple):
    """All that the table of one host is made from; small beside its timeline, which can be let go of then.

    processes: what is known of each without its mappings and without the host's own columns.
    """

    processes: pl.DataFrame
    mappings: pl.DataFrame
    host: HostValues
    uptime_s: float | None
    last_t_s: float


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
    return feature_tables([host_frames(observed)])


def feature_tables(hosts: Sequence[HostFrames]) -> pl.DataFrame:
    """The tables of several hosts, one below the other: columns are computed once for all of them."""
    frame = pl.concat(one.processes for one in hosts)
    counts = [one.processes.height for one in hosts]
    numbers = pl.Series(HOST, [number for number, count in enumerate(counts) for _ in range(count)], pl.UInt32)
    frame = frame.with_columns(numbers, row=pl.int_range(pl.len(), dtype=pl.UInt32)).hstack(
        _host_columns(hosts)[numbers]
    )
    mappings = [
        one.mappings.with_columns(pl.col("row") + begin)
        for one, begin in zip(hosts, accumulate(counts, initial=0), strict=False)
    ]
    frame = _with_measures(frame, hosts, mappings)
    frame = frame.with_columns(_khugepaged_pass(frame, hosts)[numbers])
    frame = memory.derive(frame)
    frame = pages.derive(eligibility.derive(frame))
    frame = rates.derive(frame)
    frame = structure.derive(frame, pl.concat(mappings))
    frame = program.derive(frame)
    frame = observation.derive(frame)
    rest = (pl.col("thp_eligible_anon_rss_bytes") - pl.col("anon_huge_bytes")).clip(lower_bound=0)
    frame = frame.with_columns(host_collapsible_bytes=_known_sum(rest).over(HOST))
    return tlb.derive(frame).select(SCHEMA.names())


def host_frames(observed: Observed) -> HostFrames:
    """What `feature_tables` needs of a host."""
    timeline, living, host = observed.timeline, observed.processes, observed.host
    rows = processes.counter_frame(timeline, living).hstack(
        [
            column
            for part in (
                program.rows(living),
                applications.rows(living, timeline.header.host.arch),
                probes.rows(living, timeline.header.host.base_page_bytes),
                pages.rows(living, timeline.host_last),
                segments.rows(living, host),
                placement.rows(timeline, living, host),
            )
            for column in part.get_columns()
        ]
    )
    return HostFrames(rows, observed.mappings, host, timeline.host_last.uptime_s, timeline.last_t_s)


MOST_IN_COLUMN = 1 << 63
"""One more than the largest number of a column of Int64."""


def _fitting(value: object) -> object:
    """None for a number that no column holds: of a profile whose sizes no machine can have."""
    return None if isinstance(value, int) and not -MOST_IN_COLUMN <= value < MOST_IN_COLUMN else value


def _host_columns(hosts: Sequence[HostFrames]) -> pl.DataFrame:
    """One row a host: its values, and the times that its processes are seen against."""
    columns = [
        pl.Series(name, [_fitting(one.host[name]) for one in hosts], FEATURES[name].dtype)
        for name in (hosts[0].host if hosts else ())
    ]
    uptimes = pl.Series("uptime_s", [one.uptime_s for one in hosts], pl.Float64)
    return pl.DataFrame([*columns, uptimes, pl.Series("last_t_s", [one.last_t_s for one in hosts], pl.Float64)])


def _with_measures(
    frame: pl.DataFrame, hosts: Sequence[HostFrames], mappings: Sequence[pl.DataFrame]
) -> pl.DataFrame:
    """Join what the mappings of each process add up to.

    A process whose smaps was read and is empty (a zombie) has none of anything: 0, not unknown.
    """
    alike: dict[tuple[Value, ...], list[pl.DataFrame]] = {}
    for one, mapped in zip(hosts, mappings, strict=True):
        alike.setdefault(tuple(one.host[name] for name in MEASURED_BY), []).append(mapped)
    largest = memory.MAXIMA | program.MAXIMA
    sums = pl.concat(sum_measures(pl.concat(of), _measures(*key), largest) for key, of in alike.items())
    joined = frame.join(sums, on="row", how="left", maintain_order="left")
    is_empty = pl.col("maps_known") & pl.col("vma_count").is_null()
    if not joined.select(is_empty.any()).item():
        return joined
    return joined.with_columns(
        pl.when(is_empty).then(0).otherwise(name).alias(name)
        for name in sums.columns
        if name not in ("row", "hugetlb_page_bytes")
    )


@lru_cache(maxsize=KNOWN_KINDS_OF_HOST)
def _measures(*measured_by: Value) -> dict[str, pl.Expr]:
    """What one mapping adds to each total, on hosts that have these values of MEASURED_BY."""
    host = dict(zip(MEASURED_BY, measured_by, strict=True))
    measures = memory.measures(host) | eligibility.measures(host) | structure.MEASURES
    return measures | placement.measures() | segments.measures(host)


def _khugepaged_pass(frame: pl.DataFrame, hosts: Sequence[HostFrames]) -> pl.Series:
    """Of each host, how long khugepaged takes to pass over what it may look at."""
    eligible = dict(frame.group_by(HOST).agg(_known_sum(pl.col("eligible_anon_slot_bytes"))).iter_rows())
    rates_of = [one.host["host_khugepaged_scan_bytes_per_s"] for one in hosts]
    passes = [host_thp.pass_s(eligible.get(number), rate) for number, rate in enumerate(rates_of)]
    return pl.Series("host_khugepaged_pass_s", passes, pl.Float64)


def _known_sum(values: pl.Expr) -> pl.Expr:
    """The sum of what is known; null where nothing is."""
    return pl.when(values.is_not_null().any()).then(values.sum())
