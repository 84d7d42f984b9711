"""The top of the screen: which moment this is, the host, what the reader must know first, and what went wrong."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from advisor.tui import strip
from advisor.tui.ink import Ink
from advisor.watch.frames import Problem, Recording, Tick


class HostPanel(Vertical):
    """Shows the host of a tick, and the problem that ended the ticks."""

    DEFAULT_CSS = """
    HostPanel { height: auto; }
    HostPanel #top { height: 1; padding: 0 1; background: $surface; }
    HostPanel #strip { height: 7; padding: 0 1; }
    HostPanel #notice { height: auto; max-height: 2; padding: 0 1; color: $text-warning; display: none; }
    HostPanel #failed {
        height: auto; padding: 0 1; background: $error 20%; text-style: bold; display: none;
    }
    """

    def __init__(self, title: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = title
        self._said: dict[str, Text] = {}

    def compose(self) -> ComposeResult:
        yield Static(self._title, id="top")
        yield Static(id="failed")
        yield Static(id="strip")
        yield Static(id="notice")

    def show(
        self, tick: Tick, recording: Recording | None, ink: Ink, width: int, *, held: bool, asked: str = ""
    ) -> None:
        """The host as of this tick, in lines of so many columns. recording: the newest word on it; held: newer ticks
        are not shown; asked: that it is no advice alone."""
        self._say("top", strip.top(ink, self._title, tick, recording, width, held=held, asked=asked))
        first, *others = strip.lines(ink, tick, width)
        for line in others:
            first = first.append("\n").append_text(line)
        self._say("strip", first)
        notices = strip.notices(tick.report)
        self._say("notice", ink.text("! " + " ".join(notices)), layout=True)
        self.query_one("#notice", Static).display = bool(notices)

    def _say(self, id: str, text: Text, *, layout: bool = False) -> None:
        """Draw it where it is not there already. layout: whether it may take another number of lines."""
        if self._said.get(id) != text:
            self._said[id] = text
            self.query_one(f"#{id}", Static).update(text, layout=layout)

    def fail(self, problem: Problem | None, ink: Ink, *, seen: bool) -> None:
        """Say why nothing more comes; None: it goes on. seen: whether there is anything on the screen yet."""
        banner = self.query_one("#failed", Static)
        banner.display = problem is not None
        if problem is not None:
            again = "This is the last that was seen; R starts it again" if seen else "R tries again"
            banner.update(ink.text(f"{problem.message}. {again}, q quits."))

    @property
    def has_failed(self) -> bool:
        """Whether it says so."""
        return self.query_one("#failed", Static).display
