"""From windows to a conclusion: which measure to judge by, its response to each dose, and what that amounts to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median, quantiles

from advisor.trial.document import Better, Interval
from advisor.trial.live_document import LiveMetric, LiveVerdict, Measure, Response, Window
from advisor.trial.proxies import PROXIES, Proxy
from advisor.trial.statistics import NoIntervalError, ratio_interval, trend
from advisor.trial.text import percent

METRIC = "metric"
"""Id of the user's own measure."""

METRIC_PER_CPU = "metric-per-cpu"
"""Id of the user's own counter over CPU time instead of time: blind to what others take of the CPU, and to how much
load arrives. Never judged by, because it is not what the user asked for."""

FEWEST_WINDOWS = 4
"""At dose 0, for a measure to be judged. Reason: with fewer, quartiles are single windows."""

MIN_EVENTS = 30
"""Of a proxy in the middle window at dose 0. Reason: below, counting alone scatters by 1/sqrt(30) = 18 %."""

MIN_CPU_SHARE = 0.02
"""CPU time over wall time of a window. Reason: below 20 ms in a second, timers and housekeeping are the work."""

STEADY_SPREAD = 0.2
"""Interquartile range over median at dose 0 up to which a proxy is steady. Source: own choice. Reason: with eight
windows a side the interval is then about 15 % either way, so that a large effect still shows."""

LARGEST_AUTOCORRELATION = 0.9
"""Beyond, windows say next to nothing; the factor of widening is then 4.4."""

DRIFT_Z = 2.58
"""Mann and Kendall's z from which a trend is taken for real: 1 % by chance."""

DRIFT_SHARE = 0.5
"""Of the effect (in logarithms): a drift as large may be the effect."""

SMALLEST_CLAIM = 0.02
"""Relative difference that is claimed at least. Reason: dose 0 always comes first, so that a load that changes by a
percent looks the same; the interval cannot know."""

WIDEST = 1.10
"""An interval that holds 1 and reaches further, either way, does not say "no difference"."""


@dataclass(frozen=True)
class Conclusion:
    verdict: LiveVerdict
    why: str
    judged_by: str | None
    speed_up: Interval | None


def measures_of(windows: Sequence[Window], metric: LiveMetric | None) -> list[Measure]:
    """The user's metric and every proxy that was counted at dose 0, with their responses."""
    measures: list[Measure] = []
    if metric is not None:
        unit = "per second" if metric.kind == "counter" else "as printed"
        values = [(window, window.value) for window in windows if window.value is not None]
        measures.append(_measure(METRIC, metric.command, unit, metric.better, values, steady=None))
        if metric.kind == "counter":
            per_cpu = [(window, value * window.wall_s / window.cpu_s) for window, value in values if window.cpu_s > 0]
            measures.append(
                _measure(METRIC_PER_CPU, metric.command, "per CPU s", metric.better, per_cpu, steady=STEADY_SPREAD)
            )
    at_rest = [window for window in windows if window.dose == 0]
    counted = {name for window in at_rest for name in window.counts}
    measures += [_proxy_measure(proxy, windows, at_rest) for proxy in PROXIES if proxy.id in counted]
    return measures


def judged(measures: Sequence[Measure]) -> Measure | None:
    """The measure to judge by: the user's, else the steady proxy nearest to the work, the steadiest of those.

    None where the user's metric gives nothing: a proxy never stands in for it.
    """
    own = next((measure for measure in measures if measure.id == METRIC), None)
    if own is not None:
        return own if own.usable else None
    ranks = {proxy.id: proxy.rank for proxy in PROXIES}
    usable = [measure for measure in measures if measure.usable]
    return min(usable, key=lambda measure: (ranks[measure.id], measure.spread or 0.0), default=None)


def conclude(measures: Sequence[Measure], collapsed_slots: int) -> Conclusion:
    """What the trial says, as a verdict and a reason in words."""
    measure = judged(measures)
    if measure is None:
        return Conclusion("cannot-tell", why_no_measure(measures), None, None)
    last = measure.responses[-1]
    if last.dose == 0:
        return Conclusion("cannot-tell", "nothing was measured after a step", measure.id, None)
    if last.speed_up is None:
        return Conclusion("cannot-tell", "too few windows after the last step", measure.id, None)
    if not collapsed_slots:
        return Conclusion("cannot-tell", "no memory could be collapsed", measure.id, last.speed_up)
    verdict, why = judge(last.speed_up, measure.drift)
    return Conclusion(verdict, why, measure.id, last.speed_up)


def judge(speed_up: Interval, drift: float | None) -> tuple[LiveVerdict, str]:
    """Verdict and reason. drift: share of the measure by the last dose, None where there is none."""
    effect = math.log(speed_up.estimate)
    if drift is not None and abs(math.log1p(drift)) >= DRIFT_SHARE * abs(effect):
        return (
            "cannot-tell",
            "the measure drifted already before anything was collapsed "
            f"(by {percent(drift, signed=True)} until the end)",
        )
    if speed_up.low > 1 and speed_up.estimate >= 1 + SMALLEST_CLAIM:
        return "faster", "the interval is clear of 1"
    if speed_up.high < 1 and speed_up.estimate <= 1 / (1 + SMALLEST_CLAIM):
        return "slower", "the interval is clear of 1"
    if speed_up.high > WIDEST or speed_up.low < 1 / WIDEST:
        return "cannot-tell", "the interval is too wide; take longer windows, or a steadier load"
    if speed_up.low > 1 or speed_up.high < 1:
        return (
            "no-difference",
            f"below {percent(SMALLEST_CLAIM)}, which a live trial cannot tell from a change of load",
        )
    return "no-difference", "the interval holds 1"


def why_no_measure(measures: Sequence[Measure]) -> str:
    """In words, for each measure that there was."""
    reasons = "; ".join(f"{measure.id}: {measure.why_not}" for measure in measures if measure.why_not)
    return reasons or "the process counts nothing that could stand for work"


def _proxy_measure(proxy: Proxy, windows: Sequence[Window], at_rest: Sequence[Window]) -> Measure:
    if fmean(window.cpu_s / window.wall_s for window in at_rest) < MIN_CPU_SHARE:
        return _unusable(proxy, f"the process used less than {percent(MIN_CPU_SHARE)} of a CPU")
    if median(window.counts.get(proxy.id, 0) for window in at_rest) < MIN_EVENTS:
        return _unusable(proxy, f"fewer than {MIN_EVENTS} in a window")
    values = [
        (window, window.counts[proxy.id] / window.cpu_s)
        for window in windows
        if window.counts.get(proxy.id) and window.cpu_s > 0
    ]
    return _measure(proxy.id, proxy.description, proxy.unit, "higher", values, steady=STEADY_SPREAD)


def _unusable(proxy: Proxy, why: str) -> Measure:
    return Measure(proxy.id, proxy.description, proxy.unit, "higher", usable=False, why_not=why)


def _measure(
    name: str,
    description: str,
    unit: str,
    better: Better,
    values: Sequence[tuple[Window, float]],
    *,
    steady: float | None,
) -> Measure:
    """steady: the spread up to which it may be judged by; None for the user's own, which is judged as it is."""
    doses = sorted({window.dose for window, _ in values})
    by_dose = {dose: [value for window, value in values if window.dose == dose] for dose in doses}
    at_rest = by_dose.get(0.0, [])
    if len(at_rest) < FEWEST_WINDOWS or min(at_rest) <= 0:
        why = f"fewer than {FEWEST_WINDOWS} windows at dose 0 gave a number above 0"
        return Measure(name, description, unit, better, usable=False, why_not=why)
    spread = spread_of(at_rest)
    correlation = autocorrelation(list(by_dose.values()))
    usable = steady is None or spread <= steady
    return Measure(
        id=name,
        description=description,
        unit=unit,
        better=better,
        usable=usable,
        why_not=None if usable else f"not steady: it spreads by {percent(spread)}",
        spread=spread,
        autocorrelation=correlation,
        drift=drift_of(values),
        responses=[_response(dose, by_dose[dose], at_rest, better, correlation) for dose in doses],
    )


def _response(dose: float, values: list[float], at_rest: list[float], better: Better, correlation: float) -> Response:
    speed_up = None
    if dose > 0:
        try:
            speed_up = widened(ratio_interval(values, at_rest, better), correlation)
        except NoIntervalError:
            speed_up = None
    return Response(dose, len(values), median(values), speed_up)


def spread_of(values: Sequence[float]) -> float:
    """Interquartile range over median."""
    low, _, high = quantiles(values, n=4, method="inclusive")
    return (high - low) / median(values)


def widened(interval: Interval, correlation: float) -> Interval:
    """The interval for windows that depend on their neighbours: n of them are worth n (1 - r) / (1 + r)."""
    factor = math.sqrt((1 + correlation) / (1 - correlation))
    middle = math.log(interval.estimate)
    low = middle - factor * (middle - math.log(interval.low))
    high = middle + factor * (math.log(interval.high) - middle)
    return Interval(interval.estimate, math.exp(low), math.exp(high), interval.level)


def autocorrelation(groups: Sequence[Sequence[float]]) -> float:
    """Of neighbours, pooled over groups about their own means; never below 0, so that an interval only widens."""
    products = squares = 0.0
    for values in groups:
        middle = fmean(values)
        residuals = [value / middle - 1 if middle else 0.0 for value in values]
        products += sum(before * after for before, after in pairwise(residuals))
        squares += sum(residual**2 for residual in residuals)
    return min(max(products / squares, 0.0), LARGEST_AUTOCORRELATION) if squares else 0.0


def drift_of(values: Sequence[tuple[Window, float]]) -> float | None:
    """What the trend at dose 0 makes of the measure by the middle of the last dose; None where there is no trend."""
    at_rest = [(window.began_s, math.log(value)) for window, value in values if window.dose == 0 and value > 0]
    last_dose = max(window.dose for window, _ in values)
    slope, z = trend([value for _, value in at_rest], [at for at, _ in at_rest])
    if abs(z) < DRIFT_Z:
        return None
    until = median(window.began_s for window, _ in values if window.dose == last_dose)
    return math.expm1(slope * (until - median(at for at, _ in at_rest)))
