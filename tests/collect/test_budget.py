"""The budget holds whatever the sampler's process does, and pays back what it spent too early."""

from __future__ import annotations

import pytest

from advisor.collect.budget import SPENDING_SHARE, Budget

SHARE = 0.01
INTERVAL_S = 5.0


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def run(clock: Clock, budget: Budget, ticks: int, tick_s: float, also_s: float) -> None:
    """Ticks without walks, each of which costs as much, at the pace that the budget asks for."""
    for _ in range(ticks):
        budget.charge_tick(tick_s, 0.0)
        budget.charge_also(also_s)
        clock.now_s += budget.delay_s(INTERVAL_S)


def test_a_cheap_tick_keeps_the_interval() -> None:
    clock = Clock()
    budget = Budget(SHARE, clock, 0.0)
    run(clock, budget, 10, 0.01, 0.005)
    assert clock.now_s == pytest.approx(10 * INTERVAL_S)


@pytest.mark.parametrize(("tick_s", "also_s"), [(0.2, 0.0), (0.02, 0.18)], ids=["reading", "writing"])
def test_what_exceeds_the_budget_makes_ticks_rarer(tick_s: float, also_s: float) -> None:
    clock = Clock()
    budget = Budget(SHARE, clock, 0.0)
    run(clock, budget, 500, tick_s, also_s)
    share = budget.share_spent()
    assert share is not None
    assert share <= SHARE


def test_the_start_is_paid_back_although_every_tick_exceeds_the_budget() -> None:
    clock = Clock()
    budget = Budget(SHARE, clock, 0.0, spent_s=2.0)
    run(clock, budget, 500, 0.2, 0.0)
    share = budget.share_spent()
    assert share is not None
    assert SHARE * SPENDING_SHARE <= share <= SHARE


def test_walks_do_not_make_ticks_rarer_since_they_are_planned_one_by_one() -> None:
    clock = Clock()
    budget = Budget(SHARE, clock, 0.0)
    budget.charge_tick(1.0, 0.0)
    budget.charge_tick(1.0, 0.99)
    assert budget.delay_s(INTERVAL_S) == INTERVAL_S


def test_the_first_tick_looks_at_everybody_and_the_second_is_not_late_for_it() -> None:
    budget = Budget(SHARE, Clock(), 0.0)
    budget.charge_tick(3.0, 0.0)
    budget.charge_also(1.0)
    assert budget.delay_s(INTERVAL_S) == INTERVAL_S
