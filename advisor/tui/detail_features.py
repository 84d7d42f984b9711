"""The tab Features: who the process is, and every feature of it, those that its advice rests on first; to filter."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import ClassVar, NamedTuple

from rich.cells import set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, Static

from advisor.render import words
from advisor.render.escape import visible
from advisor.render.numbers import percent
from advisor.report.close_up import CloseUp
from advisor.report.process import ProcessEntry
from advisor.report.reasons import Evidence
from advisor.tui.detail_facts import facts, features_of
from advisor.tui.ink import Ink

KNOWN_TEXTS = 1024
"""Texts of which is remembered how they are wrapped: twice those of one process, as its values change."""

READ = "*"
"""Marks a feature that a reason of the advice read."""

SHARE = "share 0..1"
PLAIN_UNITS = frozenset(("bytes", "count", "text", "yes/no", SHARE))
"""Units that the value itself or its name shows."""

NAME, VALUE = 0.38, 0.19
"""Shares of the width; what is longer is wrapped. Reason: at 80 columns nearly all names stay whole."""


class Line(NamedTuple):
    """One feature as it is shown. scope: process or host."""

    name: str
    said: str
    about: str
    is_read: bool
    is_known: bool
    scope: str


def lines_of(process: ProcessEntry, close_up: CloseUp | None, wanted: str = "") -> list[Line]:
    """Those that the advice read first, then the others of the process, then of the host; all words must occur.

    Without a close-up there are only those that the report has.
    """
    return [line for line in _all_lines(process, close_up) if _has(f"{line.name} {line.about}", wanted)]


def _all_lines(process: ProcessEntry, close_up: CloseUp | None) -> Iterator[Line]:
    told = features_of(process)
    if close_up is None:
        for name, value in told.items():
            yield Line(name, words.evidence(name, value), "", True, value is not None, "process")
        return
    declared = sorted(close_up.features, key=lambda one: (one.name not in told, one.scope != "process"))
    for one in declared:
        about = one.meaning if one.value is not None else f"{one.meaning} Unknown: {one.null_meaning}."
        yield Line(
            one.name, _said(one.name, one.value, one.unit), about, one.name in told, one.value is not None, one.scope
        )
    known = {one.name for one in declared}
    for name, value in told.items():
        if name not in known:  # what the model says is evidence, too
            yield Line(name, words.evidence(name, value), "", True, value is not None, "process")


def _said(name: str, value: Evidence, unit: str) -> str:
    if unit == SHARE and isinstance(value, int | float):
        return percent(value)
    said = words.evidence(name, value)
    return said if value is None or unit in PLAIN_UNITS else f"{said} {unit}"


def _has(text: str, wanted: str) -> bool:
    return all(word in text.casefold() for word in wanted.casefold().split())


def features(ink: Ink, process: ProcessEntry, close_up: CloseUp | None, wanted: str = "") -> RenderableType:
    """The features as a table, with what they mean."""
    lines = lines_of(process, close_up, wanted)
    later = "" if close_up is not None else "; all others are on their way"
    heading = f"Features: {READ} marks those that the reasons read{later}"
    if wanted:
        heading = f"Features with {wanted!r}: {len(lines)}. Escape shows all"
    if not lines:
        return Group(ink.heading(heading), ink.text("none", "muted"))
    return Group(ink.heading(heading), FeatureRows(ink, lines))


class FeatureRows:
    """Four columns, wrapped: mark, name, value, meaning. A rich table of 200 rows would take a tenth of a second."""

    def __init__(self, ink: Ink, lines: Sequence[Line]) -> None:
        self._ink, self._lines = ink, lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        left = max(options.max_width - 4, 3)
        widths = [1, *(max(int(left * share), 1) for share in (NAME, VALUE, 1 - NAME - VALUE))]

        def style(role: str) -> Style:
            found = self._ink.style(role)
            return console.get_style(found) if found else Style.null()

        read, strong, muted, plain = map(style, ("good", "strong", "muted", ""))
        for line in self._lines:
            cells = (READ if line.is_read else "", line.name, line.said, line.about)
            styles = (read, strong if line.is_read else plain, plain if line.is_known else muted, muted)
            wrapped = [wrap(visible(text), width) for text, width in zip(cells, widths, strict=True)]
            for row in zip_longest(*wrapped, fillvalue=""):
                for text, width, look in zip(row, widths, styles, strict=True):
                    yield Segment(set_cell_size(text, width), look)
                    yield Segment(" ")
                yield Segment.line()


@lru_cache(maxsize=KNOWN_TEXTS)
def wrap(text: str, width: int) -> list[str]:
    """Lines of at most so many columns; a word that is longer is broken."""
    if text.isascii():
        return textwrap.wrap(text, width)
    return [line.plain.rstrip() for line in Text(text, overflow="fold").wrap(Console(width=width), width)]


class FeaturesPane(Widget):
    """Shows a process and its features; a slash opens a line to type in, which narrows them."""

    DEFAULT_CSS = """
    FeaturesPane { height: 1fr; layout: vertical; }
    FeaturesPane VerticalScroll { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    FeaturesPane Input, FeaturesPane Input:focus {
        height: 1; border: none; padding: 0 1; display: none; background: $surface;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter"),
        Binding("escape", "unfilter", "Show all", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._ink = Ink()
        self._process: ProcessEntry | None = None
        self._close_up: CloseUp | None = None

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static()
        yield Input(placeholder="filter: words of names and meanings")

    def show(self, ink: Ink, process: ProcessEntry, close_up: CloseUp | None) -> None:
        """Show these; what is filtered stays filtered."""
        self._ink, self._process, self._close_up = ink, process, close_up
        self._draw()

    def _draw(self) -> None:
        if self._process is not None:
            wanted = self.query_one(Input).value.strip()
            table = features(self._ink, self._process, self._close_up, wanted)
            above = [] if wanted else [facts(self._ink, self._process), ""]
            self.query_one(Static).update(Group(*above, table))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._draw()
        self.query_one(VerticalScroll).scroll_home(animate=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one(Input).display = bool(self.query_one(Input).value)
        self.query_one(VerticalScroll).focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - the signature of Textual
        """Escape is for whoever is outside where nothing is filtered; where text is typed, a slash is a slash."""
        if not self.is_mounted or action not in ("filter", "unfilter"):
            return True
        field = self.query_one(Input)
        return field.display if action == "unfilter" else not field.has_focus

    def action_filter(self) -> None:
        field = self.query_one(Input)
        field.display = True
        field.focus()

    def action_unfilter(self) -> None:
        field = self.query_one(Input)
        field.value, field.display = "", False
        self.query_one(VerticalScroll).focus()
