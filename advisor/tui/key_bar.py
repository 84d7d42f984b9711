"""The keys at the bottom of the screen."""

from __future__ import annotations

from textual.widgets import Footer


class KeyBar(Footer):
    """Textual's footer, which lets go of the keys that it no longer shows.

    Each key watches the footer's `compact`, and a watcher that has gone is dropped only when that changes, which it
    never does: every change of focus would leave a dozen widgets behind (Textual 8.2, its issue 6666).
    """

    async def recompose(self) -> None:
        """Show the keys of today, and forget those of before."""
        await super().recompose()
        self.mutate_reactive(Footer.compact)
