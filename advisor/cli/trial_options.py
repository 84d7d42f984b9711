"""Which of the two trials is meant by the options given, and what each of them gets."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

PROGRAM = "hugepage-advisor"

COMMAND_ONLY = (
    "policies", "rounds", "metric_regex", "cpu", "ready", "timeout_s", "min_coverage", "ways", "own_way",
    "pool_bytes", "no_hold", "seed",
)  # fmt: skip
"""Options that go with a command."""

LIVE_ONLY = ("metric_command", "metric_kind", "steps", "window_s", "windows")
"""Options that go with --pid."""


def dispatch(
    context: click.Context, command: Sequence[str], given: Mapping[str, Any], output: Path | None, *, width: int
) -> int:
    """Run the trial that is meant; its exit code. Raises UsageError where the options do not go together."""
    if given["pid"] is None:
        _refuse(context, LIVE_ONLY, "goes with --pid")
        if not command:
            raise click.UsageError("say what to run, as in: hugepage-advisor trial -- COMMAND ...", context)
        return _run_command(context, command, given, output, width)
    _refuse(context, COMMAND_ONLY, "goes with a command, not with --pid")
    if command:
        raise click.UsageError("either --pid or a command", context)
    return _run_live(context, given, output, width)


def _refuse(context: click.Context, names: Sequence[str], why: str) -> None:
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in names and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]} {why}", context)


def _run_command(
    context: click.Context, command: Sequence[str], given: Mapping[str, Any], output: Path | None, width: int
) -> int:
    from advisor.cli.trial import CommandRequest, run

    taken = (*COMMAND_ONLY, "better", "assume_yes", "as_json")
    request = CommandRequest(
        roots=context.obj,
        command=command,
        repeat=[PROGRAM, *sys.argv[1:]],
        hold=False if given["no_hold"] else None,
        redact=not given["no_redact"],
        **{name: given[name] for name in taken if name != "no_hold"},
    )
    return run(request, output, width=width)


def _run_live(context: click.Context, given: Mapping[str, Any], output: Path | None, width: int) -> int:
    from advisor.cli.trial_live import LiveRequest, run

    request = LiveRequest(
        roots=context.obj,
        format_name="json" if given["as_json"] else "text",
        redact=not given["no_redact"],
        **{name: given[name] for name in ("pid", "better", "assume_yes", *LIVE_ONLY)},
    )
    run(request, output, width=width)
    return 0
