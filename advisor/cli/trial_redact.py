"""Secrets out of a trial, so that it can be attached to a ticket: command lines, variables, words of output."""

from __future__ import annotations

from msgspec.structs import replace

from advisor.profile.redact import redact_command_line
from advisor.trial.document import Caveat, Run, Trial, Way
from advisor.trial.summary import compare


def redact_trial(trial: Trial) -> Trial:
    """The trial with secrets hidden; its conclusions are drawn again, so that they quote what is left."""
    ways = [_redact_way(way) for way in trial.ways]
    runs = [_redact_run(run) for run in trial.runs]
    return replace(
        trial,
        command=redact_command_line(trial.command),
        ways=ways,
        runs=runs,
        comparisons=compare(runs, ways, trial.metric.better),
        warnings=[Caveat(caveat.id, _redact_text(caveat.message)) for caveat in trial.warnings],
    )


def _redact_way(way: Way) -> Way:
    return replace(
        way,
        description=_redact_text(way.description),
        command=redact_command_line(way.command),
        environment={name: _redact_variable(name, value) for name, value in way.environment.items()},
        why_unusable=None if way.why_unusable is None else _redact_text(way.why_unusable),
    )


def _redact_run(run: Run) -> Run:
    return run if run.not_counted is None else replace(run, not_counted=_redact_text(run.not_counted))


def _redact_variable(name: str, value: str) -> str:
    return redact_command_line([f"{name}={value}"])[0].removeprefix(f"{name}=")


def _redact_text(text: str) -> str:
    return redact_command_line([text])[0]
