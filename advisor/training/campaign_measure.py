"""One configuration of a campaign: its trial, then its profiles, then the line for the data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from msgspec import structs

from advisor.procfs.fs import KernelFs
from advisor.training.campaign_host import CampaignJournal, modes_of
from advisor.training.campaign_plan import CampaignOptions, Task
from advisor.training.campaign_profile import NotWatchedError, Watching, watch
from advisor.training.dataset import MEASUREMENT_SCHEMA, Measurement, StateProfile, environment_id
from advisor.training.families import Configuration, CustomSpec
from advisor.training.scrub import scrubbed
from advisor.trial.command import StartError, StopSignal
from advisor.trial.document import Metric, Policy, Trial, Way
from advisor.trial.settings import HostSettings, SettingError
from advisor.trial.summary import counted
from advisor.trial.trial import Progress, TrialRequest, run_trial
from advisor.trial.ways import HostFacts, host_facts, policies_of, ways_for

LARGEST_SETUP_SHARE = 0.5
"""Of a run's time that is taken for set-up at most: a program that grows to its end has no other steady state."""


class InterruptedCampaignError(Exception):
    """A signal asked to stop in the middle of a configuration; nothing of it is kept."""


@dataclass(frozen=True)
class Bench:
    """Where a campaign measures. environment: the variables that every command gets. places: see `neutral_places`."""

    fs: KernelFs
    journal: CampaignJournal
    settings: HostSettings
    environment: Mapping[str, str]
    places: Mapping[str, str]
    stop: StopSignal
    options: CampaignOptions


def measure(task: Task, bench: Bench, on_progress: Callable[[Progress], None]) -> Measurement:
    """Raises InterruptedCampaignError, StartError, SettingError, and ValueError for a family that cannot be tried."""
    trial = run_trial(request_of(task, bench), bench.journal, on_progress, bench.fs, bench.stop)
    if trial.interrupted:
        raise InterruptedCampaignError
    profiles, unprofiled = _profiles(task, trial, bench)
    spec = next(spec for spec in task.family.configuration if task.id == f"{task.family.id}/{spec.id}")
    return Measurement(
        schema=MEASUREMENT_SCHEMA,
        id=task.id,
        family=task.family.id,
        title=task.family.title,
        about=task.family.about,
        steady=task.family.steady,
        parameters=dict(spec.parameters),
        working_set_bytes=spec.working_set_bytes,
        command=scrubbed(list(task.measured.command), list[str], bench.places),
        campaign_environment=environment_id(trial.environment),
        environment=trial.environment,
        trial=scrubbed(trial, Trial, bench.places),
        profiles=profiles,
        unprofiled=unprofiled,
    )


def request_of(task: Task, bench: Bench) -> TrialRequest:
    """The trial of a configuration: the policies that its family asks for and this host has."""
    metric = task.family.metric
    policies = known_policies(bench.fs, task.measured.policies)
    return TrialRequest(
        command=task.measured.command,
        environment={**bench.environment, **task.measured.environment},
        policies=policies,
        metric=Metric(kind=metric.kind, better=metric.better, regex=metric.regex),
        rounds=bench.options.rounds,
        timeout_s=task.family.timeout_s,
        min_coverage=bench.options.min_coverage,
        may_change=True,
        pool_bytes=task.measured.pool_bytes,
        ways=ways_of(task, task.measured, policies, bench),
    )


def known_policies(fs: KernelFs, names: tuple[str, ...] | list[str]) -> list[Policy]:
    """Those of the names that this host has: not every host has pages of 2M and 1G."""
    known = {policy.name for policy in policies_of(fs, None)} | {"default"}
    return policies_of(fs, [name for name in names if name in known])


def ways_of(task: Task, configuration: Configuration, policies: list[Policy], bench: Bench) -> list[Way]:
    """How each policy is brought to it: the family's own way where it has one, else the general one."""
    facts = host_facts(bench.fs, may_change=True)
    environment = {**bench.environment, **configuration.environment}
    own_way = task.family.way == "own"
    ways = ways_for(configuration.command, environment, policies, facts, own_way=own_way)
    return [
        _family_way(configuration, way.policy, spec, facts, environment)
        if (spec := configuration.custom.get(way.policy.name))
        else way
        for way in ways
    ]


def _family_way(
    configuration: Configuration, policy: Policy, spec: CustomSpec, facts: HostFacts, environment: Mapping[str, str]
) -> Way:
    """The family's file says everything that is done."""
    (way,) = ways_for(spec.command or configuration.command, environment, [policy], facts, own_way=True)
    return structs.replace(
        way,
        id="family",
        description="as the family's file says",
        environment={**spec.environment, **way.environment},
        thp_disable=spec.thp_disable,
        thp_enabled=spec.thp_enabled,
        shmem_enabled=spec.shmem_enabled,
    )


def _profiles(task: Task, trial: Trial, bench: Bench) -> tuple[list[StateProfile], dict[str, str]]:
    """A profile of each state, and why there is none of the others."""
    environment = {**bench.environment, **task.watched.environment}
    ways = ways_of(task, task.watched, known_policies(bench.fs, task.states), bench)
    profiles, unprofiled = [], {}
    for way in ways:
        why = way.why_unusable or _given_up(trial, way.policy.name)
        if why is None:
            try:
                profiles.append(_profile(task, trial, way, environment, bench))
                continue
            except (NotWatchedError, StartError, SettingError) as error:
                why = str(error)
        unprofiled[way.policy.name] = scrubbed(why, str, bench.places)
    return profiles, unprofiled


def _given_up(trial: Trial, policy: str) -> str | None:
    return next((way.why_unusable for way in trial.ways if way.policy.name == policy), None)


def _profile(task: Task, trial: Trial, way: Way, environment: Mapping[str, str], bench: Bench) -> StateProfile:
    if way.pool_page_bytes is not None:
        bench.settings.pool(way.pool_page_bytes, -(-task.watched.pool_bytes // way.pool_page_bytes))
    watching = watching_of(task, trial, way.policy.name, bench.options)
    with modes_of(way, trial.environment, bench.settings, bench.journal):
        return watch(way, watching, environment, bench.places, bench.journal, bench.fs, bench.stop)


def watching_of(task: Task, trial: Trial, state: str, options: CampaignOptions) -> Watching:
    """When to look, from the shortest run of this policy; from one on base pages where there was none."""
    runs = counted(trial.runs, state) or counted(trial.runs, "base")
    if not runs:
        return Watching(0.0, options.seconds if task.family.fixed_job else options.profile_seconds)
    seen = min(runs, key=lambda run: run.wall_s)
    setup_s = min(seen.setup_s or 0.0, seen.wall_s * LARGEST_SETUP_SHARE)
    if task.family.fixed_job:
        return Watching(setup_s, seen.wall_s - setup_s)
    return Watching(min(setup_s, max(0.0, seen.wall_s - options.seconds)), options.profile_seconds)
