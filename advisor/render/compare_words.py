"""What text and Markdown say of a comparison in the same words. All from the document, unescaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from advisor.render.numbers import UNKNOWN_SHORT, count, duration, human_bytes, percent, plural, rate
from advisor.report.comparison import ABSENT, BOTH, Comparison, FieldChange, ProcessChange, ProcessSide, Side, Value

MATCHED_WORDS = {
    "pid-start": "by pid and start",
    "pid-name": "by pid and name",
    "program-cgroup": "by program and cgroup",
    "program-order": "by program and order",
}
"""How processes were recognised on the other side."""

NEITHER = frozenset(f"{BOTH}: {reason}" for reason in ABSENT)
"""Reasons that say nothing to a reader: the two kernels have no such thing."""

UNNAMED = "unnamed"
"""A process of a capture that holds only its smaps."""

KIND_WORDS = {"live": "live report", "profile": "profile", "tree": "capture"}


def value(unit: str, given: Value) -> str:
    """A value with its unit; null is a question mark."""
    if given is None:
        return UNKNOWN_SHORT
    if isinstance(given, bool):
        return "yes" if given else "no"
    if isinstance(given, str):
        return given
    if unit == "bytes":
        return human_bytes(int(given))
    if unit == "share":
        return percent(given)
    if unit == "per-second":
        return rate(given)
    if unit == "pages" and isinstance(given, int):
        return plural(given, "page")
    if unit == "seconds":
        return duration(given)
    return count(given) if isinstance(given, int) else f"{given:,.3g}"


def difference(change: FieldChange) -> str:
    """After - before with its sign; nothing where there is none to tell."""
    if change.difference is None or not change.difference:
        return ""
    sign = "+" if change.difference > 0 else "-"
    if change.unit == "share":
        return f"{sign}{abs(change.difference) * 100:.3g} points"
    return sign + value(change.unit, abs(change.difference))


def arrow(change: FieldChange) -> str:
    """Both values: 12 MiB -> 1 GiB."""
    return f"{value(change.unit, change.before)} -> {value(change.unit, change.after)}"


def process_lines(process: ProcessChange) -> list[str]:
    """What changed in one process, the most important first."""
    return [f"{change.title} {arrow(change)}" for change in process.fields if change.status == "changed"]


def who(process: ProcessChange) -> str:
    """Its name; both where it renamed itself."""
    before, after = process.before.name, process.after.name
    return (after or UNNAMED) if before == after else f"{before or UNNAMED} -> {after or UNNAMED}"


def pids(process: ProcessChange) -> str:
    before, after = process.before.pid, process.after.pid
    return str(after) if before == after else f"{before} -> {after}"


def side(one: Side) -> str:
    """Which report, and when it was observed."""
    samples = plural(one.samples, "sample")
    return f"{one.name} ({KIND_WORDS[one.kind]}, {samples}, {one.observed_at or 'time unknown'})"


def alone(process: ProcessSide) -> str:
    """A process that is on one side only."""
    return f"{process.name or UNNAMED} ({process.pid}), {human_bytes(process.rss_bytes)}, advice {process.advice}"


def matched(comparison: Comparison) -> str:
    """How many processes are on both sides, and how they were recognised."""
    ways = [process.matched_by for process in comparison.processes]
    parts = [f"{ways.count(way)} {words}" for way, words in MATCHED_WORDS.items() if way in ways]
    number = plural(len(ways), "process", "processes")
    return f"{number} on both sides: {', '.join(parts)}" if parts else "no process is on both sides"


def unknowns(comparison: Comparison) -> list[str]:
    """What cannot be told, once for each reason, host first: titles and why; not what neither side can have."""
    of_processes: dict[str, Counter[str]] = {}
    for process in comparison.processes:
        for change in _unknown(process.fields):
            of_processes.setdefault(change.unknown_because or "", Counter())[change.title] += 1
    of_host: dict[str, list[str]] = {}
    for change in _unknown(comparison.host):
        of_host.setdefault(change.unknown_because or "", []).append(change.title)
    lines = [f"{', '.join(titles)}: {why}" for why, titles in of_host.items()]
    for why, counts in of_processes.items():
        for number in sorted(set(counts.values()), reverse=True):
            titles = [title for title, times in counts.items() if times == number]
            lines.append(f"{', '.join(titles)} of {plural(number, 'process', 'processes')}: {why}")
    return lines


def _unknown(changes: Iterable[FieldChange]) -> list[FieldChange]:
    return [change for change in changes if change.status == "unknown" and change.unknown_because not in NEITHER]


def groups(processes: Sequence[ProcessChange]) -> list[list[ProcessChange]]:
    """Changed processes; those alike in name, advice and what changed together, the first of each the largest."""
    found: dict[tuple[object, ...], list[ProcessChange]] = {}
    for process in processes:
        kinds = tuple(change.field for change in process.fields if change.status == "changed")
        if kinds:
            key = (who(process), process.before.advice, process.after.advice, process.matched_by, kinds)
            found.setdefault(key, []).append(process)
    return list(found.values())


def group_name(group: Sequence[ProcessChange]) -> str:
    """The first one's pids and name, and how many more: 9402 -> 26898  postgres +45."""
    more = f" +{len(group) - 1}" if len(group) > 1 else ""
    return f"{pids(group[0])}  {who(group[0])}{more}"
