"""Builds the report from what the other rooms found. Decides nothing; reads no file."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from advisor.features.pages import forecast_of
from advisor.features.table import host_values
from advisor.profile.model import Profile, Skipped
from advisor.profile.timeline import Identity, ProcessState, Timeline, fold_samples
from advisor.recommendation import Plan, ProcessAdvice
from advisor.report.build_host import build_host, host_findings
from advisor.report.build_plan import build_plan
from advisor.report.build_process import WhyReason, build_process, build_totals, order_of
from advisor.report.document import SCHEMA, Report, SkippedProcess, Source, SourceCost, SourceKind, Tool
from advisor.report.limitations import Observation, find_limitations
from advisor.report.process import ProcessEntry

TOOL_NAME = "hugepage-advisor"

COLUMNS_OF_ALL_ROWS = ("host_khugepaged_pass_s", "host_collapsible_bytes")
"""Host columns that are computed with the table, from all its rows."""


def build_report(
    profile: Profile,
    frame: pl.DataFrame,
    advice: Sequence[ProcessAdvice],
    plan: Plan,
    why: Mapping[Identity, Sequence[WhyReason]],
    *,
    now: datetime.datetime,
    tool_version: str,
    redact: bool,
    kind: SourceKind | None = None,
    timeline: Timeline | None = None,
    without_model: str | None = "no model took part",
) -> Report:
    """The report on the last sample of a profile.

    frame: its feature table; advice: one for each row, in the order of the rows; why: reasons against huge pages by
    (pid, start_ticks). now: aware; redact: secrets out of command lines. kind: where the profile is from; by default
    its header's own word, "profile" is for one that was saved. timeline: the folded profile where the caller has it.
    without_model: why no gain is predicted, None where a model was asked.
    """
    timeline = timeline or fold_samples(profile)
    skipped = list(profile.samples[-1].skipped) if profile.samples else []
    row = _host_row(timeline, frame)
    findings = host_findings(frame, row)
    host = build_host(timeline, row, findings)
    processes = _processes(profile, timeline, frame, advice, why, redact)
    return Report(
        schema=SCHEMA,
        generated_at=_utc(now),
        tool=Tool(TOOL_NAME, tool_version),
        source=_source(profile, timeline, kind, redact),
        host=host,
        plan=build_plan(plan, processes),
        processes=processes,
        totals=build_totals(processes),
        limitations=find_limitations(
            Observation(profile, timeline, host, findings, processes, skipped, without_model)
        ),
        skipped=_skipped(skipped),
    )


def _host_row(timeline: Timeline, frame: pl.DataFrame) -> dict[str, Any]:
    """The host columns; a table without rows has none of its own."""
    of_rows = {name: frame[name][0] if frame.height else None for name in COLUMNS_OF_ALL_ROWS}
    return {**host_values(timeline), **of_rows}


def _processes(
    profile: Profile,
    timeline: Timeline,
    frame: pl.DataFrame,
    advice: Sequence[ProcessAdvice],
    why: Mapping[Identity, Sequence[WhyReason]],
    redact: bool,
) -> list[ProcessEntry]:
    boot_time = _boot_time(profile)
    ticks_per_s = timeline.header.host.clock_ticks_per_s
    entries = []
    for row, one in zip(frame.iter_rows(named=True), advice, strict=True):
        identity = (one.pid, one.start_ticks)
        if identity != (row["pid"], row["start_ticks"]):
            raise ValueError(f"advice for process {identity} stands beside the row of {row['pid']}")
        state: ProcessState | None = timeline.processes.get(identity)
        start_time = None if boot_time is None else round(boot_time + one.start_ticks / ticks_per_s)
        facts = state.facts if state is not None else None
        probes = state.probes if state is not None else None
        reasons = why.get(identity, ())
        entries.append(
            build_process(
                row,
                facts,
                probes,
                one,
                reasons,
                pages=state.pages if state is not None else None,
                folios=state.folios if state is not None else None,
                growth=forecast_of(state, timeline.host_last) if state is not None else None,
                start_time=start_time,
                redact=redact,
            )
        )
    return sorted(entries, key=order_of)


def _boot_time(profile: Profile) -> float | None:
    """Unix seconds, from the newest sample that has an uptime; a captured tree's clock is not this machine's."""
    if profile.header.source == "tree":
        return None
    for sample in reversed(profile.samples):
        if sample.host.uptime_s is not None:
            return sample.wall_time - sample.host.uptime_s
    return None


def _source(profile: Profile, timeline: Timeline, kind: SourceKind | None, redact: bool) -> Source:
    header, costs = profile.header, [sample.cost for sample in profile.samples]
    cpu_s = sum(cost.cpu_s for cost in costs)
    duration = timeline.duration_s
    return Source(
        kind=kind or ("tree" if header.source == "tree" else "live"),
        duration_s=round(duration, 3),
        samples=timeline.samples,
        privileged=header.privileged,
        cost=SourceCost(
            cpu_s=round(cpu_s, 6),
            wall_s=round(sum(cost.wall_s for cost in costs), 6),
            share_of_one_cpu=round(cpu_s / duration, 6) if duration > 0 else None,
            smaps_reads=sum(cost.smaps_reads for cost in costs),
            rollup_reads=sum(cost.rollup_reads for cost in costs),
            deferred=sum(cost.deferred for cost in costs),
            budget_share=header.budget_share,
        ),
        observed_at=_utc(profile.samples[-1].wall_time) if profile.samples else None,
        interval_s=header.interval_s,
        truncated=profile.truncated,
        redacted=redact or header.redacted,
        origin=f"{header.capture.form} {header.origin}" if header.capture else None,
    )


def _skipped(skipped: Sequence[Skipped]) -> list[SkippedProcess]:
    """Each process once for each reason, by pid."""
    once = {(entry.pid, entry.reason): SkippedProcess(entry.pid, entry.name, entry.reason) for entry in skipped}
    return [once[key] for key in sorted(once)]


def _utc(moment: datetime.datetime | float) -> str:
    """ISO 8601 in UTC with a Z, to the second."""
    if not isinstance(moment, datetime.datetime):
        moment = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return moment.astimezone(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
