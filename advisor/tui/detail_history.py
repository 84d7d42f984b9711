"""What one process did over time: a curve for each of coverage, memory, faults and CPU, with its numbers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from advisor.render.numbers import UNKNOWN, duration, human_bytes, percent, plural, rate
from advisor.report.close_up import CloseUp, CloseUpMoment
from advisor.tui.ink import Ink

NOT_HERE_YET = "It is on its way. (A screen that is held waits until it goes on.)"

BLOCKS = " ▁▂▃▄▅▆▇█"
"""Eighths of a line."""

LINES, WIDE_LINES = 2, 4
"""Lines of a curve. Reason: five curves fit 24 lines, and 50."""

WIDE_FROM = 120
"""Columns from which curves have WIDE_LINES."""


class Curve(NamedTuple):
    """One value over time. top: what the full height stands for; None: the largest that was seen."""

    title: str
    role: str
    value: Callable[[CloseUpMoment], float | None]
    said: Callable[[float], str]
    top: float | None = None


CURVES = (
    Curve("Huge coverage", "pmd-anon", lambda moment: moment.huge_coverage, percent, 1.0),
    Curve("Resident memory", "hugetlb", lambda moment: moment.rss_bytes, lambda value: human_bytes(int(value))),
    Curve("Minor faults", "medium", lambda moment: moment.minor_faults_per_s, rate),
    Curve("Major faults", "high", lambda moment: moment.major_faults_per_s, rate),
    Curve("CPUs in use", "good", lambda moment: moment.cpu_cores, lambda value: f"{value:.2f}"),
)


def history(ink: Ink, close_up: CloseUp | None) -> RenderableType:
    """All curves and what time they span; or why there is none."""
    if close_up is None:
        return ink.text(NOT_HERE_YET, "muted")
    moments = close_up.history
    if not moments:
        return ink.text("No sample has counters of it.", "muted")
    span = moments[-1].t_s - moments[0].t_s
    over = (
        f"{plural(len(moments), 'sample')} over {duration(span)}" if span else "One sample so far; a rate needs two"
    )
    axis = Table.grid(expand=True)
    axis.add_column()
    axis.add_column(justify="right")
    axis.add_row(ink.text(f"{duration(span)} ago" if span else "", "muted"), ink.text("now", "muted"))
    curves = [Drawn(ink, curve, moments) for curve in CURVES]
    return Group(*curves, axis, ink.text(f"{over}. Blank is not known.", "muted"))


class Drawn:
    """A curve over whatever width there is: its numbers, then its lines."""

    def __init__(self, ink: Ink, curve: Curve, moments: Sequence[CloseUpMoment]) -> None:
        self._ink, self._curve, self._moments = ink, curve, moments

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        ink, curve, width = self._ink, self._curve, options.max_width
        values = [curve.value(moment) for moment in self._moments]
        yield self._numbers(values)
        columns = over_time([moment.t_s for moment in self._moments], values, width)
        for line in lines(columns, curve.top, WIDE_LINES if width >= WIDE_FROM else LINES):
            yield Text(line, ink.style(curve.role), no_wrap=True, overflow="crop")

    def _numbers(self, values: Sequence[float | None]) -> Text:
        known, said = [value for value in values if value is not None], self._curve.said
        now = UNKNOWN if values[-1] is None else said(values[-1])
        span = f"   least {said(min(known))}, most {said(max(known))}" if known else ""
        line = self._ink.join((self._curve.title, "strong"), f"  now {now}", (span, "muted"))
        line.no_wrap, line.overflow = True, "ellipsis"
        return line


def over_time(times: Sequence[float], values: Sequence[float | None], width: int) -> list[float | None]:
    """The value in each of `width` columns of equal time: the largest that ends in it, else the next one to end.

    A value holds from the time before its own up to it. One of a single time has the last column alone.
    """
    begin, span = times[0], times[-1] - times[0]
    if span <= 0:
        return [None] * (width - 1) + [values[-1]]
    columns: list[float | None] = []
    for column in range(width):
        first = bisect_right(times, begin + span * column / width)
        until = bisect_right(times, begin + span * (column + 1) / width)
        if column == width - 1:
            until = len(times)
        here = values[min(first, len(times) - 1) : max(until, first + 1)]
        known = [value for value in here if value is not None]
        columns.append(max(known) if known else None)
    return columns


def lines(values: Sequence[float | None], top: float | None, height: int) -> list[str]:
    """The columns as lines, the upper first; nothing is the lowest mark, unknown a blank."""
    most = top or max((value for value in values if value is not None), default=0.0)
    steps = height * (len(BLOCKS) - 1)
    levels = [
        None if value is None else 1 if most <= 0 else max(round(min(value / most, 1.0) * steps), 1)
        for value in values
    ]
    return [
        "".join(
            BLOCKS[0] if level is None else BLOCKS[min(max(level - (len(BLOCKS) - 1) * row, 0), len(BLOCKS) - 1)]
            for level in levels
        )
        for row in reversed(range(height))
    ]
