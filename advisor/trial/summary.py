"""From the runs of a trial to what is concluded: comparisons, medians, and what weakens them. Pure functions of the
document, so that anybody can compute them again from its JSON."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from advisor.trial.document import (
    Better,
    Caveat,
    Comparison,
    Environment,
    Interval,
    Policy,
    Run,
    Summary,
    Verdict,
    Way,
)
from advisor.trial.schedule import WARM_UP_ROUND
from advisor.trial.statistics import FEWEST_VALUES, NoIntervalError, ratio_interval, trend
from advisor.trial.text import percent

BASE = "base"
"""Name of the policy that the others are compared with."""

MAD_TO_DEVIATION = 1.4826
"""A median absolute deviation times this is the standard deviation of normal noise. Source: 1 / ndtri(0.75)."""

NOISY_SPREAD = 0.05
"""Relative spread of a policy's runs from which the trial is called noisy. Source: own choice. Reason: seven runs a
side then see differences from about 7 % on, and most gains from huge pages are smaller than 10 %."""

BUSY_CPU_SHARE = 0.1
"""Share of all CPUs used by others from which a run counts as disturbed. Source: own choice. Reason: a tenth of a
machine's CPUs is more than daemons use, and shared caches and memory bandwidth suffer with it."""

STEAL_SHARE = 0.02
"""Share of CPU time taken by the hypervisor from which a run counts as disturbed. Source: own choice. Reason: it goes
into the times one to one, and gains of a few per cent are looked for."""

DISTURBED_RUNS = 0.25
"""Share of disturbed runs that is worth a warning. Reason: single ones are outliers, which the interval stands."""

FEW_RUNS = 5
"""Counted runs a side below which a warning says so. Reason: with four a side the interval is half as wide
again as with seven."""

REPORTING_DELAY_S = 2.0
"""Seconds after which a guest gives freed memory back to its host (PAGE_REPORTING_DELAY, mm/page_reporting.c)."""

WATCH_SHARE = 0.01
"""Difference between policies in the share of a run that watching took from which a warning says so. Reason: smaller
gains are hardly ever seen; looking at base pages costs the kernel more than looking at huge ones."""

DRIFT_Z = 2.576
"""Trend statistic beyond which values are said to drift: 1 % of trials without a trend reach it by chance."""

DRIFT_SHARE = 0.02
"""Drift over the whole trial from which it is worth a warning. Reason: with the order rotated, smaller
ones move no verdict."""


def counted(runs: Iterable[Run], policy: str) -> list[Run]:
    """The runs of one policy that take part in comparisons: no warm-up, and nothing wrong with them."""
    return [run for run in runs if run.policy == policy and _counts(run)]


def _counts(run: Run) -> bool:
    return run.round > WARM_UP_ROUND and run.not_counted is None


def values_of(runs: Iterable[Run], policy: str) -> list[float]:
    """The metric of the counted runs of one policy."""
    return [run.value for run in counted(runs, policy) if run.value is not None]


def compare(runs: Sequence[Run], ways: Sequence[Way], better: Better) -> list[Comparison]:
    """Each policy against base, then each huge page size against the next smaller one that counted.

    The same runs always give the same answer.
    """
    policies = [way.policy for way in ways]
    comparisons = []
    if any(policy.name == BASE for policy in policies):
        comparisons += [_compare(way, BASE, runs, ways, better) for way in ways if way.policy.name != BASE]
    huge = [policy.name for policy in _huge(policies) if counted(runs, policy.name)]
    by_name = {way.policy.name: way for way in ways}
    comparisons += [_compare(by_name[larger], smaller, runs, ways, better) for smaller, larger in pairwise(huge)]
    return comparisons


def _huge(policies: Iterable[Policy]) -> list[Policy]:
    """THP, then the pools by page size: where THP's size equals a pool's, the pool's further gain is set-up alone."""
    huge = [policy for policy in policies if policy.kind in ("thp", "hugetlb")]
    return sorted(huge, key=lambda policy: (policy.kind == "hugetlb", policy.page_bytes or 0))


def _compare(way: Way, against: str, runs: Sequence[Run], ways: Sequence[Way], better: Better) -> Comparison:
    policy = way.policy.name
    ours, theirs = values_of(runs, policy), values_of(runs, against)

    def answer(verdict: Verdict, why: str | None = None, speed_up: Interval | None = None) -> Comparison:
        return Comparison(policy, against, len(ours), len(theirs), verdict, speed_up, why)

    if not ours:
        return answer(*_why_none(way, runs))
    if not theirs:
        _, why = _why_none(next(other for other in ways if other.policy.name == against), runs)
        return answer("cannot-tell", f"no run of {against} counted: {why}")
    if min(len(ours), len(theirs)) < FEWEST_VALUES:
        few, count = min((len(ours), policy), (len(theirs), against))[::-1]
        return answer("cannot-tell", f"{count} counted of {few}, an interval needs {FEWEST_VALUES}")
    try:
        speed_up = ratio_interval(ours, theirs, better)
    except NoIntervalError as error:
        return answer("cannot-tell", str(error))
    return answer(verdict_of(speed_up), None, speed_up)


def verdict_of(speed_up: Interval) -> Verdict:
    """Faster or slower where the interval holds no 1."""
    if speed_up.low > 1:
        return "faster"
    return "slower" if speed_up.high < 1 else "no-difference"


def _why_none(way: Way, runs: Iterable[Run]) -> tuple[Verdict, str]:
    """Why no run of a policy counted: what most of its runs say, the warm-up only where there is no other."""
    if way.why_unusable is not None:
        return "not-applied", way.why_unusable
    mine = [run for run in runs if run.policy == way.policy.name]
    mine = [run for run in mine if run.round > WARM_UP_ROUND] or mine
    reasons = Counter(run.not_counted for run in mine if run.not_counted is not None)
    if not reasons:
        return "cannot-tell", "it was never run"
    reason = reasons.most_common(1)[0][0]
    example = next(run for run in mine if run.not_counted == reason)
    if example.exit_code != 0 or example.timed_out:
        return "failed", reason
    if example.value is None or example.memory.coverage is None:
        return "cannot-tell", reason
    return "not-applied", reason


def summarise(runs: Sequence[Run], ways: Sequence[Way]) -> list[Summary]:
    """Medians of each policy's counted runs, in the order of the ways.

    spread is the median absolute deviation of the values, scaled to a standard deviation, as a share of their median.
    """
    return [_summary(way.policy.name, counted(runs, way.policy.name)) for way in ways]


def _summary(policy: str, runs: Sequence[Run]) -> Summary:
    def median(field: Callable[[Run], float | None]) -> float | None:
        known = [value for run in runs if (value := field(run)) is not None]
        return statistics.median(known) if known else None

    def whole(field: Callable[[Run], float | None]) -> int | None:
        middle = median(field)
        return None if middle is None else round(middle)

    return Summary(
        policy=policy,
        runs=len(runs),
        value=median(lambda run: run.value),
        spread=relative_spread([run.value for run in runs if run.value is not None]),
        wall_s=median(lambda run: run.wall_s),
        user_s=median(lambda run: run.user_s),
        system_s=median(lambda run: run.system_s),
        setup_s=median(lambda run: run.setup_s),
        minor_faults=whole(lambda run: run.minor_faults),
        peak_rss_bytes=whole(lambda run: run.memory.peak_rss_bytes),
        peak_hugetlb_bytes=whole(lambda run: sum(run.memory.peak_hugetlb_bytes.values())),
        coverage=median(lambda run: run.memory.coverage),
    )


def relative_spread(values: Sequence[float]) -> float | None:
    """Scaled median absolute deviation as a share of the median; None for fewer than two values or a median of 0."""
    if len(values) < 2 or not (middle := statistics.median(values)):
        return None
    return MAD_TO_DEVIATION * statistics.median(abs(value - middle) for value in values) / abs(middle)


def smallest_visible(comparisons: Iterable[Comparison]) -> float | None:
    """The smallest difference that every comparison could have told from none, as a share; None without intervals."""
    reaches = [math.log(found.high / found.estimate) for c in comparisons if (found := c.speed_up) is not None]
    return math.expm1(max(reaches)) if reaches else None


def warnings_of(
    runs: Sequence[Run],
    comparisons: Sequence[Comparison],
    environment: Environment,
    *,
    memory_held: bool = False,
) -> list[Caveat]:
    """What weakens the result, the gravest first. memory_held: what a run needs was kept warm."""
    good = [run for run in runs if _counts(run)]
    found = [
        _noisy(good, comparisons),
        _few_runs(comparisons),
        *_partly_counted(runs),
        _disturbed(good, "busy-host", "others used more than {limit} of the CPUs", BUSY_CPU_SHARE,
                   lambda run: run.other_cpu_share),
        _disturbed(good, "steal", "the hypervisor took more than {limit} of the CPU time", STEAL_SHARE,
                   lambda run: run.steal_share),
        _drift(good),
        _watched(good),
        _cold_memory(good, environment, memory_held=memory_held),
    ]  # fmt: skip
    return [caveat for caveat in found if caveat is not None]


def _policies(runs: Iterable[Run]) -> list[str]:
    return list(dict.fromkeys(run.policy for run in runs))


def _noisy(runs: Sequence[Run], comparisons: Sequence[Comparison]) -> Caveat | None:
    spreads = {policy: relative_spread(values_of(runs, policy)) or 0.0 for policy in _policies(runs)}
    noisy = {policy: spread for policy, spread in spreads.items() if spread > NOISY_SPREAD}
    if not noisy:
        return None
    which = ", ".join(f"{policy} {percent(spread)}" for policy, spread in noisy.items())
    visible = smallest_visible(comparisons)
    ties = "" if visible is None else f" Differences below {percent(visible)} could not be seen in this trial."
    return Caveat("noisy", f"Equal runs differ much from each other (spread: {which}).{ties}")


def _few_runs(comparisons: Iterable[Comparison]) -> Caveat | None:
    few = {
        name: count
        for comparison in comparisons
        for name, count in (
            (comparison.policy, comparison.runs),
            (comparison.against, comparison.runs_against),
        )
        if 0 < count < FEW_RUNS
    }
    if not few:
        return None
    which = ", ".join(f"{count} of {name}" for name, count in few.items())
    return Caveat("few-runs", f"Few runs counted ({which}): the intervals are wide. More rounds make them narrower.")


def _partly_counted(runs: Sequence[Run]) -> list[Caveat]:
    """Policies that took effect in some rounds only."""
    caveats = []
    for policy in _policies(runs):
        mine = [run for run in runs if run.policy == policy and run.round > WARM_UP_ROUND]
        reasons = Counter(run.not_counted for run in mine if run.not_counted is not None)
        if reasons and len(mine) > reasons.total():
            reason = reasons.most_common(1)[0][0]
            message = f"{reasons.total()} of {len(mine)} runs of {policy} are not counted, mostly: {reason}."
            caveats.append(Caveat("not-applied", message))
    return caveats


def _disturbed(
    runs: Sequence[Run], name: str, what: str, limit: float, share: Callable[[Run], float | None]
) -> Caveat | None:
    shares = [value for run in runs if (value := share(run)) is not None]
    beyond = [value for value in shares if value > limit]
    if not shares or len(beyond) < DISTURBED_RUNS * len(shares):
        return None
    which = f"In {len(beyond)} of {len(shares)} runs {what.format(limit=percent(limit))}"
    return Caveat(name, f"{which} (at most {percent(max(beyond))}).")


def _drift(runs: Sequence[Run]) -> Caveat | None:
    """A trend over the trial that belongs to no policy: each policy's median is taken out first."""
    points: list[tuple[float, float]] = []
    for policy in _policies(runs):
        mine = [run for run in runs if run.policy == policy and run.value is not None and run.value > 0]
        if mine:
            logs = [math.log(run.value or 1.0) for run in mine]
            middle = statistics.median(logs)
            points += [(value - middle, float(run.position)) for value, run in zip(logs, mine, strict=True)]
    values, positions = [value for value, _ in points], [position for _, position in points]
    slope, z = trend(values, positions)
    if abs(z) < DRIFT_Z:
        return None
    change = math.expm1(slope * (max(positions) - min(positions)))
    if abs(change) < DRIFT_SHARE:
        return None
    return Caveat(
        "drift",
        f"The values drifted by {change * 100:+.1f} % over the trial, whatever the policy. The order is rotated: "
        "all policies carry it alike, but it makes the intervals wider.",
    )


def _watched(runs: Sequence[Run]) -> Caveat | None:
    """Short runs: where processors are few, what watching costs one policy more may look like its own cost."""
    shares = {
        policy: statistics.median(run.watch_cpu_s / run.wall_s for run in runs if run.policy == policy and run.wall_s)
        for policy in _policies(run for run in runs if run.wall_s)
    }
    if not shares:
        return None
    most, least = max(shares, key=shares.__getitem__), min(shares, key=shares.__getitem__)
    if shares[most] - shares[least] <= WATCH_SHARE:
        return None
    return Caveat(
        "watch-cost",
        f"Watching took CPU time of {percent(shares[most])} of a run under {most} and {percent(shares[least])} under "
        f"{least}: so much of their difference may come from it. Longer runs are disturbed less.",
    )


def _cold_memory(runs: Sequence[Run], environment: Environment, *, memory_held: bool) -> Caveat | None:
    if not environment.free_page_reporting or not runs:
        return None
    if memory_held:
        return _late_memory(runs)
    return Caveat(
        "cold-memory",
        "This machine gives free memory back to its hypervisor; the first touch of such memory costs time that "
        "belongs to no policy. Compare set-up and steady state apart.",
    )


def _late_memory(runs: Sequence[Run]) -> Caveat | None:
    """Held memory is free from the start of a run on, and goes cold where it is not taken soon; pool pages do not."""
    late = [run for run in runs if run.setup_s is not None and run.setup_s > REPORTING_DELAY_S]
    if len(late) < DISTURBED_RUNS * len(runs):
        return None
    return Caveat(
        "cold-memory",
        f"In {len(late)} of {len(runs)} runs memory was still being taken {REPORTING_DELAY_S:g} s after the start. "
        "This machine has given free memory back to its hypervisor by then; the first touch costs time that belongs "
        "to no policy, and that pool pages never cost. Compare set-up and steady state apart.",
    )
