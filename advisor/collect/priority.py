"""Whose page tables to walk at this tick, and with which file: a pure decision over what is known.

A walk costs the target its mmap_lock and the host CPU: about 3 us a VMA for smaps and 13 us for each MiB that is
resident in base pages, whichever file is read (measured on 6.18; smaps_rollup saves the text, not the walk).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from advisor.procfs.facts import Stat

Walk = Literal["smaps", "rollup"]

VMA_COST_S = 4e-6
"""Printing one VMA in smaps and parsing it (2.9 us and 0.8 us measured)."""
USUAL_VMAS = 200
"""VMAs assumed of a process never walked: what a dynamically linked program with a few dozen libraries has."""
MIB_COST_S = 13e-6
"""Walking one MiB resident in base pages (12 to 14 us measured; nearly free where huge)."""
ROLLUP_SHARE = 0.4
"""Cost of smaps_rollup beside smaps for an ordinary process: it walks the same pages but prints one entry."""

LONGEST_WALK_S = 2.0
"""A walk predicted to be longer is not made: the target's mmap and munmap calls wait behind it. About 150 GiB of
base pages."""

IMPORTANT_BYTES = 16 << 20
"""Below this a process's smaps are read once, and its rollup where it changes: no policy can win much there."""
MOVED_SHARE = 0.1
"""Resident memory that changed by a tenth since smaps were read makes them stale."""


@dataclass(slots=True)
class WalkState:
    """What the sampler remembers of one process's walks; keys are `memory_key` at the time of a walk.

    walked_t_s: when the last one was, on the sampler's clock; None before the first.
    """

    smaps_key: tuple[int, int, int, int] | None = None
    latest_key: tuple[int, int, int, int] | None = None
    cost_s: float | None = None
    walked_t_s: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A process and the walk it asks for.

    The one that is looked at (near) comes first, then those never walked, by resident bytes; then by resident bytes
    times the seconds since the last walk, so that a large busy process cannot keep the others from ever being looked
    at again.
    """

    pid: int
    walk: Walk
    resident_bytes: int
    cost_s: float
    waited_s: float | None
    near: bool = False

    @property
    def order(self) -> tuple[bool, bool, float, int]:
        """Ascending order of urgency."""
        if self.waited_s is None:
            return not self.near, False, -float(self.resident_bytes), self.pid
        return not self.near, True, -self.resident_bytes * self.waited_s, self.pid


def memory_key(stat: Stat) -> tuple[int, int, int, int]:
    """Equal keys mean that the process faulted nothing, mapped nothing and unmapped nothing in between."""
    return (stat.minor_faults, stat.major_faults, stat.vsize_bytes, stat.rss_pages)


def predicted_cost_s(resident_bytes: int, state: WalkState, walk: Walk) -> float:
    """CPU seconds of one walk: what it cost last time, or the sum of the two prices above."""
    cost = state.cost_s
    if cost is None:
        cost = USUAL_VMAS * VMA_COST_S + resident_bytes / (1 << 20) * MIB_COST_S
    return cost * ROLLUP_SHARE if walk == "rollup" else cost


def wanted_walk(
    stat: Stat, state: WalkState, resident_bytes: int, *, collapses_moved: bool, near: bool = False
) -> Walk | None:
    """The walk that would tell something new. collapses_moved: khugepaged or a split was at work since the last.

    near: somebody looks at its single mappings, so that sums would not do.
    """
    key = memory_key(stat)
    if state.smaps_key is None:
        return "smaps"
    if near:
        return "smaps" if key != state.smaps_key or collapses_moved else None
    if key == state.latest_key:
        return "rollup" if collapses_moved and resident_bytes >= IMPORTANT_BYTES else None
    if resident_bytes < IMPORTANT_BYTES:
        return "rollup"
    before = state.smaps_key
    moved = abs(stat.rss_pages - before[3]) > MOVED_SHARE * before[3] or stat.vsize_bytes != before[2]
    return "smaps" if moved else "rollup"


def choose(candidates: Iterable[Candidate], available_s: float | None) -> tuple[dict[int, Walk], int]:
    """(pid -> walk, number put off): by urgency, whatever of it fits the CPU seconds. None is no limit."""
    chosen: dict[int, Walk] = {}
    deferred = 0
    for candidate in sorted(candidates, key=lambda candidate: candidate.order):
        if available_s is None:
            chosen[candidate.pid] = candidate.walk
        elif candidate.cost_s <= available_s:
            available_s -= candidate.cost_s
            chosen[candidate.pid] = candidate.walk
        else:
            deferred += 1
    return chosen, deferred
