"""Which process of one report is which of another: by pid and start, else by program and cgroup, else by order."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple

from advisor.report.comparison import MatchedBy
from advisor.report.document import Report
from advisor.report.process import ProcessEntry

Key = Callable[[ProcessEntry], Hashable | None]


class Match(NamedTuple):
    """A process on both sides, and how it was recognised."""

    before: ProcessEntry
    after: ProcessEntry
    by: MatchedBy


class Matching(NamedTuple):
    """Every process of both sides once."""

    both: list[Match]
    ended: list[ProcessEntry]
    appeared: list[ProcessEntry]


def match_processes(before: Report, after: Report) -> Matching:
    """Pairs by the surest sign first. Where several are alike, the first started goes with the first started."""
    left, right, both = list(before.processes), list(after.processes), []
    signs: list[tuple[MatchedBy, Key]] = [("program-cgroup", _program_and_cgroup), ("program-order", _program)]
    if may_be_one_boot(before, after):
        signs = [("pid-start", _identity), ("pid-name", _pid_and_name), *signs]
    for by, key in signs:
        pairs = _pairs(left, right, key)
        both += [Match(one, other, by) for one, other in pairs]
        left = _without(left, [one for one, _ in pairs])
        right = _without(right, [other for _, other in pairs])
    return Matching(both, left, right)


def may_be_one_boot(before: Report, after: Report) -> bool:
    """False where it is known that pids mean something else on the other side: a boot is known by its id, else two
    kernels or two names tell two boots."""
    for name in ("boot_id", "kernel", "hostname"):
        one, other = getattr(before.host, name), getattr(after.host, name)
        if one is not None and other is not None and (one != other or name == "boot_id"):
            return bool(one == other)
    return True


def _identity(process: ProcessEntry) -> Hashable | None:
    return (process.pid, process.start_ticks, process.name) if process.start_ticks else None


def _pid_and_name(process: ProcessEntry) -> Hashable | None:
    """Where a side does not know start times. A pid that was used again by the same program counts as the same."""
    return process.pid, process.name


def _program(process: ProcessEntry) -> Hashable | None:
    """The application, else the file's name, else the process's own name: workers rename themselves."""
    if process.application is not None:
        return "application", process.application.id
    return "program", os.path.basename(process.executable) if process.executable else process.name


def _program_and_cgroup(process: ProcessEntry) -> Hashable | None:
    return None if process.cgroup is None else (_program(process), process.cgroup)


def _pairs(
    left: Iterable[ProcessEntry], right: Iterable[ProcessEntry], key: Key
) -> list[tuple[ProcessEntry, ProcessEntry]]:
    ours, theirs = _by_key(left, key), _by_key(right, key)
    pairs: list[tuple[ProcessEntry, ProcessEntry]] = []
    for sign, group in ours.items():
        pairs += zip(group, theirs.get(sign, ()), strict=False)
    if key is _pid_and_name:
        return [(one, other) for one, other in pairs if not (one.start_ticks and other.start_ticks)]
    return pairs


def _by_key(processes: Iterable[ProcessEntry], key: Key) -> dict[Hashable, list[ProcessEntry]]:
    groups: dict[Hashable, list[ProcessEntry]] = defaultdict(list)
    for process in sorted(processes, key=lambda process: (process.start_ticks, process.pid)):
        if (sign := key(process)) is not None:
            groups[sign].append(process)
    return groups


def _without(processes: Sequence[ProcessEntry], taken: Sequence[ProcessEntry]) -> list[ProcessEntry]:
    gone = {(process.pid, process.start_ticks) for process in taken}
    return [process for process in processes if (process.pid, process.start_ticks) not in gone]
