"""The order of the runs: complete, balanced in place and in follower, repeatable."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from advisor.trial.schedule import WARM_UP_ROUND, Slot, schedule

POLICIES = ["base", "thp", "pool-2M", "pool-1G", "default"]

some = st.integers(1, 5).map(lambda count: POLICIES[:count])


def blocks(policies: list[str], slots: list[Slot]) -> list[list[str]]:
    count = len(policies)
    return [[slot.policy for slot in slots[begin : begin + count]] for begin in range(0, len(slots), count)]


@given(some, st.integers(0, 12), st.integers(0, 3), st.integers())
def test_every_round_has_every_policy_once(policies: list[str], rounds: int, warm_up: int, seed: int) -> None:
    slots = schedule(policies, rounds, warm_up, seed)
    assert all(sorted(block) == sorted(policies) for block in blocks(policies, slots))
    numbers = [WARM_UP_ROUND] * warm_up + list(range(1, rounds + 1))
    assert [slot.round for slot in slots] == [number for number in numbers for _ in policies]
    assert slots == schedule(policies, rounds, warm_up, seed)


@given(some, st.integers(0, 3), st.integers())
def test_the_warm_up_keeps_the_order_given(policies: list[str], warm_up: int, seed: int) -> None:
    assert [slot.policy for slot in schedule(policies, 0, warm_up, seed)] == policies * warm_up


@given(some, st.integers(1, 4), st.integers())
def test_each_policy_stands_in_each_place_equally_often(policies: list[str], squares: int, seed: int) -> None:
    rows = blocks(policies, schedule(policies, squares * len(policies), 0, seed))
    for place in range(len(policies)):
        assert set(Counter(row[place] for row in rows).values()) == {squares}


@given(st.integers(2, 5), st.integers())
def test_in_two_squares_each_policy_follows_each_other_equally_often(count: int, seed: int) -> None:
    rows = blocks(POLICIES[:count], schedule(POLICIES[:count], 2 * count, 0, seed))
    followers = Counter(pair for row in rows for pair in pairwise(row))
    assert set(followers.values()) == {2}
    assert len(followers) == count * (count - 1)


def test_another_seed_is_another_order() -> None:
    assert len({tuple(schedule(POLICIES, 5, 0, seed)) for seed in range(10)}) > 5


def test_no_policies_need_no_runs() -> None:
    assert schedule([], 3) == []
