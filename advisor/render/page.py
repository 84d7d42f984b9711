"""Lines of a fixed width: what the text renderer writes on. Foreign text comes here already made visible."""

from __future__ import annotations

import io

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from advisor.render.numbers import UNKNOWN_SHORT, percent

ELLIPSIS = "…"

ASCII_DRAWING = (("█", "#"), ("░", "."), (ELLIPSIS, "~"), ("·", "*"))
"""Drawing characters, and what stands for them where only ASCII can be shown."""

CONTINUATION = 4
"""Columns that a paragraph hangs where its bullet is wider than LONGEST_BULLET."""

LONGEST_BULLET = 8
"""Columns of the widest bullet below which a paragraph hangs."""


class Page:
    """Lines in the order of their writing. Widths are columns; wide characters take two."""

    def __init__(self, width: int, *, color: bool) -> None:
        self.width = width
        self._console = Console(
            file=io.StringIO(),
            width=width,
            force_terminal=color,
            color_system="standard" if color else None,
            highlight=False,
            emoji=False,
            markup=False,
            legacy_windows=False,
            _environ={},
        )
        self._lines: list[Text] = []

    def line(self, *parts: str | tuple[str, str]) -> None:
        """One line of plain or (text, style) parts, cut at the width."""
        line = Text.assemble(*parts)
        line.truncate(self.width, overflow="ellipsis")
        self._lines.append(line)

    def blank(self) -> None:
        self._lines.append(Text())

    def heading(self, title: str) -> None:
        """A title with an empty line above."""
        self.blank()
        self.line((title, "bold"))

    def hanging(
        self, bullet: str, *parts: str | tuple[str, str], indent: int = 0, most_lines: int | None = None
    ) -> None:
        """A paragraph, wrapped, its lines indented below the bullet; cut after `most_lines`."""
        hang = len(bullet) if len(bullet) <= LONGEST_BULLET else CONTINUATION
        body = Text.assemble(bullet[hang:], *parts)
        width = self.width - indent - hang
        wrapped = list(body.wrap(self._console, width))
        if most_lines is not None and len(wrapped) > most_lines:
            last = Text(" ").join(wrapped[most_lines - 1 : most_lines + 1])
            last.truncate(width, overflow="ellipsis")
            wrapped[most_lines - 1 :] = [last]
        for number, line in enumerate(wrapped):
            line.rstrip()
            lead = bullet[:hang] if number == 0 else " " * hang
            self._lines.append(Text.assemble(" " * indent + lead, line))

    def text(self, *, unicode: bool = True) -> str:
        """All lines, without blanks at their ends. unicode False: what is not ASCII is drawn or escaped in ASCII."""
        with self._console.capture() as capture:
            for line in self._lines:
                self._console.print(line, no_wrap=True, crop=False, overflow="ignore")
        text = "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"
        return text if unicode else _ascii_only(text)


def cell(text: str, width: int, *, right: bool = False) -> str:
    """`text` in exactly `width` columns: padded, or cut with an ellipsis."""
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + ELLIPSIS
    return " " * (width - size) + text if right else text + " " * (width - size)


def bar(share: float | None, width: int) -> str:
    """A share as a bar; what is not quite nothing or all shows so."""
    if share is None:
        return " " * width
    filled = min(max(round(share * width), 1 if share > 0 else 0), width - 1 if share < 1 else width)
    return "█" * filled + "░" * (width - filled)


def bar_and_share(share: float | None, width: int) -> str:
    """A bar of this width with its share behind it, five columns more."""
    return f"{bar(share, width)} {percent(share, UNKNOWN_SHORT).replace(' ', ''):>4}"


def style_of(severity: str) -> str:
    """The style of a severity, as a style's name."""
    return {"high": "bold red", "medium": "yellow", "low": "cyan"}.get(severity, "dim")


def _ascii_only(text: str) -> str:
    for drawn, plain in ASCII_DRAWING:
        text = text.replace(drawn, plain)
    return text.encode("ascii", "backslashreplace").decode()
