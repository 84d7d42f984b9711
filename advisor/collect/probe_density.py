"""Probe `density`: how full each huge page slot of private anonymous memory is. Reads only."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np

from advisor.collect.page_slots import Shape, SlotTally, scan_slots, tally
from advisor.procfs.errors import MissingError
from advisor.procfs.fs import KernelFs
from advisor.procfs.pagemap_scan import PagemapScanner, parse_anonymous
from advisor.profile.probes import DENSITY_EDGES, Density

LONGEST_SCAN_S = 1.0
"""Seconds after which the scan stops with what it has: about 300 GiB of base pages at 3 ms a GiB."""

BINS = len(DENSITY_EDGES) + 2
FULL = BINS - 1


def probe_density(fs: KernelFs, pid: int, pmd_bytes: int | None, base_page_bytes: int) -> Density:
    """Histogram of populated share. Raises KernelTextError, MissingError where the host has no PMD page size."""
    if pmd_bytes is None:
        raise MissingError("this host states no PMD page size")
    vmas = fs.parse_process(pid, "maps", lambda data: parse_anonymous(data, pmd_bytes))
    shape = Shape(pmd_bytes, base_page_bytes)
    tallies = [SlotTally(vma, shape) for vma in vmas]
    ends = time.perf_counter() + LONGEST_SCAN_S
    with PagemapScanner(fs, pid) as scanner:
        complete = all(
            tally(scan_slots(scanner, one.vma, shape, with_swap=False, with_shared=False), one, ends)
            for one in tallies
        )
    return _density(tallies, shape, complete=complete)


def _density(tallies: Iterable[SlotTally], shape: Shape, *, complete: bool) -> Density:
    slots, filled = [0] * BINS, [0] * BINS
    huge = empty = outside = 0
    for one in tallies:
        huge += one.huge_slots
        empty += one.empty_slots
        outside += one.outside
        for group in one.slot_groups():
            place = int(np.searchsorted(DENSITY_EDGES, group.present / shape.slot_pages))
            place = FULL if group.present == shape.slot_pages else place
            slots[place] += group.slots
            filled[place] += group.slots * group.present * shape.page_bytes
    return Density(
        pmd_bytes=shape.slot_bytes,
        base_page_bytes=shape.page_bytes,
        slots=slots,
        slot_bytes=filled,
        huge_slots=huge,
        empty_slots=empty,
        outside_bytes=outside * shape.page_bytes,
        complete=complete,
    )
