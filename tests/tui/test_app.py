"""The application on a source that tests feed: every key, every state, at several sizes."""

from __future__ import annotations

import gc

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widget import Widget

from advisor.report.document import Report
from advisor.tui.app import AdvisorApp
from advisor.tui.columns import COLUMNS, Order, arranged
from advisor.tui.detail import DetailView
from advisor.tui.help import HelpScreen
from advisor.tui.key_bar import KeyBar
from advisor.tui.table import ProcessTable
from advisor.tui.themes import CONTRAST, DARK, LIGHT
from advisor.tui.watch_app import INTERRUPTED, LOADING
from tests.render.conftest import make_report
from tests.tui.fake import FakeSource, many, names, play, said, screen_text, settled, until


@pytest.fixture
def report() -> Report:
    return make_report()


def test_until_the_first_tick_it_says_that_it_is_looking(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        assert LOADING in screen_text(app)
        await pilot.press("enter", "slash", "escape", "space", "right", "r", "R", "greater_than_sign")

    play(FakeSource(report), scenario, ticks=0)


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (200, 50)])
def test_the_first_screen_says_host_plan_and_who_matters(report: Report, size: tuple[int, int]) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        text = screen_text(app)
        lines = text.splitlines()
        assert len(lines) == size[1]
        for word in ("THP", "Pools", "available", "khugepaged", "Plan", "PID", "ADVICE", "Help", "Quit"):
            assert word in text, word
        assert names(app) == [process.name for process in report.processes]
        assert ("AT STAKE" in text) == (size[0] == 200)
        assert isinstance(app.focused, ProcessTable)

    play(FakeSource(report), scenario, size)


def test_resizing_down_and_up_keeps_everything_in_place(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("down", "down")
        before = app.query_one(ProcessTable).current
        for size in ((40, 12), (20, 5), (200, 50), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert len(screen_text(app).splitlines()) == size[1]
        assert app.query_one(ProcessTable).current is before

    play(FakeSource(report), scenario)


def test_keys_sort_by_each_column_in_turn_both_ways_and_back(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        table = app.query_one(ProcessTable)
        for column in COLUMNS:
            await pilot.press("greater_than_sign")
            assert table.processes == arranged(report.processes, Order().chosen(column.id))
        await pilot.press("less_than_sign", "r")
        chosen = Order().chosen(COLUMNS[-2].id)
        assert table.processes == arranged(report.processes, Order(chosen.column, not chosen.downwards))
        await pilot.press("0")
        assert table.processes == report.processes

    play(FakeSource(report), scenario)


def test_a_click_on_a_title_sorts_and_a_second_turns_it_round(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        pids = sorted(process.pid for process in report.processes)
        await pilot.click(ProcessTable, offset=(6, 0))
        assert [process.pid for process in app.query_one(ProcessTable).processes] == pids
        await pilot.click(ProcessTable, offset=(6, 0))
        assert [process.pid for process in app.query_one(ProcessTable).processes] == pids[::-1]

    play(FakeSource(report), scenario)


def test_enter_opens_all_of_one_process_and_escape_goes_back_to_it(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("down", "enter")
        await pilot.pause()
        detail = app.query_one(DetailView)
        assert detail.process == report.processes[1]
        assert detail.display and not app.query_one(ProcessTable).display
        assert report.processes[1].name in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert app.query_one(ProcessTable).display
        assert app.query_one(ProcessTable).current == report.processes[1]

    play(FakeSource(report), scenario)


def test_a_double_click_opens_a_process(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.click(ProcessTable, offset=(12, 3), times=2)
        await pilot.pause()
        assert app.query_one(DetailView).process == report.processes[2]

    play(FakeSource(report), scenario)


def test_a_process_that_ends_while_it_is_looked_at_stays_and_says_so(report: Report) -> None:
    source = FakeSource(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        source.send(replace(report, processes=report.processes[1:]), 2)
        await settled(source, pilot)
        assert app.query_one(DetailView).process == report.processes[0]
        assert "ended" in screen_text(app)

    play(source, scenario)


def test_the_cursor_follows_its_process_through_new_reports(report: Report) -> None:
    source = FakeSource(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("down", "down")
        source.send(replace(report, processes=report.processes[::-1]), 2)
        await settled(source, pilot)
        assert app.query_one(ProcessTable).current == report.processes[2]
        source.send(replace(report, processes=report.processes[:2]), 3)
        await settled(source, pilot)
        assert app.query_one(ProcessTable).current is not None

    play(source, scenario)


def test_space_holds_a_live_screen_and_lets_it_go_on(report: Report) -> None:
    source = FakeSource(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("space")
        assert "held" in said(app, "top")
        source.send(position=2)
        await settled(source, pilot)
        assert "sample 1 " in said(app, "top")
        await pilot.press("space")
        assert "sample 2 " in said(app, "top") and "held" not in said(app, "top")

    play(source, scenario)


def test_a_recording_is_stepped_through_and_stops_at_its_ends(report: Report) -> None:
    source = FakeSource(report, length=3)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        assert "3 of 3, end" in screen_text(app)
        for key, position in (("right", 3), ("left", 2), ("comma", 1), ("left", 1), ("full_stop", 2)):
            await pilot.press(key)
            await settled(source, pilot)
            assert f"sample {position} of 3" in said(app, "top"), key
        await pilot.press("left_square_bracket")
        await settled(source, pilot)
        await pilot.press("right_square_bracket")
        await settled(source, pilot)
        assert source.seeks == [2, 1, 2, 1, 3]

    play(source, scenario)


def test_steps_pressed_faster_than_samples_come_are_not_lost(report: Report) -> None:
    source = FakeSource(report, length=9)
    source.answers = False

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("left", "left", "left", "right")
        assert source.seeks == [8, 7, 6, 7]

    play(source, scenario)


def test_a_recording_plays_from_its_beginning_to_its_end(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("advisor.tui.replay.PLAY_S", 0.02)
    source = FakeSource(report, length=3)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("space")
        await until(pilot, lambda: source.seeks == [1, 2, 3] and "‖" in screen_text(app))
        assert source.seeks == [1, 2, 3]
        assert "3 of 3, end" in screen_text(app)

    play(source, scenario)


def test_a_click_on_the_rail_goes_there(report: Report) -> None:
    source = FakeSource(report, length=100)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.click("#replay", offset=(3, 0))
        await settled(source, pilot)
        assert source.seeks == [1]

    play(source, scenario)


def test_when_the_source_ends_it_says_why_and_can_start_again(report: Report) -> None:
    source = FakeSource(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        source.fail("the process that watches the host was killed by signal 9")
        await settled(source, pilot)
        assert "signal 9" in screen_text(app)
        assert names(app), "the last that was seen stays"
        await pilot.press("R")
        source.send(position=1)
        await settled(source, pilot)
        assert source.started == 2
        assert said(app, "failed") == ""

    play(source, scenario)


def test_a_source_that_never_gives_anything_says_why_in_the_middle(report: Report) -> None:
    source = FakeSource(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        source.fail("/proc: neither a process nor meminfo can be read")
        await settled(source, pilot)
        assert "neither a process" in said(app, "empty")

    play(source, scenario, ticks=0)


def test_a_report_without_processes_says_so(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        assert said(app, "empty") == "No process can be seen here."
        await pilot.press("enter", "down", "up", "end")

    play(FakeSource(replace(report, processes=[])), scenario)


@pytest.mark.parametrize("privileged", [True, False])
def test_without_root_it_says_what_is_missing(report: Report, privileged: bool) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        assert ("Not root" in said(app, "notice")) == (not privileged)

    play(FakeSource(replace(report, source=replace(report.source, privileged=privileged))), scenario)


def test_before_the_model_is_loaded_it_says_rules_alone(report: Report) -> None:
    source = FakeSource(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        source.send(model=False)
        await settled(source, pilot)
        assert "rules alone so far" in said(app, "top")

    play(source, scenario)


@pytest.mark.parametrize("key", ["question_mark", "escape", "q"])
def test_help_lists_the_keys_and_goes_away(report: Report, key: str) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        assert "filter by pid" in screen_text(app)
        await pilot.press(key)
        assert not isinstance(app.screen, HelpScreen)

    play(FakeSource(report), scenario)


def test_ticks_come_in_while_help_is_open(report: Report) -> None:
    source = FakeSource(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        source.send(position=2)
        await settled(source, pilot)
        assert "sample 2" in said(app, "top")

    play(source, scenario)


def test_t_goes_through_the_themes(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        seen = [app.theme]
        for _ in range(3):
            await pilot.press("t")
            await pilot.pause()
            seen.append(app.theme)
        assert seen == [DARK, LIGHT, CONTRAST, DARK]

    play(FakeSource(report), scenario)


def test_the_palette_sorts(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.press(*"sort by pid")
        await until(pilot, lambda: "Sort the table by pid" in screen_text(app))
        await pilot.press("down", "enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        pids = [process.pid for process in app.query_one(ProcessTable).processes]
        assert pids == sorted(pids)

    play(FakeSource(report), scenario)


def test_moving_through_thousands_keeps_the_cursor_in_sight(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        for key, name in (("end", "worker-4999"), ("pageup", None), ("home", "worker-0"), ("pagedown", None)):
            await pilot.press(key)
            await pilot.pause()
            current = app.query_one(ProcessTable).current
            assert current is not None
            assert name is None or current.name == name
            assert f" {current.name} " in screen_text(app)

    play(FakeSource(many(report, 5000)), scenario)


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("ctrl+c", INTERRUPTED)])
def test_quitting_closes_the_source(report: Report, key: str, code: int) -> None:
    source = FakeSource(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press(key)

    app = play(source, scenario)
    assert source.closed
    assert (app.return_code or 0) == code


HOSTILE = "e[bold]\x1b[31m[@click=app.quit]x[/]\u202e\u2066\r\n\t\U0001f600漢字\udcff" * 2


def test_foreign_text_is_shown_as_it_is_spelt_everywhere(report: Report) -> None:
    hostile = [
        replace(one, name=HOSTILE, user=HOSTILE, cgroup=HOSTILE, executable=HOSTILE, command_line=[HOSTILE])
        for one in report.processes
    ]
    evil = replace(report, processes=hostile, host=replace(report.host, hostname=HOSTILE, kernel=HOSTILE))

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        for key in ("down", "enter", "escape"):
            text = screen_text(app)
            assert not set(text) & set("\x1b\u202e\u2066\r\t\udcff")
            assert "[bold]" in text
            assert r"\x1b[31m" in text
            await pilot.press(key)
            await pilot.pause()
        await pilot.click(ProcessTable, offset=(20, 2))
        await pilot.pause()
        assert app.is_running

    play(FakeSource(evil), scenario, (200, 50))


def test_what_is_shown_no_more_is_let_go(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        async def look_around() -> int:
            await pilot.press("question_mark", "escape", "enter", "escape")
            await pilot.pause()
            gc.collect()
            return sum(isinstance(one, Widget) for one in gc.get_objects())

        first = await look_around()
        for _ in range(3):
            last = await look_around()
        assert last <= first

    play(FakeSource(report), scenario)


def test_a_click_on_a_key_presses_it_and_narrow_screens_keep_the_palette(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        line = screen_text(app).splitlines()[-1]
        assert line.endswith("^p palette") and "/ Filter" in line
        await pilot.click(KeyBar, offset=(line.index("? Help"), 0))
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape")
        await pilot.resize_terminal(30, 12)
        await pilot.pause()
        assert screen_text(app).splitlines()[-1].endswith("^p palette")

    play(FakeSource(report), scenario, (100, 30))
