"""The policies side by side: what each is worth, what it costs, and why it was not chosen."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table

from advisor.render import words
from advisor.render.numbers import UNKNOWN, human_bytes
from advisor.report.process import Alternative, ProcessEntry
from advisor.tui.ink import Ink


def alternatives(ink: Ink, process: ProcessEntry) -> RenderableType:
    """One row a policy, the chosen one first."""
    advice = process.recommendation
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 2, 1, 0), header_style=ink.style("heading"))
    table.add_column("Policy", width=18)
    table.add_column("Gain", ratio=3)
    table.add_column("Cost in memory", ratio=3)
    table.add_column("Why, or why not", ratio=6)
    why = advice.reasons[0].message if advice.reasons else "no reason given"
    table.add_row(
        ink.join((words.advice(advice), "strong"), ("\N{NO-BREAK SPACE}*", "strong")),
        ink.text(words.gain(advice.expected_gain)),
        ink.text(words.bloat(advice)),
        ink.text(why),
    )
    for other in advice.alternatives:
        table.add_row(
            ink.text(_policy(other)),
            ink.text(words.gain(other.expected_gain)),
            ink.text(_cost(other, process)),
            ink.text(other.why_not),
        )
    note = "* what is advised" if advice.alternatives else "* what is advised; no other policy was in question"
    return Group(table, ink.text(note, "muted"))


def _policy(other: Alternative) -> str:
    size = "" if other.page_bytes is None else f" {human_bytes(other.page_bytes)}"
    return f"{words.POLICY_WORDS.get(other.policy, other.policy)}{size}"


def _cost(other: Alternative, process: ProcessEntry) -> str:
    """What can be said from the report: the forecast is for THP; leaving as it is, or THP off, adds nothing."""
    if other.policy in ("leave", "thp-off"):
        return "no growth of memory"
    forecast = process.bloat_forecast
    if other.policy == "thp" and forecast is not None:
        return f"memory may grow by up to {human_bytes(forecast.fault_most_bytes)} (counted page by page)"
    return UNKNOWN
