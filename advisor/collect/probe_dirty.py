"""Probe `soft-dirty`: how widely a process scatters its writes over huge page slots."""

from __future__ import annotations

import mmap
import time

import numpy as np

from advisor.collect.probe_clear import SOFT_DIRTY, clear, refuse_if_costly, rollup
from advisor.procfs import pagemap_scan
from advisor.procfs.errors import MissingError
from advisor.procfs.fs import KernelFs
from advisor.procfs.pagemap_scan import HUGE, PRESENT, PagemapScanner, Vma, parse_anonymous, spread_over_slots
from advisor.profile.probes import DirtyReading

DELAYS_S = (0.016, 0.064)
"""Seconds from a clearing to its scan: each page costs a fault at its first write (about a microsecond), so that no
writer reaches more than some ten thousand pages in the first."""


def probe_soft_dirty(fs: KernelFs, pid: int, pmd_bytes: int | None) -> list[DirtyReading]:
    """One reading a delay. Raises KernelTextError, MissingError where this kernel keeps no soft-dirty bits."""
    if pmd_bytes is None:
        raise MissingError("this host states no PMD page size")
    if not tracks_soft_dirty(fs):
        raise MissingError("this kernel keeps no soft-dirty bits (CONFIG_MEM_SOFT_DIRTY)")
    refuse_if_costly(rollup(fs, pid))
    return [_read(fs, pid, pmd_bytes, delay_s) for delay_s in DELAYS_S]


def tracks_soft_dirty(fs: KernelFs) -> bool:
    """Whether a page that this process just wrote shows as soft-dirty."""
    address, page = fresh_page()
    with page, PagemapScanner(fs, "self") as scanner:
        return any(
            len(regions)
            for regions in scanner.regions(address, address + mmap.PAGESIZE, all_of=pagemap_scan.SOFT_DIRTY)
        )


def fresh_page() -> tuple[int, mmap.mmap]:
    """A private page that was written once, and its address."""
    page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    page[0] = 1
    address = np.frombuffer(page, np.uint8).ctypes.data
    return address, page


def _read(fs: KernelFs, pid: int, pmd_bytes: int, delay_s: float) -> DirtyReading:
    vmas = fs.parse_process(pid, "maps", lambda data: parse_anonymous(data, mmap.PAGESIZE))
    clear_s = clear(fs, pid, SOFT_DIRTY)
    cleared = time.perf_counter()
    time.sleep(delay_s)
    began = time.perf_counter()
    with PagemapScanner(fs, pid) as scanner:
        seen = _scan(scanner, vmas, pmd_bytes)
    ended = time.perf_counter()
    dirty_bytes, huge_bytes, runs, slots = seen
    return DirtyReading(
        asked_s=delay_s,
        waited_s=round((began + ended) / 2 - cleared, 6),
        clear_s=round(clear_s, 6),
        read_s=round(ended - began, 6),
        dirty_bytes=dirty_bytes,
        huge_bytes=huge_bytes,
        runs=runs,
        slots=slots,
    )


def _scan(scanner: PagemapScanner, vmas: list[Vma], pmd_bytes: int) -> tuple[int, int, int, int]:
    """Bytes of dirty base pages and of dirty huge ones; runs and slots of the base pages.

    A slot that two answers of the kernel, or two VMAs, have in common counts once: both come in address order.
    """
    dirty_bytes = huge_bytes = runs = slots = 0
    last_end, last_slot = -1, -1
    for vma in vmas:
        for regions in scanner.regions(*vma, all_of=PRESENT | pagemap_scan.SOFT_DIRTY, shown=HUGE):
            is_huge = (regions.categories & np.uint64(HUGE)) != 0
            huge_bytes += int((regions.end[is_huge] - regions.start[is_huge]).sum())
            small = regions.where(~is_huge)
            if not len(small):
                continue
            dirty_bytes += int((small.end - small.start).sum())
            runs += 1 + int((small.start[1:] != small.end[:-1]).sum()) - (int(small.start[0]) == last_end)
            numbers = np.unique(spread_over_slots(small, pmd_bytes)[0])
            slots += len(numbers) - (int(numbers[0]) == last_slot)
            last_end, last_slot = int(small.end[-1]), int(numbers[-1])
    return dirty_bytes, huge_bytes, runs, slots
