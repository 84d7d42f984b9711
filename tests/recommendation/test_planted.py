"""Six planted programs: each gets another answer, the right one, with its reason."""

from __future__ import annotations

import pytest

from advisor.recommendation import Plan, ProcessAdvice, Recommendation, recommend
from advisor.units import GIB, MIB
from tests.recommendation.planted_rows import PLANTED
from tests.rules.rows import PMD, frame


@pytest.fixture(scope="module")
def answered() -> tuple[dict[int, ProcessAdvice], Plan]:
    advice, plan = recommend(frame(*PLANTED))
    return {one.pid: one for one in advice}, plan


@pytest.fixture(scope="module")
def advised(answered: tuple[dict[int, ProcessAdvice], Plan]) -> dict[int, Recommendation]:
    return {pid: one.recommendation for pid, one in answered[0].items()}


@pytest.fixture(scope="module")
def plan(answered: tuple[dict[int, ProcessAdvice], Plan]) -> Plan:
    return answered[1]


def test_no_two_planted_programs_get_the_same_answer_for_the_same_reason(
    advised: dict[int, Recommendation],
) -> None:
    answers = {(one.policy, one.page_bytes, one.reasons[0].rule) for one in advised.values()}
    assert len(answers) == len(PLANTED)


def test_random_access_on_base_pages_should_get_thp(advised: dict[int, Recommendation]) -> None:
    one = advised[101]
    assert (one.policy, one.page_bytes, one.pages, one.confidence) == ("thp", PMD, None, "high")
    assert one.reasons[0].rule == "large-anon-not-advised"
    assert one.reasons[0].evidence["slotted_anon_bytes"] == GIB
    assert one.bloat_bytes == 0
    assert one.artefacts == ["malloc-command-python3.11-101"]


def test_memory_that_thp_covers_is_left_alone(advised: dict[int, Recommendation]) -> None:
    one = advised[102]
    assert (one.policy, one.confidence) == ("leave", "medium")
    assert one.reasons[0].rule == "thp-already-covers"
    assert one.alternatives == []


def test_a_filled_pool_mapping_keeps_its_pool(advised: dict[int, Recommendation]) -> None:
    one = advised[103]
    assert (one.policy, one.page_bytes, one.pages, one.bloat_bytes) == ("hugetlb", PMD, 256, 0)
    assert one.pages_basis == "its hugetlb mappings"
    assert one.reasons[0].rule == "hugetlb-right-sized"
    assert one.artefacts == []


def test_sparse_memory_is_protected_from_thp(advised: dict[int, Recommendation]) -> None:
    one = advised[104]
    assert (one.policy, one.page_bytes, one.bloat_bytes) == ("thp-off", None, 8 * GIB - 16 * MIB)
    assert one.reasons[0].rule == "sparse-memory-unexposed"
    assert one.artefacts == ["thp-off-command-python3.11-104"]


def test_a_process_that_disabled_thp_is_respected_and_told_what_it_forgoes(
    advised: dict[int, Recommendation],
) -> None:
    one = advised[105]
    assert (one.policy, one.confidence) == ("leave", "high")
    assert one.reasons[0].rule == "thp-disabled-by-process"
    assert "600 MiB" in one.reasons[0].message
    (alternative,) = one.alternatives
    assert (alternative.policy, alternative.page_bytes) == ("thp", PMD)
    assert alternative.why_not.startswith("thp-disabled-by-process: ")


def test_a_tiny_process_is_left_alone_because_it_is_small(advised: dict[int, Recommendation]) -> None:
    one = advised[106]
    assert (one.policy, one.confidence) == ("leave", "high")
    assert one.reasons[0].rule == "small-process"


def test_every_answer_says_who_decided_and_gives_sources(advised: dict[int, Recommendation]) -> None:
    for one in advised.values():
        assert (one.decided_by, one.override_reason, one.expected_gain) == ("rules", None, None)
        assert all(reason.sources and reason.remedy for reason in one.reasons)


def test_the_busy_program_on_base_pages_is_what_matters_most_after_the_sparse_one(
    answered: tuple[dict[int, ProcessAdvice], Plan],
) -> None:
    order = sorted(answered[0].values(), key=lambda one: -one.at_stake_bytes)
    assert [one.pid for one in order][:3] == [104, 101, 105]


def test_the_plan_keeps_madvise_and_the_pool(plan: Plan) -> None:
    assert (plan.thp.enabled, plan.thp.changed) == ("madvise", [])
    (pool,) = plan.pools
    assert (pool.page_bytes, pool.pages, pool.current_pages, pool.for_pids) == (PMD, 256, 256, [103])


def test_the_summary_shows_the_arithmetic(plan: Plan) -> None:
    assert plan.summary == [
        "6 processes: 3 leave, 1 thp, 1 thp-off, 1 hugetlb.",
        "THP mode madvise (no change): "
        "2 processes (pid 101, 102) can ask for huge pages each on its own; nobody else is affected. "
        "1 process (pid 104) has THP switched off by itself.",
        "Pool of 2 MiB pages: 256 in use or reserved = 256, no change.",
        "Memory available: 18 GiB - 0 B for pools + 0 B that moves into them = 18 GiB.",
        "Page tables: 23.2 MiB, no change.",
    ]
