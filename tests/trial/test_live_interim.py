"""What is said of a live trial while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from advisor.trial import live_measures
from advisor.trial.document import Better
from advisor.trial.live import Progress
from advisor.trial.live_document import LiveMetric, SoFar, Window
from advisor.trial.live_interim import Interim
from advisor.trial.live_measures import measures_of

PER_DOSE = 5


def windows(count: int, value: Callable[[float, int], float | None]) -> list[Window]:
    """So many windows at the doses 0, 0.5 and 1, each with a metric and a count of I/O."""
    doses = [dose for dose in (0.0, 0.5, 1.0) for _ in range(PER_DOSE)]
    return [
        Window(dose, float(place), 1.0, 0.5, {"io-bytes": 1000 + place % 3}, value(dose, place))
        for place, dose in enumerate(doses[:count])
    ]


def follow(taken: Sequence[Window], metric: LiveMetric | None) -> list[SoFar]:
    """Every window told, as the trial does it."""
    interim = Interim(metric, PER_DOSE)
    seen = []
    for number, window in enumerate(taken, 1):
        at_dose = sum(one.dose == window.dose for one in taken[:number])
        seen.append(interim.see(Progress(window.dose, at_dose, taken=tuple(taken[:number]))))
    return seen


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_the_responses_are_those_of_the_document_as_soon_as_a_dose_is_through(better: Better) -> None:
    metric = LiveMetric("x", "rate", better)
    taken = windows(15, lambda dose, place: 100 * (1 + dose) + place % 4)
    seen = follow(taken, metric)
    assert [so_far.measure for so_far in seen[:4]] == [None, None, None, "metric"]
    assert [len(so_far.responses) for so_far in seen] == [0] * 4 + [1] * 5 + [2] * 5 + [3]
    (own, *_) = measures_of(taken, metric)
    assert own.responses[-1] == seen[-1].responses[-1]
    assert (seen[-1].better, seen[-1].unit) == (better, own.unit)
    assert seen[6].values == [(window.dose, window.value) for window in taken[:7]]
    assert seen[6].window_wall_s == 1.0


def test_without_a_metric_the_proxy_that_will_be_judged_by_is_shown() -> None:
    seen = follow(windows(10, lambda *_: None), None)
    assert seen[-1].measure == "io-bytes"
    assert seen[-1].values[0] == (0.0, 2000.0)


def test_a_metric_that_gives_nothing_is_no_measure_and_later_failures_leave_gaps() -> None:
    metric = LiveMetric("x", "rate", "higher")
    assert follow(windows(5, lambda *_: None), metric)[-1].measure is None
    (*_, last) = follow(windows(10, lambda dose, _: None if dose else 5.0), metric)
    assert (last.measure, len(last.values), [one.dose for one in last.responses]) == ("metric", 5, [0.0])


def test_an_interval_is_made_once_a_dose(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = live_measures.ratio_interval
    monkeypatch.setattr(live_measures, "ratio_interval", lambda *given: made.append(1) or real(*given))
    follow(windows(15, lambda dose, place: 100 + place % 4), LiveMetric("x", "counter", "higher"))
    assert len(made) == 2
