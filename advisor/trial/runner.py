"""One start of a command under one policy: started fresh, watched, ended with all that it left, judged."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from advisor.procfs.fs import KernelFs
from advisor.trial.command import THP_DISABLED, Command, ProcessJournal, StopSignal, subreaper, thp_disabled
from advisor.trial.document import Metric, Run, Way
from advisor.trial.environment import CpuTimes, cpu_shares, read_cpu_times
from advisor.trial.verdict import MIN_COVERAGE, last_line, metric_value, why_not_counted
from advisor.trial.watch import Seen, Watch

WALL_TIME = Metric(kind="wall", better="lower")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What all runs of a trial have in common.

    environment: the caller's, to which the way adds. timeout_s: a run is ended and not counted after so long.
    ready: the first output line that it matches ends the set-up; None: 95 % of the peak memory does.
    working_folder: None is the caller's own.
    """

    environment: Mapping[str, str]
    metric: Metric = WALL_TIME
    timeout_s: float | None = None
    min_coverage: float = MIN_COVERAGE
    ready: re.Pattern[str] | None = None
    working_folder: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run stands in its trial. trial_began_s: time.monotonic() at the trial's start.

    needed_bytes: most anonymous and shared memory that a run before it took; None: not known.
    """

    round: int
    position: int
    trial_began_s: float
    needed_bytes: int | None = None


def run_once(
    way: Way,
    options: RunOptions,
    place: Place,
    journal: ProcessJournal,
    fs: KernelFs | None = None,
    stop: StopSignal | None = None,
) -> Run:
    """Runs the way's command to its end. Other children of this process are left alone.

    Raises StartError where it cannot be started, StoppedError where `stop` was set; then nothing of it is left.
    """
    fs = fs or KernelFs()
    cpu_before = read_cpu_times(fs)
    started_s = time.monotonic() - place.trial_began_s
    with subreaper(), _command(way, options, journal, fs) as command:
        watch = Watch(fs, command.tree, command.pid, command.elapsed_s, command.note_daemons)
        watch.start()
        try:
            in_time = command.wait(options.timeout_s, stop)
        finally:
            watch.stop()
        cpu_after = read_cpu_times(fs)
        exit_code = command.end()
        return _run(
            way, options, place, command, watch.finish(), (cpu_before, cpu_after), started_s, in_time, exit_code
        )


def _command(way: Way, options: RunOptions, journal: ProcessJournal, fs: KernelFs) -> Command:
    inherited = thp_disabled() if way.policy.kind == "default" else 0
    return Command(
        way.command,
        {**options.environment, **way.environment},
        thp_flag=THP_DISABLED if way.thp_disable else inherited,
        ready=options.ready,
        working_folder=options.working_folder,
        journal=journal,
        fs=fs,
    )


def _run(
    way: Way,
    options: RunOptions,
    place: Place,
    command: Command,
    seen: Seen,
    cpu_times: tuple[CpuTimes | None, CpuTimes | None],
    started_s: float,
    in_time: bool,
    exit_code: int,
) -> Run:
    usage = command.usage()
    cpu_s = usage.ru_utime + usage.ru_stime
    wall_s = command.ended_s or command.elapsed_s()
    output = command.output.text
    value = metric_value(options.metric, output, wall_s, cpu_s)
    setup_s = seen.settled_s if options.ready is None else command.output.ready_s
    other_share, steal_share = cpu_shares(*cpu_times, cpu_s + seen.cpu_s)
    return Run(
        policy=way.policy.name,
        round=place.round,
        position=place.position,
        started_s=started_s,
        wall_s=wall_s,
        user_s=usage.ru_utime,
        system_s=usage.ru_stime,
        exit_code=exit_code,
        value=value,
        setup_s=setup_s,
        steady_s=None if setup_s is None else max(wall_s - setup_s, 0.0),
        minor_faults=usage.ru_minflt,
        major_faults=usage.ru_majflt,
        memory=seen.memory,
        watch_cpu_s=seen.cpu_s,
        other_cpu_share=other_share,
        steal_share=steal_share,
        not_counted=why_not_counted(
            way,
            exit_code=exit_code,
            timed_out_s=None if in_time else options.timeout_s,
            last_line=last_line(output),
            metric=options.metric,
            value=value,
            seen=seen,
            min_coverage=options.min_coverage,
            needed_bytes=place.needed_bytes,
            left=command.left,
        ),
        timed_out=not in_time,
    )
