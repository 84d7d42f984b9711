"""A summary as one web page: no network, no file beside it; a script of its own sorts the tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from advisor.render import summary_words as words
from advisor.render.numbers import human_bytes
from advisor.render.web_page import TEMPLATES, allowed, source
from advisor.report.summary import Change, Cores, Summary, Sums

MOST = 1000
"""Rows of a table. Source: own choice. Reason: a browser sorts and prints them at once; JSON has all."""

MOST_BARS = 12
WIDTH, LINE, LABEL, AXIS = 760, 26, 230, 24
"""Size of a plot: its bars, columns and rows in units of its own; it is as wide as the page."""

LABEL_CHARS = 28
"""Characters of a label beside a bar; the tables have all of it."""


class Table(NamedTuple):
    """One table. rows: label, cells. more: rows that are left out."""

    title: str
    heads: Sequence[str]
    rows: Sequence[tuple[str, Sequence[words.Cell]]]
    more: int


class Bar(NamedTuple):
    """One bar with its interval, in the units of the plot."""

    y: float
    label: str
    says: str
    x: float
    width: float
    low: float
    high: float


class Plot(NamedTuple):
    """Bars over a common axis. zero: where nothing is saved; ends: values at both ends of the axis."""

    title: str
    bars: Sequence[Bar]
    height: float
    zero: float
    ends: tuple[str, str]


def render_summary_html(summary: Summary) -> str:
    """The page. Foreign names are made visible, then escaped by the template. Ends in one newline."""
    style, script = source("page.css", "summary.css"), source("summary.js")
    page = TEMPLATES.get_template("summary.html.j2").render(
        headline=words.headline(summary),
        facts=words.facts(summary),
        method=words.METHOD,
        plots=[plot for plot in (_applications(summary), _policies(summary), _changes(summary)) if plot],
        tables=[table for table in _tables(summary) if table.rows],
        tool=summary.tool,
        width=WIDTH,
        label=LABEL,
        style=style,
        script=script,
        style_hash=allowed(style),
        script_hash=allowed(script),
    )
    return page.rstrip() + "\n"


def _tables(summary: Summary) -> list[Table]:
    cpu = [(words.change(one), [words.cells(one.sums)[2]]) for one in summary.top_cpu]
    memory = [(words.change(one), [words.Cell(words.memory_saved(one), _memory(one))]) for one in summary.top_memory]
    short = [
        (words.host(one), [words.Cell(human_bytes(one.sums.boot_only_bytes), one.sums.boot_only_bytes)])
        for one in words.short_hosts(summary)
    ]
    return [
        _sums("By application", "Application", [(words.application(one), one.sums) for one in summary.applications]),
        _sums("By host", "Host", [(words.host(one), one.sums) for one in summary.hosts]),
        _sums("By policy", "Policy", [(words.policy(one), one.sums) for one in summary.policies]),
        _table("Changes worth most CPU", ("Change", "CPUs saved"), cpu),
        _table("Changes that save most memory", ("Change", "Memory"), memory),
        _table("Hosts that need a boot for their pool pages", ("Host", "At boot only"), short),
    ]


def _memory(change: Change) -> float:
    return change.sums.page_table_saved_bytes + change.sums.growth_prevented_bytes


def _sums(title: str, first: str, rows: Sequence[tuple[str, Sums]]) -> Table:
    return _table(title, (first, *words.HEADS), [(label, words.cells(sums)) for label, sums in rows])


def _table(title: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[words.Cell]]]) -> Table:
    return Table(title, heads, rows[:MOST], max(len(rows) - MOST, 0))


def _applications(summary: Summary) -> Plot | None:
    return _plot("CPUs saved by application", [(words.application(one), one.sums) for one in summary.applications])


def _policies(summary: Summary) -> Plot | None:
    return _plot("CPUs saved by policy", [(words.policy(one), one.sums) for one in summary.policies])


def _changes(summary: Summary) -> Plot | None:
    return _plot("CPUs saved by change", [(words.who(one), one.sums) for one in summary.top_cpu])


def _plot(title: str, rows: Sequence[tuple[str, Sums]]) -> Plot | None:
    """The largest that are known; None where there is none."""
    known = [(label, sums, sums.saved_cores) for label, sums in rows if sums.changes and sums.saved_cores is not None]
    known = sorted(known, key=lambda row: -_median(row[2]))[:MOST_BARS]
    spans = [saved for _, _, saved in known if saved is not None]
    if not spans:
        return None
    least, most = min(0.0, *(one.low for one in spans)), max(0.0, *(one.high for one in spans))
    scale = (WIDTH - LABEL - 10) / ((most - least) or 1.0)

    def at(value: float) -> float:
        return round(LABEL + (value - least) * scale, 2)

    bars = []
    for number, (label, sums, saved) in enumerate(known):
        median = _median(saved)
        begin, end = sorted((at(0.0), at(median)))
        assert saved is not None  # noqa: S101 (filtered above)
        shown = label if len(label) <= LABEL_CHARS else label[: LABEL_CHARS - 1] + "…"
        says = f"{label}: {words.saved(sums)} CPUs saved"
        bars.append(Bar(number * LINE, shown, says, begin, round(end - begin, 2), at(saved.low), at(saved.high)))
    ends = (words.cores(least), words.cores(most))
    return Plot(title, bars, len(bars) * LINE + AXIS, at(0.0), ends)


def _median(saved: Cores | None) -> float:
    return 0.0 if saved is None else saved.median
