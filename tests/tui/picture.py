"""What is on the screen as an SVG: for snapshots, and for the pictures of the documentation.

Textual's own SVG names its styles by number and its parts by a checksum of everything, so one changed word changes
every line of the file. Here a line of the screen is a line of the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple
from xml.sax.saxutils import escape

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual._context import visible_screen_stack
from textual.app import App
from textual.pilot import Pilot

from tests.tui.fake import until

COLUMN, LINE, FONT = 8.4, 17, 14
"""Pixels: a column, a line, the font's size. Reason: a monospaced font is about 0.6 as wide as it is high."""

BASELINE = 13
"""Pixels from the top of a line to the foot of its letters."""

PADDING = 8
"""Pixels around the screen."""

FONTS = "DejaVu Sans Mono, Menlo, Consolas, Liberation Mono, monospace"
"""A picture in a page may load no font, so these are asked of the reader's machine."""

DIM = 0.6
"""How much of its own colour dim text keeps."""

STILL = 8
"""Pictures in a row that are the same where nothing moves. Reason: 0.08 s at least, in which nothing was due."""

Colour = tuple[int, int, int]


class Run(NamedTuple):
    """Text that looks the same, from one column on."""

    column: int
    cells: int
    text: str
    colour: Colour
    behind: Colour
    style: Style


def segments(app: App[None]) -> list[list[Segment]]:
    """The screen, line by line; what a dialog lets show through, too."""
    visible_screen_stack.set(app._background_screens)
    return [list(strip) for strip in app.screen._compositor.render_strips()]


async def still_picture(app: App[None], pilot: Pilot[None]) -> str:
    """The picture, once nothing moves any more."""
    seen: list[str] = []

    def rests() -> bool:
        seen.append(picture(app))
        return len(seen) >= STILL and len(set(seen[-STILL:])) == 1

    await until(pilot, rests)
    return seen[-1]


def picture(app: App[None]) -> str:
    """The screen as an SVG."""
    lines = [list(_runs(line)) for line in segments(app)]
    cells: Counter[Colour] = Counter()
    for run in (run for line in lines for run in line):
        cells[run.behind] += run.cells
    behind_all = cells.most_common(1)[0][0]
    width, height = app.size.width * COLUMN + 2 * PADDING, app.size.height * LINE + 2 * PADDING
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
            f' font-family="{FONTS}" font-size="{FONT}">',
            f'<rect width="100%" height="100%" rx="6" fill="{_hex(behind_all)}"/>',
            f'<g transform="translate({PADDING} {PADDING})" xml:space="preserve">',
            *(_line(number, line, behind_all) for number, line in enumerate(lines)),
            "</g>",
            "</svg>\n",
        ]
    )


def _runs(line: Sequence[Segment]) -> Iterator[Run]:
    column = 0
    for (colour, behind, style), same in groupby(line, key=_look):
        text = "".join(segment.text for segment in same)
        yield Run(column, cell_len(text), text, colour, behind, style)
        column += cell_len(text)


def _look(segment: Segment) -> tuple[Colour, Colour, Style]:
    """Its two colours, and how its letters are formed."""
    style = segment.style or Style()
    colour = tuple(style.color.get_truecolor()) if style.color else (255, 255, 255)
    behind = tuple(style.bgcolor.get_truecolor(foreground=False)) if style.bgcolor else (0, 0, 0)
    if style.reverse:
        colour, behind = behind, colour
    if style.dim:
        colour = tuple(round(DIM * own + (1 - DIM) * other) for own, other in zip(colour, behind, strict=True))
    return colour, behind, Style(bold=bool(style.bold), italic=bool(style.italic), underline=bool(style.underline))


def _line(number: int, runs: Sequence[Run], behind_all: Colour) -> str:
    """One line of the screen: what is behind it, then its letters."""
    boxes = []
    for behind, same in groupby(runs, key=lambda run: run.behind):
        some = list(same)
        if behind != behind_all:
            left, cells = some[0].column, sum(run.cells for run in some)
            size = f'x="{left * COLUMN:.4g}" y="{number * LINE}" width="{cells * COLUMN:.4g}" height="{LINE}"'
            boxes.append(f'<rect {size} fill="{_hex(behind)}"/>')
    words = [_words(run) for run in runs if run.text.strip() or run.style.underline]
    text = f'<text y="{number * LINE + BASELINE}">{"".join(words)}</text>' if words else ""
    return "".join(boxes) + text


def _words(run: Run) -> str:
    """Its letters, as wide as its columns whatever the reader's font is."""
    lead = len(run.text) - len(run.text.lstrip(" ")) if not run.style.underline else 0
    text = run.text[lead:] if run.style.underline else run.text.strip(" ")
    look = f' fill="{_hex(run.colour)}"'
    look += ' font-weight="bold"' * bool(run.style.bold) + ' font-style="italic"' * bool(run.style.italic)
    look += ' text-decoration="underline"' * bool(run.style.underline)
    place = f'x="{(run.column + lead) * COLUMN:.4g}" textLength="{cell_len(text) * COLUMN:.4g}"'
    return f'<tspan {place} lengthAdjust="spacingAndGlyphs"{look}>{escape(text)}</tspan>'


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
