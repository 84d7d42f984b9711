"""What is drawn with characters: gauges, curves, sliders, and lines that fit. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from advisor.tui.ink import Ink

GAUGE = 10
"""Columns of a gauge."""

BLOCKS = "▁▂▃▄▅▆▇█"
"""The lowest stands for nothing."""

NO_VALUE = "."
"""In a curve: a value that is unknown, or of before the first sample."""

SEPARATOR = " · "

Part = Text | Sequence[Text]
"""One thing to say on a line; or several ways to say it, the longest first."""


def fitted(ink: Ink, label: Text, needed: Sequence[Part], more: Sequence[Part], width: int) -> Text:
    """A line: the label, then all that is needed, said so shortly that it fits; of the rest as much as fits.

    What is needed and does not fit even at its shortest is left out from the end; the first part is cut.
    """
    ways = [[part] if isinstance(part, Text) else list(part) for part in needed]
    for place in reversed(range(len(ways))):
        while len(ways[place]) > 1 and _width(label, [way[0] for way in ways]) > width:
            ways[place] = ways[place][1:]
    said: list[Text] = []
    for ready in [way[0] for way in ways]:
        if not said or _width(label, [*said, ready]) <= width:
            said.append(ready)
    for part in more:
        for way in [part] if isinstance(part, Text) else part:
            if _width(label, [*said, way]) <= width:
                said.append(way)
                break
    line = label.copy()
    for number, one in enumerate(said):
        line = ink.join(line, (SEPARATOR, "muted"), one) if number else ink.join(line, one)
    line.truncate(width, overflow="ellipsis")
    return line


def _width(label: Text, parts: Sequence[Text]) -> int:
    return label.cell_len + sum(part.cell_len for part in parts) + len(SEPARATOR) * (len(parts) - 1)


def gauge(ink: Ink, parts: Sequence[tuple[float, str, str]]) -> Text:
    """Shares of a whole, each with its own look and its own mark; what is more than nothing shows."""
    drawn, left = Text(), GAUGE
    for share, role, mark in parts:
        columns = min(max(round(share * GAUGE), 1 if share > 0 else 0), left)
        drawn.append_text(ink.text(mark * columns, role))
        left -= columns
    return drawn.append_text(ink.text("░" * left, "muted"))


def sparkline(values: Sequence[float | None], width: int, most: float | None = None) -> str:
    """The newest values as a curve from nothing to `most`, or to the largest of them."""
    shown = list(values[-width:])
    top = max((value for value in shown if value is not None), default=0.0) if most is None else most
    marks = [
        NO_VALUE
        if value is None
        else BLOCKS[0]
        if top <= 0
        else BLOCKS[round(min(value / top, 1) * (len(BLOCKS) - 1))]
        for value in shown
    ]
    return "".join(marks).rjust(width, NO_VALUE)


def slider(position: int, length: int, width: int) -> str:
    """Where in the recording: a knob on a rail."""
    place = round((position - 1) / max(length - 1, 1) * (width - 1))
    return "─" * place + "●" + "─" * (width - 1 - place)


def place_on_slider(x: int, length: int, width: int) -> int:
    """The sample, from 1, under column x of a slider."""
    return 1 + round(min(max(x, 0), width - 1) / max(width - 1, 1) * (length - 1))
