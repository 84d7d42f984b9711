"""The screens of a live trial, with a made-up child: what is asked, what is ordered, what is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import Input, Select

from advisor.render.live_text import render_live_json, render_live_text
from advisor.trial.live_document import LiveMetric
from advisor.tui import trial_screen
from advisor.tui.app import AdvisorApp
from advisor.tui.trial_screen import TrialScreen
from advisor.tui.watch_app import INTERRUPTED
from advisor.watch.trial_frames import Died, Done, Go, Prepare, Ready, Refused, TrialFrame, Under
from tests.render.conftest import make_report
from tests.trial.test_live_text import trial
from tests.tui.fake import FakeSource, Scenario, play, said, screen_text, settled, until
from tests.tui.test_trial_text import HALF, PLAN

QEMU = 2211


class FakeTrial:
    """Sends what it is given, and keeps what was ordered."""

    redact = True

    def __init__(self) -> None:
        self.orders: list[Prepare | Go] = []
        self.ended = False
        self._queue: SimpleQueue[TrialFrame | None] = SimpleQueue()

    def frames(self) -> Iterator[TrialFrame]:
        while (frame := self._queue.get()) is not None:
            yield frame

    def order(self, order: Prepare | Go) -> None:
        self.orders.append(order)

    def end(self) -> None:
        self.ended = True

    def send(self, frame: TrialFrame) -> None:
        self._queue.put(frame)

    @property
    def last(self) -> Prepare:
        order = self.orders[-1]
        assert isinstance(order, Prepare)
        return order


def try_it(scenario: Scenario, fake: FakeTrial, size: tuple[int, int] = (80, 24), **changes: object) -> AdvisorApp:
    """The scenario begins with the form open, on the process at the top."""

    async def opened(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("T")
        await until(pilot, lambda: bool(fake.orders))
        await scenario(app, pilot)

    source = changes.pop("source", None) or FakeSource(make_report())
    app = play(source, opened, size, trials=lambda: fake)  # type: ignore[arg-type]
    fake._queue.put(None)
    assert fake.ended, "whatever closes the screen lets the child end"
    return app


async def shows(app: AdvisorApp, pilot: Pilot[None], *words: str) -> None:
    await until(pilot, lambda: all(word in screen_text(app) for word in words))
    text = screen_text(app)
    assert all(word in text for word in words), text


async def ask(app: AdvisorApp, pilot: Pilot[None], fake: FakeTrial) -> None:
    """From the form to the question."""
    fake.send(Ready(PLAN))
    await shows(app, pilot, "790 MiB of it can be moved")
    asked = len(fake.orders)
    await pilot.press("enter")
    await until(pilot, lambda: len(fake.orders) > asked)
    fake.send(Ready(PLAN))
    await shows(app, pilot, "Go ahead?")


async def start(app: AdvisorApp, pilot: Pilot[None], fake: FakeTrial) -> None:
    """From the form to the running trial."""
    await ask(app, pilot, fake)
    await pilot.press("y")
    await until(pilot, lambda: isinstance(fake.orders[-1], Go))
    assert isinstance(fake.orders[-1], Go)
    fake.send(Under(HALF))
    await shows(app, pilot, "window 3 of 4")


def test_a_trial_from_the_form_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_screen, "GRACE_S", 0.0)
    fake, source, made = FakeTrial(), FakeSource(make_report()), trial()

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        process = make_report().processes[0]
        assert app.tick is not None
        assert (fake.last.pid, fake.last.metric) == (app.tick.report.processes[0].pid, None)
        assert fake.last.start_ticks == next(
            one.start_ticks for one in app.tick.report.processes if one.pid == fake.last.pid
        )
        assert process is not None
        fake.send(Ready(PLAN))
        await shows(app, pilot, "Metric command", "cannot tell", "790 MiB of it can be moved")
        await pilot.press(*"ask it")
        app.screen.query_one("#trial-kind", Select).value = "counter"
        await pilot.press("enter")
        await until(pilot, lambda: len(fake.orders) == 2)
        assert fake.last.metric == LiveMetric("ask it", "counter", "higher")
        fake.send(Ready(PLAN))
        await shows(app, pilot, "moves 800 MiB", "stay huge", "a count that grows, higher is better: ask it")
        assert app.focused is not None and app.focused.id == "trial-no"
        await pilot.press("enter")
        await shows(app, pilot, "Steps, % of its memory", "ask it")
        await pilot.press("enter")
        await until(pilot, lambda: len(fake.orders) == 3)
        fake.send(Ready(PLAN))
        await shows(app, pilot, "Go ahead?")
        await pilot.press("y")
        await until(pilot, lambda: len(fake.orders) == 4)
        assert fake.orders[3] == Go()
        fake.send(Under(HALF))
        await shows(app, pilot, "396 MiB moved", "1.120 so far", "Escape ends it early")
        source.send(position=2)
        await settled(source, pilot)
        assert app.tick.position == 2, "ticks go on underneath"
        await pilot.press("escape")
        await shows(app, pilot, "ending early")
        assert fake.ended
        fake.send(Done(made))
        await shows(app, pilot, "server (pid 42) is faster", "Judged by")
        for key, name, text in (
            ("w", "trial-42.txt", render_live_text(made)),
            ("J", "trial-42.json", render_live_json(made)),
        ):
            await pilot.press(key)
            await shows(app, pilot, name)
            app.screen.query_one(Input).value = str(tmp_path / name)
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, TrialScreen))
            assert (tmp_path / name).read_text() == text
        assert app.query_one("#filter", Input).value == "" and "matches" not in said(app, "empty")
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        fake.orders.clear()
        await pilot.press("T")
        await shows(app, pilot, "ask it")

    try_it(scenario, fake, source=source)


def test_a_result_is_not_lost_to_an_escape_that_came_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_screen, "GRACE_S", 600.0)
    fake = FakeTrial()

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await start(app, pilot, fake)
        fake.send(Done(trial()))
        await shows(app, pilot, "server (pid 42) is faster")
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, TrialScreen)

    try_it(scenario, fake)


def test_a_second_escape_leaves_it_to_its_end() -> None:
    fake = FakeTrial()

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await start(app, pilot, fake)
        await pilot.press("escape", "escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert len(app.screen_stack) == 1 and fake.ended

    try_it(scenario, fake)


def test_ctrl_c_ends_the_trial_and_the_screen() -> None:
    fake = FakeTrial()

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await start(app, pilot, fake)
        await pilot.press("ctrl+c")

    assert try_it(scenario, fake).return_code == INTERRUPTED


def test_what_is_refused_is_said_where_it_can_be_mended() -> None:
    fake = FakeTrial()

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        fake.send(Refused("process 42: collapsing needs CAP_SYS_NICE; run as root\x1b[2J"))
        await shows(app, pilot, "Not possible: process 42", "run as root\\x1b[2J.", "Nothing was changed")
        app.screen.query_one("#trial-windows", Input).value = "3"
        await pilot.press("enter")
        await shows(app, pilot, "windows at each dose are 4 to 1000")
        assert len(fake.orders) == 1 and app.focused is not None and app.focused.id == "trial-windows"
        app.screen.query_one("#trial-windows", Input).value = "4"
        for about, field in (("metric", "trial-command"), ("steps", "trial-steps")):
            asked = len(fake.orders)
            await pilot.press("enter")
            await until(pilot, lambda asked=asked: len(fake.orders) > asked)  # type: ignore[misc]
            fake.send(Refused(f"no such {about}", about))  # type: ignore[arg-type]
            await shows(app, pilot, f"no such {about}")
            assert app.focused is not None and app.focused.id == field

    try_it(scenario, fake)


def test_only_the_answer_to_what_was_asked_last_counts() -> None:
    """The first look is still under way when the form is sent off."""
    fake = FakeTrial()

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: len(fake.orders) == 2)
        fake.send(Ready(replace(PLAN, asked_bytes=1 << 20)))
        fake.send(Ready(PLAN))
        await shows(app, pilot, "moves 800 MiB")

    try_it(scenario, fake)


@pytest.mark.parametrize(("ran", "words"), [(False, "Nothing "), (True, "had moved by then")])
def test_a_child_that_dies_says_what_is_left(ran: bool, words: str) -> None:
    fake = FakeTrial()

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        fake.send(Died("the process that makes the trial was killed by signal 9", ran))
        await shows(app, pilot, "No result", "killed by signal 9", words)
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)

    try_it(scenario, fake)


def test_the_detail_tries_what_it_shows() -> None:
    fake = FakeTrial()

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.screen.has_class("-detail"))
        await pilot.press("T")
        await until(pilot, lambda: bool(fake.orders))
        assert app.tick is not None and fake.last.pid == app._opened
        await shows(app, pilot, f"(pid {app._opened})")

    play(FakeSource(make_report()), scenario, trials=lambda: fake)
    fake._queue.put(None)


@pytest.mark.parametrize("kind", ["profile", "tree"])
def test_without_the_process_itself_there_is_no_form(kind: str) -> None:
    report = make_report()
    report = replace(report, source=replace(report.source, kind=kind))

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("T")
        await until(pilot, lambda: bool(app._notifications))
        (notice,) = app._notifications
        assert "trial --pid" in notice.message and notice.title == "No trial"
        assert len(app.screen_stack) == 1

    def never() -> FakeTrial:
        raise AssertionError("no child is started")

    play(FakeSource(report, length=1 if kind == "profile" else None), scenario, trials=never)


@pytest.mark.parametrize("size", [(40, 12), (200, 50)])
def test_every_state_on_small_and_wide_screens(size: tuple[int, int]) -> None:
    fake = FakeTrial()

    async def opened(app: AdvisorApp, pilot: Pilot[None]) -> None:
        app.action_trial()
        for state, frame in (("ask", Ready(PLAN)), ("run", Under(HALF)), ("result", Done(trial()))):
            if state == "ask":
                fake.send(frame)
                await until(pilot, lambda: app.screen._unanswered == 0)  # type: ignore[attr-defined]
                await pilot.press("enter")
                await until(pilot, lambda: len(fake.orders) == 2)
            if state == "run":
                await pilot.press("y")
            fake.send(frame)
            await until(pilot, lambda state=state: app.screen._state == state)  # type: ignore[misc, attr-defined]
            assert app.screen._state == state  # type: ignore[attr-defined]
            assert all(len(line) <= size[0] for line in screen_text(app).splitlines())

    async def run() -> None:
        source = FakeSource(make_report())
        app = AdvisorApp(source, trials=lambda: fake)
        async with app.run_test(size=size) as pilot:
            source.send()
            await settled(source, pilot)
            await opened(app, pilot)
        fake._queue.put(None)

    asyncio.run(run())
