"""The bar below a recording: where in it the screen is, and whether it plays."""

from __future__ import annotations

from rich.text import Text
from textual.events import Click
from textual.message import Message
from textual.widget import Widget

from advisor.render.numbers import count
from advisor.tui import strip

LEAD = 2
"""Columns of the mark before the rail, the gap included."""


class ReplayBar(Widget):
    """Shows a position; says where somebody clicked."""

    DEFAULT_CSS = """
    ReplayBar { height: 1; padding: 0 1; background: $surface; display: none; }
    """

    class Moved(Message):
        """Somebody wants this sample, from 1."""

        def __init__(self, position: int) -> None:
            super().__init__()
            self.position = position

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._position, self._length, self._playing = 1, 1, False

    def show(self, position: int, length: int, *, playing: bool) -> None:
        self._position, self._length, self._playing = position, length, playing
        self.display = True
        self.refresh()

    def render(self) -> Text:
        """> ---o----- 3 of 18."""
        said = self._said()
        return Text(
            f"{'▶' if self._playing else '‖'} {strip.slider(self._position, self._length, self._rail())}{said}"
        )

    def on_click(self, event: Click) -> None:
        place = event.get_content_offset(self)
        if place is not None and LEAD <= place.x < LEAD + self._rail():
            self.post_message(self.Moved(strip.place_on_slider(place.x - LEAD, self._length, self._rail())))

    def _said(self) -> str:
        end = ", end" if self._position == self._length else ""
        return f" {count(self._position)} of {count(self._length)}{end}"

    def _rail(self) -> int:
        longest = len(f" {count(self._length)} of {count(self._length)}, end")
        return max(self.content_size.width - LEAD - longest, 3)
