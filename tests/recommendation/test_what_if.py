"""A mode of the host or sizes of pools that somebody asks for: the plan keeps them, adds up, and names who loses."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.recommendation import Plan, ProcessAdvice, Wish, Wishes, recommend
from advisor.recommendation.model import PoolTerm
from advisor.recommendation.pool_state import PoolNow
from advisor.recommendation.pool_terms import Part, asked_terms
from advisor.rules import Policy
from advisor.units import GIB, MIB
from tests.recommendation.planted_rows import (
    ADVISED,
    DISABLED,
    PLANTED,
    PLANTED_POOL,
    POOL_USER,
    RANDOM_ACCESS,
    SPARSE,
    TINY,
)
from tests.recommendation.test_application_words import BIG, words_of
from tests.recommendation.test_pools import guest, two_nodes
from tests.recommendation.test_pools import pool as pool_of
from tests.rules.application_examples import REDIS
from tests.rules.rows import PMD, Values, frame

THP, POOL = Wish(Policy.THP), Wish(Policy.HUGETLB)
MODES = ("never", "madvise", "always")
NUMPY = {**RANDOM_ACCESS, "allocator": "mimalloc"}
"""Gets huge pages from no setting but the mode always."""

SEVERITIES = ("high", "medium", "low")


def plan_of(*rows: Values, wishes: Wishes, **host: object) -> tuple[list[ProcessAdvice], Plan]:
    return recommend(frame(*({**row, **host} for row in rows)), wishes=wishes)


def risks(plan: Plan) -> dict[str, str]:
    return {risk.id: risk.message for risk in plan.risks}


def test_what_the_advice_is_anyway_changes_nothing_but_that_it_was_asked_for() -> None:
    advice, plan = recommend(frame(*PLANTED))
    wishes = Wishes(thp_enabled=plan.thp.enabled, pools={pool.page_bytes: pool.pages for pool in plan.pools})
    again, asked = recommend(frame(*PLANTED), wishes=wishes)
    assert again == advice
    assert [pool.terms for pool in asked.pools] == [pool.terms for pool in plan.pools]
    assert (asked.memory, asked.artefacts, asked.risks) == (plan.memory, plan.artefacts, plan.risks)
    assert [one.granted for one in asked.asked_for] == [True] * len(asked.asked_for)
    assert plan.asked_for == []


def test_never_takes_huge_pages_from_all_who_have_or_should_have_them() -> None:
    advice, plan = plan_of(RANDOM_ACCESS, ADVISED, wishes=Wishes(thp_enabled="never"))
    assert (plan.thp.enabled, plan.thp.changed) == ("never", ["enabled"])
    assert {(one.pids, one.met, one.loses) for one in plan.tenants} == {
        ((101,), False, "Huge pages for 1 GiB."),
        ((102,), False, "Huge pages for 1 GiB."),
    }
    first = advice[0].recommendation
    assert (first.policy, first.decided_by, first.override_reason) == ("leave", "user", "unasked, the advice is THP")
    assert first.alternatives[0].why_not == "the THP mode that was asked for gives it no huge pages"
    assert (plan.memory.before.huge_bytes, plan.memory.after.huge_bytes) == (GIB, 0)
    assert "echo never" in plan.artefacts[0].text


def test_another_way_is_taken_where_there_is_one() -> None:
    advice, plan = plan_of(RANDOM_ACCESS, wishes=Wishes({101: POOL}, "never"))
    assert advice[0].recommendation.policy == "hugetlb"
    assert [one.met for one in plan.tenants] == [True]


def test_two_wishes_against_each_other_are_both_told() -> None:
    advice, plan = plan_of(RANDOM_ACCESS, wishes=Wishes({101: THP}, "never"))
    assert advice[0].recommendation.policy == "leave"
    assert [(one.kind, one.granted) for one in plan.asked_for] == [("thp-mode", True), ("policy", False)]
    assert "gives it no huge pages" in (plan.asked_for[1].note or "")
    assert not plan.tenants[0].met


def test_madvise_serves_who_can_ask_and_denies_the_others() -> None:
    asks, silent = {**RANDOM_ACCESS, "pid": 1}, {**NUMPY, "pid": 2}
    _, plan = plan_of(asks, silent, wishes=Wishes(thp_enabled="madvise"))
    met = {one.pids[0]: (one.met, one.gets_by) for one in plan.tenants}
    assert met == {1: (True, "allocator"), 2: (False, None)}


def test_who_has_thp_by_mode_always_must_ask_for_it_under_madvise() -> None:
    row = {**RANDOM_ACCESS, "anon_huge_bytes": GIB, "anon_base_bytes": 6 * MIB, "host_thp_enabled": "always"}
    row |= {"anon_huge_coverage": 0.99, "thp_eligible_anon_rss_bytes": GIB}
    advice, plan = plan_of(row, wishes=Wishes(thp_enabled="madvise"))
    assert (advice[0].recommendation.policy, advice[0].recommendation.decided_by) == ("thp", "user")
    assert "under madvise it must ask for it" in advice[0].recommendation.reasons[1].message
    assert plan.tenants[0].gets_by == "allocator"
    assert any("GLIBC_TUNABLES" in artefact.text for artefact in plan.artefacts)


def test_always_switches_off_who_must_not_have_it_and_tells_what_the_others_may_grow_by() -> None:
    redis = {**BIG, "pid": 7, "name": "redis-server", "executable": "redis-server", **words_of(REDIS)}
    others = [{**TINY, "pid": pid, "huge_page_growth_bytes": 50 * MIB} for pid in range(10, 70)]
    _, plan = plan_of(redis, *others, wishes=Wishes(thp_enabled="always"))
    assert next((one.name, one.gets_by) for one in plan.tenants) == ("redis-server", "application")
    ids = [artefact.id for artefact in plan.artefacts]
    assert ids.index("redis-redis-server-7") < ids.index("thp-now"), "before the mode reaches it"
    assert plan.thp_growth_bytes == 60 * 50 * MIB
    assert (
        "60 processes that do not need them; they may grow by at most 2.9 GiB" in risks(plan)["mode-exposes-others"]
    )


def test_growth_that_is_unknown_for_one_is_unknown_in_all() -> None:
    _, plan = plan_of({**TINY, "huge_page_growth_bytes": None}, wishes=Wishes(thp_enabled="always"))
    assert plan.thp_growth_bytes is None
    assert "unknown for 1 of them" in risks(plan)["mode-exposes-others"]


def test_a_pool_that_is_too_small_serves_those_with_most_at_stake_and_names_the_loser() -> None:
    rows = [guest(1, 4 * GIB), guest(2, 2 * GIB)]
    wanted = Wishes({1: POOL, 2: POOL}, pools={PMD: 2100})
    advice, plan = plan_of(*rows, wishes=wanted)
    assert [one.recommendation.policy == "hugetlb" for one in advice] == [True, False]
    (pool,) = plan.pools
    assert (pool.pages, sum(term.pages for term in pool.terms)) == (2100, 2100)
    assert [one.granted for one in plan.asked_for] == [True, True, False]
    (loser,) = [one for one in plan.tenants if one.pids == (2,)]
    assert "no pages left for it" in (loser.loses or "")


def test_pages_for_nobody_are_a_low_risk_and_take_memory() -> None:
    _, plan = plan_of(TINY, wishes=Wishes(pools={PMD: 512}))
    (pool,) = plan.pools
    assert pool.terms[-1] == PoolTerm("asked", 512)
    assert plan.memory.after.available_bytes == 18 * GIB - GIB
    assert "1 GiB that nothing else can use" in risks(plan)["pool-pages-for-nobody"]


def test_pages_in_use_stay_as_surplus_until_they_are_freed() -> None:
    _, plan = plan_of({**POOL_USER, **PLANTED_POOL}, wishes=Wishes(pools={PMD: 200}))
    (pool,) = plan.pools
    assert (pool.pages, pool.held_pages, pool.current_pages) == (200, 256, 256)
    assert [(term.kind, term.pages) for term in pool.terms] == [("in-use", 256), ("surplus", -56)]
    assert plan.memory.after.available_bytes == plan.memory.before.available_bytes, "nothing comes free at once"
    assert "by pid 103, 200 were asked for: 56 stay as surplus" in risks(plan)["pool-smaller-than-in-use"]
    assert [one.loses for one in plan.tenants if one.pids == (103,)] == [
        "Its pages when it is started anew, if others come first: fewer were asked for than are in use."
    ]


def test_what_only_a_boot_can_give_is_said_and_more_than_that_is_a_risk() -> None:
    host = {"host_pool_gigantic_total": 0, "host_gigantic_supply_pages": 4, "host_gigantic_boot_pages": 9}
    _, plan = plan_of(TINY, wishes=Wishes(pools={GIB: 3}), **host)
    assert [(pool.pages, pool.when) for pool in plan.pools] == [(3, "runtime")]
    _, plan = plan_of(TINY, wishes=Wishes(pools={GIB: 12}), **host)
    assert [(pool.pages, pool.when) for pool in plan.pools] == [(12, "boot")]
    assert "about 9 can be had" in risks(plan)["more-than-boot-gives"]


def test_a_pool_that_takes_the_hosts_reserve_is_a_high_risk() -> None:
    _, plan = plan_of(TINY, wishes=Wishes(pools={PMD: 9000}))
    assert "little-memory-left" in risks(plan)


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        (Wishes(pools={64 << 10: 5}), "no pool of pages of 64 KiB: it has 2 MiB and 1 GiB"),
        (Wishes(pools={PMD: 1 << 20}), "2 TiB is more than its memory of 24 GiB"),
        (Wishes(pools={PMD: 11 * 1024, GIB: 5}), "5 GiB beside 22 GiB in other pools is more than"),
        (Wishes(pools={PMD: -1}), "cannot have less than no page"),
        (Wishes(thp_enabled="sometimes"), "there is no such mode: never, madvise, always"),
        (Wishes({4711: THP}), "no such process is there"),
        (Wishes({106: Wish(Policy.THP_OFF, start_ticks=5)}), "no such process is there"),
        (Wishes({106: Wish(Policy.HUGETLB, 64 << 10)}), "no pool of pages of 64 KiB"),
    ],
)
def test_what_the_host_cannot_have_is_said_and_changes_nothing(wishes: Wishes, says: str) -> None:
    host = {"host_pool_gigantic_total": 0}
    advice, plan = plan_of(TINY, wishes=wishes, **host)
    refused = [one for one in plan.asked_for if not one.granted]
    assert len(refused) == 1 and says in (refused[0].note or "")
    if len(plan.asked_for) == 1:
        before, unasked = plan_of(TINY, wishes=Wishes(), **host)
        assert [one.recommendation.policy for one in advice] == [one.recommendation.policy for one in before]
        assert (plan.thp, plan.pools, plan.artefacts) == (unasked.thp, unasked.pools, unasked.artefacts)


def test_a_host_without_thp_has_no_mode_to_choose() -> None:
    _, plan = plan_of(TINY, wishes=Wishes(thp_enabled="always"), host_thp_enabled=None)
    assert not plan.asked_for[0].granted
    assert plan.thp.enabled is None


def test_a_pool_of_nodes_keeps_what_is_bound_and_has_as_many_pages_as_were_asked_for() -> None:
    rows = [guest(1, 2 * GIB, numa_nodes="1")]
    wishes = Wishes({1: POOL}, pools={PMD: 1500})
    _, plan = recommend(frame(*rows), wishes=wishes, state=two_nodes(pool_of(100, 100, 60, 60)))
    by_node = {pool.node: pool.pages for pool in plan.pools}
    assert sum(by_node.values()) == 1500
    assert by_node[1] >= 1024


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(0, 50)), min_size=1, max_size=4),
    st.integers(0, 5000),
)
def test_terms_of_a_pool_add_up_to_what_was_asked_for(parts: list[tuple[int, int, int]], pages: int) -> None:
    made = [
        Part(node, PoolNow(used + free, free), used, [], copies) for node, (used, free, copies) in enumerate(parts)
    ]
    terms = asked_terms(PMD, made, pages)
    assert sum(term.pages for of_part in terms for term in of_part) == pages
    for part, of_part in zip(made, terms, strict=True):
        own = sum(term.pages for term in of_part)
        assert own >= 0
        assert own >= part.in_use or pages < sum(one.in_use for one in made)
        assert all(term.pages >= 0 for term in of_part if term.kind != "surplus")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from([RANDOM_ACCESS, NUMPY, ADVISED, SPARSE, DISABLED, TINY, POOL_USER]), min_size=1),
    st.sampled_from([None, *MODES]),
    st.sampled_from(MODES),
    st.dictionaries(st.sampled_from([PMD, GIB]), st.integers(0, 6000)),
    st.dictionaries(st.integers(0, 6), st.sampled_from([THP, POOL, Wish(Policy.THP_OFF), Wish(Policy.LEAVE)])),
)
def test_every_wish_is_granted_in_full_or_said_to_be_refused(
    rows: list[Values], wanted: str | None, now: str, pools: dict[int, int], policies: dict[int, Wish]
) -> None:
    own = [{**row, **PLANTED_POOL, "pid": pid, "host_thp_enabled": now} for pid, row in enumerate(rows)]
    gigantic = {"host_pool_gigantic_total": 0}
    advice, plan = plan_of(*own, wishes=Wishes(policies, wanted, pools), **gigantic)
    assert len(plan.asked_for) == (wanted is not None) + len(pools) + len(policies)
    for asked in plan.asked_for:
        assert asked.granted or asked.note
        if asked.kind == "thp-mode":
            assert plan.thp.enabled == wanted
            assert (wanted != now) == ("enabled" in plan.thp.changed)
        if asked.kind == "policy" and asked.granted:
            assert advice[asked.pid or 0].recommendation.policy == asked.policy
        if asked.kind == "pool" and asked.granted:
            assert sum(p.pages for p in plan.pools if p.page_bytes == asked.page_bytes) == asked.pages
    for pool in plan.pools:
        assert sum(term.pages for term in pool.terms) == pool.pages
        if pool.pages != pool.current_pages:
            texts = [one.text for one in plan.artefacts if one.id.startswith("pool")]
            assert any(re.search(rf"\b{pool.pages}\b", text) for text in texts)
    if wanted is not None:
        for one, row in zip(advice, own, strict=True):
            assert wanted != "never" or one.recommendation.policy != "thp", row["name"]
    unmet = [one for one in plan.tenants if not one.met]
    assert all(one.loses and one.how for one in unmet)
    ranks = [SEVERITIES.index(risk.severity) for risk in plan.risks]
    assert ranks == sorted(ranks)
