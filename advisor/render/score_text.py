"""The table of a batch on a terminal: what should change, on which host, what it is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.render.escape import visible
from advisor.render.numbers import UNKNOWN_SHORT, human_bytes, percent, plural
from advisor.render.page import Page, cell
from advisor.render.words import POLICY_WORDS

HOST, NAME, MEMORY, ADVICE, GAIN = 12, 15, 8, 22, 18
"""Widths of the columns: 80 together with their gaps."""


def render_rows(
    rows: Sequence[Mapping[str, Any]], total: int, changes: int, *, width: int, color: bool, unicode: bool
) -> str:
    """The rows that are given, of `total`, of which `changes` should change something."""
    page = Page(width, color=color)
    page.line(f"{plural(total, 'process', 'processes')}, {plural(changes, 'change')} advised.")
    if rows:
        page.blank()
        page.line((_line("HOST", "NAME", "MEMORY", "ADVICE", "LESS TIME"), "bold"))
    for row in rows:
        line = _line(
            visible(row["host"] or UNKNOWN_SHORT),
            visible(row["name"]),
            human_bytes((row["rss_bytes"] or 0) + (row["hugetlb_bytes"] or 0), UNKNOWN_SHORT),
            _advice(row),
            _gain(row),
        )
        page.line((line, "" if row["changes"] else "dim"))
    if total > len(rows):
        page.line(f"... and {plural(total - len(rows), 'more', 'more')}: -o FILE writes all")
    return page.text(unicode=unicode)


def _line(host: str, name: str, memory: str, advice: str, gain: str) -> str:
    return (
        f"{cell(host, HOST)} {cell(name, NAME)} {cell(memory, MEMORY, right=True)}  {cell(advice, ADVICE)} "
        f"{cell(gain, GAIN)}"
    ).rstrip()


def _advice(row: Mapping[str, Any]) -> str:
    size = "" if row["page_bytes"] is None else f" {human_bytes(row['page_bytes'])}"
    pages = "" if row["pages"] is None else f" x {row['pages']:,d}"
    return f"{POLICY_WORDS.get(row['policy'], row['policy'])}{size}{pages}"


def _gain(row: Mapping[str, Any]) -> str:
    if row["gain_median"] is None:
        return UNKNOWN_SHORT
    low, high = (percent(row[name]).removesuffix(" %") for name in ("gain_low", "gain_high"))
    return f"{percent(row['gain_median'])} ({low} to {high} %)"
