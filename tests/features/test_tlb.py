from __future__ import annotations

from typing import Any

import pytest

from advisor.features import feature_table
from advisor.features.tlb import reach_bytes
from advisor.procfs.facts import HugetlbPool, TlbLevel
from advisor.units import GIB, MIB
from tests.features.factory import BASE_PAGE, PMD, host_state, mapping, process, profile, sample

LEVELS = [
    TlbLevel(1, BASE_PAGE, 64, "table"),
    TlbLevel(1, PMD, 32, "table"),
    TlbLevel(1, GIB, 4, "table"),
    TlbLevel(2, BASE_PAGE, 1536, "table"),
    TlbLevel(2, PMD, 1536, "table"),
]


@pytest.mark.parametrize(
    ("page_bytes", "reach"),
    [(BASE_PAGE, 1536 * BASE_PAGE), (PMD, 1536 * PMD), (GIB, 4 * GIB), (64 * 1024, None), (None, None)],
)
def test_reach_is_that_of_the_last_level_which_holds_the_page_size(page_bytes: int | None, reach: int | None) -> None:
    assert reach_bytes(LEVELS, page_bytes) == reach


def row(pools: list[HugetlbPool], **facts: Any) -> dict[str, Any]:
    record = process(maps=[mapping("anon", 24 * MIB, Rss=24 * MIB, Anonymous=24 * MIB)])
    return feature_table(profile(sample(record, host=host_state(pools=pools)), **facts)).row(0, named=True)


def test_memory_is_compared_with_the_reach_of_each_page_size() -> None:
    found = row([HugetlbPool(PMD, None, 0, 0, 0), HugetlbPool(GIB, None, 0, 0, 0)], tlb=LEVELS)
    assert found["memory_to_base_reach"] == 4.0
    assert found["memory_to_pmd_reach"] == 24 * MIB / (1536 * PMD)
    assert found["memory_to_gigantic_reach"] == 24 * MIB / (4 * GIB)


def test_an_unknown_tlb_or_a_page_size_that_the_host_does_not_have_gives_no_ratio() -> None:
    assert row([], tlb=[])["memory_to_base_reach"] is None
    found = row([HugetlbPool(PMD, None, 0, 0, 0)], tlb=LEVELS)
    assert (found["tlb_reach_gigantic_bytes"], found["memory_to_gigantic_reach"]) == (None, None)
