"""Screens that take the size of their terminal as it is now."""

from __future__ import annotations

from typing import cast

from textual.events import Resize
from textual.screen import Screen


class Sized:
    """For screens: ignores events of a size that the terminal no longer has; one of its new size comes, or came.

    Else the interface may never end. A screen answers each event that changes its size with another to itself. Two
    sizes in its queue are at odds for ever once Textual begins to exit and has its drawings, which it puts off by way
    of the same queue, stand between them: no event can then stand for its successor, and as the queue is never empty
    nothing else runs, neither signals nor the exit (Textual 8.2, Screen._refresh_layout, MessagePump). Browsers that
    leave at once, after they have measured their page, do that.
    """

    def on_resize(self, event: Resize) -> None:
        if event.size != cast("Screen[object]", self).app.size:
            event.prevent_default()
