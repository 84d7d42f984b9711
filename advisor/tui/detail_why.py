"""Why memory of one process is not on huge pages: a bar for each reason, and what would help."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from advisor.render import why_words, words
from advisor.render.numbers import human_bytes, percent, plural
from advisor.render.page import bar
from advisor.report.process import ProcessEntry, WhyNotHuge
from advisor.tui.ink import Ink

BAR = 20
"""Columns of the bars. Reason: 5 % steps, and half of 80 columns stays for words."""


def why_not_huge(ink: Ink, process: ProcessEntry) -> RenderableType:
    """The reasons, the largest first as in the report; bars are shares of all memory that has a reason."""
    reasons = process.why_not_huge
    if not reasons:
        return _nothing(ink, process)
    whole = sum(reason.bytes or 0 for reason in reasons)
    lead = (
        f"{human_bytes(whole)} on base pages, by what keeps it there" if whole else "No memory on base pages has one"
    )
    parts: list[RenderableType] = [ink.heading(lead), ""]
    for reason in reasons:
        parts += [_reason(ink, reason, whole), ""]
    return Group(*parts)


def _nothing(ink: Ink, process: ProcessEntry) -> Text:
    if process.memory.thp_eligible_bytes is None:
        return ink.text("Unknown: the mappings of this process were not read.", "muted")
    return ink.text(
        f"Nothing to say: {words.state(process)}, and no memory that a huge page could hold is left.", "muted"
    )


def _reason(ink: Ink, reason: WhyNotHuge, whole: int) -> Table:
    share = None if reason.bytes is None else reason.bytes / whole if whole else 0.0
    where = "" if reason.vmas is None else f" in {plural(reason.vmas, 'VMA')}"
    said = f"  {why_words.amount(reason)}{where}"
    left = ink.text(bar(share, BAR), "base") if share is not None else ink.text("size unknown", "muted")
    lines = [
        ink.join(
            (why_words.title(reason), "strong"),
            said,
            (f"  {percent(share).replace(' ', '')}" if share else "", "muted"),
        )
    ]
    if help_text := why_words.advice(reason):
        lines.append(ink.text(help_text))
    return ink.hanging(left, *lines, width=BAR)
