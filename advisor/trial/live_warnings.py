"""What weakens the result of a live trial, in words."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.trial.collapse import FAILURES
from advisor.trial.document import Caveat
from advisor.trial.live_document import Measure, Memory, Step, Window
from advisor.trial.live_measures import METRIC, SMALLEST_CLAIM, Conclusion, kept_share
from advisor.trial.proxies import PROXIES, WAITS
from advisor.trial.text import percent
from advisor.units import MIB

KEPT_SHARE = 0.9
"""Of the collapsed bytes that should still be huge at the end. Reason: a service that frees and maps memory loses
some all the time; a tenth lost makes the dose another one."""


CORRELATED = 0.5
"""From here on windows are worth a third of their number, which the reader should know."""


def warnings_of(
    measures: Sequence[Measure],
    conclusion: Conclusion,
    steps: Sequence[Step],
    windows: Sequence[Window],
    metric_failures: int,
    before: Memory,
    at_end: Memory | None,
    slot_bytes: int,
    why_ended: str | None = None,
) -> list[Caveat]:
    """In the order of their weight. why_ended: what a step that was not taken was refused for."""
    measure = next((one for one in measures if one.id == conclusion.judged_by), None)
    found = [
        Caveat("tight-memory", f"It ended before the last dose: {why_ended}.") if why_ended else None,
        _of_failures(steps),
        _of_lost_pages(steps, before, at_end, slot_bytes),
        _of_copies(before, at_end, slot_bytes),
        _of_fixed_load(measures, conclusion),
        _of_metric(metric_failures, len(windows)),
    ]
    if measure is not None:
        found += [_of_waits(measure), _of_drift(measure), _of_correlation(measure)]
    return [caveat for caveat in found if caveat is not None]


def failure_words(failures: dict[str, int]) -> str:
    """ "3 x ENOMEM (no huge page could be had ...)", the most frequent first."""
    ordered = sorted(failures.items(), key=lambda item: (-item[1], item[0]))
    return "; ".join(f"{count} x {name} ({FAILURES.get(name, 'unexpected')})" for name, count in ordered)


def _of_failures(steps: Sequence[Step]) -> Caveat | None:
    failures: dict[str, int] = {}
    for step in steps:
        for name, count in step.failures.items():
            failures[name] = failures.get(name, 0) + count
    if not failures:
        return None
    asked = sum(step.asked_slots for step in steps)
    failed = sum(failures.values())
    return Caveat("not-collapsed", f"{failed} of {asked} slots were not collapsed: {failure_words(failures)}.")


def _of_lost_pages(steps: Sequence[Step], before: Memory, at_end: Memory | None, slot_bytes: int) -> Caveat | None:
    share = kept_share(steps, before, at_end, slot_bytes)
    if share is None or share >= KEPT_SHARE:
        return None
    return Caveat(
        "not-kept",
        f"Only {percent(max(share, 0))} of what was collapsed was still huge at the end: the process freed or "
        "split it. The response is that of a smaller dose.",
    )


def _of_copies(before: Memory, at_end: Memory | None, slot_bytes: int) -> Caveat | None:
    """What was shared since a fork is in the RSS already: its copy shows in the PSS alone."""
    first, last = _pss_less_rss(before), _pss_less_rss(at_end)
    if first is None or last is None or last - first < slot_bytes:
        return None
    return Caveat(
        "copied",
        f"{(last - first) // MIB} MiB that it shared since a fork are its own now: collapsing copies such memory, "
        "which takes as much from the host (unless the others have ended).",
    )


def _pss_less_rss(memory: Memory | None) -> int | None:
    if memory is None or memory.pss_bytes is None or memory.rss_bytes is None:
        return None
    return memory.pss_bytes - memory.rss_bytes


def _of_fixed_load(measures: Sequence[Measure], conclusion: Conclusion) -> Caveat | None:
    """A service at a fixed load answers as many requests as before, with less CPU."""
    if conclusion.judged_by != METRIC or conclusion.verdict != "no-difference":
        return None
    for measure in measures:
        last = measure.responses[-1].speed_up if measure.responses else None
        if measure.id != METRIC and measure.usable and last and last.low > 1 + SMALLEST_CLAIM:
            return Caveat(
                "fixed-load",
                f"By {measure.id}, {last.estimate:.2f} times as much was done per CPU second (95 % interval"
                f" {last.low:.2f} to {last.high:.2f}): the metric may follow the load that arrives, not the speed.",
            )
    return None


def _of_metric(failures: int, windows: int) -> Caveat | None:
    if not failures:
        return None
    return Caveat("metric-failed", f"The metric command gave no number {failures} times in {windows} windows.")


def _of_waits(measure: Measure) -> Caveat | None:
    if all(proxy.id != measure.id or proxy.rank != WAITS for proxy in PROXIES):
        return None
    return Caveat(
        "weak-proxy",
        "Voluntary context switches may follow a clock instead of the work: no difference by them proves little."
        " Give --metric-cmd.",
    )


def _of_drift(measure: Measure) -> Caveat | None:
    if measure.drift is None:
        return None
    return Caveat(
        "drift",
        f"The measure drifts also while nothing is collapsed: by {percent(measure.drift, signed=True)} from the "
        "first dose to the last, at that pace.",
    )


def _of_correlation(measure: Measure) -> Caveat | None:
    if measure.autocorrelation is None or measure.autocorrelation < CORRELATED:
        return None
    return Caveat(
        "autocorrelated",
        f"Neighbouring windows are alike (correlation {measure.autocorrelation:.2f}): intervals were widened for it.",
    )
