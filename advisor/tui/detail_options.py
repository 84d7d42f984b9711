"""The policies side by side: what each is worth, what it costs, and why it was not chosen."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table

from advisor.render import words
from advisor.report.process import ProcessEntry
from advisor.tui.ink import Ink

CHOSEN = "*"
"""Marks the policy that is advised."""

POLICY = 14
"""Columns of the policies. Reason: "keep THP 2 MiB"; a number of pages goes on a line of its own."""


def alternatives(ink: Ink, process: ProcessEntry) -> RenderableType:
    """One row a policy, the chosen one first."""
    advice = process.recommendation
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 2, 1, 0), header_style=ink.style("heading"))
    table.add_column("", width=1)
    table.add_column("Policy", width=POLICY, overflow="fold")
    for title, ratio in (("Gain", 3), ("Cost", 4), ("Why, or why not", 6)):
        table.add_column(title, ratio=ratio, overflow="fold")
    why = advice.reasons[0].message if advice.reasons else "no reason given"
    table.add_row(
        ink.text(CHOSEN, "good"),
        ink.text(words.advice(advice), "strong"),
        ink.text(words.gain(advice.expected_gain)),
        ink.lines("\n".join(words.costs(advice, process))),
        ink.text(why),
    )
    for other in advice.alternatives:
        table.add_row(
            "",
            ink.text(words.policy(other)),
            ink.text(words.gain(other.expected_gain)),
            ink.lines("\n".join(words.costs(other, process))),
            ink.text(other.why_not),
        )
    only = "" if advice.alternatives else "; no other policy was in question"
    return Group(table, ink.text(f"{CHOSEN} what is advised{only}", "muted"))
