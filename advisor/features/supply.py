"""How many huge pages this host could hand out: now, with compaction at best, and if they were reserved at boot.

Now means as many as writing nr_hugepages gets after compaction (`vm.compact_memory`), repeated until it grows no
more. One write alone may stop anywhere between that and what is free in one piece: twice on the same kind of
fragmented memory it got 3370 and 4866 pages of 6700 (6.18).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from advisor.features.declare import Value
from advisor.procfs.buddyinfo import free_blocks_of_order
from advisor.procfs.facts import BuddyZone, PagetypeZone, Zone
from advisor.profile.model import HostState, ZoneBlocks, ZoneRanges

ZoneKey = tuple[int, str]
"""Node and name of a zone."""

DEFERRED_SHARE = 0.01
"""Share of MemTotal. Source: own choice. Reason: what zones manage and MemTotal differ by little on every host but
one that has memory which it has not initialised yet."""

UNNAMED_ARE_FREE = 0.9
"""Share of unnamed pages that lists per CPU explain, from which on a range of them counts as movable. Source: own
choice, with 0.97 and more seen on 6.18. Reason: nothing else tells them from kernel memory."""

MOVABLE_TYPES = ("Movable", "CMA")
"""Page blocks into which compaction moves memory (mm/compaction.c suitable_migration_target)."""

NO_BUDDYINFO = "unknown: buddyinfo or the base page size was not read"
NO_LOOK = "unknown: larger than buddyinfo's largest block; needs CAP_DAC_READ_SEARCH and a look at /proc/kpageflags"


class Supply(NamedTuple):
    """Pages of one size of one node (None: not known by node). low and high bound available_now.

    at_boot: an estimate of how many the kernel command line could reserve and leave everything in use its memory.
    """

    page_bytes: int
    node: int | None
    available_now: int | None
    basis: str
    low: int | None = None
    high: int | None = None
    at_boot: int | None = None
    at_boot_basis: str | None = None


class Bounds(NamedTuple):
    """Pages: at least, most likely, at most."""

    low: int
    now: int
    high: int

    def plus(self, other: Bounds) -> Bounds:
        return Bounds(*(mine + others for mine, others in zip(self, other, strict=True)))


NOTHING = Bounds(0, 0, 0)


def supply(state: HostState, base_page_bytes: int | None) -> list[Supply]:
    """For each huge page size of the host, by node, how many could be handed out."""
    sizes = {pool.page_bytes for pool in state.pools or []}
    if state.thp is not None and state.thp.pmd_bytes is not None:
        sizes.add(state.thp.pmd_bytes)
    if not state.buddyinfo or not base_page_bytes:
        return [Supply(size, None, None, NO_BUDDYINFO) for size in sorted(sizes)]
    orders = len(state.buddyinfo[0].free_blocks)
    host = _Host(state, base_page_bytes)
    return [
        entry
        for size in sorted(sizes)
        for entry in (host.of_buddy(size) if size < base_page_bytes << orders else host.gigantic(size))
    ]


def available(entries: Sequence[Supply], page_bytes: Value) -> int | None:
    """Pages of this size over all nodes; None where one is unknown or the host has no such size."""
    known = [entry.available_now for entry in entries if entry.page_bytes == page_bytes]
    return sum(count for count in known if count is not None) if known and None not in known else None


def at_boot(entries: Sequence[Supply], page_bytes: Value) -> int | None:
    """The same for pages reserved at boot."""
    known = [entry.at_boot for entry in entries if entry.page_bytes == page_bytes]
    return sum(count for count in known if count is not None) if known and None not in known else None


class _Host:
    """The state by zone, and what each page size gets of it."""

    def __init__(self, state: HostState, base_page_bytes: int) -> None:
        self.state, self.base = state, base_page_bytes
        self.buddy: Sequence[BuddyZone] = state.buddyinfo or []
        self.zones = {(zone.node, zone.zone): zone for zone in state.zoneinfo or []}
        self.deferred = deferred_pages(state, base_page_bytes)
        look = state.contiguity
        self.block_bytes = look.block_bytes if look is not None else None
        self.blocks = {(blocks.node, blocks.zone): blocks for blocks in look.zones} if look is not None else {}
        self.ranges: list[ZoneRanges] = look.ranges if look is not None else []
        types = state.pagetypeinfo
        self.types = {(zone.node, zone.zone): zone for zone in types.zones} if types is not None else {}

    @property
    def nodes(self) -> list[int]:
        return sorted({zone.node for zone in self.buddy})

    def of_buddy(self, size: int) -> Iterator[Supply]:
        """A size that the buddy allocator has blocks for."""
        for node in self.nodes:
            bounds = NOTHING
            for zone in self.buddy:
                if zone.node == node:
                    bounds = bounds.plus(self._zone(zone, size))
            yield self._entry(size, node, bounds, self._buddy_basis(size, node, bounds))

    def _zone(self, buddy: BuddyZone, size: int) -> Bounds:
        """Pages of one zone. Free memory less what the watermarks keep, in blocks that can be emptied."""
        key, pages = (buddy.node, buddy.zone), size // self.base
        whole = free_blocks_of_order(buddy.free_blocks, pages.bit_length() - 1)
        zone, blocks = self.zones.get(key), self.blocks.get(key)
        if zone is None or zone.free is None:
            return Bounds(whole, whole, whole)
        kept = self._kept(zone)
        waiting = self.deferred.get(key, 0)
        on_lists = blocks.cpu_list_pages or 0 if blocks is not None else 0
        free = zone.free + on_lists + waiting
        at_most = max(free - kept, 0) // pages
        low = min(whole, max(zone.free - kept, 0) // pages) + waiting // pages
        if blocks is None or size != self.block_bytes or not blocks.looked_at:
            return Bounds(min(low, at_most), min(low, at_most), at_most)
        now, high = self._compacted(blocks, self.types.get(key), zone.free + on_lists, kept)
        now, high = min(now + waiting // pages, at_most), high + waiting // pages
        return Bounds(min(low, now), now, max(high, now))

    def _compacted(self, blocks: ZoneBlocks, types: PagetypeZone | None, free: int, kept: int) -> tuple[int, int]:
        """Blocks that compaction can empty, as free memory allows; the second with all page cache dropped.

        What cannot be moved away keeps its block; free pages beside it take in what is moved, but only in blocks of
        a movable type, and otherwise serve as what the watermarks keep.
        """
        scale = blocks.blocks / blocks.looked_at
        pages = (self.block_bytes or 0) // self.base
        explained = unnamed_that_are_free(blocks)
        movable = (blocks.movable + explained * blocks.unnamed) * scale
        seen_free = blocks.free_pages + blocks.stuck_free_pages
        beside = free * blocks.stuck_free_pages / seen_free if seen_free else 0.0
        stuck_blocks = (blocks.looked_at - blocks.movable - blocks.unnamed - blocks.blank) * scale
        no_target = sum(count for name, count in types.blocks.items() if name not in MOVABLE_TYPES) if types else 0
        useless = beside * min(no_target / stuck_blocks, 1.0) if stuck_blocks else 0.0
        usable = max(free - useless - max(kept - useless, 0.0), 0.0)
        droppable = blocks.file_pages * scale
        return int(min(movable, usable / pages)), int(min(movable, (usable + droppable) / pages))

    def _kept(self, zone: Zone) -> int:
        """Pages that stay free: the zone's least watermark and what it protects from requests for other zones.

        Protection grows with the memory of higher zones, also with what is not initialised yet.
        """
        protected = max(zone.protection, default=0)
        names = [name for node, name in self.zones if node == zone.node]
        above = [(zone.node, name) for name in names[names.index(zone.zone) + 1 :]]
        managed = sum(self.zones[key].managed or 0 for key in above)
        growth = 1 + sum(self.deferred.get(key, 0) for key in above) / managed if managed else 1.0
        return (zone.min or 0) + int(protected * growth)

    def _buddy_basis(self, size: int, node: int, bounds: Bounds) -> str:
        text = f"{bounds.low} are free in one piece (buddyinfo less watermarks)"
        looked = [blocks for (of, _), blocks in self.blocks.items() if of == node] if size == self.block_bytes else []
        seen = sum(blocks.looked_at for blocks in looked)
        if not seen:
            needs = "CAP_DAC_READ_SEARCH and /proc/kpageflags"
            return f"{text}; how many compaction could make is unknown: that needs {needs}"
        stuck = sum(one.looked_at - one.movable - one.unnamed - one.blank for one in looked)
        total = sum(blocks.blocks for blocks in looked)
        blocks = f"{seen} blocks" if seen == total else f"{seen} of {total} blocks, evenly spread,"
        return f"{text}; compaction makes the rest: of {blocks} looked at, {stuck} hold memory that cannot be moved"

    def gigantic(self, size: int) -> Iterator[Supply]:
        """A size beyond the buddy allocator: aligned ranges of which the kernel can move away what is in them."""
        ranges = [one for one in self.ranges if one.page_bytes == size]
        for node in self.nodes:
            of_node = [one for one in ranges if one.node == node]
            if self.state.contiguity is None:
                yield self._entry(size, node, None, NO_LOOK)
                continue
            bounds = NOTHING
            for one in of_node:
                bounds = bounds.plus(self._ranges(one))
            room = self._room(node) // (size // self.base)
            limited = Bounds(*(min(count, room) for count in bounds))
            yield self._entry(size, node, limited, _ranges_basis(of_node, room, bounds))

    def _ranges(self, one: ZoneRanges) -> Bounds:
        blocks = self.blocks.get((one.node, one.zone))
        explained = blocks is not None and unnamed_that_are_free(blocks) >= UNNAMED_ARE_FREE
        read = one.movable + one.unnamed + one.blank + sum(one.blocked.values())
        good = one.movable + (one.unnamed if explained else 0)
        waiting = min(one.blank, self.deferred.get((one.node, one.zone), 0) * self.base // one.page_bytes)
        unread = one.unread * good // read if read else 0
        return Bounds(one.movable, good + unread, one.movable + one.unnamed + waiting + one.unread)

    def _room(self, node: int) -> int:
        """Base pages of a node that are free or page cache, less its watermarks: what is moved must go somewhere."""
        room = 0
        for key, zone in self.zones.items():
            if zone.node == node and zone.free is not None:
                blocks = self.blocks.get(key)
                on_lists = blocks.cpu_list_pages or 0 if blocks is not None else 0
                room += max(zone.free + on_lists + self.deferred.get(key, 0) - (zone.low or 0), 0)
        return room + self._file_pages(node)

    def _file_pages(self, node: int) -> int:
        counters = self._counters(node)
        return counters.get("nr_inactive_file", 0) + counters.get("nr_active_file", 0)

    def _counters(self, node: int) -> Mapping[str, int]:
        """The per-node counters, which are with the node's first zone."""
        return next((zone.counters for zone in self.zones.values() if zone.node == node), {})

    def _entry(self, size: int, node: int, bounds: Bounds | None, basis: str) -> Supply:
        boot, boot_basis = self._at_boot(size, node)
        if bounds is None:
            return Supply(size, node, None, basis, None, None, boot, boot_basis)
        return Supply(size, node, bounds.now, basis, bounds.low, bounds.high, boot, boot_basis)

    def _at_boot(self, size: int, node: int) -> tuple[int | None, str | None]:
        """Memory of the node that nobody uses, pools counted as unused, in whole pages; for gigantic ones at most
        the whole ranges but one, in which the kernel and its page array are."""
        of_node = [(key, zone) for key, zone in self.zones.items() if zone.node == node and zone.managed]
        if not of_node or any(zone.free is None for _, zone in of_node):
            return None, None
        waiting = sum(self.deferred.get(key, 0) for key, _ in of_node)
        managed = sum(zone.managed or 0 for _, zone in of_node) + waiting
        free = sum(zone.free or 0 for _, zone in of_node) + waiting
        pools = sum(pool.total * pool.page_bytes for pool in self._pools(node)) // self.base
        unused = min(free + self._file_pages(node) + pools, managed)
        pages = size // self.base
        count = unused // pages
        text = f"{managed // pages} pages of memory less {(managed - unused) // pages} for what is in use today"
        if size < self.base << len(self.buddy[0].free_blocks):
            return count, text
        whole = max(sum((zone.present or zone.managed or 0) // pages for _, zone in of_node) - 1, 0)
        return min(count, whole), f"{text}, at most {whole} whole ranges beside the kernel"

    def _pools(self, node: int) -> list:  # type: ignore[type-arg]
        pools = self.state.pools or []
        by_node = [pool for pool in pools if pool.node == node]
        return by_node or ([pool for pool in pools if pool.node is None] if len(self.nodes) == 1 else [])


def unnamed_that_are_free(blocks: ZoneBlocks) -> float:
    """Share (0 to 1) of the unnamed pages that the lists per CPU explain, as free pages on their way."""
    unnamed = blocks.unnamed_pages * blocks.blocks / blocks.looked_at if blocks.looked_at else 0.0
    return min((blocks.cpu_list_pages or 0) / unnamed, 1.0) if unnamed else 1.0


def deferred_pages(state: HostState, base_page_bytes: int) -> dict[ZoneKey, int]:
    """Base pages by zone that the kernel will only add to the zone, or accept, when it needs them.

    MemTotal counts memory whose page structures are not initialised (deferred_init=lazy of some guests) and zones do
    not; unaccepted memory of confidential guests has a counter (6.5). Gigantic pages are not taken from either.
    """
    zones = {(zone.node, zone.zone): zone for zone in state.zoneinfo or []}
    waiting = {key: zone.counters.get("nr_unaccepted", 0) for key, zone in zones.items()}
    total = (state.meminfo or {}).get("MemTotal", 0) // base_page_bytes
    missing = total - sum(zone.managed or 0 for zone in zones.values())
    room = {key: max((zone.present or 0) - (zone.managed or 0), 0) for key, zone in zones.items()}
    if zones and missing > total * DEFERRED_SHARE and sum(room.values()):
        for key, pages in room.items():
            waiting[key] += missing * pages // sum(room.values())
    return {key: pages for key, pages in waiting.items() if pages}


def _ranges_basis(ranges: Sequence[ZoneRanges], room: int, bounds: Bounds) -> str:
    """What the aligned ranges of a node hold, in words."""
    blocked: dict[str, int] = {}
    for one in ranges:
        for name, count in one.blocked.items():
            blocked[name] = blocked.get(name, 0) + count
    counts = [
        (sum(one.movable for one in ranges), "only free or movable memory"),
        (
            sum(one.unnamed for one in ranges),
            "also pages without a name, free ones on a list of one CPU or the kernel's",
        ),
        (sum(one.blank for one in ranges), "parts without memory, or without any that is initialised"),
        (sum(one.unread for one in ranges), "nothing unmovable as far as the time for looking went"),
    ]
    counts += [(count, name) for name, count in sorted(blocked.items(), key=lambda item: (-item[1], item[0]))]
    total = sum(count for count, _ in counts)
    parts = ", ".join(f"{count} hold {words}" for count, words in counts if count)
    limit = f"; memory to move their contents to allows {room}" if room < bounds.now else ""
    return f"of {total} aligned ranges {parts or 'there are none'} (/proc/kpageflags){limit}"
