"""Bars of memory by what backs it: a letter, a pattern and a colour for each kind of page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from advisor.tui.ink import Ink


class Look(NamedTuple):
    """How memory on one kind of page is drawn: letter, pattern, role of its style."""

    mark: str
    fill: str
    role: str


HUGETLB = Look("H", "#", "hugetlb")
THP_ANON = Look("A", "█", "pmd-anon")
THP_FILE = Look("F", "▓", "pmd-file")
MTHP = Look("m", "▒", "mthp")
BASE = Look("b", "░", "base")
UNSEEN = Look("?", "?", "unseen")
SWAP = Look("s", "~", "swap")
ABSENT = Look("·", "·", "muted")
"""Address space that holds nothing."""


class Part(NamedTuple):
    """Memory on one kind of page. bytes: None where it is not known."""

    look: Look
    name: str
    bytes: int | None


def columns_of(sizes: Sequence[int], width: int) -> list[int]:
    """`width` columns shared out by size: they add up, and what is not nothing has one at least.

    With more kinds than columns the last ones get none.
    """
    total, present = sum(sizes), [place for place, size in enumerate(sizes) if size > 0]
    shares = [0] * len(sizes)
    for place in present[:width]:
        shares[place] = max(1, round(sizes[place] * width / total))
    while present and (over := sum(shares) - width):
        widest = max(range(len(shares)), key=shares.__getitem__)
        shares[widest] -= 1 if over > 0 else -1
    return shares


def bar(ink: Ink, parts: Sequence[Part], width: int, *, with_marks: bool = True) -> Text:
    """One line: each part in its pattern, after its letter, shared out by size. Where room is short, the largest."""
    present = [part for part in parts if part.bytes]
    largest = sorted(present, key=lambda part: part.bytes or 0, reverse=True)[:width]
    shown = [part for part in present if part in largest]
    line = Text(no_wrap=True)
    for part, columns in zip(shown, columns_of([part.bytes or 0 for part in shown], width), strict=True):
        fill = part.look.fill * columns
        drawn = f"{part.look.mark}{fill[1:]}" if with_marks and columns else fill
        line.append(drawn, ink.style(part.look.role))
    return line


class StackedBar:
    """A bar of parts over whatever width there is: a line with their letters, a line of their patterns alone."""

    def __init__(self, ink: Ink, parts: Sequence[Part]) -> None:
        self._ink, self._parts = ink, parts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for with_marks in (True, False):
            yield bar(self._ink, self._parts, options.max_width, with_marks=with_marks)
