"""The table on the screen: groups, marks, the filter field beside it, what space says."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from advisor.report.document import Report
from advisor.tui.app import AdvisorApp
from advisor.tui.detail import DetailView
from advisor.tui.filter_field import FilterField
from advisor.tui.groups import Group
from advisor.tui.table import ProcessTable
from tests.render.conftest import make_report
from tests.tui.fake import FakeSource, play, screen_text, settled


@pytest.fixture
def report() -> Report:
    return make_report()


def labels(app: AdvisorApp) -> list[str]:
    return [row.label if isinstance(row, Group) else f"  {row.name}" for row in app.query_one(ProcessTable).rows]


def marked(app: AdvisorApp) -> list[int]:
    return [process.pid for process in app.query_one(ProcessTable).marked]


def test_b_groups_enter_opens_and_folds_and_the_cursor_stays_with_its_process(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        table = app.query_one(ProcessTable)
        await pilot.press(*["down"] * 4)
        process = table.current
        assert process is not None and process.name == "postgres"
        await pilot.press("b")
        assert isinstance(table.row, Group) and table.row.label == "PostgreSQL"
        assert "▸     3 PostgreSQL" in screen_text(app)
        assert table.chosen_processes == list(table.row.members)
        await pilot.press("enter")
        assert "▾     3 PostgreSQL" in screen_text(app)
        assert labels(app).count("  postgres") == 3
        await pilot.press("down", "enter")
        await pilot.pause()
        assert app.query_one(DetailView).process == table.current
        await pilot.press("escape")
        await pilot.pause()
        await pilot.press("up", "enter")
        assert labels(app).count("  postgres") == 0
        await pilot.press("b")
        assert "/system.slice/postgres.service" in labels(app)
        assert "by cgroup" in screen_text(app)
        await pilot.press("b")
        assert table.current is not None and table.current.name == "postgres"
        assert "by cgroup" not in screen_text(app)

    play(FakeSource(report), scenario)


def test_open_groups_stay_open_while_reports_come_in(report: Report) -> None:
    source = FakeSource(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("b", "down", "enter")
        before = labels(app)
        source.send(replace(report, processes=report.processes[::-1]), 2)
        await settled(source, pilot)
        assert sorted(labels(app)) == sorted(before)
        row = app.query_one(ProcessTable).row
        assert isinstance(row, Group) and row.label == "PostgreSQL"

    play(source, scenario)


def test_marks_are_for_processes_and_survive_reports_filters_and_groups(report: Report) -> None:
    source = FakeSource(report)
    first, second, third = report.processes[:3]

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        table = app.query_one(ProcessTable)
        assert table.chosen_processes == [first], "the one under the cursor where none is marked"
        await pilot.press("m", "m")
        assert marked(app) == [first.pid, second.pid]
        assert table.current == third, "it goes on to the next"
        assert table.chosen_processes == [first, second]
        assert "2 marked" in screen_text(app) and screen_text(app).count("\n*") == 2
        await pilot.press("up", "m")
        assert marked(app) == [first.pid]
        await pilot.press("m", "slash", *"qemu", "enter")
        assert marked(app) == [first.pid, third.pid]
        assert "2 marked, 1 of them not in sight" in screen_text(app)
        reused = replace(third, start_ticks=third.start_ticks + 1)
        source.send(replace(report, processes=[first, second, reused]), 2)
        await settled(source, pilot)
        assert marked(app) == [first.pid], "another process of that pid is another process"
        await pilot.press("escape", "M")
        assert marked(app) == [] and "marked" not in screen_text(app)

    play(source, scenario)


def test_a_group_is_marked_with_all_its_members(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("b", "down", "m")
        assert marked(app) == [4100, 4101, 4102]
        await pilot.press("up", "enter", "down", "m")
        assert marked(app) == [4101, 4102]
        assert "\n+▾" in screen_text(app), "a part of it"
        await pilot.click(ProcessTable, offset=(0, 2))
        assert marked(app) == [4100, 4101, 4102]
        await pilot.click(ProcessTable, offset=(0, 2))
        assert marked(app) == []

    play(FakeSource(report), scenario)


def test_the_cursor_moves_while_the_filter_is_typed(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"system", "down", "down", "up")
        assert isinstance(app.focused, FilterField)
        assert app.query_one(ProcessTable).current == report.processes[1]
        await pilot.press("pagedown", "pagedown")
        assert app.query_one(ProcessTable).current == report.processes[-1]
        await pilot.press("pageup", "pageup")
        assert app.query_one(ProcessTable).current == report.processes[0]

    play(FakeSource(report), scenario)


def test_the_footer_says_what_space_does(report: Report) -> None:
    async def live(app: AdvisorApp, pilot: Pilot[None]) -> None:
        assert "space Hold" in screen_text(app)
        await pilot.press("space")
        await pilot.pause()
        assert "space Go on" in screen_text(app)

    async def recorded(app: AdvisorApp, pilot: Pilot[None]) -> None:
        assert "space Play" in screen_text(app)
        await pilot.press("space")
        await pilot.pause()
        assert "space Pause" in screen_text(app)

    play(FakeSource(report), live)
    play(FakeSource(report, length=3), recorded)


def test_the_palette_has_what_the_keys_do(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        commands = {command.title: command.callback for command in app.get_system_commands(app.screen)}
        assert {"Mark", "Unmark all", "Record", "Export", "Group by cgroup", "Do not group"} <= commands.keys()
        await commands["Mark"]()
        assert marked(app) == [report.processes[0].pid]
        await commands["Group by cgroup"]()
        assert "/system.slice/postgres.service" in labels(app)

    play(FakeSource(report), scenario)


def test_sorting_keys_are_for_the_table_in_sight(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("r", "b", "greater_than_sign", "escape")
        assert app.query_one(ProcessTable).rows == report.processes

    play(FakeSource(report), scenario)
