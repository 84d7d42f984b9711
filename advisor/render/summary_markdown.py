"""A summary as Markdown for a ticket or a wiki."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from advisor.render import summary_words as words
from advisor.render.escape import markdown
from advisor.render.numbers import count, human_bytes
from advisor.report.summary import Summary, Sums

MOST = 40
"""Rows of a table. Source: own choice. Reason: a ticket is read, JSON is processed."""


def render_summary_markdown(summary: Summary) -> str:
    """GitHub-flavoured Markdown, ending in one newline; names are escaped."""
    return "\n\n".join(_blocks(summary)) + "\n"


def _blocks(summary: Summary) -> Iterator[str]:
    yield "# Huge pages on a fleet"
    yield f"**{markdown(words.headline(summary))}**"
    yield "\n".join(f"- {markdown(fact)}" for fact in words.facts(summary))
    yield from _sums("By application", [(words.application(one), one.sums) for one in summary.applications])
    yield from _sums("By host", [(words.host(one), one.sums) for one in summary.hosts])
    yield from _sums("By policy", [(words.policy(one), one.sums) for one in summary.policies])
    short = [(words.host(one), human_bytes(one.sums.boot_only_bytes)) for one in words.short_hosts(summary)]
    yield from _pairs("Hosts that need a boot for their pool pages", ("Host", "At boot only"), short)
    cpu = [(words.change(one), words.saved(one.sums)) for one in summary.top_cpu]
    yield from _pairs("Changes worth most CPU", ("Change", "CPUs saved"), cpu)
    memory = [(words.change(one), words.memory_saved(one)) for one in summary.top_memory]
    yield from _pairs("Changes that save most memory", ("Change", "Memory"), memory)
    yield markdown(words.METHOD)


def _sums(title: str, rows: Sequence[tuple[str, Sums]]) -> Iterator[str]:
    cells = [(label, *(one.text for one in words.cells(sums))) for label, sums in rows]
    yield from _pairs(title, ("", *words.HEADS), cells)


def _pairs(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    yield f"## {title}"
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
    lines += ["| " + " | ".join(map(markdown, row)) + " |" for row in rows[:MOST]]
    yield "\n".join(lines)
    if len(rows) > MOST:
        yield f"And {count(len(rows) - MOST)} more."
