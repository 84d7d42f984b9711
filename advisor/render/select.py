"""Which processes a reader sees, and which go into one closing line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from advisor.render.words import is_change, resident_bytes
from advisor.report.document import Report
from advisor.report.process import ProcessEntry

MATTERS_SHARE = 0.01
"""Share of the host's memory from which a process is shown although nothing changes for it. Source: own choice.
Reason: the reader looks for the large ones and wants to see that they were not forgotten."""

MOST_LEFT_ALONE = 5
"""Groups shown for which nothing changes. Source: own choice. Reason: keeps the list on one screen."""


class Group(NamedTuple):
    """A process and how many more get the same advice for the same reason under the same name."""

    leader: ProcessEntry
    alike: int


class Selection(NamedTuple):
    """Groups to show, in the order of the report. rest: processes in no group; rest_changes: those with a change."""

    groups: list[Group]
    rest: list[ProcessEntry]
    rest_changes: int


def select(report: Report, most_changes: int) -> Selection:
    """The groups that change, at most `most_changes`, then the largest of those left alone.

    A report of few processes, as after --pid, shows all of them.
    """
    groups = _grouped(report.processes)
    changes = [group for group in groups if is_change(group[0])]
    left = [group for group in groups if not is_change(group[0])]
    if len(report.processes) > MOST_LEFT_ALONE:
        floor = (report.host.memory_total_bytes or 0) * MATTERS_SHARE
        left = [group for group in left if (resident_bytes(group[0]) or 0) >= max(floor, 1)]
        left = sorted(left, key=lambda group: -(resident_bytes(group[0]) or 0))
    shown = changes[:most_changes] + left[:MOST_LEFT_ALONE]
    covered = {(process.pid, process.start_ticks) for group in shown for process in group}
    rest = [process for process in report.processes if (process.pid, process.start_ticks) not in covered]
    return Selection(
        [Group(max(group, key=lambda process: resident_bytes(process) or 0), len(group) - 1) for group in shown],
        rest,
        sum(map(is_change, rest)),
    )


def _grouped(processes: Iterable[ProcessEntry]) -> list[list[ProcessEntry]]:
    """Processes of one name and user that get the same advice by the same rule; order of first appearance."""
    groups: dict[tuple[object, ...], list[ProcessEntry]] = {}
    for process in processes:
        advice = process.recommendation
        rule = advice.reasons[0].rule if advice.reasons else None
        key = (process.name, process.user, advice.policy, advice.page_bytes, advice.pages, rule)
        groups.setdefault(key, []).append(process)
    return list(groups.values())
