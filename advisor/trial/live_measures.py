"""From windows to a conclusion: which measure to judge by, its response to each dose, and what that amounts to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median, quantiles

from advisor.trial.document import Better, Interval
from advisor.trial.live_document import LiveMetric, LiveVerdict, Measure, Memory, Response, Step, Window
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

LEAST_CORRECTION = 0.5
"""What a correlation is divided by at least to correct it for few windows. Reason: with six, 1 - 3 / n; with fewer
the correction would make more of chance than of the correlation."""

DRIFT_Z = 2.58
"""Mann and Kendall's z from which a trend is taken for real: 1 % by chance."""

DRIFT_SHARE = 0.5
"""Of the effect (in logarithms): a drift as large may be the effect."""

SMALLEST_CLAIM = 0.02
"""Relative difference that is claimed at least. Reason: dose 0 always comes first, so that a load that changes by a
percent looks the same; the interval cannot know."""

HELD_SHARE = 0.5
"""Of the memory asked for that must have been on huge pages for "no difference" to be said. Source: own choice.
Reason: the response of less is less than half, and hides in the interval."""

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
        values = values_of(METRIC, windows)
        measures.append(_measure(METRIC, metric.command, unit, metric.better, values, steady=None))
        if metric.kind == "counter":
            per_cpu = values_of(METRIC_PER_CPU, windows)
            measures.append(
                _measure(METRIC_PER_CPU, metric.command, "per CPU s", metric.better, per_cpu, steady=STEADY_SPREAD)
            )
    at_rest = [window for window in windows if window.dose == 0]
    counted = {name for window in at_rest for name in window.counts}
    measures += [_proxy_measure(proxy, windows, at_rest) for proxy in PROXIES if proxy.id in counted]
    return measures


def values_of(name: str, windows: Sequence[Window]) -> list[tuple[Window, float]]:
    """The windows that gave the measure of this id a number, with it."""
    values = ((window, _value(name, window)) for window in windows)
    return [(window, value) for window, value in values if value is not None]


def _value(name: str, window: Window) -> float | None:
    if name == METRIC:
        return window.value
    if window.cpu_s <= 0:
        return None
    if name == METRIC_PER_CPU:
        return None if window.value is None else window.value * window.wall_s / window.cpu_s
    count = window.counts.get(name)
    return count / window.cpu_s if count else None


def response_of(measure: Measure, dose: float, windows: Sequence[Window]) -> Response | None:
    """Of a measure at one dose, by the windows up to then; None where none of them gave a number."""
    by_dose: dict[float, list[float]] = {}
    for window, value in values_of(measure.id, windows):
        by_dose.setdefault(window.dose, []).append(value)
    if dose not in by_dose or 0.0 not in by_dose:
        return None
    correlation = autocorrelation(list(by_dose.values()))
    return _response(dose, by_dose[dose], by_dose[0.0], measure.better, correlation)


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


def conclude(measures: Sequence[Measure], held: float) -> Conclusion:
    """What the trial says, as a verdict and a reason in words. held: as from `held_share`."""
    measure = judged(measures)
    if measure is None:
        return Conclusion("cannot-tell", why_no_measure(measures), None, None)
    last = measure.responses[-1]
    if last.dose == 0:
        return Conclusion("cannot-tell", "nothing was measured after a step", measure.id, None)
    if last.speed_up is None:
        return Conclusion("cannot-tell", "too few windows after the last step", measure.id, None)
    if held <= 0:
        why = "no memory could be collapsed, or none of it stayed huge"
        return Conclusion("cannot-tell", why, measure.id, last.speed_up)
    verdict, why = judge(last.speed_up, measure.drift)
    if verdict == "no-difference" and held < HELD_SHARE:
        verdict, why = "cannot-tell", f"only {percent(held)} of the memory asked for was on huge pages"
    return Conclusion(verdict, why, measure.id, last.speed_up)


def held_share(steps: Sequence[Step], before: Memory, at_end: Memory | None, slot_bytes: int) -> float:
    """Of the memory that the steps asked for, what was collapsed and is huge at the end: 0 to 1."""
    asked, collapsed = (sum(getattr(step, name) for step in steps) for name in ("asked_slots", "collapsed_slots"))
    kept = kept_share(steps, before, at_end, slot_bytes)
    return collapsed / asked * (1.0 if kept is None else min(max(kept, 0.0), 1.0)) if asked else 0.0


def kept_share(steps: Sequence[Step], before: Memory, at_end: Memory | None, slot_bytes: int) -> float | None:
    """Of the collapsed bytes, by how much huge memory has grown: None where that is unknown, below 0 where it
    shrank."""
    taken = sum(step.collapsed_slots for step in steps) * slot_bytes
    if at_end is None or at_end.huge_bytes is None or before.huge_bytes is None or not taken:
        return None
    return (at_end.huge_bytes - before.huge_bytes) / taken


def judge(speed_up: Interval, drift: float | None) -> tuple[LiveVerdict, str]:
    """Verdict and reason. drift: share of the measure by the last dose, None where there is none."""
    effect = math.log(speed_up.estimate)
    if drift is not None and abs(math.log1p(drift)) >= DRIFT_SHARE * abs(effect):
        return (
            "cannot-tell",
            "the measure drifts also while nothing is collapsed "
            f"(by {percent(drift, signed=True)} from the first dose to the last)",
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
    values = values_of(proxy.id, windows)
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
    """Of neighbours, pooled over groups about their own means; never below 0, so that an interval only widens.

    About its own mean, a group of n looks less alike than it is: by (1 + 3 r) / n (Kendall; Marriott and Pope, 1954),
    which is put right. With eight windows a dose and r = 0.5, 95 % intervals then cover 92 % (simulated), else 83 %.
    """
    products = squares = 0.0
    for values in groups:
        middle = fmean(values)
        residuals = [value / middle - 1 if middle else 0.0 for value in values]
        products += sum(before * after for before, after in pairwise(residuals))
        squares += sum(residual**2 for residual in residuals)
    if not squares:
        return 0.0
    bias = 1 / fmean(len(values) for values in groups)
    corrected = (products / squares + bias) / max(1 - 3 * bias, LEAST_CORRECTION)
    return min(max(corrected, 0.0), LARGEST_AUTOCORRELATION)


def drift_of(values: Sequence[tuple[Window, float]]) -> float | None:
    """What the trend within doses makes of the measure from the middle of dose 0 to that of the last dose.

    A dose acts at once, a load that changes acts all the time: the trends of all doses together show it where that
    of dose 0 alone is lost in its few windows. Each is one z, and the sum of k has a deviation of sqrt(k) (Stouffer).
    None where there is no trend.
    """
    by_dose: dict[float, list[tuple[float, float]]] = {}
    for window, value in values:
        if value > 0:
            by_dose.setdefault(window.dose, []).append((window.began_s, math.log(value)))
    found = [
        trend([value for _, value in series], [at for at, _ in series])
        for series in by_dose.values()
        if len(series) >= FEWEST_WINDOWS
    ]
    if not found or abs(sum(z for _, z in found)) < DRIFT_Z * math.sqrt(len(found)):
        return None
    middles = [median(at for at, _ in series) for series in by_dose.values()]
    return math.expm1(fmean(slope for slope, _ in found) * (max(middles) - min(middles)))
