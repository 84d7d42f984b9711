"""Intervals of ratios: they hold the truth as often as they say, and do nothing odd at the edges."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.trial.document import Better
from advisor.trial.statistics import NoIntervalError, ratio_interval, trend
from tests.benchmarks.trial_coverage import Noise, coverage

POSITIVE = st.floats(min_value=1e-6, max_value=1e6)
SIDE = st.lists(POSITIVE, min_size=3, max_size=9)
BETTER = st.sampled_from(["lower", "higher"])


EQUAL, UNEQUAL = Noise("equal", 0.02, 0.02), Noise("unequal", 0.01, 0.05)


@pytest.mark.parametrize(
    ("sizes", "noise"), [((5, 5), EQUAL), ((7, 7), UNEQUAL), ((7, 3), EQUAL), ((7, 3), UNEQUAL), ((10, 5), EQUAL)]
)
def test_95_percent_of_intervals_hold_the_truth(sizes: tuple[int, int], noise: Noise) -> None:
    """200 trials with a fixed seed; the benchmark shows 94 to 98 % over many more."""
    held, _ = coverage(sizes, noise, trials=200)
    assert 0.92 <= held <= 0.98


def test_a_plain_percentile_bootstrap_would_not_do() -> None:
    held, _ = coverage((5, 5), EQUAL, trials=200, method="plain")
    assert held < 0.92


def test_single_disturbed_runs_widen_the_interval_little() -> None:
    steady = [1.00, 1.01, 0.99, 1.00, 1.02, 0.98, 1.01]
    found = ratio_interval(steady, [value * 1.4 for value in [*steady[:-1], 1.3]], "lower")
    assert found.low > 1.3
    assert found.high < 1.5
    assert found.estimate == pytest.approx(1.4, abs=0.02)


def test_above_one_is_better_whichever_way_the_metric_points() -> None:
    times, throughputs = [1.0, 1.1, 1.05], [10.0, 11.0, 10.5]
    assert ratio_interval(times, [2 * t for t in times], "lower").estimate == pytest.approx(2)
    assert ratio_interval([2 * t for t in throughputs], throughputs, "higher").estimate == pytest.approx(2)
    assert ratio_interval([2 * t for t in times], times, "lower").estimate == pytest.approx(0.5)


def test_values_without_any_spread_give_an_interval_without_width() -> None:
    found = ratio_interval([2.0] * 5, [3.0] * 5, "lower")
    assert (found.low, found.estimate, found.high) == pytest.approx((1.5, 1.5, 1.5))
    same = ratio_interval([2.0] * 3, [2.0] * 7, "higher")
    assert (same.low, same.estimate, same.high) == (1, 1, 1)


def test_one_deviating_value_among_equal_ones_still_gives_width() -> None:
    found = ratio_interval([1.0] * 9 + [1.1], [1.0] * 10, "lower")
    assert found.low < 1 < found.high


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        ([1.0, 1.0], [1.0] * 3, "needs 3 values a side, here are 2"),
        ([1.0] * 3, [], "here are 0"),
        ([1.0, 0.0, 1.0], [1.0] * 3, "above zero"),
        ([1.0, -2.0, 1.0], [1.0] * 3, "above zero"),
        ([1.0] * 3, [1.0, math.nan, 1.0], "above zero"),
        ([1.0] * 3, [1.0, math.inf, 1.0], "above zero"),
    ],
)
def test_what_has_no_interval_says_why(ours: list[float], theirs: list[float], words: str) -> None:
    with pytest.raises(NoIntervalError, match=words):
        ratio_interval(ours, theirs, "lower")


def test_extreme_ratios_stay_finite() -> None:
    found = ratio_interval([1e-300, 1e300, 1e-300], [1e300, 1e-300, 1.0], "lower")
    assert math.isfinite(found.high) and found.low > 0


@settings(max_examples=30, deadline=None)
@given(SIDE, SIDE, BETTER, st.randoms(use_true_random=False))
def test_intervals_hold_their_estimate_and_know_no_order(
    ours: list[float], theirs: list[float], better: Better, shuffler: random.Random
) -> None:
    found = ratio_interval(ours, theirs, better)
    assert 0 < found.low <= found.estimate <= found.high
    assert found.level == 0.95
    shuffled = shuffler.sample(ours, len(ours))
    assert ratio_interval(shuffled, theirs, better) == found


@settings(max_examples=20, deadline=None)
@given(SIDE, SIDE, st.floats(min_value=0.01, max_value=100))
def test_the_unit_of_the_metric_does_not_matter(ours: list[float], theirs: list[float], factor: float) -> None:
    found = ratio_interval(ours, theirs, "lower")
    scaled = ratio_interval([v * factor for v in ours], [v * factor for v in theirs], "lower")
    assert scaled.estimate == pytest.approx(found.estimate, rel=1e-6)
    assert scaled.low == pytest.approx(found.low, rel=1e-3)
    assert scaled.high == pytest.approx(found.high, rel=1e-3)


@settings(max_examples=20, deadline=None)
@given(SIDE, SIDE)
def test_the_other_way_round_is_the_inverse(ours: list[float], theirs: list[float]) -> None:
    forth, back = ratio_interval(ours, theirs, "lower"), ratio_interval(theirs, ours, "lower")
    assert forth.estimate * back.estimate == pytest.approx(1)
    times = ratio_interval(ours, theirs, "lower"), ratio_interval(ours, theirs, "higher")
    assert times[0].estimate * times[1].estimate == pytest.approx(1)


def test_a_higher_level_is_wider() -> None:
    ours, theirs = [1.0, 1.02, 1.01, 0.99], [1.1, 1.12, 1.08, 1.09]
    narrow, wide = (ratio_interval(ours, theirs, "lower", level=level) for level in (0.9, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_large_sides_are_resampled_in_blocks() -> None:
    source = random.Random(1)
    ours = [source.gauss(1.0, 0.01) for _ in range(60)]
    found = ratio_interval(ours, [value * 1.01 for value in ours], "lower")
    assert found.low > 1
    assert found.high / found.low < 1.02


def test_a_trend_is_told_from_noise() -> None:
    slope, z = trend([0.01 * position for position in range(10)], range(10))
    assert slope == pytest.approx(0.01)
    assert z > 3
    source = random.Random(3)
    _, z = trend([source.gauss(0, 1) for _ in range(30)], range(30))
    assert abs(z) < 2.5
    assert trend([1.0, 2.0], [0, 1]) == (0, 0)
    assert trend([1.0] * 5, [3] * 5) == (0, 0)
