"""A policy that somebody asks for: granted unless it is forbidden, with the sizes and texts that it takes."""

from __future__ import annotations

from advisor.recommendation import Recommendation, Wish, Wishes, recommend
from advisor.rules import Policy
from advisor.units import GIB, MIB
from tests.recommendation.planted_rows import DISABLED, RANDOM_ACCESS, TINY, program
from tests.rules.rows import PMD, Values, frame

POOL = Wish(Policy.HUGETLB)


def asked(row: Values, wish: Wish) -> Recommendation:
    advice, _ = recommend(frame(row), wishes=Wishes({row["pid"]: wish}))
    return advice[0].recommendation


def test_a_pool_that_was_asked_for_is_sized_and_written() -> None:
    row = {**RANDOM_ACCESS, "host_memory_available_bytes": 18 * GIB}
    one = asked(row, POOL)
    assert (one.policy, one.page_bytes, one.decided_by) == ("hugetlb", PMD, "user")
    assert one.pages and one.artefacts
    assert one.override_reason == "unasked, the advice is THP"
    assert one.reasons[0].rule == "asked-for"
    assert [(other.policy, other.why_not) for other in one.alternatives] == [("thp", "another policy was asked for")]


def test_what_was_not_chosen_costs_what_it_would_cost_if_it_were() -> None:
    unasked, _ = recommend(frame(RANDOM_ACCESS))
    chosen = unasked[0].recommendation
    (other,) = asked({**RANDOM_ACCESS, "host_memory_available_bytes": 18 * GIB}, POOL).alternatives
    assert (other.policy, other.bloat_bytes, other.bloat_basis) == ("thp", chosen.bloat_bytes, chosen.bloat_basis)
    assert other.page_table_bytes_after == unasked[0].page_table_bytes_after
    assert other.bloat_bytes is not None


def test_what_is_the_advice_anyway_needs_no_override() -> None:
    one = asked(RANDOM_ACCESS, Wish(Policy.THP))
    assert (one.policy, one.decided_by, one.override_reason) == ("thp", "user", None)


def test_a_small_process_may_be_given_a_pool_too() -> None:
    one = asked(TINY, Wish(Policy.HUGETLB, PMD))
    assert (one.policy, one.reasons[1].rule) == ("hugetlb", "small-process")


def test_a_forbidden_policy_is_not_granted() -> None:
    one = asked(DISABLED, Wish(Policy.THP))
    assert (one.policy, one.decided_by) == ("leave", "rules")
    assert "although thp was asked for: thp-disabled-by-process" in one.reasons[1].message


def test_a_page_size_that_the_host_lacks_is_not_granted() -> None:
    one = asked(RANDOM_ACCESS, Wish(Policy.HUGETLB, 64 * 1024))
    assert one.policy == "thp"
    assert "no pool of pages of 64 KiB" in one.reasons[1].message


def test_a_pool_without_room_is_not_granted() -> None:
    row = {**RANDOM_ACCESS, "host_memory_available_bytes": 2 * GIB, "slotted_anon_bytes": 0, "anon_base_bytes": MIB}
    one = asked({**row, "is_vmm": True, "guest_ram_bytes": 16 * GIB}, POOL)
    assert one.policy != "hugetlb"
    assert "no room" in " ".join(reason.message for reason in one.reasons)


def test_who_shares_memory_moves_together() -> None:
    shared: Values = {
        "shmem_mapped_bytes": GIB,
        "shared_object_bytes": GIB,
        "sharing_processes": 2,
        "sharing_page_table_bytes": 4 * MIB,
        "host_memory_available_bytes": 18 * GIB,
    }
    rows = [program(11, sharing_leader=True, **shared), program(12, sharing_leader=False, **shared)]
    advice, plan = recommend(frame(*rows), wishes=Wishes({12: POOL}))
    assert [one.recommendation.policy for one in advice] == ["hugetlb", "hugetlb"]
    assert [pool.pages for pool in plan.pools] == [512 + 5]
