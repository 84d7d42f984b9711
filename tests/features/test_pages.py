from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.features.bloat import Limits, forecast, limits_of
from advisor.features.table import feature_table
from advisor.profile.pages import PageScan, SlotGroup, VmaPages
from advisor.units import MIB
from tests.features.factory import PMD, host_state, mapping, process, profile, sample, thp

PAGE = 4096
FULL = 512


def vma(*groups: tuple[int, int, int, int], advice: str | None = "", huge_bytes: int = 0) -> VmaPages:
    made = [SlotGroup(*group) for group in groups]
    present = sum(group.present * group.slots for group in made) * PAGE
    return VmaPages(0, 1, 64 * MIB, "anon", advice, present + huge_bytes, huge_bytes, 0, 0, 0, made)


def scan(*vmas: VmaPages, unscanned_bytes: int = 0) -> PageScan:
    return PageScan(PMD, PAGE, "pagemap-scan", list(vmas), unscanned_bytes, 0.001, 0.001)


def test_faults_fill_every_populated_slot_and_khugepaged_those_within_its_limits() -> None:
    made = forecast(scan(vma((1, 0, 0, 10), (256, 0, 0, 4), (FULL, 0, 0, 7))), Limits(256), 1)
    assert made.fault == (10 * 511 + 4 * 256) * PAGE
    assert made.khugepaged == 4 * 256 * PAGE
    assert made.by_max_ptes_none == {
        0: 0, 64: 0, 128: 0, 256: 4 * 256 * PAGE, 409: 4 * 256 * PAGE, 511: made.fault,
    }  # fmt: skip
    assert made.reclaimable == 10 * 511 * PAGE


def test_memory_advised_against_and_memory_that_is_huge_do_not_grow() -> None:
    made = forecast(scan(vma((1, 0, 0, 10), advice="nh"), vma(huge_bytes=8 * PMD)), Limits(511), 1)
    assert (made.fault, made.khugepaged) == (0, 0)


def test_swapped_and_shared_pages_beyond_the_limits_keep_a_slot_from_being_collapsed() -> None:
    groups = ((500, 0, 12, 1), (400, 0, 112, 1), (FULL, 300, 0, 1), (300, 100, 0, 1))
    made = forecast(scan(vma(*groups)), Limits(511, 64, 256), None)
    assert made.khugepaged == (12 + 212) * PAGE  # swapped pages are read in
    assert made.fault == 212 * PAGE
    assert made.reclaimable is None


@pytest.mark.parametrize(
    ("none", "switch", "expected"), [(511, 1, 0), (100, 0, 0), (None, 1, None), (100, None, None)]
)
def test_shrink_underused_gives_nothing_back_at_the_highest_limit(
    none: int | None, switch: int | None, expected: int | None
) -> None:
    assert forecast(scan(vma((1, 0, 0, 3))), Limits(none), switch).reclaimable == expected


def test_what_was_given_back_is_not_there_again_after_a_restart_but_counts_in_the_worst_case() -> None:
    made = forecast(scan(vma((256, 0, 0, 4))), Limits(511), 1, given_back_bytes=3 * 256 * PAGE)
    assert (made.fault, made.fault_most, made.khugepaged) == (256 * PAGE, 4 * 256 * PAGE, 4 * 256 * PAGE)
    assert forecast(scan(vma((256, 0, 0, 4))), Limits(511), 1, given_back_bytes=1 << 40).fault == 0


def test_limits_that_a_kernel_does_not_have_do_not_limit() -> None:
    assert forecast(scan(vma((1, 1, 400, 1))), limits_of({"max_ptes_none": 511}), None).khugepaged == 511 * PAGE
    assert forecast(scan(vma((1, 0, 0, 1))), limits_of(None), None).khugepaged is None


groups_of_slots = st.lists(
    st.integers(0, FULL).flatmap(
        lambda present: st.tuples(
            st.just(present), st.integers(0, present), st.integers(0, FULL - present), st.integers(1, 1000)
        )
    ),
    max_size=20,
)


@given(groups_of_slots, st.integers(0, 511))
def test_a_higher_limit_never_adds_less_and_no_way_adds_more_than_whole_slots(
    groups: list[tuple[int, int, int, int]], none: int
) -> None:
    made = forecast(scan(vma(*groups)), Limits(none, 64, 256), 1)
    added = [made.by_max_ptes_none[limit] for limit in sorted(made.by_max_ptes_none)]
    assert added == sorted(added)
    assert made.khugepaged == made.by_max_ptes_none[none]
    empty = sum((FULL - present) * slots for present, _, _, slots in groups) * PAGE
    assert 0 <= made.fault <= empty
    assert added[-1] <= empty
    assert made.reclaimable is not None
    assert made.reclaimable <= made.fault_most


def growth_of(pages: PageScan | None) -> dict[str, object]:
    maps = [mapping(size=64 * MIB, Anonymous=16 * MIB, Rss=16 * MIB)]
    state = host_state(thp=thp(khugepaged={"max_ptes_none": 0}))
    (row,) = feature_table(profile(sample(process(maps=maps, pages=pages), host=state))).to_dicts()
    return {name: row[name] for name in row if "growth" in name and "per_s" not in name}


def test_the_table_takes_the_count_where_all_was_scanned_and_the_bound_of_smaps_elsewhere() -> None:
    counted = growth_of(scan(vma((256, 0, 0, 16))))
    assert counted == {
        "fault_growth_bytes": 16 * MIB,
        "collapse_growth_bytes": 0,
        "huge_page_growth_bytes": 16 * MIB,
        "huge_page_growth_bound_bytes": 48 * MIB,
        "huge_page_growth_basis": "pages",
    }
    for pages in (None, scan(vma((256, 0, 0, 1)), unscanned_bytes=1)):
        bound = growth_of(pages)
        assert bound["fault_growth_bytes"] is None
        assert (bound["huge_page_growth_bytes"], bound["huge_page_growth_basis"]) == (48 * MIB, "smaps")
