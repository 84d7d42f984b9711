"""What a trial found, in words: one sentence for its conclusion, and its numbers as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.render.escape import visible
from advisor.render.numbers import UNKNOWN_SHORT
from advisor.trial.document import Comparison, Interval, Metric, Policy, Trial

BASE = "base"

VERDICT_WORDS = {
    "faster": "faster",
    "slower": "slower",
    "no-difference": "no difference",
    "cannot-tell": "cannot tell",
    "not-applied": "not applied",
    "failed": "failed",
}

AS_WHAT = {"wall": "as fast", "cpu": "as fast in CPU time", "output": "as good by its own number"}
"""What a ratio is a ratio of, by kind of metric."""

FINE_BELOW = 0.005
"""Distance from 1 below which two decimals would read 1.00; ratios then get three."""

WHOLE_SECONDS_FROM = 1000
"""Seconds from which no decimal is shown."""


def conclusion(trial: Trial) -> str:
    """One sentence: what the huge policies give over base pages, the one worth having first."""
    lead = "Interrupted; so far: " if trial.interrupted else ""
    huge = [way.policy for way in trial.ways if way.policy.kind in ("thp", "hugetlb")]
    against_base = {one.policy: one for one in trial.comparisons if one.against == BASE}
    told = {p.name: c.speed_up for p in huge if (c := against_base.get(p.name)) and c.speed_up is not None}
    parts: list[str] = []
    best = _best(trial, [policy for policy in huge if policy.name in told])
    if best is not None:
        found = told[best.name]
        estimate = ratio(found.estimate, fine=_is_fine(found))
        parts.append(f"{phrase(best)} makes it {estimate} times {AS_WHAT[trial.metric.kind]} ({_span(found)})")
    parts += [
        _beside(trial, policy, best, told[policy.name]) for policy in huge if policy.name in told and policy != best
    ]
    if told and best is None and all(against_base[name].verdict == "no-difference" for name in told):
        parts = [
            "no difference seen: " + ", ".join(f"{phrase(p)} {_times(told[p.name])}" for p in huge if p.name in told)
        ]
    parts += [
        f"{phrase(policy)} {_untold(against_base.get(policy.name))}" for policy in huge if policy.name not in told
    ]
    sentence = "; ".join(parts) if told else _nothing(trial, parts)
    return lead + (sentence if lead else sentence[0].upper() + sentence[1:]) + "."


def _nothing(trial: Trial, parts: Sequence[str]) -> str:
    """Where no policy has an interval against base pages: whose fault that is."""
    base = next((summary for summary in trial.summaries if summary.policy == BASE), None)
    if base is not None and not base.runs:
        reasons = [run.not_counted for run in trial.runs if run.policy == BASE and run.not_counted]
        reasons += [way.why_unusable for way in trial.ways if way.policy.name == BASE and way.why_unusable]
        why = f" ({visible(reasons[-1])})" if reasons else ""
        return f"nothing can be told: no run on base pages counted{why}"
    return "; ".join(parts) or "nothing was compared with base pages"


def phrase(policy: Policy) -> str:
    """A policy as the subject of a sentence."""
    if policy.kind == "hugetlb":
        return f"a {visible(policy.name.removeprefix('pool-'))} pool"
    return {"base": "base pages", "thp": "THP", "default": "the host as it is"}[policy.kind]


def ratio(value: float, *, fine: bool = False) -> str:
    """A ratio: 1.41, or 0.998 where `fine`."""
    return f"{value:.3f}" if fine else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def speed_up(found: Interval | None) -> str:
    """A ratio and its interval: 1.43x (1.38 to 1.47)."""
    if found is None:
        return "-"
    fine = _is_fine(found)
    return f"{ratio(found.estimate, fine=fine)}x ({_span(found)})"


def metric_words(metric: Metric) -> str:
    """What was compared, and which way it points."""
    what = {"wall": "wall time", "cpu": "CPU time"}.get(metric.kind) or f"last match of {visible(metric.regex or '')}"
    return f"{what}, {metric.better} is better"


def metric_value(value: float | None, metric: Metric) -> str:
    """A value of the metric: a time with its unit, any other number as it is."""
    if metric.kind != "output":
        return seconds(value)
    if value is None:
        return UNKNOWN_SHORT
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"


def seconds(value: float | None) -> str:
    """A time in three digits: 164 ms, 2.31 s, 1,204 s."""
    if value is None:
        return UNKNOWN_SHORT
    if value >= WHOLE_SECONDS_FROM:
        return f"{value:,.0f} s"
    return f"{value:.3g} s" if value >= 1 else f"{value * 1000:.3g} ms" if value >= 0.001 else f"{value * 1e6:.3g} us"


def spread_words(spread: float | None) -> str:
    """A relative spread: 1.2 %."""
    return UNKNOWN_SHORT if spread is None else f"{spread * 100:.1f} %"


def _is_fine(found: Interval) -> bool:
    ends = (found.estimate, found.low, found.high)
    return any(0 < abs(end - 1) < FINE_BELOW for end in ends) and found.high < 10


def _span(found: Interval) -> str:
    fine = _is_fine(found)
    return f"{ratio(found.low, fine=fine)} to {ratio(found.high, fine=fine)}"


def _times(found: Interval) -> str:
    return f"{ratio(found.estimate, fine=_is_fine(found))} times ({_span(found)})"


def _best(trial: Trial, policies: Sequence[Policy]) -> Policy | None:
    """The smallest effort that gives the most: a larger page size replaces it only where it is seen to be better."""
    best: Policy | None = None
    for policy in sorted(policies, key=lambda policy: (policy.kind == "hugetlb", policy.page_bytes or 0)):
        against_base = _comparison(trial, policy.name, BASE)
        if against_base is None or against_base.verdict != "faster":
            continue
        if best is None or _verdict_between(trial, policy, best) == "faster":
            best = policy
    return best


def _beside(trial: Trial, policy: Policy, best: Policy | None, found: Interval) -> str:
    """What one more policy gives, beside the best one or beside base pages."""
    against_base = _comparison(trial, policy.name, BASE)
    name = phrase(policy)
    if against_base is None or against_base.verdict != "faster":
        slower = against_base is not None and against_base.verdict == "slower"
        return f"{name} {'makes it slower' if slower else 'makes no difference'}: {_times(found)}"
    between = None if best is None else _verdict_between(trial, policy, best)
    return f"{name} gives no more" if between == "no-difference" else f"{name} {_times(found)}"


def _verdict_between(trial: Trial, policy: Policy, other: Policy) -> str | None:
    """How two huge policies compare; where they were not compared, only intervals that lie apart say something."""
    direct = _comparison(trial, policy.name, other.name)
    if direct is not None:
        return direct.verdict
    ours, theirs = (_comparison(trial, one.name, BASE) for one in (policy, other))
    if ours is None or theirs is None or ours.speed_up is None or theirs.speed_up is None:
        return None
    return "faster" if ours.speed_up.low > theirs.speed_up.high else None


def _comparison(trial: Trial, policy: str, against: str) -> Comparison | None:
    return next((one for one in trial.comparisons if (one.policy, one.against) == (policy, against)), None)


def _untold(comparison: Comparison | None) -> str:
    if comparison is None:
        return "was not compared with base pages"
    return {"not-applied": "did not apply", "failed": "failed"}.get(comparison.verdict, "cannot be told")
