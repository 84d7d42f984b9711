"""`/proc/buddyinfo` and `/proc/pagetypeinfo`, and what their free blocks say about contiguity.

Pure functions of bytes and of numbers. The number of orders is the kernel's (11 by default, 14 on arm64 with
a 64 KiB granule), never a constant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.procfs.errors import IncompleteError, MalformedError
from advisor.procfs.facts import BuddyZone, Pagetypes, PagetypeZone
from advisor.procfs.text import parse_name, parse_number, whole_lines

_BUDDY_ROW = re.compile(rb"Node +([0-9]+), +zone +(\S+)((?: +[0-9]+)+) *")
_FREE_ROW = re.compile(rb"Node +([0-9]+), +zone +(\S+), +type +(\S+)((?: +>?[0-9]+)+) *")

_FREE_HEADING = b"Free pages count per migrate type at order"
_BLOCKS_HEADING = b"Number of blocks type"
_MIXED_HEADING = b"Number of mixed blocks"


def parse_buddyinfo(data: bytes) -> list[BuddyZone]:
    """One entry a zone, in the kernel's order."""
    zones: list[BuddyZone] = []
    for number, line in enumerate(whole_lines(data), 1):
        match = _BUDDY_ROW.fullmatch(line)
        if match is None:
            raise MalformedError("not a node, a zone and counts", line=number)
        node, zone, counts = match.groups()
        free = [parse_number(count, number) for count in counts.split()]
        if zones and len(free) != len(zones[0].free_blocks):
            raise MalformedError(f"{len(free)} orders, but {len(zones[0].free_blocks)} above", line=number)
        zones.append(BuddyZone(parse_number(node, number), parse_name(zone, number), free))
    return zones


def parse_pagetypeinfo(data: bytes) -> Pagetypes:
    """`/proc/pagetypeinfo`. The kernel writes the whole text once for each node; the result has all.

    Raises IncompleteError where the table of free pages or of blocks never came.
    """
    reader = _PagetypeReader()
    number = 0
    for number, line in enumerate(whole_lines(data), 1):
        reader.take(line.rstrip(), number)
    return reader.result(number)


class _PagetypeReader:
    """Where in the text the reader is, and the zones met so far."""

    def __init__(self) -> None:
        self.block_order: int | None = None
        self.pages_per_block: int | None = None
        self.section = b""
        self.types: list[str] = []
        self.orders: int | None = None
        self.zones: dict[tuple[int, str], PagetypeZone] = {}

    def take(self, line: bytes, number: int) -> None:
        if line.startswith(b"Node"):
            self._take_row(line, number)
        elif line.startswith(b"Page block order:"):
            self.block_order = parse_number(line.partition(b":")[2].strip(), number)
        elif line.startswith(b"Pages per block:"):
            self.pages_per_block = parse_number(line.partition(b":")[2].strip(), number)
        elif line.startswith(_FREE_HEADING):
            self.section = _FREE_HEADING
        elif line.startswith(_BLOCKS_HEADING):
            self.section = _BLOCKS_HEADING
            self.types = [parse_name(name, number) for name in line[len(_BLOCKS_HEADING) :].split()]
        elif line.startswith(_MIXED_HEADING):
            self.section = _MIXED_HEADING
        elif line:
            raise MalformedError("not a heading or a row of pagetypeinfo", line=number)

    def _take_row(self, line: bytes, number: int) -> None:
        if self.section == _FREE_HEADING:
            self._take_free_row(line, number)
        elif self.section == _BLOCKS_HEADING:
            self._take_blocks_row(line, number)
        elif self.section != _MIXED_HEADING:
            raise MalformedError("a row before any heading", line=number)

    def _take_free_row(self, line: bytes, number: int) -> None:
        match = _FREE_ROW.fullmatch(line)
        if match is None:
            raise MalformedError("not a node, a zone, a type and counts", line=number)
        node, zone_name, kind_name, text = match.groups()
        counts = text.split()
        if self.orders is not None and len(counts) != self.orders:
            raise MalformedError(f"{len(counts)} orders, but {self.orders} above", line=number)
        self.orders = len(counts)
        zone = self._zone(node, zone_name, number)
        kind = parse_name(kind_name, number)
        zone.free_blocks[kind] = [parse_number(count.removeprefix(b">"), number) for count in counts]
        if b">" in text and kind not in zone.capped:
            zone.capped.append(kind)

    def _take_blocks_row(self, line: bytes, number: int) -> None:
        match = _BUDDY_ROW.fullmatch(line)
        if match is None:
            raise MalformedError("not a node, a zone and counts", line=number)
        node, zone_name, counts = match.groups()
        values = [parse_number(count, number) for count in counts.split()]
        if len(values) != len(self.types):
            raise MalformedError(f"{len(values)} counts for {len(self.types)} types", line=number)
        self._zone(node, zone_name, number).blocks.update(zip(self.types, values, strict=True))

    def _zone(self, node: bytes, name: bytes, number: int) -> PagetypeZone:
        key = (parse_number(node, number), parse_name(name, number))
        if key not in self.zones:
            self.zones[key] = PagetypeZone(node=key[0], zone=key[1], blocks={}, free_blocks={})
        return self.zones[key]

    def result(self, last_line: int) -> Pagetypes:
        if self.block_order is None or self.pages_per_block is None:
            raise IncompleteError("no size of a page block", line=last_line)
        if self.section not in (_BLOCKS_HEADING, _MIXED_HEADING):
            raise IncompleteError("no table of page blocks", line=last_line)
        return Pagetypes(self.block_order, self.pages_per_block, list(self.zones.values()))


def free_pages(free_blocks: Sequence[int]) -> int:
    """Base pages in all free blocks of a zone; `free_blocks` by order, order 0 first."""
    return sum(count << order for order, count in enumerate(free_blocks))


def free_blocks_of_order(free_blocks: Sequence[int], order: int) -> int:
    """How many blocks of `order` could be handed out now without compaction: larger blocks are cut up."""
    return sum(count << (size - order) for size, count in enumerate(free_blocks) if size >= order)


def unusable_index(free_blocks: Sequence[int], order: int) -> float:
    """Share (0 to 1) of the free memory that is no use for an allocation of `order`; 1 where nothing is free.

    mm/vmstat.c unusable_free_index; debugfs extfrag/unusable_index prints the same, cut to three decimals.
    """
    free = free_pages(free_blocks)
    if free == 0:
        return 1.0
    return (free - (free_blocks_of_order(free_blocks, order) << order)) / free


def fragmentation_index(free_blocks: Sequence[int], order: int) -> float | None:
    """Why an allocation of `order` would fail: near 0 lack of memory, near 1 fragmentation.

    None where it would not fail: the kernel prints -1.000 there. 0 where no block is free at all.
    mm/vmstat.c __fragmentation_index; debugfs extfrag/extfrag_index. Cf. vm.extfrag_threshold / 1000.
    """
    blocks = sum(free_blocks)
    if blocks == 0:
        return 0.0
    if free_blocks_of_order(free_blocks, order):
        return None
    return 1.0 - (1.0 + free_pages(free_blocks) / (1 << order)) / blocks
