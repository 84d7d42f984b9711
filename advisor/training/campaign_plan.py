"""What a campaign is going to do: which configurations, how long they take, what memory they need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import zip_longest

from advisor.training.campaign_profile import WATCH_S
from advisor.training.families import (
    MEASURING_SECONDS,
    PROFILING_SECONDS,
    Configuration,
    Family,
    Place,
    configurations,
    missing_programs,
)
from advisor.trial.verdict import MIN_COVERAGE

STATES = ("base", "thp", "pool-2M", "default")
"""Policies under which the profiler watches, as far as a configuration has them: what an advised host may be in.
A 1G pool is left out: nobody asks for advice who has it already."""

START_S = 0.5
"""Beside its steady state, seconds that a run costs: start, watch, end."""

SETUP_S_PER_BYTE = 0.6 / (1 << 30)
"""Seconds of set-up for each byte of working set: half a second to fill a GiB of base pages, seen on a 6.18 guest."""

FIXED_JOB_S = 2.0
"""Guess for a job whose length does not follow the seconds asked for."""

MEMORY_FACTOR = 1.5
MEMORY_MARGIN_BYTES = 1 << 30
"""Memory that must be available for a configuration: its working set half as much again (huge pages bloat, and the
trial holds what the next run needs), and a gigabyte for everybody else."""


@dataclass(frozen=True)
class CampaignOptions:
    """rounds: counted runs of each policy. seconds, profile_seconds: steady state of a measured and a watched run.
    min_coverage: share of memory on the policy's pages from which a run counts."""

    rounds: int = 5
    seconds: float = MEASURING_SECONDS
    profile_seconds: float = PROFILING_SECONDS
    min_coverage: float = MIN_COVERAGE
    patience_s: float = 30.0


@dataclass(frozen=True)
class Task:
    """One configuration in both lengths. why_not: reason for which it cannot be measured here, else None."""

    measured: Configuration
    watched: Configuration
    why_not: str | None = None

    @property
    def id(self) -> str:
        return self.measured.id

    @property
    def family(self) -> Family:
        return self.measured.family

    @property
    def needed_bytes(self) -> int:
        """MemAvailable without which it is not started, pools apart."""
        return int(self.measured.working_set_bytes * MEMORY_FACTOR) + MEMORY_MARGIN_BYTES

    @property
    def states(self) -> list[str]:
        """Policies under which it is watched."""
        return [state for state in STATES if state in self.measured.policies]

    def seconds(self, options: CampaignOptions) -> float:
        """How long it is likely to take."""
        setup_s = START_S + self.measured.working_set_bytes * SETUP_S_PER_BYTE
        run_s = setup_s + (FIXED_JOB_S if self.family.fixed_job else options.seconds)
        watched_s = setup_s + (FIXED_JOB_S if self.family.fixed_job else min(options.profile_seconds, WATCH_S))
        return len(self.measured.policies) * (options.rounds + 1) * run_s + len(self.states) * watched_s


class UnknownConfigurationError(ValueError):
    """A name that selects nothing."""


def tasks(
    families: Iterable[Family],
    place: Place,
    options: CampaignOptions,
    *,
    pattern: str = "*",
    ids: Collection[str] = (),
    done: Collection[str] = (),
) -> list[Task]:
    """Configurations of families that match `pattern`; only `ids` where given; none that is `done`.

    The first of each family, then the second of each: a campaign that is cut short has every family.

    Raises UnknownConfigurationError where the pattern or an id selects nothing.
    """
    chosen = [family for family in families if fnmatchcase(family.id, pattern)]
    if not chosen:
        raise UnknownConfigurationError(f"no family matches {pattern!r}")
    by_family = [_of_family(family, place, options) for family in chosen]
    found = [task for turn in zip_longest(*by_family) for task in turn if task is not None]
    if unknown := set(ids) - {task.id for task in found}:
        raise UnknownConfigurationError(f"no such configuration: {', '.join(sorted(unknown))}")
    return [task for task in found if (not ids or task.id in ids) and task.id not in done]


def _of_family(family: Family, place: Place, options: CampaignOptions) -> list[Task]:
    missing = missing_programs(family)
    why_not = f"needs {', '.join(f'{name} ({package})' for name, package in missing.items())}" if missing else None
    return [
        Task(measured, watched, why_not)
        for measured, watched in zip(
            configurations(family, place, options.seconds),
            configurations(family, place, options.profile_seconds),
            strict=True,
        )
    ]


def largest_pools(planned: Sequence[Task]) -> dict[str, int]:
    """Pool policy -> bytes that the hungriest configuration needs of it."""
    needed: dict[str, int] = {}
    for task in planned:
        for policy in task.measured.policies:
            if policy.startswith("pool-") and task.why_not is None:
                needed[policy] = max(needed.get(policy, 0), task.measured.pool_bytes)
    return needed


def duration_text(seconds: float) -> str:
    """ "1 h 05 min", "12 min", "40 s"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
