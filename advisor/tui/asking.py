"""What is wanted in place of the advice, and whether the source has been told and has answered."""

from __future__ import annotations

from advisor.tui.source import Source
from advisor.tui.what_if import NOTHING, in_words
from advisor.watch.frames import Tick, WhatIf


class Asking:
    """Tells the source what is wanted. run: which run of the source, as one that begins anew has heard of nothing."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.what_if = NOTHING
        self._told = 0

    def want(self, what_if: WhatIf, run: int) -> None:
        """Ask for the plan under this; the answer is a tick."""
        self.what_if, self._told = what_if, run
        self._source.order(what_if)

    def hear(self, tick: Tick, run: int) -> None:
        """A tick came: tell a source that began anew."""
        if tick.what_if != self.what_if and self._told != run:
            self.want(self.what_if, run)

    def in_words(self, tick: Tick) -> str:
        """For the top of the screen."""
        return in_words(self.what_if, waiting=tick.what_if != self.what_if)
