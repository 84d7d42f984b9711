"""Which slots are chosen, in which order, and what they are said to cost."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.procfs.fs import KernelFs
from advisor.trial.dose import (
    MIN_POPULATED_SHARE,
    Area,
    _look,
    areas_of,
    choose_slots,
    parse_steps,
    spread_order,
)
from advisor.trial.live_pages import PIECE_BYTES, PageReader, SlotPages
from tests.procfs.test_smaps import entry

SLOT = 2 << 20
PAGE = 4096


def test_whole_aligned_slots_of_private_memory_are_taken() -> None:
    text = entry(SLOT + PAGE, 8192, Rss=8192, Anonymous=8192)
    areas, refused = areas_of(text.encode(), SLOT)
    assert (areas, refused) == ([Area(2 * SLOT, 3)], 0)


@pytest.mark.parametrize(
    "tail",
    [
        "r--p 00000000 00:00 0 ",
        "rw-p 00000000 00:00 0                          [stack]",
        "rw-p 00000000 08:01 77                         /usr/lib/libc.so.6",
        "rw-s 00000000 08:01 77                         /var/lib/data",
    ],
)
def test_memory_that_is_no_matter_for_collapsing_is_left(tail: str) -> None:
    text = entry(SLOT, 8192, tail, Rss=8192, Anonymous=8192)
    assert areas_of(text.encode(), SLOT) == ([], 0)


@pytest.mark.parametrize(
    "tail",
    [
        "rw-p 00000000 00:00 0                          [heap]",
        "rw-p 00000000 00:00 0                          [anon:jemalloc]",
        "rw-s 00000000 00:01 77                         /dev/zero (deleted)",
        "rw-s 00000000 00:01 77                         /memfd:buffers (deleted)",
    ],
)
def test_heap_named_and_shared_memory_is_taken(tail: str) -> None:
    text = entry(SLOT, 8192, tail, Rss=8192, Anonymous=8192)
    assert areas_of(text.encode(), SLOT)[0] == [Area(SLOT, 4)]


def test_shared_memory_must_be_aligned_as_its_file_is() -> None:
    tail = "rw-s 00001000 00:01 77                         /memfd:buffers (deleted)"
    assert areas_of(entry(SLOT, 8192, tail, Rss=8192).encode(), SLOT) == ([], 0)
    assert areas_of(entry(SLOT + PAGE, 8192, tail, Rss=8192).encode(), SLOT) == ([Area(2 * SLOT, 3)], 0)


@given(st.integers(0, 3000), st.floats(0.01, 0.99))
def test_every_beginning_of_the_order_lies_evenly(count: int, share: float) -> None:
    order = spread_order(count)
    assert sorted(order.tolist()) == list(range(count))
    taken = np.zeros(count)
    taken[order[: round(share * count)]] = 1
    # Whichever stretch is looked at, its share of taken slots is near that of the whole.
    gone_by = np.concatenate([[0], np.cumsum(taken - (taken.mean() if count else 0))])
    assert gone_by.max() - gone_by.min() <= 8


def test_sparse_slots_are_left_out_and_told() -> None:
    populated = np.array([SLOT, SLOT // 2, SLOT // 2 - PAGE, PAGE, 0], np.int64)
    starts = np.arange(5, dtype=np.int64) * SLOT
    choice = choose_slots(starts, populated, SLOT, huge_bytes=SLOT, refused_bytes=3)
    assert sorted(choice.starts.tolist()) == [0, SLOT]
    assert choice.eligible.slots == 2
    assert choice.eligible.missing_bytes == SLOT // 2 == int(choice.missing.sum())
    assert choice.eligible.populated_bytes == SLOT + SLOT // 2
    assert choice.eligible.sparse_slots == 2
    assert choice.eligible.sparse_missing_bytes == 2 * SLOT - SLOT // 2
    assert (choice.eligible.huge_bytes, choice.eligible.refused_bytes) == (SLOT, 3)


@given(st.lists(st.integers(0, 512), max_size=200), st.lists(st.floats(0.01, 1), min_size=1, max_size=5, unique=True))
def test_steps_take_every_dense_slot_once(pages: list[int], doses: list[float]) -> None:
    populated = np.array(pages, np.int64) * PAGE
    choice = choose_slots(np.arange(len(pages), dtype=np.int64) * SLOT, populated, SLOT, 0, 0)
    taken: list[int] = []
    before = 0.0
    for dose in [*sorted(doses)[:-1], 1.0]:
        taken += choice.starts[choice.step(before, dose)].tolist()
        before = dose
    dense = [index * SLOT for index, count in enumerate(pages) if count * PAGE >= MIN_POPULATED_SHARE * SLOT]
    assert sorted(taken) == dense


def test_steps_are_percentages_that_grow() -> None:
    assert parse_steps("25,50,100") == (0.25, 0.5, 1.0)
    for text in ("", "0", "50,25", "50,50", "101", "x"):
        with pytest.raises(ValueError):
            parse_steps(text)


class FakeReader:
    """Every other slot of a mapping is full, those at places that 5 divides are huge, all others are empty."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def slots(self, start: int, count: int, slot_bytes: int) -> SlotPages:
        self.asked.append(count)
        numbers = start // slot_bytes + np.arange(count)
        return SlotPages(np.where(numbers % 2 == 0, slot_bytes, 0), numbers % 10 == 0)


def test_a_long_mapping_is_looked_at_in_pieces_and_what_is_empty_is_forgotten() -> None:
    reader = FakeReader()
    slots = 2 * PIECE_BYTES // SLOT + 10
    starts, populated, huge = _look(reader, [Area(10 * SLOT, slots)], SLOT)  # type: ignore[arg-type]
    assert reader.asked == [PIECE_BYTES // SLOT] * 2 + [10]
    places = [place for place in range(10, 10 + slots) if place % 2 == 0]
    assert starts.tolist() == [place * SLOT for place in places if place % 10]
    assert set(populated.tolist()) == {SLOT}
    assert huge == sum(place % 10 == 0 for place in places)


def test_memory_shared_since_a_fork_is_told_of_private_memory_alone() -> None:
    private = entry(SLOT, 8192, Rss=8192, Shared_Clean=4, Shared_Dirty=1020)
    assert areas_of(private.encode(), SLOT)[0] == [Area(SLOT, 4, 0, 1 << 20)]
    tail = "rw-s 00000000 00:01 77                         /dev/zero (deleted)"
    shared = entry(SLOT, 8192, tail, Rss=8192, Shared_Clean=4, Shared_Dirty=1020)
    assert areas_of(shared.encode(), SLOT)[0] == [Area(SLOT, 4)]


@contextmanager
def own_slots(count: int) -> Iterator[tuple[mmap.mmap, int, int]]:
    """Memory on base pages with `count` whole slots in it: the mapping, where in it the first begins, its address."""
    if not hasattr(mmap, "MADV_NOHUGEPAGE"):
        pytest.skip("no madvise for huge pages here")
    area = mmap.mmap(-1, (count + 1) * SLOT, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.madvise(mmap.MADV_NOHUGEPAGE)
    base = np.frombuffer(area, np.uint8).ctypes.data
    start = -(-base // SLOT) * SLOT
    yield area, start - base, start
    area.close()


@pytest.mark.host
def test_pages_with_holes_between_them_are_counted_once() -> None:
    """1366 regions in two slots: the kernel hands out 512 at one go."""
    page = os.sysconf("SC_PAGE_SIZE")
    with own_slots(2) as (area, first, start):
        touched = range(first, first + 2 * SLOT, 3 * page)
        for place in touched:
            area[place] = 1
        with PageReader(KernelFs(), os.getpid()) as reader:
            seen = reader.slots(start, 2, SLOT)
    assert seen.populated.sum() == len(touched) * page
    assert (seen.populated < SLOT / 2).all()


@pytest.mark.host
def test_both_ways_of_reading_pages_agree_with_what_was_touched() -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    touched = [SLOT // page, 1, 0, 7]
    with own_slots(len(touched)) as (area, first, start):
        for slot, pages in enumerate(touched):
            for index in range(pages):
                area[first + slot * SLOT + index * page] = 1
        area[first + 2 * SLOT]  # a page that was only read is the zero page, which is no memory
        with PageReader(KernelFs(), os.getpid()) as reader:
            scanned = reader.slots(start, len(touched), SLOT)
            if not reader.can_scan:
                pytest.skip("this kernel has no PAGEMAP_SCAN")
            reader.can_scan = False
            read = reader.slots(start, len(touched), SLOT)
    assert scanned.populated.tolist() == [pages * page for pages in touched]
    assert scanned.huge is not None and not scanned.huge.any()
    assert read.huge is None
    assert read.populated.tolist() == [
        pages * page + (page if slot == 2 else 0) for slot, pages in enumerate(touched)
    ]
