"""Slots against khugepaged's limits, by page scan and by smaps; tests/host/test_why_not_huge.py asks the kernel."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from advisor.features import why_not_huge
from advisor.procfs.facts import BuddyZone, CgroupMembership, CgroupMemory, PinnedRange
from advisor.profile.model import HostState, Mapping, ProcessFacts
from advisor.profile.pages import PageScan, Refusal, SlotGroup, VmaPages
from advisor.units import MIB
from tests.features.factory import (
    BASE_PAGE,
    PMD,
    SMAPS_FIELDS,
    host_state,
    mapping,
    process,
    profile,
    sample,
    status,
    thp,
)

START = 1 << 40
FIELDS = [*SMAPS_FIELDS, "Referenced", "Shared_Clean", "Shared_Dirty"]
PMD_PAGES = PMD // BASE_PAGE


def host(none: int = 511, swap: int = 64, shared: int = 256, **sections: Any) -> HostState:
    limits = {"max_ptes_none": none, "max_ptes_swap": swap, "max_ptes_shared": shared, "pages_to_scan": 4096}
    return host_state(thp=thp(khugepaged=limits | {"scan_sleep_millisecs": 10000}), **sections)


def vma(size: int = 16 * MIB, resident: int = 16 * MIB, **options: Any) -> Mapping:
    values = {"Referenced": resident, "Rss": resident, "Anonymous": resident} | options
    return mapping("anon", size, start=START, eligible=1, fields=FIELDS, **values)


def scan(*groups: tuple[int, int, int, int], outside: int = 0, empty: int = 0, start: int | None = START) -> PageScan:
    """groups: present, shared, swapped, slots."""
    row = VmaPages(start, 1, 0, "anon", "", 0, 0, 0, outside, empty, [SlotGroup(*group) for group in groups])
    return PageScan(PMD, BASE_PAGE, "pagemap-scan", [row], 0, 0.0, 0.0)


def found(
    *maps: Mapping, state: HostState | None = None, lines: dict[str, Any] | None = None, **sections: Any
) -> Any:
    record = process(maps=list(maps), status=status(thp_enabled=1, **lines or {}), **sections)
    ((_, reasons),) = why_not_huge(profile(sample(record, host=state or host(), fields=FIELDS))).items()
    return reasons


def sizes(*maps: Mapping, **options: Any) -> dict[str, int]:
    return {reason.id: reason.bytes for reason in found(*maps, **options) if reason.bytes}


@pytest.mark.parametrize(
    ("group", "limits", "reason"),
    [
        ((512, 0, 0, 8), {}, "khugepaged-not-yet"),
        ((1, 0, 0, 8), {}, "khugepaged-not-yet"),
        ((256, 0, 0, 8), {"none": 256}, "khugepaged-not-yet"),
        ((255, 0, 0, 8), {"none": 256}, "too-sparse"),
        ((448, 0, 64, 8), {"none": 0}, "khugepaged-not-yet"),
        ((447, 0, 65, 8), {"none": 0}, "swapped"),
        ((100, 100, 65, 8), {"none": 0}, "swapped"),
        ((512, 256, 0, 8), {}, "khugepaged-not-yet"),
        ((512, 257, 0, 8), {}, "shared"),
        ((300, 257, 0, 8), {"none": 100}, "too-sparse"),
    ],
)
def test_a_slot_is_refused_for_the_limit_that_it_exceeds(
    group: tuple[int, int, int, int], limits: dict[str, int], reason: str
) -> None:
    resident = group[0] * group[3] * BASE_PAGE
    assert sizes(vma(resident=resident), pages=scan(group), state=host(**limits)) == {reason: resident}


def test_slots_of_one_vma_are_told_apart_by_a_scan_and_averaged_without() -> None:
    dense, thin = (512, 0, 0, 4), (64, 0, 0, 4)
    resident = (4 * 512 + 4 * 64) * BASE_PAGE
    whole = vma(resident=resident)
    assert sizes(whole, pages=scan(dense, thin), state=host(none=100)) == {
        "khugepaged-not-yet": 8 * MIB,
        "too-sparse": MIB,
    }
    assert sizes(whole, state=host(none=100)) == {"too-sparse": resident}


def test_what_a_scan_saw_at_another_moment_is_scaled_to_smaps() -> None:
    pages = scan((512, 0, 0, 4), outside=8 * MIB)
    assert sizes(vma(resident=8 * MIB), pages=pages) == {"khugepaged-not-yet": 4 * MIB, "misaligned": 4 * MIB}
    assert sizes(vma(resident=MIB), pages=scan()) == {"eligible-not-yet": MIB}


def test_a_vma_that_a_scan_tells_with_others_is_judged_as_they_are() -> None:
    pages = scan((512, 512, 0, 3), (512, 0, 0, 1), start=None)
    assert sizes(vma(resident=8 * MIB), pages=pages) == {"shared": 6 * MIB, "khugepaged-not-yet": 2 * MIB}


def test_empty_and_swapped_slots_are_told_beside_base_pages() -> None:
    beside = {reason.id: (reason.bytes, reason.beside_bytes) for reason in found(
        vma(resident=MIB), pages=scan((0, 0, 512, 2), (256, 0, 0, 1), empty=5)
    )}  # fmt: skip
    assert beside == {
        "khugepaged-not-yet": (MIB, None),
        "swapped": (0, 4 * MIB),
        "not-populated": (0, 10 * MIB),
    }
    swapped = {reason.id: reason.beside_bytes for reason in found(vma(resident=0, Swap=16 * MIB))}
    assert swapped == {"swapped": 16 * MIB}
    assert [reason.id for reason in found(vma(resident=0))] == ["not-populated"]


def test_slots_with_pinned_pages_are_told_by_address_while_status_counts_them() -> None:
    pinned = [PinnedRange(START + MIB, 2 * MIB), PinnedRange(START - 9 * MIB, MIB), PinnedRange(START, 4096)]
    assert sizes(vma(), pinned=pinned, lines={"vm_pinned_bytes": 3 * MIB}) == {
        "pinned": 4 * MIB,
        "khugepaged-not-yet": 12 * MIB,
    }
    assert sizes(vma(), pinned=pinned) == {"khugepaged-not-yet": 16 * MIB}


def test_policy_userfaultfd_and_use_come_before_khugepaged() -> None:
    assert sizes(vma(advice="nh"), pages=scan((512, 512, 0, 8))) == {"advised-against": 16 * MIB}
    armed = replace(vma(), userfaultfd=True)
    assert sizes(armed, pages=scan((1, 0, 0, 8)), state=host(none=0)) == {"userfaultfd": 16 * MIB}
    assert sizes(vma(Referenced=0)) == {"not-referenced": 16 * MIB}


def test_what_khugepaged_said_of_a_vma_is_taken_by_its_share_of_lasting_refusals() -> None:
    said = [Refusal(START, "not_suitable_page_count", 3), Refusal(START, "vma_check_failed", 1)]
    passing = [Refusal(START, "page_not_in_lru", 9), Refusal(0, "exceed_swap_pte", 9)]
    assert sizes(vma(), refusals=said + passing) == {"pinned": 12 * MIB, "khugepaged-not-yet": 4 * MIB}


def test_where_no_huge_page_is_free_that_is_the_reason() -> None:
    state = host(buddyinfo=[BuddyZone(0, "Normal", [100] * 9 + [0, 0])])
    (reason,) = found(vma(), state=state)
    assert (reason.id, reason.note) == ("allocation-failed", "no block of this size is free now")


@pytest.mark.parametrize(
    ("usage", "cache", "reason"),
    [
        (64 * MIB - 4096, 0, "allocation-failed"),
        (64 * MIB - 4096, None, "khugepaged-not-yet"),
        (64 * MIB - 4096, 4 * MIB, "khugepaged-not-yet"),
        (62 * MIB, 0, "khugepaged-not-yet"),
        (None, None, "khugepaged-not-yet"),
    ],
)
def test_a_cgroup_at_its_memory_limit_has_no_room_for_a_huge_page(
    usage: int | None, cache: int | None, reason: str
) -> None:
    state = host(cgroup_memory=[CgroupMemory("/a", 2, 64 * MIB, usage, cache)])
    below = ProcessFacts("prog", cgroup=[CgroupMembership(0, [], "/a/b")])
    (found_one,) = found(vma(), state=state, facts=below)
    assert found_one.id == reason
    assert (found_one.note or "").startswith("cgroup /a has no room") == (reason == "allocation-failed")
    (elsewhere,) = found(vma(), state=state, facts=ProcessFacts("prog", cgroup=[CgroupMembership(0, [], "/c")]))
    assert elsewhere.id == "khugepaged-not-yet"


def test_how_long_khugepaged_needs_is_said() -> None:
    (reason,) = found(vma(size=160 * MIB, resident=160 * MIB))
    assert (reason.id, reason.wait_s) == ("khugepaged-not-yet", 100.0)


GROUPS = st.tuples(st.integers(0, 512), st.integers(0, 512), st.integers(0, 512), st.integers(1, 5))


@settings(deadline=None, max_examples=60)
@given(st.lists(GROUPS, max_size=4), st.integers(0, 16), st.integers(0, 4096), st.integers(0, 3))
def test_parts_add_up_whatever_a_scan_says(
    groups: list[tuple[int, int, int, int]], resident_mib: int, outside_pages: int, pins: int
) -> None:
    pages = scan(*groups, outside=outside_pages * BASE_PAGE, empty=1)
    pinned = [PinnedRange(START + number * 3 * MIB, MIB) for number in range(pins)]
    parts = found(
        vma(resident=resident_mib * MIB),
        pages=pages,
        pinned=pinned,
        lines={"vm_pinned_bytes": 1},
        state=host(none=99),
    )
    assert sum(part.bytes for part in parts) == resident_mib * MIB
    assert all(part.bytes >= 0 and part.vmas == 1 for part in parts)
