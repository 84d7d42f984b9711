"""The profile pass: a command started once more under one policy, and looked at as the advisor would look at it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from advisor.collect.options import SamplerOptions
from advisor.collect.probe_referenced import DELAYS_S
from advisor.collect.probes import PROBES
from advisor.collect.sampler import Sampler
from advisor.collect.session import make_header, probed_tick
from advisor.procfs.errors import KernelTextError
from advisor.procfs.fs import KernelFs
from advisor.procfs.process import parse_stat
from advisor.profile.model import Sample
from advisor.training.dataset import StateProfile
from advisor.training.scrub import scrubbed_header, scrubbed_sample
from advisor.trial.command import THP_DISABLED, Command, ProcessJournal, StopSignal, subreaper, thp_disabled
from advisor.trial.document import Way

SAMPLES = 3
"""Samples of one state, the last with the probes behind it: what changes between the first two is seen again."""

INTERVAL_S = 1.0
"""Seconds between samples where the program lives long enough."""

SHORTEST_INTERVAL_S = 0.1

AFTER_SETUP_S = 0.3
"""Seconds after set-up before the first sample: the last faults of set-up shall not count as steady ones."""

WATCH_S = AFTER_SETUP_S + (SAMPLES - 1) * INTERVAL_S + sum(DELAYS_S)
"""How long one state is watched at most, set-up apart."""

BUDGET_SHARE = 0.25
"""Share of one CPU that the profiler may take: a campaign wants every walk, a host's owner would not."""

PROBED_PROCESSES = 2
"""The largest processes of the command are probed: advice is about those."""

ORIGIN = "measuring campaign"


class NotWatchedError(Exception):
    """The command did not live long enough, or was not there."""


@dataclass(frozen=True)
class Watching:
    """When to look. setup_s: how long its set-up takes; steady_s: what follows."""

    setup_s: float
    steady_s: float

    @property
    def interval_s(self) -> float:
        return min(INTERVAL_S, max(SHORTEST_INTERVAL_S, self.steady_s / (SAMPLES + 2)))

    def times_s(self) -> list[float]:
        """Seconds from the start at which samples are due."""
        first_s = self.setup_s + min(AFTER_SETUP_S, self.interval_s)
        return [first_s + number * self.interval_s for number in range(SAMPLES)]


def watch(
    way: Way,
    watching: Watching,
    environment: Mapping[str, str],
    places: Mapping[str, str],
    journal: ProcessJournal,
    fs: KernelFs,
    stop: StopSignal | None,
) -> StateProfile:
    """Starts the command, samples it, probes it, ends it. What it allowed to be seen is kept.

    Raises NotWatchedError where that is less than one sample, StartError and StoppedError as the command does.
    """
    inherited = thp_disabled() if way.policy.kind == "default" else 0
    with (
        subreaper(),
        Command(
            way.command,
            {**environment, **way.environment},
            thp_flag=THP_DISABLED if way.thp_disable else inherited,
            ready=None,
            working_folder=None,
            journal=journal,
            fs=fs,
        ) as command,
    ):
        sampler = Sampler(
            fs,
            SamplerOptions(pids=frozenset({command.pid}), budget_share=BUDGET_SHARE, interval_s=watching.interval_s),
        )
        samples, pids = _samples(command, sampler, watching.times_s(), stop)
        if not samples:
            last = command.output.text.strip().rpartition("\n")[2][:200]
            raise NotWatchedError(f"it ended before its set-up was over ({last})")
    header = make_header(sampler, redacted=True, origin=ORIGIN)
    return StateProfile(
        state=way.policy.name,
        header=scrubbed_header(header, places),
        samples=[scrubbed_sample(sample, pids, places) for sample in samples],
    )


def _samples(
    command: Command, sampler: Sampler, times_s: Sequence[float], stop: StopSignal | None
) -> tuple[list[Sample], frozenset[int]]:
    """Samples as long as the command lives, and every process of it that was seen."""
    samples: list[Sample] = []
    seen: set[int] = set()
    for number, time_s in enumerate(times_s, 1):
        if command.wait(time_s, stop):
            break
        command.note_daemons()
        pids = command.tree.pids()
        seen.update(pids)
        sampler.options = dataclasses.replace(sampler.options, pids=frozenset(pids))
        if number < len(times_s):
            samples.append(sampler.tick())
        else:
            samples.append(probed_tick(sampler, PROBES, _largest(sampler.fs, pids)))
    return samples, frozenset(seen)


def _largest(fs: KernelFs, pids: Sequence[int]) -> list[int]:
    """Those with most resident memory. Hugetlb is in no RSS: their virtual size decides between equals."""
    sizes = []
    for pid in pids:
        try:
            stat = fs.parse_process(pid, "stat", parse_stat)
        except KernelTextError:
            continue
        sizes.append((stat.rss_pages, stat.vsize_bytes, pid))
    return [pid for *_, pid in sorted(sizes, reverse=True)[:PROBED_PROCESSES]]
