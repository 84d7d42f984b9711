"""From windows to a verdict: which measure judges, how sure it is, and when it cannot tell."""

from __future__ import annotations

import math
import random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.trial.document import Interval
from advisor.trial.live_document import LiveMetric, Memory, Step, Window
from advisor.trial.live_measures import (
    HELD_SHARE,
    LARGEST_AUTOCORRELATION,
    METRIC,
    METRIC_PER_CPU,
    autocorrelation,
    conclude,
    drift_of,
    held_share,
    judge,
    judged,
    measures_of,
    widened,
)
from advisor.trial.live_warnings import failure_words, warnings_of

COUNTER = LiveMetric("cat count", "counter", "higher")
SLOT = 2 << 20


def windows(
    rates: dict[float, float],
    *,
    count: int = 8,
    noise: float = 0.01,
    drift: float = 0.0,
    cpu: float = 1.0,
    name: str = "io-bytes",
    value: float | None = None,
) -> list[Window]:
    """Windows of one second at each dose, with the rate of it. drift: relative change a second."""
    chance = random.Random(1)
    made: list[Window] = []
    for dose, rate in rates.items():
        for _ in range(count):
            at = float(len(made))
            now = rate * (1 + drift * at) * (1 + chance.gauss(0, noise))
            made.append(Window(dose, at, 1.0, cpu, {name: round(now * cpu)}, value))
    return made


def conclusion(made: list[Window], metric: LiveMetric | None = None, held: float = 1.0) -> tuple[str, str | None]:
    found = conclude(measures_of(made, metric), held)
    return found.verdict, found.judged_by


def test_faster_by_a_steady_proxy() -> None:
    made = windows({0.0: 10_000, 0.5: 11_000, 1.0: 12_500})
    found = conclude(measures_of(made, None), 1.0)
    assert (found.verdict, found.judged_by) == ("faster", "io-bytes")
    assert found.speed_up is not None
    assert found.speed_up.low < 1.25 < found.speed_up.high
    assert found.speed_up.low > 1.2


@pytest.mark.parametrize(
    ("rate", "verdict"), [(8_000, "slower"), (10_000, "no-difference"), (10_050, "no-difference")]
)
def test_other_verdicts(rate: float, verdict: str) -> None:
    assert conclusion(windows({0.0: 10_000, 1.0: rate}, noise=0.002))[0] == verdict


def test_a_difference_that_a_live_trial_cannot_tell_from_load_is_none() -> None:
    verdict, why = judge(Interval(1.012, 1.008, 1.016, 0.95), None)
    assert verdict == "no-difference"
    assert "cannot tell" in why


def test_a_wide_interval_says_nothing() -> None:
    assert judge(Interval(1.02, 0.8, 1.3, 0.95), None)[0] == "cannot-tell"


def test_drift_as_large_as_the_effect_says_nothing() -> None:
    # The load grows by 2 % a second all along: at the last dose 10 seconds later it looks like a speed-up.
    verdict, _ = conclusion(windows({0.0: 10_000, 0.5: 10_000, 1.0: 10_000}, noise=0.001, drift=0.02))
    assert verdict == "cannot-tell"


def test_drift_that_dose_0_alone_would_not_show_says_nothing() -> None:
    """Half a percent a second: 4 % within a dose, and 16 % from the first to the last."""
    made = windows({0.0: 10_000, 0.25: 10_000, 0.5: 10_000, 1.0: 10_000}, noise=0.01, drift=0.005)
    measures = measures_of(made, None)
    assert drift_of([(one, one.counts["io-bytes"]) for one in made if one.dose == 0]) is None
    assert measures[0].drift == pytest.approx(0.12, rel=0.5)
    found = conclude(measures, 1.0)
    assert found.speed_up is not None and found.speed_up.low > 1
    assert (found.verdict, "drifts" in found.why) == ("cannot-tell", True)


def test_steps_are_no_drift() -> None:
    made = windows({0.0: 10_000, 0.25: 11_000, 0.5: 12_000, 1.0: 14_000})
    assert measures_of(made, None)[0].drift is None


def test_drift_that_is_small_beside_the_effect_is_only_told() -> None:
    made = windows({0.0: 10_000, 1.0: 20_000}, noise=0.0005, drift=0.001)
    measures = measures_of(made, None)
    assert measures[0].drift == pytest.approx(0.008, rel=0.5)
    assert conclude(measures, 1.0).verdict == "faster"


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (windows({0.0: 10_000, 1.0: 12_000}, noise=0.4), "not steady"),
        (windows({0.0: 10, 1.0: 12}), "fewer than 30"),
        (windows({0.0: 1_000_000, 1.0: 1_000_000}, cpu=0.001), "less than 2 % of a CPU"),
        (windows({0.0: 10_000, 1.0: 12_000}, count=3), "fewer than 4 windows"),
    ],
)
def test_no_steady_proxy_says_why(made: list[Window], why: str) -> None:
    found = conclude(measures_of(made, None), 1.0)
    assert found.verdict == "cannot-tell"
    assert why in found.why
    assert found.judged_by is None


def test_requests_come_before_io_though_less_steady() -> None:
    requests = windows({0.0: 1_000}, noise=0.03, name="redis-commands")
    quiet = windows({0.0: 10_000}, noise=0.001)
    both = [
        Window(one.dose, one.began_s, 1.0, 1.0, {**one.counts, **other.counts})
        for one, other in zip(requests, quiet, strict=True)
    ]
    measure = judged(measures_of(both, None))
    assert measure is not None and measure.id == "redis-commands"


def test_a_proxy_never_stands_in_for_the_users_metric() -> None:
    made = windows({0.0: 10_000, 1.0: 20_000})
    assert conclusion(made, COUNTER) == ("cannot-tell", None)


def test_a_metric_where_less_is_better() -> None:
    made = [
        Window(dose, float(at), 1.0, 1.0, {}, (10.0 if dose == 0 else 8.0) + at % 3 * 0.01)
        for at, dose in enumerate([0.0] * 6 + [1.0] * 6)
    ]
    found = conclude(measures_of(made, LiveMetric("p99", "rate", "lower")), 1.0)
    assert (found.verdict, found.judged_by) == ("faster", METRIC)
    assert found.speed_up is not None and found.speed_up.estimate == pytest.approx(1.25, rel=0.01)


def test_a_fixed_load_is_seen_through() -> None:
    """The same number of requests a second, with less CPU for each."""
    made = [
        Window(dose, float(at), 1.0, (0.5 if dose == 0 else 0.4) + at % 3 * 0.001, {}, 1000.0 + at % 5)
        for at, dose in enumerate([0.0] * 8 + [1.0] * 8)
    ]
    measures = measures_of(made, COUNTER)
    found = conclude(measures, 1.0)
    assert [one.id for one in measures] == [METRIC, METRIC_PER_CPU]
    assert (found.verdict, found.judged_by) == ("no-difference", METRIC)
    caveats = warnings_of(measures, found, [], made, 0, Memory(1, 0, 1), None, SLOT)
    assert [caveat.id for caveat in caveats] == ["fixed-load"]
    assert "1.25 times" in caveats[0].message


def test_nothing_collapsed_concludes_nothing() -> None:
    assert conclusion(windows({0.0: 10_000, 1.0: 12_000}), held=0.0)[0] == "cannot-tell"


def test_no_difference_is_not_said_of_memory_that_was_not_huge() -> None:
    made = windows({0.0: 10_000, 1.0: 10_000}, noise=0.002)
    assert conclusion(made, held=HELD_SHARE)[0] == "no-difference"
    measures = measures_of(made, None)
    found = conclude(measures, 0.2)
    assert (found.verdict, found.why) == ("cannot-tell", "only 20 % of the memory asked for was on huge pages")
    assert conclusion(windows({0.0: 10_000, 1.0: 14_000}), held=0.2)[0] == "faster"


def test_what_was_held_is_what_was_collapsed_and_kept() -> None:
    steps = [step(asked_slots=10, collapsed_slots=4), step(asked_slots=10, collapsed_slots=4)]
    before = Memory(1, SLOT, 1)
    assert held_share(steps, before, None, SLOT) == pytest.approx(0.4)
    assert held_share(steps, before, Memory(1, 5 * SLOT, 1), SLOT) == pytest.approx(0.2)
    assert held_share(steps, before, Memory(1, 0, 1), SLOT) == 0
    assert held_share(steps, before, Memory(1, 50 * SLOT, 1), SLOT) == pytest.approx(0.4)
    assert held_share([], before, None, SLOT) == 0


def test_only_dose_0_concludes_nothing() -> None:
    assert conclusion(windows({0.0: 10_000}))[0] == "cannot-tell"


@given(st.floats(0.5, 2), st.floats(0, 0.5), st.floats(0, LARGEST_AUTOCORRELATION))
def test_correlation_only_widens(estimate: float, reach: float, correlation: float) -> None:
    interval = Interval(estimate, estimate * math.exp(-reach), estimate * math.exp(reach), 0.95)
    wider = widened(interval, correlation)
    assert wider.low <= interval.low * (1 + 1e-9)
    assert wider.high >= interval.high * (1 - 1e-9)
    assert wider.estimate == estimate


def test_autocorrelation_of_slow_waves_and_of_noise() -> None:
    chance = random.Random(2)
    wave = [100 + 10 * math.sin(index / 5) for index in range(60)]
    noise = [100 + chance.gauss(0, 1) for _ in range(200)]
    assert autocorrelation([wave]) > 0.8
    assert autocorrelation([noise]) < 0.2
    assert autocorrelation([[5.0, 5.0]]) == 0


def test_correlation_is_not_lost_in_short_groups() -> None:
    """Four doses of eight windows, as by default, each value half the one before and half chance."""
    chance = random.Random(3)
    found = []
    for _ in range(200):
        groups, value = [], 0.0
        for _ in range(4):
            group = []
            for _ in range(8):
                value = 0.5 * value + chance.gauss(0, math.sqrt(0.75))
                group.append(100 + value)
            groups.append(group)
        found.append(autocorrelation(groups))
    assert median(found) == pytest.approx(0.5, abs=0.1)


def step(**changes: object) -> Step:
    fields = {
        "dose": 1.0, "asked_slots": 10, "collapsed_slots": 10, "filled_bytes": 0, "wall_s": 1.0, "cpu_s": 1.0,
        "after": None,
    }  # fmt: skip
    return Step(**{**fields, **changes})  # type: ignore[arg-type]  # a step by its fields' names


def test_what_failed_and_what_was_lost_is_told() -> None:
    made = windows({0.0: 10_000, 1.0: 12_000})
    measures = measures_of(made, None)
    steps = [step(collapsed_slots=8, failures={"ENOMEM": 2})]
    end = Memory(1, 4 * SLOT, 1)
    caveats = warnings_of(measures, conclude(measures, 0.8), steps, made, 3, Memory(1, 0, 1), end, SLOT)
    by_id = {caveat.id: caveat.message for caveat in caveats}
    assert "2 of 10 slots" in by_id["not-collapsed"]
    assert "50 %" in by_id["not-kept"]
    assert "3 times" in by_id["metric-failed"]


def test_what_collapsing_copied_is_told() -> None:
    made = windows({0.0: 10_000, 1.0: 12_000})
    measures = measures_of(made, None)
    before, end = Memory(10 * SLOT, 0, 1, 4 * SLOT), Memory(11 * SLOT, 10 * SLOT, 1, 9 * SLOT)
    caveats = warnings_of(measures, conclude(measures, 1.0), [step()], made, 0, before, end, SLOT)
    assert caveats[0].id == "copied"
    assert "8 MiB" in caveats[0].message


def test_waiting_is_a_weak_measure() -> None:
    made = windows({0.0: 10_000, 1.0: 10_000}, name="waits")
    measures = measures_of(made, None)
    caveats = warnings_of(measures, conclude(measures, 1.0), [], made, 0, Memory(1, 0, 1), None, SLOT)
    assert "weak-proxy" in {caveat.id for caveat in caveats}


def test_failures_in_words_most_frequent_first() -> None:
    words = failure_words({"EINVAL": 1, "ENOMEM": 5, "EXDEV": 1})
    assert words.startswith("5 x ENOMEM (no huge page")
    assert words.endswith("1 x EXDEV (unexpected)")
