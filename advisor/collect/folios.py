"""Large folios that a process maps, by size: what mTHP covers, and THP that no PMD maps.

The same questions as tools/mm/thpmaps of the kernel asks, with the same answers, as a stream: PAGEMAP_SCAN finds what
is populated and what a PMD maps, pagemap gives page frames for the rest, kpageflags where folios begin. Memory is
bounded by CHUNK_PAGES, whatever a process maps. A *piece* is a stretch of pages of one folio, contiguous in the
address space and in memory, within one VMA.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from advisor.collect.page_scan import PagePlan
from advisor.collect.page_slots import CHUNK_PAGES, Shape, has
from advisor.collect.probe_dirty import fresh_page
from advisor.procfs.errors import DeniedError
from advisor.procfs.fs import KernelFs
from advisor.procfs.kpageflags import ANON, COMPOUND_HEAD, COMPOUND_TAIL, NEAR_PAGES, THP, PageFlagReader
from advisor.procfs.kpageflags import ZERO_PAGE as FLAG_ZERO_PAGE
from advisor.procfs.pagemap_scan import (
    ENTRY_FRAME,
    ENTRY_PRESENT,
    FILE,
    HUGE,
    PRESENT,
    ZERO_PAGE,
    PagemapScanner,
    Regions,
    Vma,
    parse_reachable,
)
from advisor.profile.pages import FolioCounts, FolioScan, FolioSize, FolioVma

Int64s = npt.NDArray[np.int64]

LONGEST_SCAN_S = 0.6
"""Seconds after which a scan stops with what it has: 1 to 6 GiB of base pages, by how scattered they are."""

SCAN_S_PER_BYTE = 0.4 / 2**30
"""Predicted seconds for each byte that no PMD maps: 0.1 s a GiB in folios of 64 KiB, up to 1 s in pages that are
scattered over memory (measured)."""

MOST_VMAS = 64
"""VMAs told singly, the largest first. Source: own choice."""

SMALLEST_ORDER = 2
"""The smallest large folio that is told of: four pages, the least that anonymous memory has (THP_ORDERS_ALL_ANON)."""

ADDRESS, FRAME, IS_HEAD, IS_ANON, OWNER = range(5)
"""Rows of `Pages`: page number in the address space, page frame, is it the first of its folio, place of its VMA."""

Pages = npt.NDArray[np.int64]
"""(5, n): pages of large folios that page table entries map, in address order."""


class Span(NamedTuple):
    """Addresses to read at one go."""

    start: int
    end: int


@dataclass(slots=True)
class FolioTally:
    """Pages by (row, is anonymous, order). row_of: row of each VMA; 0 is for those that are not told singly."""

    row_of: Int64s
    rows: int
    orders: int
    aligned: Int64s = field(init=False)
    unaligned: Int64s = field(init=False)
    cont: Int64s = field(init=False)
    partial: Int64s = field(init=False)
    by_pmd: Int64s = field(init=False)

    def __post_init__(self) -> None:
        by_order = (self.rows, 2, self.orders)
        self.aligned, self.unaligned, self.cont = (np.zeros(by_order, np.int64) for _ in range(3))
        self.partial, self.by_pmd = np.zeros((self.rows, 2), np.int64), np.zeros((self.rows, 2), np.int64)

    def add(self, pages: Pages, begins: Int64s, flags: PageFlagReader) -> None:
        """Count pieces, which begin at these places of `pages`; the last one ends with it."""
        ends = np.append(begins[1:], pages.shape[1])
        size = ends - begins
        row, anon = self.row_of[pages[OWNER, begins]], pages[IS_ANON, begins]
        whole = pages[IS_HEAD, begins] != 0
        whole[whole] = ~_goes_on(pages, ends[whole], flags)
        np.add.at(self.partial, (row[~whole], anon[~whole]), size[~whole])
        order = np.minimum(np.log2(size).astype(np.int64), self.orders - 1)
        is_aligned = pages[ADDRESS, begins] % (1 << order) == 0
        for counts, chosen in ((self.aligned, whole & is_aligned), (self.unaligned, whole & ~is_aligned)):
            np.add.at(counts, (row[chosen], anon[chosen], order[chosen]), size[chosen])
        shift = pages[FRAME, begins] - pages[ADDRESS, begins]
        for step in range(SMALLEST_ORDER, self.orders):
            block = 1 << step
            first = -(-pages[ADDRESS, begins] // block) * block
            blocks = np.maximum(0, (pages[ADDRESS, begins] + size - first) // block)
            fits = (shift % block == 0) & (blocks > 0)
            np.add.at(self.cont, (row[fits], anon[fits], step), blocks[fits] * block)

    def counts(self, row: int | None, page_bytes: int) -> FolioCounts:
        """Bytes of one row, or of all together; only sizes of which there is something."""
        rows = slice(None) if row is None else slice(row, row + 1)
        by_pmd, partial = (part[rows].sum(axis=0) * page_bytes for part in (self.by_pmd, self.partial))
        columns = [part[rows].sum(axis=0) * page_bytes for part in (self.aligned, self.unaligned, self.cont)]
        sizes = [
            FolioSize(page_bytes << order, *(int(part[anon, order]) for anon in (1, 0) for part in columns))
            for order in range(SMALLEST_ORDER, self.orders)
            if any(part[:, order].any() for part in columns)
        ]
        return FolioCounts(int(by_pmd[1]), int(by_pmd[0]), int(partial[1]), int(partial[0]), sizes)


def _goes_on(pages: Pages, ends: Int64s, flags: PageFlagReader) -> npt.NDArray[np.bool_]:
    """Whether the folio has more pages behind a piece than the piece holds: the next page in memory is a tail."""
    follows = ends < pages.shape[1]
    follows[follows] = _continues(pages, ends[follows])
    goes_on = np.zeros(len(ends), np.bool_)
    alone = ~follows  # otherwise the next page is mapped behind it, and is the first of its own folio
    goes_on[alone] = has(flags.of((pages[FRAME, ends[alone] - 1] + 1).astype(np.uint64)), np.uint64(COMPOUND_TAIL))
    return goes_on


def _continues(pages: Pages, places: Int64s) -> npt.NDArray[np.bool_]:
    """Whether each page lies next to the one before it, in the address space, in memory and in the VMA."""
    step = pages[:, places] - pages[:, places - 1]
    chosen: npt.NDArray[np.bool_] = (step[ADDRESS] == 1) & (step[FRAME] == 1) & (step[OWNER] == 0)
    return chosen


def _begins(pages: Pages) -> Int64s:
    """Places where pieces begin."""
    starts = pages[IS_HEAD] != 0
    starts[:1] = True
    starts[1:] |= ~_continues(pages, np.arange(1, pages.shape[1]))
    return np.flatnonzero(starts)


def scan_folios(
    fs: KernelFs, pid: int, vmas: Sequence[Vma], pmd_bytes: int, page_bytes: int, longest_s: float = LONGEST_SCAN_S
) -> FolioScan:
    """Large folios in these VMAs, which are in address order and not hugetlb.

    Raises MissingError before 6.7, DeniedError without CAP_SYS_ADMIN, GoneError.
    """
    wall, cpu = time.perf_counter(), time.thread_time()
    if not shows_frames(fs):
        raise DeniedError("page frame numbers are hidden from those without CAP_SYS_ADMIN")
    large = sorted((vma for vma in vmas if vma.end - vma.start >= pmd_bytes), key=lambda vma: vma.start - vma.end)
    told = {vma: row for row, vma in enumerate(large[:MOST_VMAS], 1)}
    row_of = np.array([told.get(vma, 0) for vma in vmas], np.int64)
    tally = FolioTally(row_of, len(told) + 1, (pmd_bytes // page_bytes).bit_length())
    with PageFlagReader(fs) as flags, PagemapScanner(fs, pid) as scanner:
        stream = _Stream(scanner, flags, page_bytes, vmas)
        complete = stream.run(tally, wall + longest_s)
    rows = [FolioVma(vma.start, vma.end - vma.start, tally.counts(row, page_bytes)) for vma, row in told.items()]
    return FolioScan(
        base_page_bytes=page_bytes,
        total=tally.counts(None, page_bytes),
        vmas=[row for row in rows if row.counts.sizes or row.counts.anon_pmd or row.counts.file_pmd],
        complete=complete,
        wall_s=round(time.perf_counter() - wall, 6),
        cpu_s=round(time.thread_time() - cpu, 6),
    )


def shows_frames(fs: KernelFs) -> bool:
    """Whether pagemap tells this process page frame numbers; without CAP_SYS_ADMIN it says 0, and no error."""
    address, page = fresh_page()
    with page, PagemapScanner(fs, "self") as scanner:
        return bool((scanner.entries(address, address + mmap.PAGESIZE) & ENTRY_FRAME).any())


class FolioReader:
    """PagePlan -> FolioScan. Runs in the guarded thread."""

    def __init__(self, fs: KernelFs, shape: Shape) -> None:
        self.fs = fs
        self.shape = shape

    @property
    def place(self) -> str:
        return self.fs.reading

    def read(self, item: PagePlan) -> FolioScan:
        """Raises as `scan_folios` does."""
        vmas = self.fs.parse_process(item.pid, "maps", parse_reachable)
        known = [vma for vma in vmas if vma.start not in item.hugetlb]
        return scan_folios(self.fs, item.pid, known, self.shape.slot_bytes, self.shape.page_bytes)

    def finish(self) -> None:
        """Nothing is put off."""

    def successor(self) -> FolioReader:
        return self


def choose_folio_plans(plans: Iterable[PagePlan], available_s: float) -> list[PagePlan]:
    """As many as fit into the seconds, in their order."""
    chosen = []
    for plan in plans:
        cost_s = min(LONGEST_SCAN_S, plan.base_bytes * SCAN_S_PER_BYTE)
        if cost_s <= available_s:
            available_s -= cost_s
            chosen.append(plan)
    return chosen


@dataclass(slots=True)
class _Stream:
    """The populated pages of a process in address order, of which the last piece is held until its end is known."""

    scanner: PagemapScanner
    flags: PageFlagReader
    page_bytes: int
    vmas: Sequence[Vma]
    held: Pages = field(default_factory=lambda: np.zeros((5, 0), np.int64))

    def run(self, tally: FolioTally, ends: float) -> bool:
        """False where the time was over before the last page."""
        if not self.vmas:
            return True
        found = self.scanner.regions(
            self.vmas[0].start, self.vmas[-1].end, all_of=PRESENT, none_of=ZERO_PAGE, shown=HUGE | FILE
        )
        for regions in found:
            by_pmd = has(regions.categories, np.uint64(HUGE))
            self._count_by_pmd(regions.where(by_pmd), tally)
            for span in self._spans(regions.where(~by_pmd)):
                self._add(span, tally)
                if time.perf_counter() > ends:
                    return False
        self._count(self.held, tally)
        return True

    def _count_by_pmd(self, regions: Regions, tally: FolioTally) -> None:
        vma = self._vma_of(regions.start)
        pages = ((regions.end - regions.start) // np.uint64(self.page_bytes)).astype(np.int64)
        anon = (~has(regions.categories, np.uint64(FILE))).astype(np.int64)
        known = vma >= 0
        np.add.at(tally.by_pmd, (tally.row_of[vma[known]], anon[known]), pages[known])

    def _vma_of(self, addresses: npt.NDArray[np.uint64]) -> Int64s:
        """Place of the VMA of each address; -1 where it is in none of those looked at."""
        starts, ends = (np.array([vma[side] for vma in self.vmas], np.uint64) for side in (0, 1))
        place = np.searchsorted(starts, addresses, "right") - 1
        return np.where((place >= 0) & (addresses < ends[place]), place, -1)

    def _spans(self, regions: Regions) -> Iterator[Span]:
        """Regions near to each other together, in parts of CHUNK_PAGES."""
        if not len(regions):
            return
        near, most = np.uint64(NEAR_PAGES * self.page_bytes), CHUNK_PAGES * self.page_bytes
        cuts = np.flatnonzero(regions.start[1:] - regions.end[:-1] > near) + 1
        firsts, lasts = np.concatenate(([0], cuts)), np.append(cuts, len(regions)) - 1
        for start, end in zip(regions.start[firsts].tolist(), regions.end[lasts].tolist(), strict=True):
            for begin in range(start, end, most):
                yield Span(begin, min(end, begin + most))

    def _add(self, span: Span, tally: FolioTally) -> None:
        entries = self.scanner.entries(*span)
        populated = np.flatnonzero(has(entries, ENTRY_PRESENT))
        frames = entries[populated] & ENTRY_FRAME
        flags = self.flags.of(frames)
        addresses = np.uint64(span.start) + populated.astype(np.uint64) * np.uint64(self.page_bytes)
        vma = self._vma_of(addresses)
        chosen = has(flags, np.uint64(THP)) & ~has(flags, np.uint64(FLAG_ZERO_PAGE)) & (vma >= 0)
        flags = flags[chosen]
        pages = np.stack(
            (
                (addresses[chosen] // np.uint64(self.page_bytes)).astype(np.int64),
                frames[chosen].astype(np.int64),
                has(flags, np.uint64(COMPOUND_HEAD)).astype(np.int64),
                has(flags, np.uint64(ANON)).astype(np.int64),
                vma[chosen],
            )
        )
        pages = np.concatenate((self.held, pages), axis=1)
        if pages.shape[1]:
            last = int(_begins(pages)[-1])
            self.held = pages[:, last:]
            self._count(pages[:, :last], tally)

    def _count(self, pages: Pages, tally: FolioTally) -> None:
        if pages.shape[1]:
            tally.add(pages, _begins(pages), self.flags)
