"""What other advisers say of the same rows."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from advisor.features import SCHEMA
from advisor.predictor import LEVEL, Thresholds
from advisor.recommendation import Predicted
from advisor.training.advice import Outlook, advice
from advisor.training.baselines import BASELINES
from advisor.training.rows import Example, Table
from advisor.training.scores import Measurements
from advisor.units import GIB
from tests.training import synthetic
from tests.training.synthetic import BASE_REACH, features, law, measured

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


def predicted(table: Table, thresholds: Thresholds = ALWAYS) -> Predicted:
    return Predicted(synthetic.learnt().predictor(synthetic.DATA).predict(table.frame), thresholds, LEVEL)


def test_a_forbidden_policy_is_not_advised() -> None:
    forbidden = one_row(advised_against_anon_bytes=GIB, advised_against_bytes=GIB)
    assert advice(one_row(), predicted(one_row())) == ["thp"]
    assert advice(forbidden, predicted(forbidden)) == ["base"]


def test_pools_are_advised_as_far_as_the_trial_could_bring_them() -> None:
    table = one_row(churn=0.6)
    assert advice(table, predicted(table), as_in_trial=True) == ["gigantic"]
    assert advice(without(table, "gigantic"), predicted(table), as_in_trial=True) == ["pool"]
    assert advice(without(table, "gigantic", "pool"), predicted(table), as_in_trial=True) == advice(
        table, predicted(table)
    )


def test_the_rules_decide_where_the_model_abstains() -> None:
    table = one_row()
    said = predicted(table)
    silent = replace(said, rows=said.rows.with_columns(abstained=pl.lit("unlike")))
    assert advice(table, silent) == BASELINES["rules alone"](table)


@pytest.mark.parametrize("as_in_trial", [False, True])
@pytest.mark.parametrize("least_gain", [0.0, 0.05, 0.3])
def test_thresholds_are_learnt_on_what_the_product_decides(least_gain: float, as_in_trial: bool) -> None:
    table, thresholds = synthetic.table(families=4, each=4), Thresholds(least_gain, 0.25, 0.01, 0.01)
    said = predicted(table, thresholds)
    quick = Outlook(table, as_in_trial=as_in_trial).advice(said.rows, thresholds)
    assert quick == advice(table, said, as_in_trial=as_in_trial)
    assert len(set(quick)) > 1


def test_scores_count_time_memory_and_what_was_for_nothing() -> None:
    gains = {"thp": 0.01, "pool": 0.2, "further": 0.1}
    examples = [Example(f"a/{number}", "a", "base", measured(GIB, gains), "") for number in range(4)]
    table = Table(examples, pl.DataFrame([features(GIB, 0.0, "base")] * 4, schema=SCHEMA))
    score = Measurements(table).score("x", ["base", "thp", "pool", "gigantic"])
    assert score.worst == pytest.approx(2.718281828**0.3)
    assert score.regret == pytest.approx(2.718281828 ** ((0.3 + 0.29 + 0.1 + 0.0) / 4))
    assert (score.intrusive, score.wasted, score.surely_wasted) == (3, 1, 0)
    assert score.wasted_share == pytest.approx(1 / 3)
    assert score.cost_bytes == pytest.approx((0.1 + 1.02 + 1.3) * GIB, rel=0.02)
    assert Measurements(table).score("x", ["base"] * 4).wasted_share == 0.0


def test_a_loss_that_the_measurement_cannot_tell_is_not_beyond_noise() -> None:
    examples = [
        Example("a/1", "a", "base", measured(GIB, {"thp": gain, "pool": 0.0, "further": 0.0}, error=0.05), "")
        for gain in (0.04, 0.4)
    ]
    table = Table(examples, pl.DataFrame([features(GIB, 0.0, "base")] * 2, schema=SCHEMA))
    score = Measurements(table).score("x", ["base", "base"])
    assert score.regret == pytest.approx(2.718281828**0.22)
    assert score.told == pytest.approx(2.718281828**0.2)


def test_a_gain_is_over_the_pages_that_a_program_was_found_on() -> None:
    gains = {"thp": 0.2, "pool": 0.205, "further": 0.0}
    table = Table(
        [Example("a/1", "a", "thp", measured(GIB, gains), "")],
        pl.DataFrame([features(GIB, 0.0, "thp")], schema=SCHEMA),
    )
    assert Measurements(table).score("x", ["pool"]).wasted == 1


def test_to_leave_a_program_as_it_was_found_is_not_intrusive() -> None:
    found = one_row(state="thp")
    score = Measurements(found).score("x", ["thp"])
    assert (score.intrusive, Measurements(found).score("x", ["pool"]).intrusive) == (0, 1)
    assert score.cost_bytes > 0
