"""Ten screens as pictures that a reviewer can look at: `golden/*.svg` open in a browser."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from advisor.report.document import Report
from advisor.report.plan import PlanRisk
from advisor.tui.app import AdvisorApp
from advisor.tui.themes import CONTRAST, LIGHT
from advisor.watch.frames import WhatIf
from tests.render.conftest import make_report
from tests.tui.fake import FakeSource, play, settled
from tests.tui.near import close_up_of
from tests.tui.picture import still_picture

Golden = Callable[[str, str], None]
Act = Callable[[AdvisorApp, Pilot[None], FakeSource], Awaitable[None]]


def keys(*pressed: str) -> Act:
    """Press these."""

    async def act(app: AdvisorApp, pilot: Pilot[None], source: FakeSource) -> None:
        await pilot.press(*pressed)

    return act


async def memory_map(app: AdvisorApp, pilot: Pilot[None], source: FakeSource) -> None:
    await pilot.press("enter")
    source.send(position=2, close_up=close_up_of(source.report.processes[0]))
    await settled(source, pilot)
    await pilot.press("3")


async def gone(app: AdvisorApp, pilot: Pilot[None], source: FakeSource) -> None:
    """A recording at its end, where the process that is open has ended."""
    await pilot.press("enter")
    source.send(replace(source.report, processes=source.report.processes[1:]), position=9)
    await settled(source, pilot)


async def no_root(app: AdvisorApp, pilot: Pilot[None], source: FakeSource) -> None:
    app.theme = LIGHT
    report = source.report
    source.send(replace(report, source=replace(report.source, privileged=False)), position=2)
    await settled(source, pilot)


async def groups(app: AdvisorApp, pilot: Pilot[None], source: FakeSource) -> None:
    app.theme = CONTRAST
    own = [
        replace(one, memory=replace(one.memory, pss_bytes=one.memory.rss_bytes)) for one in source.report.processes
    ]
    source.send(replace(source.report, processes=own), position=2)
    await settled(source, pilot)
    await pilot.press("b", "down", "down", "enter", "m", "down")


async def what_if(app: AdvisorApp, pilot: Pilot[None], source: FakeSource) -> None:
    source.answer = _answer
    await pilot.press("h", "right", "right", "right")
    await settled(source, pilot)


def _answer(wanted: WhatIf) -> Report:
    report = make_report()
    risk = PlanRisk("little-memory-left", "high", "Little memory is left for what is no huge page.", "Ask for less.")
    thp = replace(report.plan.thp, enabled=wanted.thp_enabled or "madvise", changed=["enabled"])
    return replace(report, plan=replace(report.plan, thp=thp, risks=[*report.plan.risks, risk]))


PICTURES: dict[str, tuple[tuple[int, int], Act]] = {
    "main-80x24": ((80, 24), keys()),
    "main-200x50": ((200, 50), keys("down", "m", "greater_than_sign")),
    "narrow-40x12": ((40, 12), keys("down")),
    "detail-advice": ((100, 34), keys("enter")),
    "detail-memory": ((100, 34), memory_map),
    "detail-gone": ((80, 24), gone),
    "groups-contrast": ((120, 24), groups),
    "help": ((80, 24), keys("question_mark")),
    "no-root-light": ((80, 24), no_root),
    "what-if": ((140, 34), what_if),
}
"""By file name: size, and what is done before it is looked at."""


@pytest.mark.parametrize("name", PICTURES)
def test_the_screen_looks_as_reviewed(name: str, golden: Golden) -> None:
    size, act = PICTURES[name]
    source = FakeSource(make_report(), length=9 if act is gone else None)
    made: list[str] = []

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await act(app, pilot, source)
        made.append(await still_picture(app, pilot))

    play(source, scenario, size)
    golden(f"{name}.svg", made[0])


def test_every_picture_is_of_a_test(request: pytest.FixtureRequest) -> None:
    files = sorted(path.stem for path in (request.path.parent / "golden").glob("*.svg"))
    assert files == sorted(PICTURES)
