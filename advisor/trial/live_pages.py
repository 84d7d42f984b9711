"""How many pages of each slot of another process are populated, and which slots are huge already.

By ioctl(PAGEMAP_SCAN) where the kernel has it (6.7), else by reading /proc/PID/pagemap. Both hold mmap_lock for
reading only for one piece at a time. Source: Documentation/admin-guide/mm/pagemap.rst.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from advisor.procfs.errors import MissingError
from advisor.procfs.fs import KernelFs
from advisor.procfs.pagemap_scan import (
    ENTRY_PRESENT,
    HUGE,
    PRESENT,
    ZERO_PAGE,
    PagemapScanner,
    Regions,
    spread_over_slots,
)

PIECE_BYTES = 256 << 20
"""Address space to look at in one call of `slots`. Reason: about 1 ms of page table walk, so that a waiting mmap or
page fault is not held up; and memory stays small whatever the size of the mapping."""

Int64s = npt.NDArray[np.int64]


class SlotPages(NamedTuple):
    """Of consecutive slots: populated bytes, and whether the slot is mapped huge (None: this way cannot tell)."""

    populated: Int64s
    huge: npt.NDArray[np.bool_] | None


class PageReader:
    """Reads the pagemap of one process; a context manager that holds it open."""

    def __init__(self, fs: KernelFs, pid: int) -> None:
        """Raises GoneError, MissingError, DeniedError."""
        self._scanner = PagemapScanner(fs, pid)
        self.can_scan = True

    def __enter__(self) -> Self:
        self._scanner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scanner.__exit__(kind, error, trace)

    def slots(self, start: int, count: int, slot_bytes: int) -> SlotPages:
        """`count` slots from `start` on, which is the beginning of one.

        Raises GoneError where the process ended, KernelTextError for other failures.
        """
        if self.can_scan:
            try:
                return self._scan_slots(start, count, slot_bytes)
            except MissingError:
                self.can_scan = False
        return SlotPages(self._read_slots(start, count, slot_bytes), None)

    def _scan_slots(self, start: int, count: int, slot_bytes: int) -> SlotPages:
        populated, huge = np.zeros(count, np.int64), np.zeros(count, np.int64)
        end = start + count * slot_bytes
        for regions in self._scanner.regions(start, end, all_of=PRESENT, none_of=ZERO_PAGE, shown=HUGE):
            populated += _bytes_of_slots(regions, start, count, slot_bytes)
            is_huge = (regions.categories & np.uint64(HUGE)) != 0
            huge += _bytes_of_slots(regions.where(is_huge), start, count, slot_bytes)
        return SlotPages(populated, huge == slot_bytes)

    def _read_slots(self, start: int, count: int, slot_bytes: int) -> Int64s:
        """Populated bytes of each slot, from the pagemap's own entries: the zero page counts as populated."""
        present = (self._scanner.entries(start, start + count * slot_bytes) & ENTRY_PRESENT) != 0
        populated: Int64s = present.reshape(count, -1).sum(axis=1) * os.sysconf("SC_PAGE_SIZE")
        return populated


def _bytes_of_slots(regions: Regions, start: int, count: int, slot_bytes: int) -> Int64s:
    """What the regions cover of each of `count` slots from `start` on."""
    numbers, sizes, _ = spread_over_slots(regions, slot_bytes)
    places = (numbers - np.uint64(start // slot_bytes)).astype(np.int64)
    return np.bincount(places, sizes.astype(np.float64), count).astype(np.int64)
