"""Probes on this machine's kernel, against programs with a known state of memory."""

from __future__ import annotations

import ctypes
import mmap
import os

import pytest

from advisor.collect.options import SamplerOptions
from advisor.collect.probe_density import FULL
from advisor.collect.probe_dirty import _scan, fresh_page, tracks_soft_dirty
from advisor.collect.probes import Prober
from advisor.collect.sampler import Sampler
from advisor.collect.session import probed_tick
from advisor.procfs.errors import KernelTextError
from advisor.procfs.fs import KernelFs
from advisor.procfs.pagemap_scan import PRESENT, PagemapScanner, Vma
from advisor.profile.probes import ProcessProbes
from advisor.units import MIB
from tests.programs import planted

pytestmark = pytest.mark.host

PAGE = mmap.PAGESIZE


@pytest.fixture
def scans() -> None:
    """Skips on a kernel before 6.7."""
    address, page = fresh_page()
    try:
        with page, PagemapScanner(KernelFs(), "self") as scanner:
            assert [len(part) for part in scanner.regions(address, address + PAGE, all_of=PRESENT)] == [1]
    except KernelTextError as error:
        pytest.skip(str(error))


def probed(kind: str, mib: int, pmd_bytes: int, *names: str) -> ProcessProbes:
    with planted(kind, mib) as process:
        found = Prober(KernelFs(), names, pmd_bytes, PAGE).probe(process.pid)
    for name in names:
        if found.problems.get(name, "").startswith(("denied", "missing")):
            pytest.skip(found.problems[name])
    return found


def test_random_access_touches_ever_more_and_an_idle_program_nothing(pmd_bytes: int) -> None:
    busy = probed("random-access", 64, pmd_bytes, "referenced")
    assert busy.referenced is not None
    assert busy.referenced[-1].referenced_bytes > 16 * MIB
    assert all(reading.waited_s >= reading.asked_s for reading in busy.referenced)
    assert busy.costs["referenced"].lock_s > 0
    idle = probed("tiny", 64, pmd_bytes, "referenced")
    assert idle.referenced is not None
    # Libraries count as touched where another process touches them.
    assert idle.referenced[-1].referenced_bytes < min(16 * MIB, busy.referenced[-1].referenced_bytes)


def test_density_finds_what_is_full_and_what_is_sparse(pmd_bytes: int, scans: None) -> None:
    full = probed("tiny", 64, pmd_bytes, "density").density
    assert full is not None and full.complete
    assert full.slots[FULL] + full.huge_slots >= 64 * MIB // pmd_bytes - 2
    if pmd_bytes != 2 * MIB:
        return  # the sparse program touches one page in 2 MiB
    # More slots than one answer of the kernel is filled with (512 regions): each must be there once.
    sparse = probed("sparse", 2048, pmd_bytes, "density").density
    assert sparse is not None
    if sparse.huge_slots == 0:
        assert 1022 <= sparse.slots[0] <= 1040
        assert sparse.slot_bytes[0] < 1060 * PAGE
        assert sparse.empty_slots < 16


def test_a_scan_agrees_with_pagemap(scans: None) -> None:
    """Every third page of 20 MiB: 1,707 regions, more than the kernel hands out at one go."""
    area = mmap.mmap(-1, 20 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.madvise(mmap.MADV_NOHUGEPAGE)
    for place in range(0, len(area), 3 * PAGE):
        area[place] = 1
    address = address_of(area)
    with PagemapScanner(KernelFs(), "self") as scanner:
        parts = list(scanner.regions(address, address + len(area), all_of=PRESENT))
    starts = [start for part in parts for start in part.start.tolist()]
    assert starts == list(range(address, address + len(area), 3 * PAGE))
    area.close()


def address_of(area: mmap.mmap) -> int:
    """Where it is mapped. Its size would not tell: other mappings may be as large, or be merged with it."""
    return ctypes.addressof(ctypes.c_char.from_buffer(area))


def test_soft_dirty_is_measured_or_refused_with_a_reason(pmd_bytes: int, scans: None) -> None:
    with planted("random-access", 16) as process:
        found = Prober(KernelFs(), ["soft-dirty"], pmd_bytes, PAGE).probe(process.pid)
    if tracks_soft_dirty(KernelFs()):
        assert found.soft_dirty is not None and len(found.soft_dirty) == 2
    else:
        assert "CONFIG_MEM_SOFT_DIRTY" in found.problems["soft-dirty"]


def test_dirty_pages_runs_and_slots_of_memory_written_in_a_known_way(pmd_bytes: int, scans: None) -> None:
    if not tracks_soft_dirty(KernelFs()):
        pytest.skip("this kernel keeps no soft-dirty bits")
    area = mmap.mmap(-1, 8 * pmd_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.madvise(mmap.MADV_NOHUGEPAGE)
    for place in range(0, len(area), pmd_bytes):
        area[place] = 1
    address = address_of(area)
    with PagemapScanner(KernelFs(), "self") as scanner:
        assert _scan(scanner, [Vma(address, address + len(area))], pmd_bytes)[2:] == (8, 8)
    area.close()


def test_a_probed_sample_holds_the_probes_and_what_the_sampler_saw(pmd_bytes: int) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs the right to probe")
    with planted("tiny", 8) as process:
        sampler = Sampler(KernelFs(), SamplerOptions(pids=frozenset({process.pid})))
        sampler.tick()
        (record,) = probed_tick(sampler, ["referenced"], [process.pid]).processes
    assert record.pid == process.pid
    assert record.probes is not None and record.probes.referenced
