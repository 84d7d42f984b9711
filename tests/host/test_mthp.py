"""Large folios of constructed mappings on this kernel, against a definition applied page by page."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from advisor.collect.folios import scan_folios
from advisor.procfs.fs import KernelFs
from advisor.procfs.pagemap_scan import Vma, parse_reachable
from advisor.profile.pages import FolioCounts
from advisor.units import KIB, MIB
from tests.host.knobs import THP, setting

pytestmark = pytest.mark.host

PAGE = mmap.PAGESIZE
PMD = 2 * MIB
FOLIO = 64 * KIB
ANON, HEAD, TAIL, LARGE = 12, 15, 16, 22
"""Bits of /proc/kpageflags (include/uapi/linux/kernel-page-flags.h)."""

MREMAP_MAYMOVE_FIXED = 3
LONG_S = 20.0

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = libc.mremap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.madvise.argtypes = libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class Areas:
    """Private memory that asks for huge pages; every area begins at a slot and has unmapped memory around it."""

    def __init__(self) -> None:
        self._mapped: list[tuple[int, int]] = []

    def new(self, size: int, *, touched: bool = True) -> int:
        whole = size + 2 * PMD
        start = libc.mmap(None, whole, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        self._mapped.append((start, whole))
        begin = -(-start // PMD) * PMD
        assert libc.madvise(begin, size, mmap.MADV_HUGEPAGE) == 0
        if touched:
            ctypes.memset(begin, 1, size)
        return int(begin)

    def close(self) -> None:
        for start, size in self._mapped:
            libc.munmap(start, size)


@pytest.fixture
def areas() -> Iterator[Areas]:
    if not (THP / "hugepages-64kB/enabled").exists() or int((THP / "hpage_pmd_size").read_text()) != PMD:
        pytest.skip("no mTHP of 64 KiB beside a PMD page of 2 MiB on this kernel")
    made = Areas()
    with ExitStack() as stack:
        stack.callback(made.close)
        for size in THP.glob("hugepages-*kB/enabled"):
            stack.enter_context(setting(size, "never"))
        stack.enter_context(setting(THP / "enabled", "madvise"))
        yield made


def word(path: str, place: int) -> int:
    with open(path, "rb", buffering=0) as file:
        file.seek(place * 8)
        return int.from_bytes(file.read(8), "little")


def flags_of(frame: int) -> int:
    return word("/proc/kpageflags", frame)


def folio_of(frame: int) -> tuple[int, int]:
    """(first frame, pages) of the large folio that a frame is of."""
    first = frame
    while not flags_of(first) >> HEAD & 1:
        first -= 1
    end = first + 1
    while flags_of(end) >> TAIL & 1:
        end += 1
    return first, end - first


def by_definition(vma: Vma, pmd_mapped: set[int]) -> Counter[tuple[str, int]]:
    """Bytes by ("aligned", size), ("unaligned", size) and ("partial", 0), of anonymous memory that no PMD maps."""
    frames: dict[int, int] = {}
    for page in range(vma.start // PAGE, vma.end // PAGE):
        entry = word("/proc/self/pagemap", page)
        if entry >> 63 and page not in pmd_mapped and flags_of(entry & (1 << 55) - 1) >> LARGE & 1:
            frames[page] = entry & (1 << 55) - 1
    found: Counter[tuple[str, int]] = Counter()
    for page, frame in frames.items():
        first, pages = folio_of(frame)
        begin = page - (frame - first)
        whole = all(frames.get(begin + place) == first + place for place in range(pages))
        kind = ("partial", 0) if not whole else ("unaligned" if begin % pages else "aligned", pages * PAGE)
        found[kind] += PAGE
    return found


def flat(counts: FolioCounts) -> Counter[tuple[str, int]]:
    found = Counter({("partial", 0): counts.anon_partial})
    for size in counts.sizes:
        found["aligned", size.page_bytes] += size.anon_aligned
        found["unaligned", size.page_bytes] += size.anon_unaligned
    return +found


def scanned(start: int, size: int) -> tuple[FolioCounts, list[Vma]]:
    """Counts of the VMAs in a range."""
    vmas = KernelFs().parse_process(os.getpid(), "maps", parse_reachable)
    chosen = [vma for vma in vmas if start <= vma.start and vma.end <= start + size]
    found = scan_folios(KernelFs(), os.getpid(), chosen, PMD, PAGE, LONG_S)
    assert found.complete
    return found.total, chosen


def check(start: int, size: int, *, pmd_mapped: set[int] | None = None) -> Counter[tuple[str, int]]:
    counts, vmas = scanned(start, size)
    expected: Counter[tuple[str, int]] = Counter()
    for vma in vmas:
        expected += by_definition(vma, pmd_mapped or set())
    assert flat(counts) == expected
    return expected


def with_folios_of_64k() -> ExitStack:
    stack = ExitStack()
    stack.enter_context(setting(THP / "hugepages-64kB/enabled", "madvise"))
    return stack


def needs_folios(found: Counter[tuple[str, int]], *kinds: tuple[str, int]) -> None:
    missing = [kind for kind in kinds if not found[kind]]
    if missing:
        pytest.skip(f"the kernel had no such folios to give: {missing}")


def test_aligned_folios_of_64_kib(areas: Areas) -> None:
    with with_folios_of_64k():
        area = areas.new(4 * MIB)
    found = check(area, 4 * MIB)
    needs_folios(found, ("aligned", FOLIO))
    assert scanned(area, 4 * MIB)[0].sizes[-1].anon_cont >= found["aligned", FOLIO]


def test_folios_with_pages_taken_out_are_partial(areas: Areas) -> None:
    with with_folios_of_64k():
        area = areas.new(2 * MIB)
    for begin in range(area, area + 2 * MIB, 2 * FOLIO):
        libc.madvise(begin + 5 * PAGE, 3 * PAGE, mmap.MADV_DONTNEED)
    needs_folios(check(area, 2 * MIB), ("aligned", FOLIO), ("partial", 0))


def test_folios_moved_to_where_they_do_not_fit_are_unaligned(areas: Areas) -> None:
    with with_folios_of_64k():
        area = areas.new(2 * MIB)
    target = areas.new(6 * MIB, touched=False) + PMD + 4 * PAGE
    assert libc.mremap(area, 2 * MIB, 2 * MIB, MREMAP_MAYMOVE_FIXED, target) == target
    needs_folios(check(target, 2 * MIB), ("unaligned", FOLIO))


def test_a_folio_that_two_vmas_divide_is_partial_in_both(areas: Areas) -> None:
    with with_folios_of_64k():
        area = areas.new(2 * MIB)
    libc.mprotect(area + MIB + 8 * PAGE, MIB // 2, mmap.PROT_READ)
    needs_folios(check(area, 2 * MIB), ("aligned", FOLIO), ("partial", 0))


def test_a_huge_page_counts_once_by_pmd_and_in_parts_when_it_is_taken_apart(areas: Areas) -> None:
    with setting(THP / "hugepages-2048kB/enabled", "madvise"):
        area = areas.new(2 * PMD)
    counts, _ = scanned(area, 2 * PMD)
    if counts.anon_pmd < 2 * PMD:
        pytest.skip("no huge page free")
    assert (counts.anon_partial, counts.sizes) == (0, [])
    libc.madvise(area + PAGE, PAGE, mmap.MADV_DONTNEED)
    second = range((area + PMD) // PAGE, (area + 2 * PMD) // PAGE)
    found = check(area, 2 * PMD, pmd_mapped=set(second))
    counts, _ = scanned(area, 2 * PMD)
    assert counts.anon_pmd == PMD
    assert found["partial", 0] in (0, PMD - PAGE)  # 0 where the kernel split it meanwhile


def test_the_whole_of_memory_adds_up_to_what_smaps_calls_anonymous_huge(areas: Areas) -> None:
    with setting(THP / "hugepages-2048kB/enabled", "madvise"):
        areas.new(4 * PMD)
    vmas = KernelFs().parse_process(os.getpid(), "maps", parse_reachable)
    found = scan_folios(KernelFs(), os.getpid(), vmas, PMD, PAGE, LONG_S)
    said = re.search(r"(?m)^AnonHugePages: +(\d+) kB$", Path("/proc/self/smaps_rollup").read_text())
    assert said is not None
    assert found.total.anon_pmd == int(said[1]) * KIB
