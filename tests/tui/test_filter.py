"""The filter's line: it narrows while typed, lies on the last line of the table, and is not in anybody's way."""

from __future__ import annotations

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input

from advisor.report.document import Report
from advisor.tui.app import AdvisorApp
from advisor.tui.filter_field import FilterField
from advisor.tui.table import ProcessTable
from tests.render.conftest import make_report
from tests.tui.fake import FakeSource, many, names, play, said, screen_text, until


@pytest.fixture
def report() -> Report:
    return make_report()


def test_the_filter_narrows_as_it_is_typed_and_escape_shows_all(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"qem")
        assert names(app) == ["qemu-system-x86"]
        await pilot.press("enter")
        assert isinstance(app.focused, ProcessTable)
        assert app.query_one("#filter").display
        await pilot.press("enter")
        await pilot.pause()
        assert not app.query_one("#filter").display, "not in the way of the detail"
        await pilot.press("escape", "escape")
        assert names(app) == [process.name for process in report.processes]
        await pilot.press("slash", *"zzz[b]")
        await pilot.pause()
        assert "None of" in said(app, "empty") and "zzz[b]" in said(app, "empty")

    play(FakeSource(report), scenario)


def test_what_is_typed_right_after_the_slash_is_for_the_filter(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        for key, character in (("slash", "/"), ("q", "q"), ("slash", "/")):
            app.post_message(Key(key, character))
        await until(pilot, lambda: app.query_one("#filter", Input).value == "q/")
        assert app.query_one("#filter", Input).value == "q/"
        assert app.return_code is None

    play(FakeSource(report), scenario)


def test_it_lies_on_no_line_of_the_table(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        table = app.query_one(ProcessTable)
        height = table.size.height
        await pilot.press("slash", *"worker", "end", "pagedown")
        for _ in range(500):
            app.query_one("#filter", FilterField).action_table("move", 1)
        await pilot.pause()
        assert table.size.height == height, "the screen is not laid out anew"
        assert table.current is not None
        *_, last, field, _ = screen_text(app).splitlines()
        assert str(table.current.pid) in last
        assert "worker" in field and str(table.current.pid) not in field
        await pilot.press("enter", "b", "m")
        standing = next(line for line in screen_text(app).splitlines() if "marked" in line)
        assert "by application" in standing
        await pilot.press("escape")
        await pilot.pause()
        assert "marked" in screen_text(app).splitlines()[-2], "what stood above the filter is at the bottom again"

    play(FakeSource(many(report, 500)), scenario)
