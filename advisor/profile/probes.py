"""What opt-in probes of one process found, raw."""

from __future__ import annotations

from msgspec import Struct, field


class TouchReading(Struct, frozen=True):
    """What a process touched within one delay: Referenced of smaps_rollup after /proc/PID/clear_refs.

    asked_s: the delay aimed at; waited_s: seconds from the end of the clearing to the middle of the reading, which
    takes read_s. clear_s: seconds that the clearing held the process's mmap_lock for writing. A PMD-mapped page
    counts whole however little of it was touched: huge_bytes of rss_bytes are on such pages. Hugetlb pages are in
    none of these.
    """

    asked_s: float
    waited_s: float
    clear_s: float
    read_s: float
    referenced_bytes: int
    rss_bytes: int
    huge_bytes: int | None


class Density(Struct, frozen=True):
    """How full the huge page slots of private anonymous memory are, by PAGEMAP_SCAN.

    A slot is an aligned range of pmd_bytes wholly inside one VMA. slots: populated slots that no huge page maps,
    by populated share as in `DENSITY_EDGES`; slot_bytes: what is populated in them. huge_slots: slots that a huge
    page maps; empty_slots: with nothing populated; outside_bytes: populated outside any slot, in VMAs of at least
    pmd_bytes. complete: False where the time ran out before the last VMA.
    """

    pmd_bytes: int
    base_page_bytes: int
    slots: list[int]
    slot_bytes: list[int]
    huge_slots: int
    empty_slots: int
    outside_bytes: int
    complete: bool


DENSITY_EDGES = (1 / 128, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Upper edges, inclusive, of the first bins of `Density`; two more follow: below full, and full."""


class DirtyReading(Struct, frozen=True):
    """Where a process wrote within one delay: soft-dirty pages of private anonymous memory, by PAGEMAP_SCAN.

    asked_s, waited_s, clear_s, read_s: as in `TouchReading`. dirty_bytes: of base pages; huge_bytes: of PMD-mapped
    ones, which count whole. runs: stretches of neighbouring dirty base pages; slots: aligned PMD-size ranges that
    hold at least one of them.
    """

    asked_s: float
    waited_s: float
    clear_s: float
    read_s: float
    dirty_bytes: int
    huge_bytes: int
    runs: int
    slots: int


class ProbeCost(Struct, frozen=True):
    """What one probe of one process cost. lock_s: seconds that the process's mmap_lock was held for writing."""

    wall_s: float
    cpu_s: float
    lock_s: float


class ProcessProbes(Struct, frozen=True, omit_defaults=True):
    """Results of opt-in probes; None was not asked for, or has its reason in `problems`, by the probe's name.

    Names: referenced | density | soft-dirty.
    """

    referenced: list[TouchReading] | None = None
    density: Density | None = None
    soft_dirty: list[DirtyReading] | None = None
    costs: dict[str, ProbeCost] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
