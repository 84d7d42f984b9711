"""A source that a test feeds, and the application on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from queue import SimpleQueue

from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widget import Widget

from advisor.report.close_up import CloseUp
from advisor.report.document import Report
from advisor.tui.app import AdvisorApp
from advisor.tui.table import ProcessTable
from advisor.tui.trial_screen import TrialSource
from advisor.watch.frames import Frame, LookAt, Problem, Pulse, Record, Seek, Tick, WhatIf

PULSES = [Pulse(2.0 * n, float(n), 0.01 * n, 0.0, 0.25, 1 << 30) for n in range(5)]


class FakeSource:
    """Sends what `send` is given; answers seeks as a recording of `length` samples where it has one, and wishes."""

    def __init__(self, report: Report, length: int | None = None) -> None:
        self.report, self.length = report, length
        self.started, self.closed = 0, False
        self.sent = self.delivered = 0
        self.orders: list[Seek | WhatIf | LookAt | Record] = []
        self.seeks: list[int] = []
        self.answers = True
        self.what_if = WhatIf()
        self.answer: Callable[[WhatIf], Report] = lambda _: self.report
        self._queue: SimpleQueue[Frame | None] = SimpleQueue()

    @property
    def is_live(self) -> bool:
        return self.length is None

    def frames(self) -> Iterator[Frame]:
        self.started += 1
        while (frame := self._queue.get()) is not None:
            yield frame
            self.delivered += 1
            if isinstance(frame, Problem):
                return

    def order(self, order: Seek | WhatIf | LookAt | Record) -> None:
        self.orders.append(order)
        if isinstance(order, Seek):
            self.seeks.append(order.position)
            if self.answers:
                self.send(position=order.position)
        if isinstance(order, WhatIf) and self.answers:
            self.what_if = order
            self.send(position=self.length or 1)

    def close(self) -> None:
        self.closed = True
        self._queue.put(None)

    def send(
        self,
        report: Report | None = None,
        position: int = 1,
        *,
        model: bool = True,
        close_up: CloseUp | None = None,
    ) -> None:
        """A tick under what is wanted by now."""
        tick = Tick(report or self.report, position, self.length, PULSES, 0.1, model, close_up=close_up)
        if not self.what_if.is_empty:
            chosen = report or self.answer(self.what_if)
            tick = replace(tick, report=chosen, what_if=self.what_if, advised=self.report.plan)
        self.put(tick)

    def put(self, tick: Tick) -> None:
        """Send a tick that is made already."""
        self.sent += 1
        self._queue.put(tick)

    def fail(self, message: str) -> None:
        self.sent += 1
        self._queue.put(Problem(message))


Scenario = Callable[[AdvisorApp, "Pilot[None]"], Awaitable[None]]


def many(report: Report, number: int) -> Report:
    """The first process of this report so often, each with a pid and a name of its own."""
    first = report.processes[0]
    return replace(
        report, processes=[replace(first, pid=1000 + n, start_ticks=n, name=f"worker-{n}") for n in range(number)]
    )


def play(
    source: FakeSource,
    scenario: Scenario,
    size: tuple[int, int] = (80, 24),
    *,
    ticks: int = 1,
    trials: Callable[[], TrialSource] | None = None,
    notifications: bool = False,
) -> AdvisorApp:
    """Run the application without a terminal, with so many ticks sent, and the scenario in it.

    notifications: whether what is said in passing is shown."""
    app = AdvisorApp(source, trials=trials)

    async def run() -> None:
        async with app.run_test(size=size, notifications=notifications) as pilot:
            for number in range(ticks):
                source.send(position=source.length or number + 1)
            await settled(source, pilot)
            await until(pilot, lambda: "palette" in screen_text(app))
            await scenario(app, pilot)

    asyncio.run(run())
    return app


async def settled(source: FakeSource, pilot: Pilot[None]) -> None:
    """What was sent has come and is drawn."""
    await until(pilot, lambda: source.delivered == source.sent)


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Waits, ten seconds at most; what depends on it fails then by its own words."""
    for _ in range(1000):
        if holds():
            break
        await asyncio.sleep(0.01)
    await pilot.pause()
    await pilot.pause()


def screen_text(app: AdvisorApp) -> str:
    """What stands on the screen."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


def names(app: AdvisorApp) -> list[str]:
    return [process.name for process in app.screen_stack[0].query_one(ProcessTable).processes]


def said(app: AdvisorApp, id: str) -> str:
    """What a line says; empty where it is not shown."""
    widget = app.screen_stack[0].query_one(f"#{id}", Widget)
    return str(widget.render()) if widget.display else ""
