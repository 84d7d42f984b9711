"""A summary as text for a terminal, and as the document in JSON."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.render import summary_words as words
from advisor.render.escape import visible
from advisor.render.json import ascii_json
from advisor.render.numbers import count, human_bytes
from advisor.render.page import Page, cell
from advisor.report.summary import Summary, Sums, encode_summary

MOST = 12
"""Lines of a table. Source: own choice. Reason: the whole summary is two screens; JSON has all."""

NARROWEST = 72
COUNTS, SAVED, SIZE = 7, 20, 8
"""Columns of the narrowest page, and of the numbers."""


def render_summary_json(summary: Summary) -> str:
    """The whole document, as `render_json` writes a report."""
    return ascii_json(encode_summary(summary))


def render_summary_text(summary: Summary, width: int = 80, *, color: bool = False, unicode: bool = True) -> str:
    """The headline, the tables and the best changes, at any width."""
    page = Page(max(width, NARROWEST), color=color)
    page.hanging("", (visible(words.headline(summary)), "bold"))
    for fact in words.facts(summary):
        page.hanging("· ", visible(fact))
    _table(page, "By application", [(words.application(one), one.sums) for one in summary.applications])
    _table(page, "By host", [(words.host(one), one.sums) for one in summary.hosts])
    _table(page, "By policy", [(words.policy(one), one.sums) for one in summary.policies])
    short = words.short_hosts(summary)
    if short:
        page.heading("Hosts that need a boot for their pool pages")
        for one in short[:MOST]:
            page.hanging("· ", visible(f"{words.host(one)}: {human_bytes(one.sums.boot_only_bytes)}"))
        _more(page, len(short))
    cpu = [(words.saved(one.sums), words.change(one)) for one in summary.top_cpu]
    _changes(page, "Changes worth most CPU", cpu)
    memory = [(words.memory_saved(one), words.change(one)) for one in summary.top_memory]
    _changes(page, "Changes that save most memory", memory)
    page.blank()
    page.hanging("", (words.METHOD, "dim"))
    return page.text(unicode=unicode)


def _table(page: Page, title: str, rows: Sequence[tuple[str, Sums]]) -> None:
    page.heading(title)
    name = page.width - 2 * (COUNTS + 1) - SAVED - 3 * (SIZE + 1) - 1
    page.line((_line(name, "", ["CHANGES", "OF", "CPUS SAVED", "POOLS", "TABLES", "BLOAT"]), "bold"))
    for label, sums in rows[:MOST]:
        _, changes, saved, _, pools, tables, growth = (one.text.replace(" + ?", "+") for one in words.cells(sums))
        page.line(_line(name, visible(label), [changes, count(sums.processes), saved, pools, tables, growth]))
    _more(page, len(rows))


def _line(name: int, label: str, values: Sequence[str]) -> str:
    widths = (COUNTS, COUNTS, SAVED, SIZE, SIZE, SIZE)
    numbers = (cell(text, width, right=True) for text, width in zip(values, widths, strict=True))
    return f"{cell(label, name)} {' '.join(numbers)}"


def _changes(page: Page, title: str, changes: Sequence[tuple[str, str]]) -> None:
    if changes:
        page.heading(title)
        for value, text in changes[:MOST]:
            page.line(cell(value, SAVED, right=True), "  ", visible(text))
        _more(page, len(changes))


def _more(page: Page, rows: int) -> None:
    if rows > MOST:
        page.line(f"... and {count(rows - MOST)} more")
