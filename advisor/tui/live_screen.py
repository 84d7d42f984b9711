"""A screen above the first one that is kept up to date while ticks come in."""

from __future__ import annotations

from textual.screen import Screen

from advisor.tui.ink import Ink
from advisor.tui.sized import Sized
from advisor.watch.frames import Tick, WhatIf


class LiveScreen(Sized, Screen[None]):
    """The application gives it each tick that is shown, and what is wanted by now."""

    def take(self, tick: Tick, what_if: WhatIf, ink: Ink) -> None:
        """Show this tick. The answer to what is wanted has come where `tick.what_if` equals `what_if`."""
        raise NotImplementedError
