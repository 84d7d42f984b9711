"""How much of physical memory could be made into huge pages: a look at the flags of its pages (root).

Blocks of the PMD page size are sampled, spread evenly over each zone. An aligned range of a gigantic page is read
until a page forbids it. Both end when their time is over, whatever the size of the host; memory use is constant.

What forbids a gigantic page is what the kernel refuses: mm/page_alloc.c pfn_range_valid_contig (another zone, a hole,
reserved pages, hugetlb pages in a pool) and mm/page_isolation.c has_unmovable_pages (what is neither free nor on the
LRU lists). Compaction makes room for smaller ones by the same measure (isolate_migratepages_block). Pages that are
pinned look like others here.
"""

from __future__ import annotations

import functools
import operator
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from advisor.procfs import kpageflags as kpf
from advisor.procfs.facts import Zone
from advisor.procfs.fs import KernelFs
from advisor.procfs.kpageflags import PageFlagReader, Uint64s
from advisor.procfs.zoneinfo import parse_pages_on_cpu_lists, parse_zoneinfo
from advisor.profile.model import Contiguity, ZoneBlocks, ZoneRanges

SAMPLED_BLOCKS = 4096
"""Blocks. Source: arithmetic. Reason: the share of blocks that can be moved is then known to 1.6 % (two standard
errors of a share of one half), and 8 GiB are read whole."""

LEAST_BLOCKS = 64
"""Blocks of each zone, however small a part of the host it is. Source: own choice. Reason: the zone DMA has 8."""

BLOCKS_LIMIT_S = 1.0
RANGES_LIMIT_S = 1.0
"""Seconds for the blocks and for the ranges. Source: measured. Reason: the kernel needs 0.1 us a page, in fragmented
free memory 0.5 us: 4096 blocks take 0.2 to 1 s, and four to forty ranges of 1 GiB a second."""

BATCH_PAGES = 1 << 16
"""Pages judged together: 512 KiB of flags."""

GOLDEN = (5**0.5 - 1) / 2
"""Multiples of it, modulo one, are spread evenly however many are taken (Kronecker sequence)."""

MOVABLE = kpf.LRU | kpf.ANON | kpf.SWAPBACKED | kpf.THP
"""Any of these: page cache or a process's memory. Those without LRU wait on a list of one CPU to get there."""

OF_PROCESSES = kpf.ANON | kpf.SWAPBACKED
"""Movable pages with neither are page cache of files, which can also be dropped where it is clean."""

FORBIDDING = (
    ("pages of a hugetlb pool", kpf.HUGETLB),
    ("holes", kpf.NOPAGE),
    ("pages reserved since boot", kpf.RESERVED),
    ("pages taken offline", kpf.OFFLINE | kpf.HWPOISON),
    ("page tables", kpf.PGTABLE),
    ("kernel objects (slab)", kpf.SLAB),
    ("other kernel memory", kpf.COMPOUND_HEAD | kpf.COMPOUND_TAIL | kpf.MMAP | kpf.ZERO_PAGE),
)
"""What neither compaction nor alloc_contig_range moves, in the order in which it is named. Hugetlb pages smaller than
the range are refused up to 6.18, and never give memory to a pool."""

ALWAYS_FORBIDDING = kpf.HUGETLB | kpf.NOPAGE | kpf.RESERVED | kpf.OFFLINE | kpf.HWPOISON | kpf.ZERO_PAGE
"""These, whatever else the page is; the others only where it is not movable."""

EVER_FORBIDDING = functools.reduce(operator.or_, (bits for _, bits in FORBIDDING))
"""Any bit of FORBIDDING."""

OTHER_ZONES = "memory of another zone or node"
NO_GIGANTIC_ZONES = ("Movable", "Device")
"""Zones from which gigantic pages are not taken: their mask has no __GFP_MOVABLE (hugepage_movable_supported)."""

COUNTED = (
    "looked_at",
    "movable",
    "unnamed",
    "blank",
    "free_pages",
    "stuck_free_pages",
    "file_pages",
    "unnamed_pages",
)
"""Fields of ZoneBlocks that are sums over the blocks looked at."""

Bools = npt.NDArray[np.bool_]


class Span(NamedTuple):
    """Page frames [first, end) of a zone."""

    zone: Zone
    first: int
    end: int


class Seen(NamedTuple):
    """Pages of some blocks, one row a block."""

    free: Bools
    movable: Bools
    unnamed: Bools
    file: Bools


def look_at_memory(
    fs: KernelFs,
    base_page_bytes: int,
    block_bytes: int,
    gigantic: Iterable[int],
    clock: Callable[[], float] = time.thread_time,
) -> Contiguity:
    """One look. gigantic: page sizes that the buddy allocator has no blocks for. Raises KernelTextError."""
    began = clock()
    data = fs.read_proc("zoneinfo")
    zones, on_cpu_lists = parse_zoneinfo(data), parse_pages_on_cpu_lists(data)
    spans = [
        Span(zone, zone.start_pfn, zone.start_pfn + zone.spanned)
        for zone in zones
        if zone.start_pfn is not None and zone.spanned and zone.managed
    ]
    with PageFlagReader(fs) as reader:
        look = _Look(reader, spans, block_bytes // base_page_bytes, on_cpu_lists, clock)
        blocks = look.blocks()
        ranges = look.ranges({size: size // base_page_bytes for size in gigantic})
    return Contiguity(block_bytes, blocks, ranges, round(clock() - began, 6))


class _Look:
    """The state of one look: the file, the zones, the size of a block, and blocks that forbid a range."""

    def __init__(
        self,
        reader: PageFlagReader,
        spans: Sequence[Span],
        block_pages: int,
        on_cpu_lists: dict[tuple[int, str], int],
        clock: Callable[[], float],
    ) -> None:
        self.reader, self.spans, self.block_pages, self.clock = reader, spans, block_pages, clock
        self.on_cpu_lists = on_cpu_lists
        self.forbidding: dict[int, str] = {}

    def blocks(self) -> list[ZoneBlocks]:
        """The sampled blocks of every zone; zones share the sample and the time by their size."""
        whole = [max(span.end // self.block_pages + -span.first // self.block_pages, 0) for span in self.spans]
        total = sum(whole)
        found = []
        for span, number in zip(self.spans, whole, strict=True):
            if not number:
                continue
            wanted = min(number, max(-(-SAMPLED_BLOCKS * number // total), LEAST_BLOCKS))
            firsts = _spread(-(-span.first // self.block_pages), number, wanted) * self.block_pages
            until = self.clock() + BLOCKS_LIMIT_S * number / total
            found.append(self._zone_blocks(span.zone, number, firsts, until))
        return found

    def _zone_blocks(self, zone: Zone, number: int, firsts: npt.NDArray[np.int64], until: float) -> ZoneBlocks:
        sums = np.zeros(len(COUNTED), np.int64)
        batch = max(BATCH_PAGES // self.block_pages, 1)
        for begin in range(0, len(firsts), batch):
            chosen = firsts[begin : begin + batch]
            sums += self._judge(chosen, self._read(chosen))
            if self.clock() > until:
                break
        counts = dict(zip(COUNTED, (int(value) for value in sums), strict=True))
        on_lists = self.on_cpu_lists.get((zone.node, zone.zone))
        return ZoneBlocks(node=zone.node, zone=zone.zone, blocks=number, cpu_list_pages=on_lists, **counts)

    def _read(self, firsts: npt.NDArray[np.int64]) -> Uint64s:
        """Flags of the blocks that begin at these page frames; what lies beyond the end of memory is a hole."""
        words = np.full((len(firsts), self.block_pages), kpf.NOPAGE, np.uint64)
        for row, first in zip(words, firsts, strict=True):
            read = self.reader.read(int(first), self.block_pages)
            row[: len(read)] = read
        return words

    def _judge(self, firsts: npt.NDArray[np.int64], words: Uint64s) -> npt.NDArray[np.int64]:
        """The values of COUNTED."""
        seen = _seen(words)
        forbidden = ~(seen.free | seen.movable | seen.unnamed)
        stuck = forbidden.any(axis=1)
        for row in np.flatnonzero(stuck):
            self.forbidding[int(firsts[row])] = _name(words[row][forbidden[row]][:1])
        unnamed = seen.unnamed.sum(axis=1)
        blank = unnamed == self.block_pages
        whole = ~stuck & ~blank
        free = seen.free.sum(axis=1)
        return np.array(
            [
                len(firsts),
                np.count_nonzero(whole & (unnamed == 0)),
                np.count_nonzero(whole & (unnamed > 0)),
                np.count_nonzero(blank),
                free[whole].sum(),
                free[stuck].sum(),
                seen.file[whole].sum(),
                unnamed[~blank].sum(),
            ],
            np.int64,
        )

    def ranges(self, pages_of: dict[int, int]) -> list[ZoneRanges]:
        """The ranges of every zone that gives gigantic pages, the largest size first."""
        until = self.clock() + RANGES_LIMIT_S
        return [
            self._zone_ranges(span, size, pages, until)
            for size, pages in sorted(pages_of.items(), reverse=True)
            for span in self.spans
            if span.zone.zone not in NO_GIGANTIC_ZONES and span.end // pages + -span.first // pages > 0
        ]

    def _zone_ranges(self, span: Span, size: int, pages: int, until: float) -> ZoneRanges:
        known = {first // pages: name for first, name in self.forbidding.items()}
        counts = {"movable": 0, "unnamed": 0, "blank": 0, "unread": 0}
        blocked: dict[str, int] = {}
        on_lists = self.on_cpu_lists.get((span.zone.node, span.zone.zone), 0)
        for number in range(-(-span.first // pages), span.end // pages):
            first = number * pages
            name = known.get(number) or (OTHER_ZONES if self._is_shared(span, first, first + pages) else None)
            answer = name or (self._range(first, first + pages, on_lists) if self.clock() < until else "unread")
            if answer in counts:
                counts[answer] += 1
            else:
                blocked[answer] = blocked.get(answer, 0) + 1
        return ZoneRanges(span.zone.node, span.zone.zone, size, **counts, blocked=blocked)

    def _is_shared(self, span: Span, first: int, end: int) -> bool:
        """Whether another zone's span reaches into these page frames: whose they are is not known then."""
        return any(other is not span and other.first < end and first < other.end for other in self.spans)

    def _range(self, first: int, end: int, on_lists: int) -> str:
        """movable | unnamed | blank, or the name of what forbids it.

        More unnamed pages than the lists per CPU hold cannot all be theirs: a part is blank.
        """
        pages, unnamed = 0, 0
        for _, words in self.reader.pieces(first, end):
            seen = _seen(words)
            forbidden = ~(seen.free | seen.movable | seen.unnamed)
            if forbidden.any():
                return _name(words[forbidden][:1])
            pages += len(words)
            unnamed += int(seen.unnamed.sum())
        if pages < end - first:
            return _name(np.array([kpf.NOPAGE], np.uint64))
        return "blank" if unnamed > on_lists else "unnamed" if unnamed else "movable"


def _seen(words: Uint64s) -> Seen:
    free = _has(words, kpf.BUDDY)
    movable = _has(words, MOVABLE) & ~free & ~_has(words, ALWAYS_FORBIDDING)
    unnamed = ~free & ~movable & ~_has(words, EVER_FORBIDDING)
    return Seen(free, movable, unnamed, movable & ~_has(words, OF_PROCESSES))


def _has(words: Uint64s, bits: int) -> Bools:
    found: Bools = (words & np.uint64(bits)) != 0
    return found


def _name(word: Uint64s) -> str:
    """What the first of these pages is."""
    return next(name for name, bits in FORBIDDING if int(word[0]) & bits)


def _spread(first: int, number: int, wanted: int) -> npt.NDArray[np.int64]:
    """`wanted` of the numbers [first, first + number), one of each of equal parts, in an order such that any
    beginning of it is spread over all."""
    parts = np.arange(wanted)
    jitter = (parts * GOLDEN) % 1.0
    chosen = first + ((parts + jitter) * number / wanted).astype(np.int64)
    return chosen[np.argsort(jitter, kind="stable")]
