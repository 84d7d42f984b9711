"""What a trial measured of one configuration: the gains to be learnt, and what each policy really took.

Gains come from the comparisons of the trial document, thus from counted runs alone. Nothing is left out for being
noisy: an effect carries its standard error, which weighs it down, and says itself when its spread tells nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from advisor.trial.document import Interval, Policy, Run, Trial
from advisor.trial.summary import counted, values_of

Role = Literal["base", "thp", "pool", "gigantic", "default"]
"""What a policy is on any host: pool has the page size of THP, gigantic the smallest larger one."""

AGAINST: Mapping[str, tuple[Role, Role]] = {
    "thp": ("thp", "base"),
    "pool": ("pool", "base"),
    "further": ("gigantic", "pool"),
    "gigantic": ("gigantic", "base"),
}
"""Which comparison each output is learnt from: policy, and what it is compared with."""

VAGUE_ERROR = 0.05
"""Standard error of a log ratio from which a measurement is marked as telling nothing. Source: own choice. Reason:
its 95 % interval is then 20 % wide, more than most gains."""

LEAST_ERROR = 0.01
"""Standard error below which none is believed. Source: own choice. Reason: the same program measured on another day
differs by about 1 %."""

NORMAL_95 = 1.96
"""Half a 95 % interval in standard errors; for few runs, whose intervals are wider, this errs to the safe side."""


@dataclass(frozen=True)
class Effect:
    """ln(time before / time after): above 0 is faster. low, high: interval of the trial; error: standard error."""

    log_ratio: float
    low: float
    high: float
    error: float

    @property
    def is_tie(self) -> bool:
        """No difference was seen."""
        return self.low <= 0.0 <= self.high

    @property
    def is_vague(self) -> bool:
        """The spread is too large to tell."""
        return self.error > VAGUE_ERROR


@dataclass(frozen=True)
class Outcome:
    """What one policy took. log_time: ln(time / time on base pages), by the comparison, else by medians. error: its
    standard error. resident_bytes: peak of RSS and hugetlb; pool_bytes: of hugetlb alone; None: not seen."""

    log_time: float
    error: float
    resident_bytes: float | None
    pool_bytes: float | None


@dataclass(frozen=True)
class Measured:
    """One trial, read for learning. usable: policies that this command could be run under at all."""

    effects: Mapping[str, Effect]
    outcomes: Mapping[Role, Outcome]
    usable: frozenset[Role]

    @property
    def is_vague(self) -> bool:
        """One of its effects has a spread that is too large to tell."""
        return any(effect.is_vague for effect in self.effects.values())

    def log_time(self, role: Role) -> float:
        """ln(time / time on base pages). A policy that never took effect leaves the program on base pages."""
        outcome = self.outcomes.get(role)
        return outcome.log_time if outcome is not None else 0.0

    def error(self, role: Role) -> float:
        """Standard error of `log_time`; 0 for base pages, which all others are compared with."""
        outcome = self.outcomes.get(role)
        return outcome.error if outcome is not None and role != "base" else 0.0

    def cost_bytes(self, role: Role) -> float:
        """Memory that the policy takes from all others: what it reserves in a pool, or grows beyond base pages."""
        outcome, base = self.outcomes.get(role), self.outcomes.get("base")
        if outcome is None or role == "base":
            return 0.0
        grown = 0.0
        if outcome.resident_bytes is not None and base is not None and base.resident_bytes is not None:
            grown = outcome.resident_bytes - base.resident_bytes
        return max(grown, outcome.pool_bytes or 0.0, 0.0)

    @property
    def footprint_bytes(self) -> float:
        """Peak of its memory on base pages; 0 where it was not seen."""
        base = self.outcomes.get("base")
        return (base.resident_bytes or 0.0) if base is not None else 0.0


def measured(trial: Trial) -> Measured:
    """Effects and outcomes of one trial; what was not measured is absent."""
    roles = roles_of(trial)
    names = {role: name for name, role in roles.items()}
    base = names.get("base", "")
    speed_ups = {(one.policy, one.against): one.speed_up for one in trial.comparisons if one.speed_up is not None}
    effects = {
        output: effect_of(speed_ups[pair])
        for output, (policy, against) in AGAINST.items()
        if (pair := (names.get(policy, ""), names.get(against, ""))) in speed_ups
    }
    usable = frozenset(
        roles[way.policy.name] for way in trial.ways if way.policy.name in roles and not way.why_unusable
    )
    against_base = {role: effect_of(found) for role, name in names.items() if (found := speed_ups.get((name, base)))}
    return Measured(effects, _outcomes(trial, names, against_base), usable)


def effect_of(speed_up: Interval) -> Effect:
    """The ratio of a trial as a log ratio with its standard error."""
    low, high = math.log(speed_up.low), math.log(speed_up.high)
    return Effect(math.log(speed_up.estimate), low, high, max((high - low) / 2 / NORMAL_95, LEAST_ERROR))


def roles_of(trial: Trial) -> dict[str, Role]:
    """Policy name -> what it is on this host. Pools below THP's page, or beyond the first larger, have none."""
    policies = [way.policy for way in trial.ways]
    thp_page = trial.environment.thp_page_bytes
    larger = sorted(
        policy.page_bytes
        for policy in policies
        if policy.kind == "hugetlb" and policy.page_bytes and thp_page and policy.page_bytes > thp_page
    )
    found = ((policy.name, _role(policy, thp_page, larger[0] if larger else None)) for policy in policies)
    return {name: role for name, role in found if role is not None}


def _role(policy: Policy, thp_page: int | None, gigantic_page: int | None) -> Role | None:
    if policy.kind != "hugetlb":
        return policy.kind
    if policy.page_bytes is None or thp_page is None:
        return None
    return {thp_page: "pool", gigantic_page: "gigantic"}.get(policy.page_bytes)  # type: ignore[return-value]


def _outcomes(trial: Trial, names: Mapping[Role, str], against_base: Mapping[Role, Effect]) -> dict[Role, Outcome]:
    sign = 1.0 if trial.metric.better == "lower" else -1.0
    values = {role: [value for value in values_of(trial.runs, name) if value > 0] for role, name in names.items()}
    logs = {role: sign * math.log(statistics.median(found)) for role, found in values.items() if found}
    if "base" not in logs:
        return {}
    return {
        role: _outcome(counted(trial.runs, names[role]), against_base.get(role), log - logs["base"])
        for role, log in logs.items()
    }


def _outcome(runs: Sequence[Run], effect: Effect | None, log_time: float) -> Outcome:
    """log_time: by medians, for too few runs to be compared."""
    return Outcome(
        log_time=-effect.log_ratio if effect is not None else log_time,
        error=effect.error if effect is not None else VAGUE_ERROR,
        resident_bytes=_median(_resident(run) for run in runs),
        pool_bytes=_median(float(sum(run.memory.peak_hugetlb_bytes.values())) for run in runs),
    )


def _resident(run: Run) -> float | None:
    rss = run.memory.peak_rss_bytes
    return None if rss is None else rss + float(sum(run.memory.peak_hugetlb_bytes.values()))


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
