from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.collect import page_slots
from advisor.collect.page_scan import (
    LONGEST_SCAN_S,
    MOST_SINGLES,
    SINGLE_BYTES,
    PagePlan,
    Target,
    _rows,
    choose_plans,
    differs,
    plan_pages,
)
from advisor.collect.page_slots import IN_RAM, NUMBER, Shape, Slots, SlotTally, read_slots, scan_slots, tally
from advisor.procfs.pagemap_scan import HUGE, PRESENT, SWAPPED, Regions, Vma
from advisor.profile.model import Mapping
from advisor.profile.pages import SlotGroup
from advisor.units import MIB

PAGE = 4096
PMD = 2 * MIB
SLOT_PAGES = 512
SHAPE = Shape(PMD, PAGE)
FIELDS = ["Rss", "Swap", "AnonHugePages", "Shared_Clean", "Shared_Dirty"]
SEVERAL = 7
"""Regions of one answer of the made-up kernel: slots and answers do not end together."""


class FakeScanner:
    """Answers from a list of pages: address // PAGE -> (categories, is it somebody else's too)."""

    def __init__(self, pages: dict[int, tuple[int, bool]]) -> None:
        self.pages = dict(sorted(pages.items()))

    def regions(self, start: int, end: int, *, any_of: int, none_of: int, shown: int) -> Iterator[Regions]:
        rows: list[list[int]] = []
        for page, (categories, _) in self.pages.items():
            address = page * PAGE
            if not start <= address < end or not categories & any_of or categories & none_of:
                continue
            if rows and rows[-1][1] == address and rows[-1][2] == categories & (shown | any_of):
                rows[-1][1] += PAGE
            else:
                rows.append([address, address + PAGE, categories & (shown | any_of)])
        for begin in range(0, len(rows), SEVERAL):
            table = np.array(rows[begin : begin + SEVERAL], np.uint64)
            yield Regions(table[:, 0], table[:, 1], table[:, 2])

    def entries(self, start: int, end: int) -> np.ndarray:
        entries = np.zeros((end - start) // PAGE, np.uint64)
        for place in range(len(entries)):
            categories, is_shared = self.pages.get(start // PAGE + place, (0, False))
            bits = (1 << 63 if categories & PRESENT else 0) | (1 << 62 if categories & SWAPPED else 0)
            entries[place] = bits | (0 if is_shared else 1 << 56)
        return entries


def counted(pages: dict[int, tuple[int, bool]], vma: Vma) -> tuple[list[SlotGroup], int, int]:
    """(groups, bytes outside of whole slots, empty slots), page by page."""
    slots: dict[int, list[int]] = {}
    outside = 0
    whole = range(-(-vma.start // PMD), vma.end // PMD)
    for page, (categories, is_shared) in pages.items():
        if not vma.start <= page * PAGE < vma.end:
            continue
        number = page * PAGE // PMD
        if number not in whole:
            outside += PAGE if categories & PRESENT else 0
            continue
        slot = slots.setdefault(number, [0, 0, 0])
        slot[0] += categories == PRESENT
        slot[1] += categories == PRESENT and is_shared
        slot[2] += categories == SWAPPED
    groups = Counter(tuple(slot) for slot in slots.values())
    return [SlotGroup(*key, groups[key]) for key in sorted(groups)], outside, len(whole) - len(slots)


pages_of_vma = st.dictionaries(
    st.integers(0, 6 * SLOT_PAGES), st.tuples(st.sampled_from((PRESENT, SWAPPED)), st.booleans()), max_size=60
)


@given(pages_of_vma, st.integers(0, SLOT_PAGES), st.integers(4 * SLOT_PAGES, 6 * SLOT_PAGES))
def test_scan_and_pagemap_find_what_counting_page_by_page_finds(
    pages: dict[int, tuple[int, bool]], first: int, last: int
) -> None:
    vma = Vma(first * PAGE, last * PAGE)
    scanner = FakeScanner(pages)
    inside = sum(first <= page < last for page in pages)
    ways = (
        scan_slots(scanner, vma, SHAPE, with_swap=True, with_shared=True),  # type: ignore[arg-type]
        read_slots(scanner, vma, SHAPE, inside * PAGE),  # type: ignore[arg-type]
    )
    for slots in ways:
        one = SlotTally(vma, SHAPE)
        assert tally(slots, one, time.perf_counter() + 60)
        assert (one.slot_groups(), one.outside * PAGE) == counted(pages, vma)[:2]
        assert one.empty_slots == counted(pages, vma)[2]
        assert one.present + one.swapped == inside


def test_a_slot_that_two_answers_of_the_kernel_share_is_counted_once() -> None:
    pages = dict.fromkeys(range(0, 4 * SLOT_PAGES, 2), (PRESENT, False))
    one = SlotTally(Vma(0, 4 * PMD), SHAPE)
    tally(scan_slots(FakeScanner(pages), one.vma, SHAPE, with_swap=False, with_shared=False), one, 1e18)  # type: ignore[arg-type]
    assert one.slot_groups() == [SlotGroup(256, 0, 0, 4)]


def test_huge_slots_are_apart_and_their_neighbours_counted() -> None:
    pages = dict.fromkeys(range(SLOT_PAGES), (PRESENT | HUGE, False)) | {SLOT_PAGES: (PRESENT, True)}
    one = SlotTally(Vma(0, 3 * PMD), SHAPE)
    tally(scan_slots(FakeScanner(pages), one.vma, SHAPE, with_swap=False, with_shared=True), one, 1e18)  # type: ignore[arg-type]
    assert (one.huge_slots, one.empty_slots, one.slot_groups()) == (1, 1, [SlotGroup(1, 1, 0, 1)])


def test_full_slots_stand_for_the_huge_ones_that_smaps_tells_of() -> None:
    pages = dict.fromkeys(range(3 * SLOT_PAGES), (PRESENT, False))
    one = SlotTally(Vma(0, 4 * PMD), SHAPE)
    tally(read_slots(FakeScanner(pages), one.vma, SHAPE, 3 * PMD), one, 1e18)  # type: ignore[arg-type]
    one.take_for_huge(2)
    assert (one.huge_slots, one.empty_slots, one.slot_groups()) == (2, 1, [SlotGroup(512, 0, 0, 1)])


def test_when_the_time_is_over_nothing_is_said_of_the_rest() -> None:
    pages = dict.fromkeys(range(0, 40 * SLOT_PAGES, SLOT_PAGES), (PRESENT, False))
    one = SlotTally(Vma(0, 40 * PMD), SHAPE)
    assert not tally(scan_slots(FakeScanner(pages), one.vma, SHAPE, with_swap=False, with_shared=False), one, 0.0)  # type: ignore[arg-type]
    assert one.is_cut
    assert (one.present, one.empty_slots) == (SEVERAL - 1, 0)


def test_many_groups_keep_their_present_pages_and_round_the_others_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_slots, "MOST_GROUPS", 8)
    one = SlotTally(Vma(0, 300 * PMD), SHAPE)
    for number in range(300):
        slots: Slots = np.array([[number], [200], [number % 150], [number % 70], [0]], np.int64)
        one.add(slots)
    groups = one.slot_groups()
    assert sum(group.slots for group in groups) == 300
    assert {group.present for group in groups} == {200}
    assert len(groups) < 30
    over = sum(group.slots for group in groups if group.swapped > 64)
    assert over == sum(number % 70 > 64 for number in range(300))


def mapping(
    start: int | None, size: int, rss: int, *, kind: str = "anon", advice: str = "", **values: int
) -> Mapping:
    return Mapping(
        kind,
        1,
        start,
        size,
        PAGE,
        advice,
        1,
        False,
        True,
        False,
        size // PMD * PMD,
        "",
        None,
        [values.get(name, rss if name == "Rss" else 0) for name in FIELDS],
    )


def test_memory_that_could_be_huge_and_has_pages_is_planned_the_fullest_first() -> None:
    maps = [
        mapping(0, 8 * MIB, 4 * MIB),
        mapping(1 << 30, 64 * MIB, 32 * MIB, Shared_Dirty=PAGE),
        mapping(1 << 31, 64 * MIB, 0),
        mapping(1 << 32, 64 * MIB, 64 * MIB, kind="shmem"),
        mapping(None, 8 * MIB, 3 * MIB, kind="heap"),
    ]
    plan = plan_pages(7, maps, FIELDS, SHAPE)
    assert plan is not None
    assert [target.vma.start for target in plan.targets] == [1 << 30, 0]
    assert [target.is_shared for target in plan.targets] == [True, False]
    assert (plan.anon_bytes, plan.elsewhere_bytes) == (36 * MIB, 3 * MIB)
    assert plan_pages(7, maps[:1], FIELDS, SHAPE) is None
    assert plan_pages(7, [mapping(0, 4 << 30, 31 * PAGE)], FIELDS, SHAPE) is None
    assert plan_pages(7, [mapping(0, 4 << 30, 32 * PAGE)], FIELDS, SHAPE) is not None
    assert plan_pages(7, maps, ["Size"], SHAPE) is None


def plan_of(pid: int, anon_bytes: int) -> PagePlan:
    return PagePlan(pid, (Target(Vma(0, anon_bytes), "anon", "", anon_bytes, 0, 0, False),), 0)


def test_plans_are_chosen_by_size_as_far_as_the_time_goes() -> None:
    plans = [plan_of(1, 1 << 30), plan_of(2, 8 << 30), plan_of(3, 64 << 20)]
    assert [plan.pid for plan in choose_plans(plans, 1.0)] == [2, 1, 3]
    assert [plan.pid for plan in choose_plans(plans, 0.004)] == [1, 3]
    assert choose_plans(plans, 0.0) == []
    assert plan_of(1, 1 << 42).cost_s == LONGEST_SCAN_S


def test_a_process_is_scanned_again_when_its_memory_changed_by_a_quarter() -> None:
    assert differs(100, None)
    assert differs(130, 100)
    assert differs(70, 100)
    assert not differs(120, 100)


def test_small_vmas_are_summed_by_kind_and_advice_and_large_ones_told_singly() -> None:
    def tallied(start: int, present: int, advice: str) -> tuple[Target, SlotTally]:
        one = SlotTally(Vma(start, start + SINGLE_BYTES), SHAPE)
        slots = np.zeros((5, SINGLE_BYTES // PMD), np.int64)
        slots[NUMBER] = start // PMD + np.arange(slots.shape[1])
        slots[IN_RAM] = present
        one.add(slots)
        return Target(one.vma, "anon", advice, one.present * PAGE, 0, 0, False), one

    many = [tallied(number << 30, SLOT_PAGES, "") for number in range(MOST_SINGLES + 1)]
    rows = _rows([*many, tallied(1 << 50, 1, ""), tallied(1 << 51, 2, "nh")], SHAPE)
    assert [row.count for row in rows] == [2, 1] + [1] * MOST_SINGLES
    assert rows[0].groups == [SlotGroup(1, 0, 0, 8), SlotGroup(512, 0, 0, 8)]
    assert rows[0].present_bytes == SINGLE_BYTES + 8 * PAGE
    assert (rows[1].advice, rows[1].start) == ("nh", None)
    assert [row.start for row in rows[2:]] == [number << 30 for number in range(MOST_SINGLES)]
