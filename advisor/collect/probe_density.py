"""Probe `density`: how full each huge page slot of private anonymous memory is. Reads only."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from advisor.procfs.errors import MissingError
from advisor.procfs.fs import KernelFs
from advisor.procfs.pagemap_scan import (
    HUGE,
    PRESENT,
    ZERO_PAGE,
    PagemapScanner,
    Vma,
    parse_anonymous,
    spread_over_slots,
)
from advisor.profile.model import DENSITY_EDGES, Density

LONGEST_SCAN_S = 1.0
"""Seconds after which the scan stops with what it has: about 300 GiB of base pages at 3 ms a GiB."""

WINDOW_SLOTS = 4096
"""Slots looked at together, 8 GiB of 2 MiB slots: 64 KiB of counters, and a look at the clock every 30 ms."""

BINS = len(DENSITY_EDGES) + 2
FULL = BINS - 1


@dataclass(slots=True)
class _Tally:
    """Sums over the windows so far."""

    slot_bytes: int
    slots: list[int] = field(default_factory=lambda: [0] * BINS)
    bytes: list[int] = field(default_factory=lambda: [0] * BINS)
    huge_slots: int = 0
    empty_slots: int = 0
    outside_bytes: int = 0

    def add(self, populated: np.ndarray, huge: np.ndarray) -> None:
        """Slots of one window: bytes populated, and whether a huge page maps them."""
        self.huge_slots += int(huge.sum())
        self.empty_slots += int((populated == 0).sum())
        small = populated[(populated > 0) & ~huge]
        bins = np.searchsorted(np.array(DENSITY_EDGES), small / self.slot_bytes)
        bins[small == self.slot_bytes] = FULL
        for place in range(BINS):
            self.slots[place] += int((bins == place).sum())
            self.bytes[place] += int(small[bins == place].sum())


def probe_density(fs: KernelFs, pid: int, pmd_bytes: int | None, base_page_bytes: int) -> Density:
    """Histogram of populated share. Raises KernelTextError, MissingError where the host has no PMD page size."""
    if pmd_bytes is None:
        raise MissingError("this host states no PMD page size")
    vmas = fs.parse_process(pid, "maps", lambda data: parse_anonymous(data, pmd_bytes))
    tally = _Tally(pmd_bytes)
    ends = time.perf_counter() + LONGEST_SCAN_S
    with PagemapScanner(fs, pid) as scanner:
        complete = all(_scan_vma(scanner, vma, tally, ends) for vma in vmas)
    return Density(
        pmd_bytes=pmd_bytes,
        base_page_bytes=base_page_bytes,
        slots=tally.slots,
        slot_bytes=tally.bytes,
        huge_slots=tally.huge_slots,
        empty_slots=tally.empty_slots,
        outside_bytes=tally.outside_bytes,
        complete=complete,
    )


def _scan_vma(scanner: PagemapScanner, vma: Vma, tally: _Tally, ends: float) -> bool:
    """False where the time was over before the end of the VMA."""
    slot = tally.slot_bytes
    for window in range(vma.start // slot, -(-vma.end // slot), WINDOW_SLOTS):
        if time.perf_counter() > ends:
            return False
        _scan_window(scanner, vma, window, tally)
    return True


def _scan_window(scanner: PagemapScanner, vma: Vma, window: int, tally: _Tally) -> None:
    """The slots from number `window` on, as far as the VMA reaches."""
    slot = tally.slot_bytes
    start, end = max(vma.start, window * slot), min(vma.end, (window + WINDOW_SLOTS) * slot)
    count = -(-end // slot) - window
    populated, huge = np.zeros(count, np.int64), np.zeros(count, np.bool_)
    for regions in scanner.regions(start, end, all_of=PRESENT, none_of=ZERO_PAGE, shown=HUGE):
        numbers, sizes = spread_over_slots(regions, slot)
        places = (numbers - np.uint64(window)).astype(np.int64)
        populated += np.bincount(places, sizes.astype(np.float64), count).astype(np.int64)
        is_huge = (regions.categories & np.uint64(HUGE)) != 0
        huge_places, _ = spread_over_slots(regions.where(is_huge), slot)
        huge[(huge_places - np.uint64(window)).astype(np.int64)] = True
    first, last = -(-start // slot) - window, end // slot - window
    tally.outside_bytes += int(populated[:first].sum() + populated[max(first, last) :].sum())
    tally.add(populated[first:last], huge[first:last])
