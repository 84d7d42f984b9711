"""What other advisers say of the same rows."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from advisor.features import SCHEMA
from advisor.predictor import Thresholds
from advisor.training.baselines import BASELINES, model_and_rules, permitted
from advisor.training.rows import Example, Table
from advisor.training.scores import Measurements
from tests.training import synthetic
from tests.training.synthetic import BASE_REACH, GIB, features, law, measured

ALWAYS = Thresholds(least_gain=0.0, caution=0.0, pool_margin=0.0, gigantic_margin=0.0)


def one_row(size: int = GIB, churn: float = 0.0, state: str = "base", **more: object) -> Table:
    example = Example("a/1", "a", state, measured(size, law(size, churn)), "")  # type: ignore[arg-type]
    return Table([example], pl.DataFrame([features(size, churn, state, **more)], schema=SCHEMA))  # type: ignore[arg-type]


def without(table: Table, *roles: str) -> Table:
    """The same, as if these policies could not be used."""
    what = table.examples[0].measured
    outcomes = {role: outcome for role, outcome in what.outcomes.items() if role not in roles}
    changed = replace(what, outcomes=outcomes, usable=what.usable - set(roles))
    return Table([replace(table.examples[0], measured=changed)], table.frame)


def test_habits() -> None:
    table = one_row()
    assert BASELINES["always THP"](table) == ["thp"]
    assert BASELINES["never THP"](table) == ["base"]
    assert BASELINES["2M pool, else THP"](table) == ["pool"]
    assert BASELINES["2M pool, else THP"](without(table, "pool")) == ["thp"]


def test_tlb_reach_asks_whether_memory_fits() -> None:
    assert BASELINES["TLB reach alone"](one_row(BASE_REACH // 2)) == ["base"]
    assert BASELINES["TLB reach alone"](one_row(BASE_REACH * 2)) == ["thp"]


@pytest.mark.parametrize(("coverage", "expected"), [(0.0, "base"), (0.4, "base"), (0.9, "thp"), (None, "base")])
def test_the_kernel_default_is_what_the_program_got_by_itself(coverage: float | None, expected: str) -> None:
    by_itself = one_row(huge_coverage=coverage)
    watched = Table([replace(by_itself.examples[0], state="default")], by_itself.frame)
    assert BASELINES["kernel default"](watched) == [expected]
    assert BASELINES["kernel default"](one_row(state="thp")) == ["base"]


def test_rules_that_leave_a_program_leave_it_as_it_was_seen() -> None:
    assert BASELINES["rules alone"](one_row(BASE_REACH, state="thp")) == ["thp"]


def test_a_forbidden_policy_is_not_advised_and_prctl_of_the_trial_forbids_nothing() -> None:
    free, forbidden = one_row(), one_row(advised_against_anon_bytes=GIB, advised_against_bytes=GIB)
    by_itself = one_row(state="thp", thp_disabled_by_process=True)
    assert permitted(free)["thp"].to_list() == [True]
    assert permitted(by_itself)["thp"].to_list() == [False]
    assert permitted(forbidden)["thp"].to_list() == [False]
    assert permitted(without(free, "gigantic"))["gigantic"].to_list() == [False]


def test_the_model_decides_where_it_answers_and_the_rules_where_it_abstains() -> None:
    table = one_row()
    predictor = synthetic.learnt().predictor(synthetic.DATA)
    answered = predictor.predict(table.frame)
    assert model_and_rules(table, answered, ALWAYS) == ["gigantic"]
    abstained = answered.with_columns(abstained=pl.lit("unlike"))
    assert model_and_rules(table, abstained, ALWAYS) == BASELINES["rules alone"](table)


def test_scores_count_time_memory_and_what_was_for_nothing() -> None:
    gains = {"thp": 0.01, "pool": 0.2, "further": 0.1}
    examples = [Example(f"a/{number}", "a", "base", measured(GIB, gains), "") for number in range(4)]
    table = Table(examples, pl.DataFrame([features(GIB, 0.0, "base")] * 4, schema=SCHEMA))
    score = Measurements(table).score("x", ["base", "thp", "pool", "gigantic"])
    assert score.worst == pytest.approx(2.718281828**0.3)
    assert score.regret == pytest.approx(2.718281828 ** ((0.3 + 0.29 + 0.1 + 0.0) / 4))
    assert (score.intrusive, score.wasted) == (3, 1)
    assert score.wasted_share == pytest.approx(1 / 3)
    assert score.cost_bytes == pytest.approx((0.1 + 1.02 + 1.3) * GIB, rel=0.02)
    assert Measurements(table).score("x", ["base"] * 4).wasted_share == 0.0


def test_to_leave_a_program_as_it_was_found_is_not_intrusive() -> None:
    found = one_row(state="thp")
    score = Measurements(found).score("x", ["thp"])
    assert (score.intrusive, Measurements(found).score("x", ["pool"]).intrusive) == (0, 1)
    assert score.cost_bytes > 0
