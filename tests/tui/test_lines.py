"""Lines that are drawn anew only where they say something else."""

from __future__ import annotations

import asyncio

from rich.text import Text
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.widgets import Static

from advisor.tui.lines import Lines


class Shown(App[None]):
    """Two lines of eight columns, and what of them was asked to be drawn."""

    CSS = "Lines { width: 10; height: 2; padding: 0 1; }"

    def compose(self) -> ComposeResult:
        yield Lines(Text("first"), Text("second"), id="lines")
        yield Static("below")


def test_only_the_line_that_changed_is_drawn_and_is_cut_at_the_edge() -> None:
    async def look() -> None:
        app = Shown()
        async with app.run_test(size=(20, 4)) as pilot:
            lines = app.query_one(Lines)
            await pilot.pause()
            asked: list[tuple[Region, ...]] = []
            refresh = lines.refresh

            def note(*regions: Region, **how: bool) -> Lines:
                asked.append(regions)
                return refresh(*regions, **how)

            lines.refresh = note  # type: ignore[method-assign, assignment]
            lines.show([Text("first"), Text("another and longer")])
            assert asked == [(Region(1, 1, 8, 1),)]
            await pilot.pause()
            assert [lines.render_line(y).text for y in range(3)] == ["first   ", "another ", "        "]
            lines.show([Text("first", "bold"), Text("another and longer")])
            lines.show([Text("first", "bold")])
            assert asked[-1] == (), "a line less: all of them"
            assert str(lines.render()) == "first"

    asyncio.run(look())
