"""The bar below a recording: where in it the screen is, and the playing of it."""

from __future__ import annotations

from rich.text import Text
from textual.events import Click
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget

from advisor.render.numbers import count
from advisor.tui.drawing import place_on_slider, slider

PLAY_S = 0.5
"""Seconds between samples while a recording plays. Source: own choice. Reason: eyes follow two changes a second."""

LEAD = 2
"""Columns of the mark before the rail, the gap included."""


class ReplayBar(Widget):
    """Shows which sample is on the screen, and says which is wanted next. Does nothing until there is a recording."""

    DEFAULT_CSS = """
    ReplayBar { height: 1; padding: 0 1; background: $surface; display: none; }
    """

    class Moved(Message):
        """Somebody wants this sample, from 1."""

        def __init__(self, position: int) -> None:
            super().__init__()
            self.position = position

    class Turned(Message):
        """It plays now, or pauses."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._position, self._length = 1, 0
        self._playing: Timer | None = None
        self._asked: int | None = None

    def show(self, position: int, length: int) -> None:
        """This sample is on the screen; from 1."""
        self._position, self._length, self._asked = position, length, None
        self.display = True
        self.refresh()

    @property
    def is_playing(self) -> bool:
        return self._playing is not None

    def play(self) -> None:
        """Play, from the start where it is at its end."""
        if self._playing is None and self._length:
            if self._position == self._length:
                self.go(1)
            self._turn(self.set_interval(PLAY_S, self._play_on))

    def pause(self) -> None:
        if self._playing is not None:
            self._playing.stop()
            self._turn(None)

    def _turn(self, playing: Timer | None) -> None:
        self._playing = playing
        self.refresh()
        self.post_message(self.Turned())

    def step(self, samples: int) -> None:
        """So many samples on, or back."""
        self.go((self._asked or self._position) + samples)

    def go(self, position: int) -> None:
        """Ask for a sample, the first or last where it is beyond them; nothing where that is on its way."""
        position = min(max(position, 1), self._length)
        if self._length and position != (self._asked or self._position):
            self._asked = position
            self.post_message(self.Moved(position))

    def go_to_end(self) -> None:
        self.go(self._length)

    def _play_on(self) -> None:
        """One sample on, unless the one asked for has not come yet."""
        if self._asked is not None:
            return
        if self._position >= self._length:
            self.pause()
        else:
            self.go(self._position + 1)

    def render(self) -> Text:
        """> ---o----- 3 of 18."""
        mark = "‖" if self._playing is None else "▶"
        return Text(f"{mark} {slider(self._position, self._length, self._rail())}{self._said()}")

    def on_click(self, event: Click) -> None:
        place = event.get_content_offset(self)
        if place is not None and LEAD <= place.x < LEAD + self._rail():
            self.go(place_on_slider(place.x - LEAD, self._length, self._rail()))

    def _said(self) -> str:
        end = ", end" if self._position == self._length else ""
        return f" {count(self._position)} of {count(self._length)}{end}"

    def _rail(self) -> int:
        longest = len(f" {count(self._length)} of {count(self._length)}, end")
        return max(self.content_size.width - LEAD - longest, 3)
