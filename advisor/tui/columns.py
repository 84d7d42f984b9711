"""The columns of the process table: what they say, how they sort, which of them fit. Pure functions of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Span, Text

from advisor.render import words
from advisor.render.escape import visible
from advisor.render.numbers import UNKNOWN_SHORT, count, human_bytes, percent
from advisor.render.page import bar_and_share, cell
from advisor.report.process import ExpectedGain, ProcessEntry, RecommendationEntry
from advisor.tui.ink import Ink

Identity = tuple[int, int]
"""(pid, start_ticks)."""

BAR = 5
"""Columns of the bar of huge coverage, as in the text report."""

GAP = 1
"""Columns between two columns."""

POLICY_ROLE = {"leave": "muted", "thp": "good", "thp-off": "medium", "hugetlb": "low"}
"""The look of an advice that changes something; the word says the same."""

ASKED_FOR = "asked-for"
"""What the report names the reasons by which something was asked for; of medium severity where it is denied."""

CONFIDENCE_ORDER = {"high": 2, "medium": 1, "low": 0}


@dataclass(frozen=True)
class Column:
    """width: columns on the screen at least; `grows` takes what is left over. rank: the larger, the sooner it is
    hidden where the screen is narrow. key: sorts upwards, None is unknown and comes last either way. downwards:
    whether the largest comes first when this column is chosen."""

    id: str
    title: str
    width: int
    rank: int
    text: Callable[[ProcessEntry], str]
    key: Callable[[ProcessEntry], Any]
    downwards: bool = True
    right: bool = False
    grows: bool = False
    role: Callable[[ProcessEntry], str] = lambda _: ""


def identity(process: ProcessEntry) -> Identity:
    """Names a process for good, while its pid alone may be used again."""
    return process.pid, process.start_ticks


def application(process: ProcessEntry) -> str:
    """The application that it was recognised as, with its version; empty where it is none that is known."""
    known = process.application
    return "" if known is None else f"{known.name} {known.version}" if known.version else known.name


def gain(expected: ExpectedGain | None) -> str:
    """Less time for the same work, with its interval: 12 % (5 to 19)."""
    if expected is None:
        return UNKNOWN_SHORT
    low, high = round(expected.low * 100), round(expected.high * 100)
    median = f"-{percent(-expected.median)}" if expected.median < 0 else percent(expected.median)
    return f"{median} ({low} to {high})"


def _advice(process: ProcessEntry) -> str:
    return f"{_arrow(process.recommendation)} {words.advice(process.recommendation)}"


def _arrow(advice: RecommendationEntry) -> str:
    """=> where it was asked for, !> where what was asked for, of it or of the host, denies something; else advice."""
    said = [reason.severity for reason in advice.reasons if reason.rule == ASKED_FOR]
    return "->" if not said else "!>" if "medium" in said else "=>"


def _advice_role(process: ProcessEntry) -> str:
    return POLICY_ROLE[process.recommendation.policy] if process.recommendation.changes else "muted"


def _gain_key(process: ProcessEntry) -> float | None:
    expected = process.recommendation.expected_gain
    return None if expected is None else expected.median


COLUMNS = (
    Column("pid", "PID", 7, 0, lambda p: str(p.pid), lambda p: p.pid, downwards=False, right=True),
    Column("name", "NAME", 15, 0, lambda p: p.name, lambda p: p.name.lower(), downwards=False, grows=True),
    Column(
        "application", "APPLICATION", 18, 5, application, lambda p: application(p).lower() or None, downwards=False
    ),
    Column("user", "USER", 10, 9, lambda p: p.user or UNKNOWN_SHORT, lambda p: p.user, downwards=False),
    Column(
        "memory",
        "MEMORY",
        8,
        1,
        lambda p: human_bytes(words.resident_bytes(p), UNKNOWN_SHORT),
        words.resident_bytes,
        right=True,
    ),
    Column(
        "huge",
        "HUGE",
        BAR + 5,
        2,
        lambda p: bar_and_share(p.memory.huge_coverage, BAR),
        lambda p: p.memory.huge_coverage,
    ),
    Column("now", "NOW", 7, 3, words.state, words.state, downwards=False),
    Column("advice", "ADVICE", 25, 0, _advice, lambda p: (p.recommendation.changes, _advice(p)), role=_advice_role),
    Column("gain", "LESS TIME", 17, 4, lambda p: gain(p.recommendation.expected_gain), _gain_key),
    Column(
        "confidence",
        "SURE",
        7,
        6,
        lambda p: p.recommendation.confidence,
        lambda p: CONFIDENCE_ORDER[p.recommendation.confidence],
    ),
    Column(
        "tables",
        "PG TABLES",
        9,
        7,
        lambda p: human_bytes(p.memory.page_table_bytes, UNKNOWN_SHORT),
        lambda p: p.memory.page_table_bytes,
        right=True,
    ),
    Column(
        "pages",
        "PAGES",
        7,
        8,
        lambda p: count(p.recommendation.pages, ""),
        lambda p: p.recommendation.pages,
        right=True,
    ),
    Column(
        "stake",
        "AT STAKE",
        8,
        8,
        lambda p: human_bytes(p.at_stake_bytes, UNKNOWN_SHORT),
        lambda p: p.at_stake_bytes,
        right=True,
    ),
)
"""From left to right."""

BY_ID = {column.id: column for column in COLUMNS}


@dataclass(frozen=True)
class Order:
    """By which column the table is sorted; None is the order of the report: changes first, then what is at stake."""

    column: str | None = None
    downwards: bool = True

    def chosen(self, column: str) -> Order:
        """Another column in its own direction, or the same the other way round."""
        return Order(column, not self.downwards if column == self.column else BY_ID[column].downwards)


def fitting(width: int) -> list[tuple[Column, int]]:
    """The columns that fit, with their widths; the least important are left out first, the name takes the rest."""
    shown = list(COLUMNS)
    while _width(shown) > width and any(column.rank for column in shown):
        shown.remove(max(shown, key=lambda column: column.rank))
    rest = max(width - _width(shown), 0)
    return [(column, column.width + (min(rest, column.width) if column.grows else 0)) for column in shown]


def _width(columns: Sequence[Column]) -> int:
    return sum(column.width + GAP for column in columns) - GAP


def arranged(processes: Iterable[ProcessEntry], order: Order, wanted: str = "") -> list[ProcessEntry]:
    """Those in which each word of `wanted` occurs, in this order. Equals keep the order of the report."""
    needles = wanted.lower().split()
    found = [process for process in processes if not needles or _matches(process, needles)]
    if order.column is None:
        return found if order.downwards else found[::-1]
    key = BY_ID[order.column].key
    keyed = [(key(process), process) for process in found]
    known = sorted((pair for pair in keyed if pair[0] is not None), key=lambda pair: pair[0], reverse=order.downwards)
    return [process for _, process in known] + [process for value, process in keyed if value is None]


def _matches(process: ProcessEntry, needles: Sequence[str]) -> bool:
    """In what the table shows of it, its cgroup and its program, as they are spelt on the screen."""
    hay = " ".join(
        (
            str(process.pid),
            process.name,
            application(process),
            process.user or "",
            process.cgroup or "",
            process.executable or "",
            words.state(process),
            words.advice(process.recommendation),
        )
    )
    hay = visible(hay).lower()
    return all(needle in hay for needle in needles)


def header(ink: Ink, columns: Sequence[tuple[Column, int]], order: Order) -> Text:
    """The titles; that of the column sorted by has an arrow."""
    line = Text()
    for number, (column, width) in enumerate(columns):
        mark = ("▼" if order.downwards else "▲") if column.id == order.column else ""
        line.append(" " * GAP if number else "")
        line.append_text(ink.text(cell(f"{column.title}{mark}", width, right=column.right), "heading"))
    return line


def line(ink: Ink, process: ProcessEntry, columns: Sequence[tuple[Column, int]], *, indent: int = 0) -> Text:
    """One process, its name so far to the right. Names are escaped before they are cut, not half an escape."""
    parts, spans, place = [], [], 0
    for column, width in columns:
        lead = " " * indent if column.id == "name" else ""
        said = cell(visible(lead + column.text(process)), width, right=column.right)
        if style := ink.style(column.role(process)):
            spans.append(Span(place, place + len(said), style))
        parts.append(said)
        place += len(said) + GAP
    return Text((" " * GAP).join(parts), spans=spans)


def column_at(columns: Sequence[tuple[Column, int]], x: int) -> Column | None:
    """The column at this place of the header."""
    left = 0
    for column, width in columns:
        if left <= x < left + width + GAP:
            return column
        left += width + GAP
    return None
