"""What was read of one process: who it is, and the features that rules and probes looked at."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table

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
    """Every feature that a reason names as its evidence, then those of probes, by name."""
    read = {name: value for reason in process.recommendation.reasons for name, value in reason.evidence.items()}
    return dict(sorted((read | (process.probes.features if process.probes else {})).items()))


def facts(ink: Ink, process: ProcessEntry) -> RenderableType:
    """Who it is, then features with their values, then what probes cost."""
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
        "",
        ink.heading("Features that the reasons read"),
        _features(ink, features_of(process)),
    ]
    if lines := list(probe_lines(process.probes)):
        parts += ["", ink.heading("Probes"), *map(ink.text, lines)]
    return Group(*parts)


def _features(ink: Ink, features: dict[str, Evidence]) -> RenderableType:
    if not features:
        return ink.text("none", "muted")
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(ratio=1, overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    for name, value in features.items():
        table.add_row(
            ink.text(name, "muted"), ink.text(words.evidence(name, value), "muted" if value is None else "")
        )
    return table
