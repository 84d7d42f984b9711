"""What a closed screen leaves behind is let go."""

from __future__ import annotations

import asyncio
import weakref

from textual.app import App, ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from advisor.tui.garbage import look


class Closing(Screen[None]):
    """Any screen."""

    def compose(self) -> ComposeResult:
        yield Static("a line of it")


def test_the_lines_of_a_widget_that_is_gone_are_let_go() -> None:
    async def scenario() -> None:
        app = App[None]()
        async with app.run_test() as pilot:
            drawn = []
            for _ in range(2):  # the newest may still be held by the message that closed it
                await app.push_screen(Closing())
                await pilot.pause()
                drawn.append(weakref.ref(app.screen.query_one(Static)._styles_cache))
                await app.pop_screen()
                await pilot.pause()
            look()
            assert drawn[0]() is None

    asyncio.run(scenario())
