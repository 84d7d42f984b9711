"""Page scans on this machine's kernel: what is populated, what it costs in memory, and that a report has it."""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from advisor.collect.options import SamplerOptions
from advisor.collect.page_scan import PagePlan, PageReader, Target
from advisor.collect.page_slots import Shape
from advisor.collect.sampler import Sampler
from advisor.procfs.fs import KernelFs
from advisor.procfs.pagemap_scan import PagemapScanner, Vma
from advisor.profile.pages import PageScan, SlotGroup, VmaPages
from advisor.units import GIB, MIB
from tests.programs import planted

pytestmark = pytest.mark.host

PAGE = mmap.PAGESIZE
MAP_NORESERVE = 0x4000
MOST_MEMORY = 20 * MIB
"""What a scan may take, whatever the span."""


@contextmanager
def mapped(size: int) -> Iterator[tuple[int, mmap.mmap]]:
    """Memory that stays on base pages, and its address."""
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE) as area:
        area.madvise(mmap.MADV_NOHUGEPAGE)
        holder = ctypes.c_char.from_buffer(area)
        try:
            yield ctypes.addressof(holder), area
        finally:
            del holder


def scan(address: int, size: int, pmd_bytes: int, *, resident: int, shared: bool = False) -> PageScan:
    target = Target(Vma(address, address + size), "anon", "nh", resident, 0, 0, shared)
    return PageReader(KernelFs(), Shape(pmd_bytes, PAGE)).read(PagePlan(os.getpid(), (target,), 0))


def only(found: PageScan) -> VmaPages:
    (row,) = found.vmas
    assert found.unscanned_bytes == 0
    return row


def test_one_page_in_512_gib_is_found_in_constant_memory(pmd_bytes: int) -> None:
    with mapped(512 * GIB) as (address, area):
        area[300 * GIB] = 1
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = scan(address, len(area), pmd_bytes, resident=PAGE)
        if found.method == "pagemap":
            pytest.skip("this kernel has no PAGEMAP_SCAN (before 6.7)")
        row = only(found)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < MOST_MEMORY
    assert (row.present_bytes, row.groups) == (PAGE, [SlotGroup(1, 0, 0, 1)])
    assert row.empty_slots >= 512 * GIB // pmd_bytes - 2


def test_scan_and_pagemap_agree_on_memory_of_every_density(pmd_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = pmd_bytes // PAGE
    with mapped(12 * pmd_bytes) as (address, area):
        first = -(-address // pmd_bytes) * pmd_bytes - address
        wanted = [0, 1, pages // 8, pages // 2, pages - 1, pages]
        for slot, count in enumerate(wanted):
            for page in range(count):
                area[first + slot * pmd_bytes + page * PAGE] = 1
        by_scan = scan(address, len(area), pmd_bytes, resident=sum(wanted) * PAGE)
        monkeypatch.setattr("advisor.collect.page_scan.has_scan", lambda scanner: False)
        by_pagemap = scan(address, len(area), pmd_bytes, resident=sum(wanted) * PAGE)
    assert by_pagemap.method == "pagemap"
    seen = only(by_pagemap)
    assert (seen.groups, seen.present_bytes) == (only(by_scan).groups, only(by_scan).present_bytes)
    assert only(by_scan).groups == [SlotGroup(count, 0, 0, 1) for count in wanted if count]


def test_pages_that_a_child_maps_too_are_shared(pmd_bytes: int) -> None:
    with planted("forked", 64) as process:
        (record,) = Sampler(KernelFs(), SamplerOptions(pids=frozenset({process.pid}))).tick().processes
    assert record.pages is not None
    groups = [group for vma in record.pages.vmas for group in vma.groups]
    huge_bytes = sum(vma.huge_bytes for vma in record.pages.vmas)
    assert sum(group.shared * group.slots for group in groups) * PAGE + huge_bytes >= 56 * MIB


def test_pages_that_were_only_read_hold_nothing(pmd_bytes: int) -> None:
    with mapped(4 * pmd_bytes) as (address, area):
        assert area[pmd_bytes] == 0
        area[pmd_bytes + PAGE] = 1
        with PagemapScanner(KernelFs(), "self") as scanner:
            assert (scanner.entries(address, address + len(area)) >> 63).sum() == 2
        found = scan(address, len(area), pmd_bytes, resident=PAGE)
    if found.method == "pagemap-scan":
        assert only(found).present_bytes == PAGE


def test_a_first_sample_has_the_pages_of_large_processes_and_a_second_one_not_again(pmd_bytes: int) -> None:
    with planted("sparse", 8192) as process:
        sampler = Sampler(KernelFs(), SamplerOptions(pids=frozenset({process.pid})))
        (record,) = sampler.tick().processes
        again = sampler.tick().processes
    assert record.pages is not None
    assert record.pages.unscanned_bytes == 0
    assert record.pages.wall_s < 1
    assert all(record.pages is None for record in again)
