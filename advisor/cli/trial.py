"""`trial -- COMMAND`: run it in turns under each page policy, print what each gives, leave the host as it was."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from advisor.cli.errors import CommandError, ExitCode
from advisor.cli.output import Look, check_output, look_of, write_output
from advisor.cli.talk import say, say_in_passing
from advisor.procfs.deadline_fs import DeadlineFs
from advisor.procfs.errors import KernelTextError
from advisor.procfs.fs import KernelFs

if TYPE_CHECKING:
    from advisor.trial.document import Metric, Policy, Trial
    from advisor.trial.trial import Progress, TrialRequest
    from advisor.trial.ways import CustomWay


@dataclasses.dataclass(frozen=True)
class CommandRequest:
    """What was asked. roots: (procfs, sysfs). policies: as typed, "base,thp,2M"; None: all that this host has.

    metric_regex, cpu: neither means wall time. better: None is the direction of a time. ways: "POLICY: WORDS".
    min_coverage: None is the harness's own. repeat: the words of this very command line.
    """

    roots: tuple[str, str]
    command: Sequence[str]
    policies: str | None = None
    rounds: int = 7
    metric_regex: str | None = None
    cpu: bool = False
    better: str | None = None
    ready: str | None = None
    timeout_s: float | None = None
    min_coverage: float | None = None
    ways: Sequence[str] = ()
    own_way: bool = False
    pool_bytes: int | None = None
    hold: bool | None = None
    assume_yes: bool = False
    as_json: bool = False
    redact: bool = True
    seed: int = 0
    repeat: Sequence[str] = dataclasses.field(default_factory=list)


def run(request: CommandRequest, output: Path | None, *, width: int) -> int:
    """Measure, print; the exit code says whether it was interrupted, or ended because somebody else set what it
    had set. Raises CommandError, UsageError."""
    with closing(DeadlineFs(*request.roots)) as fs:
        return _run(request, output, fs, width=width)


def _run(request: CommandRequest, output: Path | None, fs: KernelFs, *, width: int) -> int:
    from advisor.trial.command import StartError
    from advisor.trial.document import CONTESTED
    from advisor.trial.errors import SettingError
    from advisor.trial.groups import OTHER_PIDS, sees_itself
    from advisor.trial.journal import Journal
    from advisor.trial.trial import run_trial

    if not fs.is_live:
        raise click.UsageError("a trial runs on this host: it cannot be made in a captured tree")
    if not sees_itself():
        raise CommandError(f"a trial follows what it starts: {OTHER_PIDS}", ExitCode.UNUSABLE)
    if shutil.which(request.command[0]) is None:
        raise CommandError(f"{request.command[0]}: no such program, or it may not be executed", ExitCode.TARGET)
    check_output(output)
    may_change = ask(request, fs)
    line = ProgressLine()
    try:
        with Journal() as journal:
            trial = run_trial(_trial_request(request, fs, may_change), journal, line.show, fs)
    except StartError as error:
        raise CommandError(str(error), ExitCode.TARGET) from error
    except SettingError as error:
        raise CommandError(str(error), ExitCode.FAILED) from error
    except KernelTextError as error:  # without /proc nobody can follow what the command starts
        raise CommandError(f"a trial needs to read this: {error}", ExitCode.UNUSABLE) from error
    finally:
        line.clear()
    for problem in journal.problems:
        say(f"hugepage-advisor: {problem}")
    repeat = repeat_words(request, may_change)
    if request.redact:
        from advisor.cli.trial_redact import redact_trial
        from advisor.profile.redact import redact_command_line

        trial, repeat = redact_trial(trial), redact_command_line(repeat)
    write_output(render(trial, request, repeat, width, look_of(output)), output)
    if any(one.id == CONTESTED for one in trial.warnings):
        return ExitCode.FAILED
    return ExitCode.INTERRUPTED if trial.interrupted else ExitCode.DONE


def _trial_request(request: CommandRequest, fs: KernelFs, may_change: bool) -> TrialRequest:
    """The harness's request; what is wrong with the options is said before anything is started."""
    from advisor.trial.trial import TrialRequest
    from advisor.trial.verdict import MIN_COVERAGE

    policies = _policies(request, fs)
    return TrialRequest(
        command=request.command,
        environment=os.environ.copy(),
        policies=policies,
        metric=_metric(request),
        rounds=request.rounds,
        timeout_s=request.timeout_s,
        min_coverage=MIN_COVERAGE if request.min_coverage is None else request.min_coverage,
        ready=_pattern("--ready", request.ready),
        custom=_custom(request, policies),
        own_way=request.own_way,
        may_change=may_change,
        hold=request.hold,
        pool_bytes=request.pool_bytes,
        seed=request.seed,
    )


def _policies(request: CommandRequest, fs: KernelFs) -> list[Policy]:
    from advisor.trial.ways import policies_of

    names = (
        None if request.policies is None else [name.strip() for name in request.policies.split(",") if name.strip()]
    )
    try:
        return policies_of(fs, names)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _metric(request: CommandRequest) -> Metric:
    from advisor.trial.document import Metric

    if request.metric_regex is None:
        if request.better is not None:
            raise click.UsageError(
                "--higher-is-better and --lower-is-better go with --metric; a time is better lower"
            )
        return Metric("cpu" if request.cpu else "wall", "lower")
    if request.cpu:
        raise click.UsageError("--metric and --cpu exclude each other")
    if request.better is None:
        raise click.UsageError("--metric needs --higher-is-better or --lower-is-better")
    _pattern("--metric", request.metric_regex)
    return Metric("output", "higher" if request.better == "higher" else "lower", request.metric_regex)


def _pattern(option: str, text: str | None) -> re.Pattern[str] | None:
    try:
        return None if text is None else re.compile(text)
    except re.error as error:
        raise click.UsageError(f"{option}: {text!r} is no regular expression: {error}") from None


def _custom(request: CommandRequest, policies: Sequence[Policy]) -> Mapping[str, CustomWay]:
    from advisor.trial.ways import parse_custom_way

    known = {policy.name for policy in policies}
    try:
        ways = dict(map(parse_custom_way, request.ways))
    except ValueError as error:
        raise click.UsageError(f"--way: {error}") from None
    named = {name if name in known else f"pool-{name}": way for name, way in ways.items()}
    for name, full in zip(ways, named, strict=True):
        if full not in known:
            raise click.UsageError(f"--way: no policy {name!r} in this trial; there are {', '.join(sorted(known))}")
    return named


def ask(request: CommandRequest, fs: KernelFs) -> bool:
    """Says which settings have to change and who feels it; asks where that is open and there is somebody to ask.

    False leaves them alone. Raises UsageError.
    """
    from advisor.cli.trial_changes import effects_on_others, settings_needed
    from advisor.trial.ways import host_facts, ways_for

    asked = _trial_request(request, fs, may_change=False)
    facts = host_facts(fs, may_change=True)
    could = dataclasses.replace(facts, root=True)
    try:
        ways = ways_for(asked.command, asked.environment, asked.policies, could, asked.custom, own_way=asked.own_way)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    needed = settings_needed(ways, fs, request.pool_bytes)
    if not needed:
        return request.assume_yes
    if not facts.root:
        why = "only root can try those" if os.geteuid() else "/sys is read-only here, so those cannot be tried"
        say(f"Some policies need other settings of this host; {why}.")
        return False
    are = "are" if request.assume_yes else "would be"
    say(f"For some policies settings of this host {are} changed, and put back at the end:")
    for line in needed:
        say(f"  {line}")
    for line in effects_on_others(ways):
        say(line)
    if request.assume_yes:
        return True
    if sys.stdin.isatty() and sys.stderr.isatty():
        return click.confirm("Change them during the trial?", default=False, err=True)
    say("Not changed without --yes: what cannot be tried without it is left out.")
    return False


def repeat_words(request: CommandRequest, may_change: bool) -> list[str]:
    """This command line; with --yes where that was answered when asked."""
    words = list(request.repeat)
    if may_change and not request.assume_yes and "trial" in words:
        words.insert(words.index("trial") + 1, "--yes")
    return words


class ProgressLine:
    """A line on stderr that rewrites itself, each as long as the one before at least."""

    def __init__(self) -> None:
        self._columns = 0

    def show(self, progress: Progress) -> None:
        """One event of the trial."""
        block = "warm-up" if progress.round == 0 else f"round {progress.round}"
        took = "" if progress.run is None else f", {progress.run.wall_s:.3g} s"
        self._write(f"{progress.done} of {progress.total} runs; {progress.policy}, {block}{took}")

    def clear(self) -> None:
        """Leaves an empty line behind for what is printed next."""
        if self._columns:
            self._write("")
            say_in_passing("")

    def _write(self, text: str) -> None:
        say_in_passing(f"{text:<{self._columns}}")
        self._columns = len(text)


def render(trial: Trial, request: CommandRequest, repeat: Sequence[str], width: int, look: Look) -> str:
    """The trial in the format asked for."""
    if request.as_json:
        from advisor.render.trial_json import render_trial_json

        return render_trial_json(trial)
    from advisor.render.trial_text import render_trial_text

    return render_trial_text(trial, repeat=repeat, width=width, **look)
