"""What was read of one process: who it is, what probes cost, and the features that the report has of it."""

from __future__ import annotations

from rich.console import Group, RenderableType

from advisor.render import words
from advisor.render.numbers import UNKNOWN, count
from advisor.render.probe_words import probe_lines
from advisor.report.process import ProcessEntry
from advisor.report.reasons import Evidence
from advisor.tui.ink import Ink

LONGEST_COMMAND = 4000
"""Characters of a command line that are shown. Source: own choice. Reason: two screens; one argument can have
128 KiB (MAX_ARG_STRLEN), all of them 2 MiB, which would be wrapped anew at each tick."""


def features_of(process: ProcessEntry) -> dict[str, Evidence]:
    """Every feature that a reason names as its evidence, and those of probes, by name."""
    read = {name: value for reason in process.recommendation.reasons for name, value in reason.evidence.items()}
    return dict(sorted((read | (process.probes.features if process.probes else {})).items()))


def facts(ink: Ink, process: ProcessEntry) -> RenderableType:
    """Who it is, then what probes cost."""
    command = " ".join(process.command_line) if process.command_line else UNKNOWN
    if len(command) > LONGEST_COMMAND:
        command = f"{command[:LONGEST_COMMAND]} ... and {count(len(command) - LONGEST_COMMAND)} more characters"
    application = process.application
    off = None if process.thp_disabled is None else "yes" if process.thp_disabled else "no"
    parts: list[RenderableType] = [
        ink.heading("Process"),
        ink.facts(
            [
                ("command", command),
                ("executable", process.executable or UNKNOWN),
                ("known", words.identity(process)),
                (
                    "its makers",
                    f"on THP: {application.thp_stance}" if application and application.thp_stance else None,
                ),
                ("THP off", f"{off or UNKNOWN} (prctl PR_SET_THP_DISABLE)"),
            ]
        ),
    ]
    if lines := list(probe_lines(process.probes)):
        parts += ["", ink.heading("Probes"), *map(ink.text, lines)]
    return Group(*parts)
