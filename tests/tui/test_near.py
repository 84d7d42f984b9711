"""The process that is opened comes from near: asked for, shown in its tabs, let go; on a screen."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import Input, TabbedContent

from advisor.report.close_up import CloseUp
from advisor.report.document import Report
from advisor.tui.app import AdvisorApp
from advisor.tui.detail import DetailView
from advisor.tui.table import ProcessTable
from advisor.watch.frames import LookAt
from tests.render.conftest import make_report
from tests.tui.fake import FakeSource, play, screen_text, settled, until
from tests.tui.near import close_up_of

TALL = (100, 50)


@pytest.fixture
def report() -> Report:
    return make_report()


def near(report: Report) -> CloseUp:
    return close_up_of(report.processes[0])


async def shows(app: AdvisorApp, pilot: Pilot[None], text: str) -> None:
    await until(pilot, lambda: text in screen_text(app))
    assert text in screen_text(app)


def looks(source: FakeSource) -> list[int | None]:
    return [order.pid for order in source.orders if isinstance(order, LookAt)]


def test_what_is_opened_is_looked_at_once_and_let_go_when_it_is_closed(report: Report) -> None:
    source = FakeSource(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        assert looks(source) == []
        await pilot.press("enter")
        await until(pilot, lambda: len(looks(source)) == 1)
        for _ in range(2):
            source.send(close_up=near(report))
        await settled(source, pilot)
        assert looks(source) == [report.processes[0].pid]
        await pilot.press("escape")
        source.send()
        await settled(source, pilot)
        assert looks(source) == [report.processes[0].pid, None]

    play(source, scenario)


@pytest.mark.parametrize("length", [None, 9])
def test_the_detail_has_the_room_between_the_first_line_and_the_footer(report: Report, length: int | None) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await shows(app, pilot, "Decision")
        assert app.screen.max_scroll_y == 0
        lines = screen_text(app).splitlines()
        assert "hugepage-advisor" in lines[0]
        assert report.processes[0].name in lines[1]

    play(FakeSource(report, length), scenario)


def test_a_source_that_starts_anew_is_asked_again(report: Report) -> None:
    source = FakeSource(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        source.fail("gone")
        await settled(source, pilot)
        await pilot.press("R")
        source.send()
        await settled(source, pilot)
        await until(pilot, lambda: len(looks(source)) == 2)
        assert looks(source) == [report.processes[0].pid] * 2

    play(source, scenario)


def test_map_features_and_history_come_with_the_close_up(report: Report) -> None:
    source = FakeSource(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter", "3")
        await shows(app, pilot, "It is on its way")
        await pilot.press("7")
        await shows(app, pilot, "It is on its way")
        source.send(close_up=near(report))
        await settled(source, pilot)
        await shows(app, pilot, "now 90 %")
        await pilot.press("3")
        await shows(app, pilot, "Map: 47 mappings in 7 rows")
        assert "41 x file" in screen_text(app)
        await pilot.press("6")
        await shows(app, pilot, "guest_ram_bytes")
        await shows(app, pilot, "Faults without I/O.")

    play(source, scenario, TALL)


def test_the_map_that_may_not_be_read_says_so(report: Report) -> None:
    source = FakeSource(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter", "3")
        source.send(close_up=close_up_of(report.processes[0], missing="reading it is not permitted; as root it is"))
        await settled(source, pilot)
        await shows(app, pilot, "Not known: reading it is not permitted")

    play(source, scenario, TALL)


def test_another_process_is_never_shown_with_the_map_of_the_one_before(report: Report) -> None:
    source = FakeSource(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter", "3")
        source.send(close_up=near(report))
        await settled(source, pilot)
        await shows(app, pilot, "Map: 47 mappings")
        await pilot.press("escape", "down", "enter")
        await shows(app, pilot, "It is on its way")
        source.send(close_up=replace(near(report), pid=report.processes[1].pid, start_ticks=-1))
        await settled(source, pilot)
        assert "47 mappings" not in screen_text(app)

    play(source, scenario, TALL)


def test_a_process_that_is_gone_keeps_its_map_and_history(report: Report) -> None:
    source = FakeSource(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter", "3")
        source.send(close_up=near(report))
        await settled(source, pilot)
        source.send(replace(report, processes=report.processes[1:]))
        await settled(source, pilot)
        await shows(app, pilot, "ended: this is its last state")
        assert "Map: 47 mappings" in screen_text(app)
        await pilot.press("7")
        await shows(app, pilot, "now 90 %")

    play(source, scenario, TALL)


def test_typing_narrows_the_features_and_nothing_else(report: Report) -> None:
    source = FakeSource(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        source.send(close_up=near(report))
        await settled(source, pilot)
        await pilot.press("6", "slash", *"faults 1")
        await shows(app, pilot, "Features with 'faults 1': 0")
        await pilot.press("backspace", "backspace", "enter")
        await shows(app, pilot, "Features with 'faults': 1")
        assert app.query_one(DetailView).query_one(TabbedContent).active == "features"
        source.send(close_up=near(report))
        await settled(source, pilot)
        assert "Features with 'faults': 1" in screen_text(app)
        await pilot.press("escape")
        await shows(app, pilot, "tlb_reach_bytes")
        assert app.query_one(DetailView).display
        await pilot.press("slash", "slash", "escape", "escape")
        await until(pilot, lambda: isinstance(app.focused, ProcessTable))
        assert isinstance(app.focused, ProcessTable)
        assert len(app.query_one(ProcessTable).processes) == len(report.processes)
        assert not [one for one in app.query(Input) if one.value]

    play(source, scenario, TALL)


@pytest.mark.parametrize("size", [(20, 6), (40, 12), (80, 24), (250, 60)])
def test_any_size_shows_all_three(report: Report, size: tuple[int, int]) -> None:
    source = FakeSource(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        source.send(close_up=near(report))
        await settled(source, pilot)
        for key in ("3", "6", "7"):
            await pilot.press(key, "pagedown", "end")
            await pilot.pause()
            assert len(screen_text(app).splitlines()) == size[1]

    play(source, scenario, size)
