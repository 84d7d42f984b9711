"""`trial --pid N`: say what it will do, ask, try it on the running process, print what came of it."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from advisor.cli.errors import CommandError, ExitCode
from advisor.cli.output import Look, check_output, look_of, write_output
from advisor.cli.talk import say, say_in_passing
from advisor.interrupts import stop_when_interrupted
from advisor.procfs.deadline_fs import DeadlineFs
from advisor.procfs.errors import DeniedError, GoneError, KernelTextError
from advisor.procfs.fs import KernelFs
from advisor.render.escape import visible

if TYPE_CHECKING:
    from advisor.trial.collapse import CollapseError, Target
    from advisor.trial.live import LiveOptions, Progress
    from advisor.trial.live_document import LiveMetric, LiveTrial
    from advisor.trial.live_prepare import Prepared


@dataclass(frozen=True)
class LiveRequest:
    """What was asked. roots: (procfs, sysfs). steps: percentages of the eligible memory, growing ("25,50,100").

    metric_kind: what the number of metric_command is (rate where None). better: which way it points (higher where
    None). windows: at each dose. format_name: text | json. redact: secrets in metric_command are
    hidden in the document.
    """

    roots: tuple[str, str]
    pid: int
    metric_command: str | None = None
    metric_kind: Literal["rate", "counter"] | None = None
    better: Literal["lower", "higher"] | None = None
    steps: str = "25,50,100"
    window_s: float = 1.0
    windows: int = 8
    assume_yes: bool = False
    format_name: str = "text"
    redact: bool = True


def run(request: LiveRequest, output: Path | None, *, width: int) -> None:
    """Raises CommandError with a documented exit code; what was measured by then is printed before."""
    with closing(DeadlineFs(*request.roots)) as fs:
        _run(request, output, fs, width=width)


def _run(request: LiveRequest, output: Path | None, fs: KernelFs, *, width: int) -> None:
    from advisor.trial.collapse import CollapseError, Target
    from advisor.trial.groups import OTHER_PIDS, sees_itself
    from advisor.trial.live_prepare import LiveRefusedError, prepare

    if not fs.is_live:
        raise CommandError("trial --pid needs the live /proc and /sys", ExitCode.USAGE)
    if not sees_itself():
        raise CommandError(f"trial --pid: {OTHER_PIDS}", ExitCode.UNUSABLE)
    check_output(output)
    options, steps = options_of(request), steps_of(request)
    try:
        with Target(request.pid) as target:
            prepared = prepare(fs, target, steps)
            check_metric(request)
            confirm(prepared, options, assume_yes=request.assume_yes)
            made = measure(fs, target, prepared, options)
    except CollapseError as error:
        raise target_error(error) from error
    except LiveRefusedError as error:
        raise CommandError(visible(str(error)), ExitCode.FAILED) from error
    except (GoneError, DeniedError) as error:
        raise CommandError(f"process {request.pid}: {error.reason} ({error})", ExitCode.TARGET) from error
    except KernelTextError as error:
        raise CommandError(visible(str(error)), ExitCode.FAILED) from error
    write_output(render(made, request, width, look_of(output)), output)
    if made.ended == "interrupted":
        raise CommandError("interrupted; what was measured by then is printed", ExitCode.INTERRUPTED)
    if made.ended == "gone":
        raise CommandError(f"process {request.pid} exited; what was measured by then is printed", ExitCode.TARGET)
    if made.ended == "tight-memory":
        raise CommandError("memory got tight; what was measured by then is printed", ExitCode.FAILED)


def steps_of(request: LiveRequest) -> tuple[float, ...]:
    from advisor.trial.dose import parse_steps

    try:
        return parse_steps(request.steps)
    except ValueError as error:
        raise CommandError(f"--steps {request.steps}: {error}", ExitCode.USAGE) from error


def options_of(request: LiveRequest) -> LiveOptions:
    from advisor.trial.live import LiveOptions

    return LiveOptions(metric=metric_of(request), window_s=request.window_s, windows=request.windows)


def metric_of(request: LiveRequest) -> LiveMetric | None:
    from advisor.trial.live_document import LiveMetric

    if request.metric_command is None:
        return None
    return LiveMetric(request.metric_command, request.metric_kind or "rate", request.better or "higher")


def check_metric(request: LiveRequest) -> None:
    """A metric command that does not work is a matter for now, not for the end of the trial."""
    from advisor.trial.metric_command import MetricError, read_metric

    if request.metric_command is None:
        return
    try:
        read_metric(request.metric_command, request.pid)
    except MetricError as error:
        raise CommandError(f"--metric-cmd {visible(str(error))}", ExitCode.USAGE) from error


def target_error(error: CollapseError) -> CommandError:
    code = ExitCode.FAILED if error.reason == "unsupported" else ExitCode.TARGET
    return CommandError(str(error), code)


def confirm(prepared: Prepared, options: LiveOptions, *, assume_yes: bool) -> None:
    """Say on stderr what will be done and what will stay; ask on a terminal. Raises CommandError without consent."""
    from advisor.render.live_text import plan_lines

    for line in plan_lines(prepared.plan(options.window_s, options.windows)):
        say(line)
    if assume_yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CommandError("nothing was changed; pass --yes to go ahead", ExitCode.USAGE)
    if not click.confirm("Go ahead?", default=False, err=True):
        raise CommandError("nothing was changed", ExitCode.USAGE)


def measure(fs: KernelFs, target: Target, prepared: Prepared, options: LiveOptions) -> LiveTrial:
    """The trial, with a line of progress on a terminal; the first Ctrl-C ends it early."""
    from advisor.trial.environment import read_environment
    from advisor.trial.live import run_live

    try:
        with stop_when_interrupted() as stop:
            return run_live(fs, target, prepared, options, read_environment(fs), stop, report_progress)
    finally:
        say_in_passing("\n")


def report_progress(progress: Progress) -> None:
    """A line that rewrites itself."""
    what = f"window {progress.windows}" if progress.windows else "collapsing"
    say_in_passing(f"{progress.dose:4.0%} on huge pages: {what}    ")


def render(made: LiveTrial, request: LiveRequest, width: int, look: Look) -> str:
    """The document in the format asked for, without the secrets of the metric command."""
    if request.redact:
        from advisor.trial.live_redact import without_secrets

        made = without_secrets(made)
    if request.format_name == "json":
        from advisor.render.live_text import render_live_json

        return render_live_json(made)
    from advisor.render.live_text import render_live_text

    return render_live_text(made, width=width, **look)
