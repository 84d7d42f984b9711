"""The detail view on a screen: tabs, updates that keep the place, processes that are gone, copying and writing."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import msgspec
import pytest
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static, TabbedContent

from advisor.report.document import Report, SkippedProcess
from advisor.report.process import ProcessEntry
from advisor.tui.ask_path import AskPath
from advisor.tui.detail import TABS, DetailView
from advisor.tui.detail_pastes import PastesPane
from tests.render.conftest import make_report

QEMU, JAVA, EVIL = 2211, 3302, 8001
ROUNDS = 250
"""Rounds of waiting before a test fails. Reason: 5 s, for a machine that does other things."""

Scenario = Callable[["Host", Pilot[None]], Awaitable[None]]


class Host(App[None]):
    """An application with nothing but the view."""

    def __init__(self, report: Report, pid: int) -> None:
        super().__init__()
        self.report = report
        self.pid = pid

    def compose(self) -> ComposeResult:
        yield DetailView()

    def on_mount(self) -> None:
        self.view.show(self.report, self.pid)
        self.view.focus()

    @property
    def view(self) -> DetailView:
        return self.query_one(DetailView)

    def screen_text(self) -> str:
        return "\n".join(
            "".join(segment.text for segment in strip) for strip in self.screen._compositor.render_strips()
        )

    def state(self) -> str:
        widget = self.view.query_one("#detail-state", Static)
        return str(widget.render()) if widget.display else ""


def play(
    scenario: Scenario, *, pid: int = QEMU, report: Report | None = None, size: tuple[int, int] = (80, 24)
) -> None:
    async def run() -> None:
        app = Host(report or make_report(), pid)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await scenario(app, pilot)

    asyncio.run(run())


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    """Wait for what the screen shows only after some rounds of messages."""
    for _ in range(ROUNDS):
        if condition():
            return
        await pilot.pause(0.02)
    raise AssertionError(f"not within {ROUNDS} rounds:\n{cast(Host, pilot.app).screen_text()}")


async def open_texts(app: Host, pilot: Pilot[None]) -> None:
    """Open the tab of the texts and wait until keys go there."""
    await pilot.press("5")
    pane = app.view.query_one(PastesPane)
    await until(pilot, lambda: pane.has_focus_within or pane.chosen is None)


def without(report: Report, pid: int, skipped: str | None = None) -> Report:
    left = [one for one in report.processes if one.pid != pid]
    missing = [] if skipped is None else [SkippedProcess(pid, None, skipped)]
    return msgspec.structs.replace(report, processes=left, skipped=missing)


def changed(report: Report, pid: int, **fields: object) -> Report:
    def change(one: ProcessEntry) -> ProcessEntry:
        return msgspec.structs.replace(one, **fields) if one.pid == pid else one

    return msgspec.structs.replace(report, processes=[change(one) for one in report.processes])


def test_every_tab_opens_by_its_number_and_shows_its_text() -> None:
    expected = (
        "Decision",
        "not-advised",
        "by what backs it",
        "Policy",
        "GRUB_CMDLINE_LINUX",
        "Process",
        "on its way",
    )

    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        for number, (tab, part) in enumerate(zip(TABS, expected, strict=True), 1):
            await pilot.press(str(number))
            await until(pilot, lambda part=part: part in app.screen_text())  # type: ignore[misc]
            assert app.view.query_one(TabbedContent).active == tab

    play(scenario)


def test_arrows_turn_the_tabs_round() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        for key, tab in (("left", TABS[-1]), ("right", TABS[0]), ("right", TABS[1])):
            await pilot.press(key)
            await pilot.pause()
            assert app.view.query_one(TabbedContent).active == tab

    play(scenario)


def test_a_click_on_a_tab_fills_it_and_sends_keys_there() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        await pilot.click("#--content-tab-texts")
        await until(pilot, lambda: "GRUB_CMDLINE_LINUX" in app.screen_text())
        await until(pilot, lambda: app.view.query_one(PastesPane).has_focus_within)
        await pilot.press("c")
        assert app.clipboard == app.report.plan.artefacts[0].text

    play(scenario)


def test_a_tab_that_was_hidden_shows_the_newest_when_it_is_opened() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("6", "1")
        app.view.show(changed(app.report, QEMU, executable="/opt/newer"), QEMU)
        await pilot.press("6")
        await until(pilot, lambda: "/opt/newer" in app.screen_text())

    play(scenario)


def test_a_newer_report_leaves_tab_and_scroll_where_they_are() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        scroll = app.view.query_one("#advice VerticalScroll", VerticalScroll)
        await pilot.press("down", "down", "down")
        await pilot.pause(0.3)
        place = scroll.scroll_y
        assert place > 0
        app.view.show(changed(app.report, QEMU, user="somebody"), QEMU)
        await pilot.pause()
        assert scroll.scroll_y == place
        assert app.view.process is not None and app.view.process.user == "somebody"
        assert "user somebody" in app.screen_text()
        app.view.show(app.report, JAVA)
        await pilot.pause()
        assert scroll.scroll_y == 0

    play(scenario, size=(80, 14))


def test_the_same_report_again_draws_nothing() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        widget = app.view.query_one("#advice .section", Static)
        before = widget.content
        app.view.show(make_report(), QEMU)
        assert widget.content is before

    play(scenario)


def test_a_process_that_ended_keeps_its_last_state() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        app.view.show(without(app.report, QEMU), QEMU)
        await pilot.pause()
        assert app.state().startswith("ended")
        assert "hugetlb 1 GiB x 48" in app.screen_text()
        app.view.show(app.report, QEMU)
        assert app.state() == ""

    play(scenario)


def test_a_pid_that_went_to_another_process_shows_the_old_one_as_ended() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        reused = changed(app.report, QEMU, start_ticks=1, name="newcomer")
        app.view.show(reused, QEMU)
        assert "another process now" in app.state()
        assert app.view.process is not None and app.view.process.name == "qemu-system-x86"
        app.view.clear()
        app.view.show(reused, QEMU)
        assert app.state() == ""
        assert app.view.process.name == "newcomer"

    play(scenario)


@pytest.mark.parametrize(("reason", "said"), [("hung", "not observed this time: hung"), ("gone", "ended")])
def test_a_process_that_was_not_read_this_time_is_not_called_ended(reason: str, said: str) -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        app.view.show(without(app.report, QEMU, reason), QEMU)
        assert app.state().startswith(said)

    play(scenario)


def test_a_pid_that_is_nowhere_says_so() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        assert "process 1 is not in this report" in app.screen_text()
        assert not app.view.query_one(TabbedContent).display

    play(scenario, pid=1)


def test_a_hostile_name_is_shown_as_it_is_spelt() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        assert r"evil|\x1b[31m`x`[red]" in app.screen_text()

    play(scenario, pid=EVIL)


def test_copying_sends_text_and_undo_to_the_clipboard() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        await open_texts(app, pilot)
        await pilot.press("c")
        assert app.clipboard == app.report.plan.artefacts[0].text
        await pilot.press("u")
        assert app.clipboard == app.report.plan.artefacts[0].undo

    play(scenario)


def test_without_a_text_there_is_nothing_to_copy_or_write() -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        await open_texts(app, pilot)
        await pilot.press("c", "w")
        assert app.clipboard == ""
        assert not isinstance(app.screen, AskPath)
        assert "No text carries this advice out" in app.screen_text()

    play(scenario, pid=JAVA)


def test_the_chosen_text_stays_chosen_while_others_come_and_go() -> None:
    report = make_report()
    first, second = report.plan.artefacts
    advice = next(one.recommendation for one in report.processes if one.pid == QEMU)
    both = msgspec.structs.replace(advice, artefacts=[first.id, second.id])
    report = changed(report, QEMU, recommendation=both)

    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        await open_texts(app, pilot)
        await pilot.press("down")
        await pilot.pause()
        pane = app.view.query_one(PastesPane)
        assert pane.chosen is not None and pane.chosen.artefact.id == second.id
        turned = msgspec.structs.replace(report.plan, artefacts=[second, first])
        app.view.show(msgspec.structs.replace(report, plan=turned), QEMU)
        await pilot.pause()
        assert pane.chosen.artefact.id == second.id
        assert pane.query_one(OptionList).highlighted == 0

    play(scenario, report=report)


def test_a_text_is_written_where_the_answer_says_and_never_over_something(tmp_path: Path) -> None:
    taken, free = tmp_path / "taken", tmp_path / "[b]free"
    taken.write_text("mine")

    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        await open_texts(app, pilot)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, AskPath) and bool(app.screen.query(Input)))
        question = app.screen.query_one(Input)
        assert question.value == "01-pool-1G-boot.cfg"
        question.value = str(taken)
        await pilot.press("enter")
        await until(pilot, lambda: "something of that name already" in app.screen_text())
        question.value = str(free)
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, AskPath))
        assert free.read_text() == app.report.plan.artefacts[0].text

    play(scenario)
    assert taken.read_text() == "mine"
    assert stat.S_IMODE(free.stat().st_mode) == 0o600


def test_escape_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        await open_texts(app, pilot)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, AskPath) and bool(app.screen.query(Input)))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, AskPath))

    play(scenario)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("size", "theme"), [((30, 8), "textual-light"), ((80, 24), "ansi-dark"), ((300, 60), "nord")]
)
def test_any_size_and_theme_can_be_drawn_and_changed_while_it_stands(size: tuple[int, int], theme: str) -> None:
    async def scenario(app: Host, pilot: Pilot[None]) -> None:
        for number in range(1, len(TABS) + 1):
            await pilot.press(str(number))
        app.theme = theme
        await pilot.pause()
        await pilot.resize_terminal(100, 30)
        await pilot.pause()
        assert "qemu-system-x86" in app.screen_text()

    play(scenario, size=size)
