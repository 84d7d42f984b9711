"""Lines of text that are drawn anew only where they say something else.

Textual's `Static` takes text apart, wraps and styles it each time that one letter changes: on a tick that cost more
than all that a reader looks at.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.style import Style
from rich.text import Text
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

_console = Console(width=1000, color_system="truecolor", force_terminal=True)


def drawn(text: Text, style: Style, width: int) -> Strip:
    """One line of this width, its own styles above `style`."""
    return Strip(text.render(_console)).apply_style(style).adjust_cell_length(width, style)


class Lines(Widget):
    """As many lines as its height; those that do not fit are cut, none is wrapped."""

    def __init__(self, *lines: Text, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: Sequence[Text] = lines

    def show(self, lines: Sequence[Text]) -> None:
        """Say this instead."""
        before, self._lines = self._lines, lines
        if len(before) != len(lines):
            self.refresh()
            return
        left, top = self.styles.padding.left, self.styles.padding.top
        for number, (old, new) in enumerate(zip(before, lines, strict=True)):
            if old != new:
                self.refresh(Region(left, top + number, self.content_size.width, 1))

    def render(self) -> Text:
        """All that they say, for whoever asks for the text; what is drawn are the lines one by one."""
        return Text("\n").join(self._lines)

    def render_line(self, y: int) -> Strip:
        text = self._lines[y] if y < len(self._lines) else Text()
        return drawn(text, self.rich_style, self.content_size.width)
