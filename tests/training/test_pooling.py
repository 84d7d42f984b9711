"""Several measurements of one configuration as one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.training.pooling import mean_speed_up, pooled
from advisor.training.rows import table_of
from advisor.trial.document import Interval
from tests.training.measurements import environment, measurement, trial

FIRST = {"base": [10.0, 10.1, 9.9, 10.0, 10.1], "thp": [8.0, 8.1, 7.9, 8.0, 8.1]}
AGAIN = {"base": [20.0, 20.2, 19.8, 20.0, 20.2], "thp": [16.4, 16.6, 16.2, 16.4, 16.6]}


def interval(estimate: float, factor: float) -> Interval:
    return Interval(estimate, estimate / factor, estimate * factor, 0.95)


def test_one_measurement_stays_as_it_is() -> None:
    only = measurement(trial=trial(FIRST))
    assert pooled([only]) == [only]


def test_gains_are_weighed_and_not_the_values_which_may_have_another_level_each_day() -> None:
    first = measurement(trial=trial(FIRST))
    again = measurement(trial=trial(AGAIN, started_at="2026-02-01T00:00:00+00:00"))
    [both] = pooled([first, again])
    [comparison] = both.trial.comparisons
    assert comparison.speed_up is not None
    assert 1.21 < comparison.speed_up.estimate < 1.25
    assert comparison.verdict == "faster"
    assert (comparison.runs, comparison.runs_against, len(both.trial.runs)) == (10, 10, 20)
    assert len(both.profiles) == len(first.profiles) + len(again.profiles)
    assert both.trial.started_at == again.trial.started_at


def test_what_only_one_could_compare_stands() -> None:
    first = measurement(trial=trial(FIRST))
    unseen = measurement(trial=trial({"base": FIRST["base"], "thp": []}, started_at="2026-02-01T00:00:00+00:00"))
    [both] = pooled([first, unseen])
    assert both.trial.comparisons[0].speed_up == first.trial.comparisons[0].speed_up


def test_other_configurations_and_machines_are_not_joined() -> None:
    found = pooled(
        [
            measurement("gather/64m", trial=trial(FIRST)),
            measurement("gather/1g", trial=trial(FIRST)),
            measurement("gather/64m", trial=trial(FIRST, environment=environment(kernel="5.10.0"))),
        ]
    )
    assert len(found) == 3


def test_every_profile_of_a_configuration_is_a_row_with_the_joint_gain() -> None:
    first = measurement(trial=trial(FIRST))
    again = measurement(trial=trial(AGAIN, started_at="2026-02-01T00:00:00+00:00"))
    table = table_of([first, again])
    assert len(table) == len(table_of([first])) + len(table_of([again]))
    assert len({example.measured.effects["thp"].log_ratio for example in table.examples}) == 1


def test_measurements_that_agree_make_the_interval_narrower() -> None:
    one = interval(1.2, 1.05)
    both = mean_speed_up([one, one])
    assert both.estimate == pytest.approx(1.2)
    assert math.log(both.high / both.low) == pytest.approx(math.log(one.high / one.low) / math.sqrt(2), rel=0.01)


def test_measurements_that_contradict_each_other_make_it_wider() -> None:
    apart = mean_speed_up([interval(1.0, 1.02), interval(1.3, 1.02)])
    assert apart.low < 1.05
    assert apart.high > 1.25


@given(st.lists(st.tuples(st.floats(0.2, 5.0), st.floats(1.001, 3.0)), min_size=2, max_size=5))
def test_the_mean_lies_among_what_was_measured(found: list[tuple[float, float]]) -> None:
    mean = mean_speed_up([interval(*one) for one in found])
    assert min(one for one, _ in found) <= mean.estimate * (1 + 1e-9)
    assert mean.estimate <= max(one for one, _ in found) * (1 + 1e-9)
    assert mean.low < mean.estimate < mean.high
