"""How many huge pages a host could hand out: arithmetic on what the kernel says of its zones, blocks and ranges."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from advisor.features.supply import NO_BUDDYINFO, NO_LOOK, Supply, deferred_pages, supply
from advisor.procfs.facts import BuddyZone, HugetlbPool, Thp, Zone
from advisor.profile.model import Contiguity, HostState, ZoneBlocks, ZoneRanges

PAGE = 4096
PMD, GIB = 2 << 20, 1 << 30
BLOCK, RANGE = PMD // PAGE, GIB // PAGE

MIN, LOW = 1000, 1250
"""Watermarks of the zone, pages."""


def zone(free: int, managed: int = 8 * RANGE, **values: Any) -> Zone:
    fields = {"present": managed, "min": MIN, "low": LOW, "start_pfn": RANGE, "spanned": managed, **values}
    return Zone(0, "Normal", free=free, managed=managed, **fields)


def state(free: int, whole: int, look: Contiguity | None = None, **values: Any) -> HostState:
    """One zone of 8 GiB; `whole` free blocks of the PMD size, the rest of `free` in single pages."""
    counts = [free - whole * BLOCK, *[0] * 8, whole, 0]
    fields = {
        "meminfo": {"MemTotal": 8 * GIB},
        "buddyinfo": [BuddyZone(0, "Normal", counts)],
        "zoneinfo": [zone(free)],
        "thp": Thp(enabled="madvise", pmd_bytes=PMD),
        "pools": [HugetlbPool(PMD, None, 0, 0, 0, 0, 0), HugetlbPool(GIB, None, 0, 0, 0, 0, 0)],
        "contiguity": look,
    }
    return HostState(**{**fields, **values})


def look(ranges: ZoneRanges | None = None, **values: int) -> Contiguity:
    """4096 blocks, half of them looked at, all movable and half free but for what `values` says."""
    fields = {
        "blocks": 8 * RANGE // BLOCK,
        "looked_at": 2048,
        "movable": 2048,
        "unnamed": 0,
        "blank": 0,
        "free_pages": 1024 * BLOCK,
        "stuck_free_pages": 0,
        "file_pages": 0,
        "unnamed_pages": 0,
        "cpu_list_pages": 0,
        **values,
    }
    return Contiguity(PMD, [ZoneBlocks(0, "Normal", **fields)], [ranges] if ranges else [], 0.1)


def ranges(movable: int, **values: Any) -> ZoneRanges:
    return ZoneRanges(0, "Normal", GIB, movable, **{"unnamed": 0, "blank": 0, "unread": 0, "blocked": {}, **values})


def of(host: HostState, size: int) -> Supply:
    (found,) = (entry for entry in supply(host, PAGE) if entry.page_bytes == size)
    return found


def bounds(host: HostState, size: int = PMD) -> tuple[int | None, int | None, int | None]:
    found = of(host, size)
    return found.low, found.available_now, found.high


def test_without_a_look_what_is_free_in_one_piece_is_sure_and_all_free_memory_the_bound() -> None:
    free = 1000 * BLOCK
    assert bounds(state(free, 300)) == (300, 300, (free - MIN) // BLOCK)
    assert bounds(state(free, 1000))[0] == (free - MIN) // BLOCK


def test_compaction_gathers_all_free_memory_but_what_the_watermarks_keep() -> None:
    free = 2048 * BLOCK
    assert bounds(state(free, 300, look())) == (300, (free - MIN) // BLOCK, (free - MIN) // BLOCK)


def test_blocks_with_unmovable_memory_bound_what_compaction_makes() -> None:
    found = bounds(state(2048 * BLOCK, 300, look(movable=400)))
    assert found == (300, 800, 800)


def test_page_cache_could_be_dropped_at_most() -> None:
    free = 2048 * BLOCK
    cached = bounds(state(free, 300, look(file_pages=100 * BLOCK)))
    assert cached == (300, (free - MIN) // BLOCK, (free + 200 * BLOCK - MIN) // BLOCK)


def test_free_pages_on_lists_per_cpu_are_free_and_do_not_forbid_their_block() -> None:
    on_lists = look(movable=1000, unnamed=1048, unnamed_pages=10 * BLOCK, cpu_list_pages=20 * BLOCK)
    assert bounds(state(1000 * BLOCK, 0, on_lists))[1] == (1020 * BLOCK - MIN) // BLOCK
    kernels = look(movable=100, unnamed=1948, unnamed_pages=10 * BLOCK, cpu_list_pages=0)
    assert bounds(state(1000 * BLOCK, 0, kernels))[1] == 200


def test_what_a_zone_protects_from_requests_for_others_is_not_handed_out() -> None:
    protecting = replace(state(1000 * BLOCK, 1000), zoneinfo=[zone(1000 * BLOCK, protection=[0, 0, 100 * BLOCK])])
    assert bounds(protecting)[1] == (900 * BLOCK - MIN) // BLOCK


def test_memory_that_is_not_initialised_yet_gives_pmd_pages_but_no_gigantic_ones() -> None:
    waiting = replace(
        state(1000 * BLOCK, 1000, look(ranges(2, blank=6))),
        zoneinfo=[zone(1000 * BLOCK, managed=3 * RANGE, present=8 * RANGE)],
    )
    assert deferred_pages(waiting, PAGE) == {(0, "Normal"): 5 * RANGE}
    assert bounds(waiting)[1] == (1000 * BLOCK + 5 * RANGE - MIN) // BLOCK
    assert bounds(waiting, GIB) == (2, 2, 6)


def test_small_differences_between_memtotal_and_the_zones_are_no_hidden_memory() -> None:
    assert deferred_pages(replace(state(0, 0), meminfo={"MemTotal": 8 * GIB + 64 * PMD // 2}), PAGE) == {}


def test_a_gigantic_page_needs_a_range_that_can_be_emptied_and_room_for_what_is_in_it() -> None:
    blocked = ranges(3, blocked={"page tables": 1, "kernel objects (slab)": 4})
    assert bounds(state(7 * RANGE, 0, look(blocked)), GIB) == (3, 3, 3)
    assert bounds(state(2 * RANGE + LOW, 0, look(blocked)), GIB) == (2, 2, 2)
    basis = of(state(7 * RANGE, 0, look(blocked)), GIB).basis
    assert "of 8 aligned ranges 3 hold only free or movable memory, 4 hold kernel objects (slab)" in basis


def test_unnamed_pages_in_a_range_count_as_free_only_where_lists_per_cpu_explain_them() -> None:
    unnamed = ranges(1, unnamed=3)
    explained = look(unnamed, unnamed_pages=100, cpu_list_pages=200)
    assert bounds(state(7 * RANGE, 0, explained), GIB) == (1, 4, 4)
    assert bounds(state(7 * RANGE, 0, look(unnamed, unnamed_pages=100, cpu_list_pages=20)), GIB) == (1, 1, 4)


def test_ranges_not_read_to_the_end_are_estimated_from_the_others() -> None:
    partly = ranges(2, unread=4, blocked={"page tables": 2})
    assert bounds(state(7 * RANGE, 0, look(partly)), GIB) == (2, 4, 6)


def test_gigantic_pages_are_unknown_without_a_look_and_boot_is_estimated() -> None:
    found = of(state(7 * RANGE, 0), GIB)
    assert (found.available_now, found.basis, found.at_boot) == (None, NO_LOOK, 7)
    assert (
        found.at_boot_basis
        == "8 pages of memory less 1 for what is in use today, at most 7 whole ranges beside the kernel"
    )


def test_page_cache_and_pools_count_as_unused_at_boot() -> None:
    counters = {"nr_inactive_file": RANGE, "nr_active_file": RANGE}
    pools = [HugetlbPool(PMD, None, 0, 0, 0, 0, 0), HugetlbPool(GIB, None, 2, 0, 0, 0, 0)]
    busy = state(RANGE, 0, zoneinfo=[zone(RANGE, counters=counters)], pools=pools)
    assert of(busy, GIB).at_boot == 5


def test_other_base_pages_have_other_orders() -> None:
    host = HostState(
        buddyinfo=[BuddyZone(0, "Normal", [*[0] * 13, 2])], thp=Thp(enabled="madvise", pmd_bytes=512 << 20)
    )
    (found,) = supply(host, 65536)
    assert (found.page_bytes, found.available_now) == (512 << 20, 2)


def test_without_buddyinfo_nothing_is_known() -> None:
    assert {entry.basis for entry in supply(replace(state(0, 0), buddyinfo=None), PAGE)} == {NO_BUDDYINFO}


counts = st.integers(0, 4096)


@given(counts, counts, counts, st.integers(0, 2_000_000), st.integers(0, 4096), st.integers(0, 2_000_000))
def test_low_now_and_high_are_in_order_whatever_was_seen(
    movable: int, unnamed: int, blank: int, free: int, whole: int, pages: int
) -> None:
    seen = look(
        ranges(movable % 9, unnamed=unnamed % 9, blank=blank % 9, unread=pages % 9),
        looked_at=movable + unnamed + blank,
        movable=movable,
        unnamed=unnamed,
        blank=blank,
        free_pages=pages,
        stuck_free_pages=free,
        unnamed_pages=pages,
        cpu_list_pages=whole,
    )
    for size in (PMD, GIB):
        low, now, high = bounds(state(max(free, whole * BLOCK), whole, seen), size)
        assert low is not None and now is not None and high is not None
        assert 0 <= low <= now <= high
