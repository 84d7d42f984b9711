"""Huge page slots of a VMA and what is populated in them, at a cost that goes with the pages, not with the span.

PAGEMAP_SCAN hands out populated ranges; nothing is kept of them but sums by slot. Where the kernel lacks the call,
pagemap is read from the beginning of the VMA until as much was seen as smaps says is there.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from advisor.procfs.pagemap_scan import (
    ENTRY_EXCLUSIVE,
    ENTRY_PRESENT,
    ENTRY_SWAPPED,
    HUGE,
    PRESENT,
    SWAPPED,
    ZERO_PAGE,
    PagemapScanner,
    Regions,
    Vma,
    spread_over_slots,
)
from advisor.profile.pages import SlotGroup

Int64s = npt.NDArray[np.int64]

CHUNK_PAGES = 1 << 16
"""Entries of pagemap that are read at one go, 512 KiB: the constant that memory is bounded by."""

MOST_GROUPS = 1024
"""Groups kept of one VMA with all digits. Source: own choice. Reason: 512 counts of present pages fit; where swap and
sharing multiply them, theirs are rounded up to eighths of a slot, which the usual limits of khugepaged are."""

KEY_BITS = 20
"""Bits of each count of pages in the key of a group: a slot has 8192 pages at most (arm64 with pages of 64 KiB)."""


NUMBER, IN_RAM, SHARED, IN_SWAP, IS_HUGE = range(5)
"""Rows of `Slots`: address / slot size; pages present, of these shared; pages swapped; not 0 where mapped by PMD."""

Slots = npt.NDArray[np.int64]
"""(5, n): the slots of which something is populated, one a column, in address order."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the host, bytes."""

    slot_bytes: int
    page_bytes: int

    @property
    def slot_pages(self) -> int:
        return self.slot_bytes // self.page_bytes


def scan_slots(
    scanner: PagemapScanner, vma: Vma, shape: Shape, *, with_swap: bool, with_shared: bool
) -> Iterator[Slots]:
    """Slots of a VMA by PAGEMAP_SCAN, each once. Raises MissingError before 6.7, GoneError.

    with_swap: whether smaps says that something of it is in swap; entries for guards and markers look like swap and
    are not. with_shared: look up who else maps the pages, at three times the cost.
    """
    held = np.zeros((5, 0), np.int64)
    categories = PRESENT | (SWAPPED if with_swap else 0)
    for regions in scanner.regions(*vma, any_of=categories, none_of=ZERO_PAGE, shown=HUGE):
        slots = _joined(held, _summed(regions, shape))
        held = slots[:, -1:]  # the next answer may begin in the same slot
        yield _with_sharing(scanner, vma, shape, slots[:, :-1]) if with_shared else slots[:, :-1]
    yield _with_sharing(scanner, vma, shape, held) if with_shared else held


def _summed(regions: Regions, shape: Shape) -> Slots:
    number, sizes, owner = spread_over_slots(regions, shape.slot_bytes)
    categories = regions.categories[owner]
    pages = (sizes // np.uint64(shape.page_bytes)).astype(np.int64)
    first = np.flatnonzero(np.concatenate(([True], number[1:] != number[:-1])))
    slots = np.zeros((5, len(first)), np.int64)
    slots[NUMBER] = number[first]
    present = (categories & np.uint64(PRESENT)) != 0
    slots[IN_RAM] = np.add.reduceat(np.where(present, pages, 0), first)
    slots[IN_SWAP] = np.add.reduceat(np.where(present, 0, pages), first)
    slots[IS_HUGE] = np.logical_or.reduceat((categories & np.uint64(HUGE)) != 0, first)
    return slots


def _joined(left: Slots, right: Slots) -> Slots:
    """One after the other; the last slot of the left may be the first of the right."""
    if not left.shape[1] or left[NUMBER, -1] != right[NUMBER, 0]:
        return np.concatenate((left, right), axis=1)
    right[IN_RAM : IS_HUGE + 1, 0] += left[IN_RAM : IS_HUGE + 1, -1]
    return np.concatenate((left[:, :-1], right), axis=1)


def _with_sharing(scanner: PagemapScanner, vma: Vma, shape: Shape, slots: Slots) -> Slots:
    """The slots with their shared pages. A page of the zero page is nobody's own either, and is not counted."""
    places = np.flatnonzero(slots[IS_HUGE] == 0)
    for run in _neighbours(places, slots[NUMBER, places], max(1, CHUNK_PAGES // shape.slot_pages)):
        begin = max(vma.start, int(slots[NUMBER, run[0]]) * shape.slot_bytes)
        end = min(vma.end, (int(slots[NUMBER, run[-1]]) + 1) * shape.slot_bytes)
        entries = scanner.entries(begin, end)
        shared = _by_slot(has(entries, ENTRY_PRESENT) & ~has(entries, ENTRY_EXCLUSIVE), begin, shape)
        slots[SHARED, run] = np.minimum(shared, slots[IN_RAM, run])
    return slots


def _neighbours(places: Int64s, numbers: Int64s, most: int) -> Iterator[Int64s]:
    """The places in runs of which the numbers follow each other, at most so many at once."""
    if not len(places):
        return
    for run in np.split(places, np.flatnonzero(np.diff(numbers) != 1) + 1):
        for begin in range(0, len(run), most):
            yield run[begin : begin + most]


def read_slots(scanner: PagemapScanner, vma: Vma, shape: Shape, expected_bytes: int) -> Iterator[Slots]:
    """Slots of a VMA from pagemap itself, up to where as much was seen as smaps told. Raises GoneError.

    Which slots a huge page maps is not in pagemap: IS_HUGE is 0. The zero page cannot be told from others.
    """
    chunk = max(1, CHUNK_PAGES // shape.slot_pages)
    seen = 0
    for number in range(vma.start // shape.slot_bytes, -(-vma.end // shape.slot_bytes), chunk):
        begin = max(vma.start, number * shape.slot_bytes)
        end = min(vma.end, (number + chunk) * shape.slot_bytes)
        entries = scanner.entries(begin, end)
        present, swapped = has(entries, ENTRY_PRESENT), has(entries, ENTRY_SWAPPED)
        slots = np.zeros((5, -(-end // shape.slot_bytes) - number), np.int64)
        slots[NUMBER] = np.arange(number, number + slots.shape[1])
        slots[IN_RAM] = _by_slot(present, begin, shape)
        slots[SHARED] = _by_slot(present & ~has(entries, ENTRY_EXCLUSIVE), begin, shape)
        slots[IN_SWAP] = _by_slot(swapped, begin, shape)
        yield slots[:, (slots[IN_RAM] + slots[IN_SWAP]) > 0]
        seen += int(slots[[IN_RAM, IN_SWAP]].sum()) * shape.page_bytes
        if seen >= expected_bytes:
            return


def has(entries: npt.NDArray[np.uint64], bit: np.uint64) -> npt.NDArray[np.bool_]:
    """Which entries have the bit."""
    chosen: npt.NDArray[np.bool_] = (entries & bit) != 0
    return chosen


def _by_slot(chosen: npt.NDArray[np.bool_], begin: int, shape: Shape) -> Int64s:
    """Chosen pages in each slot, of entries that start at the address `begin`."""
    before = begin % shape.slot_bytes // shape.page_bytes
    first = np.arange(shape.slot_pages - before, len(chosen), shape.slot_pages)
    return np.add.reduceat(chosen, np.concatenate(([0], first)), dtype=np.int64)


@dataclass(slots=True)
class SlotTally:
    """Sums over the slots of one VMA. huge_slots: whole slots that a huge page maps; numbers of pages elsewhere.

    seen_until: number behind the last slot that holds something; is_cut: the time was over before the VMA's end.
    """

    vma: Vma
    shape: Shape
    present: int = 0
    swapped: int = 0
    outside: int = 0
    huge_slots: int = 0
    seen_until: int = 0
    is_cut: bool = False
    groups: Counter[int] = field(default_factory=Counter)

    def add(self, slots: Slots) -> None:
        if not slots.shape[1]:
            return
        self.seen_until = int(slots[NUMBER, -1]) + 1
        self.present += int(slots[IN_RAM].sum())
        self.swapped += int(slots[IN_SWAP].sum())
        first, last = self._whole()
        inside = (slots[NUMBER] >= first) & (slots[NUMBER] < last)
        huge = slots[IS_HUGE] != 0
        self.outside += int(slots[IN_RAM, ~inside].sum())
        self.huge_slots += int((inside & huge).sum())
        counted = slots[:, inside & ~huge]
        key = (counted[IN_RAM] << KEY_BITS | counted[SHARED]) << KEY_BITS | counted[IN_SWAP]
        self.groups.update(dict(zip(*(part.tolist() for part in np.unique(key, return_counts=True)), strict=True)))
        if len(self.groups) > MOST_GROUPS:
            self._round()

    @property
    def empty_slots(self) -> int:
        """Whole slots that were looked at and hold nothing."""
        first, last = self._whole()
        end = min(last, self.seen_until) if self.is_cut else last
        return max(0, end - first - self.huge_slots - self.groups.total())

    def slot_groups(self) -> list[SlotGroup]:
        """In ascending order of what they hold."""
        mask = (1 << KEY_BITS) - 1
        return [
            SlotGroup(key >> 2 * KEY_BITS, key >> KEY_BITS & mask, key & mask, count)
            for key, count in sorted(self.groups.items())
        ]

    def take_for_huge(self, slots: int) -> None:
        """As many full slots as smaps says are huge: pagemap alone does not tell them from those on base pages."""
        for key in [key for key in self.groups if key >> 2 * KEY_BITS == self.shape.slot_pages]:
            taken = min(slots - self.huge_slots, self.groups[key])
            self.groups[key] -= taken
            self.huge_slots += taken
        self.groups = +self.groups

    def _whole(self) -> tuple[int, int]:
        """Numbers of the slots that lie wholly inside, from the first to behind the last."""
        return -(-self.vma.start // self.shape.slot_bytes), self.vma.end // self.shape.slot_bytes

    def _round(self) -> None:
        step = max(1, self.shape.slot_pages // 8)
        rounded: Counter[int] = Counter()
        for group in self.slot_groups():
            shared = min(-(-group.shared // step) * step, group.present)
            swapped = min(-(-group.swapped // step) * step, self.shape.slot_pages - group.present)
            rounded[(group.present << KEY_BITS | shared) << KEY_BITS | swapped] += group.slots
        self.groups = rounded


def tally(slots: Iterator[Slots], into: SlotTally, ends: float) -> bool:
    """Add slots up; False where the clock (perf_counter) passed `ends` before the last of them."""
    for part in slots:
        into.add(part)
        if time.perf_counter() > ends:
            into.is_cut = True
            break
    return not into.is_cut
