"""Several measurements of one configuration on one machine as one: all runs and profiles, gains weighed together.

Each measurement compares its own runs, taken in turns within minutes; what they say is averaged by its precision.
Where they differ by more than their intervals allow, the joint interval is stretched to hold that, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from advisor.training.dataset import Measurement, grouped
from advisor.training.labels import NORMAL_95, effect_of
from advisor.trial.document import Comparison, Interval, Trial, Way
from advisor.trial.summary import summarise, verdict_of


def pooled(measurements: Iterable[Measurement]) -> list[Measurement]:
    """One measurement for each configuration and machine, in the order of first sight."""
    return [_joined(group) for group in grouped(measurements).values()]


def _joined(group: Sequence[Measurement]) -> Measurement:
    newest = max(group, key=lambda one: one.trial.started_at)
    if len(group) == 1:
        return newest
    return replace(
        newest,
        trial=_joined_trial([one.trial for one in group], newest.trial),
        profiles=[profile for one in group for profile in one.profiles],
        unprofiled={state: why for one in group for state, why in one.unprofiled.items()},
    )


def _joined_trial(trials: Sequence[Trial], newest: Trial) -> Trial:
    runs, ways = [run for trial in trials for run in trial.runs], _ways(trials, newest)
    return replace(
        newest,
        rounds=sum(trial.rounds for trial in trials),
        duration_s=sum(trial.duration_s for trial in trials),
        ways=ways,
        runs=runs,
        summaries=summarise(runs, ways),
        comparisons=_comparisons(trials, newest),
    )


def _ways(trials: Sequence[Trial], newest: Trial) -> list[Way]:
    """By policy: the newest measurement's way, then those that only others have."""
    ways = {way.policy.name: way for way in newest.ways}
    for trial in trials:
        ways.update({way.policy.name: way for way in trial.ways if way.policy.name not in ways})
    return list(ways.values())


def _comparisons(trials: Sequence[Trial], newest: Trial) -> list[Comparison]:
    """Of each pair of policies; what only one measurement could compare stands as it is."""
    found: dict[tuple[str, str], list[Comparison]] = {(one.policy, one.against): [] for one in newest.comparisons}
    for trial in trials:
        for one in trial.comparisons:
            found.setdefault((one.policy, one.against), []).append(one)
    return [_weighed(comparisons) for comparisons in found.values()]


def _weighed(comparisons: Sequence[Comparison]) -> Comparison:
    speed_ups = [one.speed_up for one in comparisons if one.speed_up is not None]
    if len(speed_ups) < 2:
        return next((one for one in comparisons if one.speed_up is not None), comparisons[-1])
    speed_up = mean_speed_up(speed_ups)
    return replace(
        comparisons[-1],
        runs=sum(one.runs for one in comparisons if one.speed_up is not None),
        runs_against=sum(one.runs_against for one in comparisons if one.speed_up is not None),
        verdict=verdict_of(speed_up),
        speed_up=speed_up,
        why=None,
    )


def mean_speed_up(speed_ups: Sequence[Interval]) -> Interval:
    """Mean of log ratios weighted by 1 / error^2, its 95 % interval stretched by Birge's ratio where they disagree.

    Source: Birge 1932, as the Particle Data Group averages (Review of Particle Physics, Introduction, 5.2.2).
    """
    effects = [effect_of(one) for one in speed_ups]
    weights = [effect.error**-2 for effect in effects]
    mean = sum(weight * one.log_ratio for weight, one in zip(weights, effects, strict=True)) / sum(weights)
    apart = sum(weight * (one.log_ratio - mean) ** 2 for weight, one in zip(weights, effects, strict=True))
    stretch = max(math.sqrt(apart / (len(effects) - 1)), 1.0)
    reach = NORMAL_95 * stretch / math.sqrt(sum(weights))
    return Interval(math.exp(mean), math.exp(mean - reach), math.exp(mean + reach), 0.95)
