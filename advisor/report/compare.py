"""Builds the comparison of two reports. A pure function: reads no file, decides nothing about policies."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence

from advisor.report.compare_fields import advice_words, compared, host_readings, process_readings
from advisor.report.compare_match import Match, Matching, match_processes, may_be_one_boot
from advisor.report.comparison import (
    COMPARISON_SCHEMA,
    Caveat,
    Comparable,
    Comparison,
    FieldChange,
    ProcessChange,
    ProcessSide,
    Side,
)
from advisor.report.document import Report, Tool
from advisor.report.process import ProcessEntry
from advisor.rules.text import show_bytes

PREVENTING = frozenset({"other-host", "no-common-process"})
"""Caveats with which a comparison says nothing about a change."""

LACKING = "capture-lacks"
"""The limitation of a report (`lacking`) with which advice rests on less."""

SUMMARY_FIELDS = ("thp.enabled", "thp.in_use_bytes", "pools_in_use_bytes", "totals.page_table_bytes")
"""Host values that the summary names where they changed."""


def compare_reports(
    before: Report, after: Report, names: tuple[str, str], *, now: datetime.datetime, tool: Tool
) -> Comparison:
    """What changed from `before` to `after`. names: what the two are called, such as file names."""
    matching = match_processes(before, after)
    host = compared(host_readings(before), host_readings(after))
    processes = sorted((_process(match, before, after) for match in matching.both), key=_order)
    caveats = [*_caveats(before, after, matching)]
    comparable: Comparable = "limited" if caveats else "yes"
    if any(caveat.id in PREVENTING for caveat in caveats):
        comparable = "no"
    return Comparison(
        schema=COMPARISON_SCHEMA,
        generated_at=now.astimezone(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        tool=tool,
        before=_side(before, names[0]),
        after=_side(after, names[1]),
        comparable=comparable,
        caveats=caveats,
        summary=_summary(host, processes, matching),
        host=sorted(host, key=lambda change: change.status != "changed"),
        processes=processes,
        ended=_alone(matching.ended),
        appeared=_alone(matching.appeared),
    )


def _side(report: Report, name: str) -> Side:
    source, host = report.source, report.host
    return Side(
        name=name,
        kind=source.kind,
        observed_at=source.observed_at,
        hostname=host.hostname,
        kernel=host.kernel,
        samples=source.samples,
        duration_s=source.duration_s,
        processes=len(report.processes),
    )


def _process(match: Match, before: Report, after: Report) -> ProcessChange:
    fields = compared(process_readings(match.before, before), process_readings(match.after, after))
    return ProcessChange(
        before=_process_side(match.before),
        after=_process_side(match.after),
        matched_by=match.by,
        concerned_bytes=max((_concerned_bytes(field, match) for field in fields), default=0),
        fields=fields,
    )


def _concerned_bytes(field: FieldChange, match: Match) -> int:
    """Memory that a change is about: what moved, or all of the process where it is no matter of bytes."""
    if field.status != "changed":
        return 0
    if field.unit == "bytes" and field.difference is not None:
        return abs(int(field.difference))
    return max(_size(match.before), _size(match.after))


def _size(process: ProcessEntry) -> int:
    return (process.memory.rss_bytes or 0) + (process.memory.hugetlb_bytes or 0)


def _order(process: ProcessChange) -> tuple[int, int, int]:
    """The same whichever of the two sides comes first."""
    pids = sorted((process.before.pid, process.after.pid))
    return -process.concerned_bytes, pids[0], pids[1]


def _process_side(process: ProcessEntry) -> ProcessSide:
    return ProcessSide(
        pid=process.pid,
        start_ticks=process.start_ticks,
        name=process.name,
        cgroup=process.cgroup,
        rss_bytes=process.memory.rss_bytes,
        advice=advice_words(process.recommendation),
    )


def _alone(processes: Sequence[ProcessEntry]) -> list[ProcessSide]:
    return [_process_side(one) for one in sorted(processes, key=lambda one: (-_size(one), one.pid))]


def _caveats(before: Report, after: Report, matching: Matching) -> Iterator[Caveat]:
    one, other = before.host, after.host
    for field, id_, words in (
        ("hostname", "other-host", "The two are of different hosts"),
        ("kernel", "other-kernel", "The kernel differs"),
        ("cpu_model", "other-cpu", "The processor differs"),
        ("base_page_bytes", "other-base-page", "The base page differs"),
    ):
        first, second = getattr(one, field), getattr(other, field)
        if first is not None and second is not None and first != second:
            yield Caveat(id_, f"{words}: {first} and {second}.")
        elif field == "hostname" and (first is None or second is None):
            yield Caveat("unnamed-host", "A side does not name its host: whether it is the same cannot be told.")
    if before.processes and after.processes and not matching.both:
        yield Caveat("no-common-process", "No process of one side is on the other.")
    if one.hostname == other.hostname and not may_be_one_boot(before, after):
        yield Caveat("other-boot", "The host was started anew: processes are matched by program, not by pid.")
    for name, report in (("before", before), ("after", after)):
        if report.source.samples < 2:
            yield Caveat(f"one-sample-{name}", f"{name.capitalize()} has one sample: its rates are unknown.")
        if any(limitation.id == LACKING for limitation in report.limitations):
            yield Caveat(f"capture-{name}", f"{name.capitalize()} is a capture without some files: see its report.")
    first_at, second_at = before.source.observed_at, after.source.observed_at
    if first_at is not None and second_at is not None and first_at > second_at:
        yield Caveat("order", f"Before is the later one: {first_at} and {second_at}.")


def _summary(host: Sequence[FieldChange], processes: Sequence[ProcessChange], matching: Matching) -> str:
    """One line: settings and sums that changed, and of how many processes the advice did."""
    parts = [_said(change) for change in host if change.field in SUMMARY_FIELDS and change.status == "changed"]
    moved = sum(process.concerned_bytes > 0 for process in processes)
    advised = sum(field.field == "advice" and field.status == "changed" for one in processes for field in one.fields)
    if moved:
        parts.append(f"{moved} of {len(processes)} processes changed, {advised} of them in what is advised")
    if matching.ended or matching.appeared:
        parts.append(f"{len(matching.ended)} ended and {len(matching.appeared)} appeared")
    if parts:
        return "; ".join(parts)[:1].upper() + "; ".join(parts)[1:] + "."
    if any(change.status == "changed" for change in host):
        return "Nothing changed but what the host's table shows."
    return "Nothing changed."


def _said(change: FieldChange) -> str:
    if change.unit == "bytes":
        return f"{change.title} {show_bytes(int(change.before or 0))} -> {show_bytes(int(change.after or 0))}"
    return f"{change.title} {change.before} -> {change.after}"
