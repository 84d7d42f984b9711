from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.features import feature_table
from advisor.procfs.facts import Thp, ThpSize
from advisor.profile.model import Mapping
from advisor.units import KIB, MIB
from tests.features.factory import BASE_PAGE, PMD, host_state, mapping, process, profile, sample, status, thp
from tests.features.strategies import mappings, shmem_resident, value


def row(*maps: Mapping, thp_of_host: Thp | None = None, **lines: Any) -> dict[str, Any]:
    record = process(maps=list(maps), status=status(**lines))
    return feature_table(profile(sample(record, host=host_state(thp=thp_of_host or thp())))).row(0, named=True)


def test_eligible_memory_is_counted_in_slots_and_in_resident_bytes() -> None:
    found = row(
        mapping("anon", 9 * MIB, eligible=1, Rss=5 * MIB, Anonymous=5 * MIB),
        mapping("heap", 5 * MIB, eligible=0, Rss=MIB, Anonymous=MIB),
        mapping("shmem", 4 * MIB, eligible=1, Rss=3 * MIB, Anonymous=MIB),
        mapping("anon", MIB, eligible=1, Rss=MIB, Anonymous=MIB),
    )
    expected = {
        "thp_eligible_bytes": 12 * MIB,
        "thp_eligible_anon_rss_bytes": 5 * MIB,
        "thp_eligible_resident_bytes": 7 * MIB,
        "shmem_eligible_bytes": 4 * MIB,
        "slot_bytes": 12 * MIB,
        "slotted_anon_bytes": 6 * MIB,
        "unslotted_anon_bytes": MIB,
        "alignment_loss_bytes": 3 * MIB,
        "populated_density": 6 / 14,
    }
    assert {name: found[name] for name in expected} == expected


def test_eligibility_is_unknown_where_the_kernel_does_not_print_it() -> None:
    found = row(mapping("anon", 4 * MIB, eligible=None, Rss=MIB, Anonymous=MIB))
    assert (found["thp_eligible_bytes"], found["thp_eligible_anon_rss_bytes"]) == (None, None)
    assert found["slot_bytes"] == 4 * MIB


def test_eligibility_of_files_does_not_matter() -> None:
    found = row(mapping("file", 4 * MIB, eligible=None), mapping("anon", 4 * MIB, eligible=1))
    assert found["thp_eligible_bytes"] == 4 * MIB


def test_slots_are_unknown_where_the_pmd_size_is() -> None:
    vma = mapping("anon", 4 * MIB, pmd=None, eligible=1, Rss=MIB, Anonymous=MIB)
    found = row(vma, thp_of_host=thp(pmd_bytes=None))
    for name in ("slot_bytes", "slotted_anon_bytes", "alignment_loss_bytes", "huge_page_growth_bound_bytes"):
        assert found[name] is None, name
    assert found["populated_density"] is None


@pytest.mark.parametrize(
    ("pmd_mode", "advice", "eligible_bytes"),
    [("always", "", 4 * MIB), ("madvise", "hg", 4 * MIB), ("madvise", "", 0), ("never", "hg", 0), ("inherit", "", 0)],
)
def test_thpeligible_that_may_be_about_a_smaller_size_needs_the_policy_of_the_pmd_size(
    pmd_mode: str, advice: str, eligible_bytes: int
) -> None:
    host = thp(enabled="never", sizes=[ThpSize(64 * KIB, "always"), ThpSize(PMD, pmd_mode)])
    assert (
        row(mapping("anon", 4 * MIB, eligible=1, advice=advice), thp_of_host=host)["thp_eligible_bytes"]
        == eligible_bytes
    )


def test_reserved_memory_does_not_thin_the_density() -> None:
    used = mapping("anon", 4 * MIB, Rss=2 * MIB, Anonymous=2 * MIB)
    assert row(used, mapping("anon", 1024 * MIB, writable=False))["populated_density"] == 0.5


@pytest.mark.parametrize(
    ("size", "anonymous", "huge", "bound"),
    [
        (8 * MIB, 0, 0, 0),
        (8 * MIB, BASE_PAGE, 0, PMD - BASE_PAGE),
        (8 * MIB, 8 * MIB, 0, 0),
        (8 * MIB, 8 * MIB, 8 * MIB, 0),
        (8 * MIB, 4 * MIB, 4 * MIB, 0),
        (8 * MIB, 4 * MIB + BASE_PAGE, 4 * MIB, PMD - BASE_PAGE),
        (8 * MIB, 4 * MIB, 0, 4 * MIB),
        (9 * MIB, 5 * MIB, 0, 4 * MIB),
        (MIB, MIB, 0, 0),
    ],
)
def test_growth_is_bounded_by_empty_slots_and_by_touched_pages(
    size: int, anonymous: int, huge: int, bound: int
) -> None:
    found = row(mapping("anon", size, Rss=anonymous, Anonymous=anonymous, AnonHugePages=huge))
    assert found["huge_page_growth_bound_bytes"] == bound


def test_advice_is_counted_by_virtual_size_and_by_resident_bytes() -> None:
    found = row(
        mapping("anon", 8 * MIB, advice="hg", Rss=6 * MIB, Anonymous=6 * MIB, AnonHugePages=4 * MIB),
        mapping("heap", 4 * MIB, advice="nh", Rss=3 * MIB, Anonymous=3 * MIB),
        mapping("anon", 2 * MIB, Rss=MIB, Anonymous=MIB),
        mapping("shmem", 4 * MIB, advice="hg"),
    )
    expected = {
        "advised_bytes": 8 * MIB,
        "advised_anon_rss_bytes": 6 * MIB,
        "advised_anon_huge_bytes": 4 * MIB,
        "advised_against_bytes": 4 * MIB,
        "advised_against_anon_bytes": 3 * MIB,
    }
    assert {name: found[name] for name in expected} == expected
    assert row(mapping("anon", 2 * MIB, advice=None))["advised_bytes"] is None


@pytest.mark.parametrize(("thp_enabled", "disabled"), [(0, True), (1, False), (None, None)])
def test_a_process_that_switched_thp_off_is_told_from_one_that_did_not(
    thp_enabled: int | None, disabled: bool | None
) -> None:
    assert row(mapping(), thp_enabled=thp_enabled)["thp_disabled_by_process"] is disabled


@settings(deadline=None)
@given(st.lists(mappings(), min_size=1, max_size=8))
def test_columns_agree_with_plain_sums_over_vmas(maps: list[Mapping]) -> None:
    found = row(*maps)
    private = [vma for vma in maps if vma.kind in ("anon", "heap")]
    slotted = [vma for vma in private if vma.slot_bytes]
    anon, huge = sum(value(v, "Anonymous") for v in maps), sum(value(v, "AnonHugePages") for v in maps)
    shmem, shmem_huge = sum(map(shmem_resident, maps)), sum(value(v, "ShmemPmdMapped") for v in maps)
    hugetlb = sum(value(v, "Private_Hugetlb") for v in maps)
    assert found["rss_bytes"] == sum(value(v, "Rss") for v in maps)
    assert found["rss_bytes"] == found["anon_bytes"] + found["shmem_rss_bytes"] + found["file_rss_bytes"]
    assert (found["anon_bytes"], found["anon_base_bytes"]) == (anon, anon - huge)
    assert (found["shmem_rss_bytes"], found["shmem_base_bytes"]) == (shmem, shmem - shmem_huge)
    assert found["slot_bytes"] == sum(v.slot_bytes or 0 for v in private)
    assert found["slotted_anon_bytes"] == sum(value(v, "Anonymous") for v in slotted)
    assert found["slotted_anon_bytes"] + found["unslotted_anon_bytes"] == sum(value(v, "Anonymous") for v in private)
    loss = sum(min(value(v, "Anonymous") - value(v, "AnonHugePages"), v.size - (v.slot_bytes or 0)) for v in private)
    assert found["alignment_loss_bytes"] == loss
    total = anon + shmem + hugetlb
    assert found["huge_coverage"] == ((huge + shmem_huge + hugetlb) / total if total else None)
    for name in ("huge_coverage", "anon_huge_coverage", "shmem_huge_coverage", "populated_density"):
        assert found[name] is None or 0 <= found[name] <= 1
    if all(vma.eligible is not None for vma in maps):
        eligible = [v for v in maps if v.kind in ("anon", "heap", "shmem") and v.eligible]
        assert found["thp_eligible_bytes"] == sum(v.slot_bytes or 0 for v in eligible)
        assert found["thp_eligible_anon_rss_bytes"] <= found["slotted_anon_bytes"]
    assert 0 <= found["huge_page_growth_bound_bytes"] <= found["slot_bytes"]


@settings(deadline=None)
@given(st.lists(mappings(), max_size=8), st.randoms())
def test_the_order_of_vmas_does_not_matter(maps: list[Mapping], random: Any) -> None:
    shuffled = list(maps)
    random.shuffle(shuffled)
    assert row(*maps) == row(*shuffled)
