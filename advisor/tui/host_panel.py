"""The top of the screen: which moment this is, the host, what the reader must know first, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from advisor.tui import strip
from advisor.tui.ink import Ink
from advisor.tui.lines import Lines
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
        self._notice: Text | None = None

    def compose(self) -> ComposeResult:
        yield Lines(Text(self._title), id="top")
        yield Static(id="failed")
        yield Lines(id="strip")
        yield Static(id="notice")

    def show(
        self, tick: Tick, recording: Recording | None, ink: Ink, width: int, *, held: bool, asked: str = ""
    ) -> None:
        """The host as of this tick, in lines of so many columns. recording: the newest word on it; held: newer ticks
        are not shown; asked: that it is no advice alone."""
        said = strip.top(ink, self._title, tick, recording, width, held=held, asked=asked)
        self.query_one("#top", Lines).show([said])
        self.query_one("#strip", Lines).show(strip.lines(ink, tick, width))
        self._note(strip.notices(tick.report), ink)

    def _note(self, notices: Sequence[str], ink: Ink) -> None:
        """Below them, what the reader must know; it may take another number of lines, so the screen is laid out anew
        where it changes."""
        said = ink.text("! " + " ".join(notices)) if notices else None
        if said != self._notice:
            self._notice = said
            notice = self.query_one("#notice", Static)
            notice.update(said or "")
            notice.display = said is not None

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
