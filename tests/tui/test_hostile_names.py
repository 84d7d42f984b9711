"""Names that anybody may give to a process, on every screen: shown as they are spelt, harmless, columns in line."""

from __future__ import annotations

import unicodedata
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Input

from advisor.render.escape import INVISIBLE_CATEGORIES, INVISIBLE_LETTERS
from advisor.report.close_up import CloseUp, CloseUpFeature, CloseUpMoment, CloseUpVma
from advisor.report.document import Report
from advisor.tui.app import AdvisorApp
from advisor.tui.detail import TABS, DetailView
from advisor.tui.table import ProcessTable
from advisor.watch.frames import Recording, Tick, WantedPolicy, WantedPool, WhatIf
from advisor.watch.trial_frames import Died, Ready
from tests.render.conftest import make_report
from tests.tui.fake import PULSES, FakeSource, play, screen_text, settled, until
from tests.tui.picture import segments
from tests.tui.test_trial_screen import FakeTrial
from tests.tui.test_trial_text import PLAN

HOSTILE = {
    "escapes": "e\x1b[2J\x1b[31m\x9b1m\x07\b\x7f\0\r\n\tz",
    "links": "l\x1b]8;;https://evil.example/\x1b\\click\x1b]8;;\x1b\\\x1b]52;c;ZXZpbA==\x07\x1bP$q\x1b\\",
    "markup": "m[bold]b[/][@click=app.quit]x[/][@click='app.bell']y[/] [link=https://a.b]z[/link] [/] [$error]",
    "bidi": "b\u202egnp.exe\u2066\u2069\u200f\u061c\u200b\u200d\ufeff\u2028\u2029\u00ad\U000e0041\ufe0f\U000e0101",
    "wide": "漢字漢字漢字\U0001f600\uff37\uff49\uff44\uff45漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字",
    "marks": "a" + "\u0301\u0327\u20dd" * 20 + "\u3164\u2800\u115f\u034f",
}
"""By what they try."""

FOREIGN = set(
    """name hostname user cgroup executable command_line message note remedy title path slice says summary why content
    override_reason pages_basis why_not version cpu_model kernel allocator runtime what undo detail arithmetic text
    """.split()  # noqa: SIM905 - a dozen quotes less
)
"""Fields of the report into which a process or a machine may get its own text, by way of the message or not."""

OF_SCROLLBARS = {"grab", "release", "scroll_up", "scroll_down"}
"""What a click does by the style of what is clicked, where Textual draws it."""


def spoilt(value: Any, nasty: str, field: str = "") -> Any:
    """The same with foreign text behind each text that may have some."""
    if isinstance(value, str):
        return f"{value}{nasty}" if field in FOREIGN else value
    if isinstance(value, list | tuple):
        return type(value)(spoilt(one, nasty, field) for one in value)
    if isinstance(value, msgspec.Struct):
        fields = value.__struct_fields__
        return msgspec.structs.replace(value, **{name: spoilt(getattr(value, name), nasty, name) for name in fields})
    return value


def nasty(first: int = 0) -> str:
    """All that is hostile, beginning with one kind of it: narrow columns show no more."""
    kinds = list(HOSTILE.values())
    first %= len(kinds)
    return "".join([*kinds[first:], *kinds[:first]])


def hostile_report() -> Report:
    """Every process, tenant, cgroup, guest, message and text has it; names of processes are nothing else."""
    report: Report = spoilt(make_report(), nasty())
    processes = [
        msgspec.structs.replace(spoilt(process, nasty(number)), name=nasty(number))
        for number, process in enumerate(make_report().processes)
    ]
    return msgspec.structs.replace(report, processes=processes)


def close_up(report: Report) -> CloseUp:
    first, text = report.processes[0], nasty()
    sizes = {name: 4096 for name in CloseUpVma.__struct_fields__ if name.endswith("_bytes")}
    vma = CloseUpVma(**sizes, start=1 << 30, vmas=1, kind="file", name=text, thp_eligible=None, advice=text)
    features = [CloseUpFeature(text, text, text, text, text, "process")]
    history = [CloseUpMoment(0.0, 4096, 0.0, None, None, 0.1)]
    return CloseUp(first.pid, first.start_ticks, [vma], None, 0.0, True, features, history)


def is_invisible(character: str) -> bool:
    return unicodedata.category(character) in INVISIBLE_CATEGORIES or character in INVISIBLE_LETTERS


class Watcher:
    """Looks at the screen at every step of a scenario."""

    def __init__(self, app: AdvisorApp, pilot: Pilot[None], size: tuple[int, int]) -> None:
        self.app, self.pilot, self.size = app, pilot, size

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.look(key)

    async def look(self, where: str, says: str = "") -> None:
        """Nothing of it is anything but letters in their columns. says: what is waited for."""
        await until(self.pilot, lambda: says in screen_text(self.app))
        assert says in screen_text(self.app), where
        lines = segments(self.app)
        assert len(lines) == self.size[1], where
        for line in lines:
            text = "".join(segment.text for segment in line)
            assert not [hex(ord(one)) for one in text if is_invisible(one)], (where, text)
            assert cell_len(text) == self.size[0], (where, text)
            for segment in line:
                assert not segment.control, (where, segment)
                if segment.style is not None:
                    assert segment.style.link is None, (where, segment)
                    acts = {str(value) for key, value in segment.style.meta.items() if key.startswith("@")}
                    assert acts <= OF_SCROLLBARS, (where, segment)
        assert self.app.is_running, where


@pytest.mark.parametrize("size", [(40, 12), (120, 40)])
def test_no_name_does_anything_on_any_screen(size: tuple[int, int]) -> None:
    report, name = hostile_report(), nasty()
    source, trial = FakeSource(report), FakeTrial()

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        watcher = Watcher(app, pilot, size)
        app.animation_level = "none"
        for walk in (table, details, questions, talk):
            await walk(app, watcher)

    async def table(app: AdvisorApp, watcher: Watcher) -> None:
        await watcher.look("table")
        await watcher.press("b", "enter", "m", "b", "enter", "b", "m")
        await watcher.press("slash")
        app.post_message(Paste(name))
        await until(watcher.pilot, lambda: bool(app.query_one("#filter", Input).value))
        await watcher.look("filter by what is shown")
        assert app.query_one(ProcessTable).processes, "found by its name as it was copied"
        app.post_message(Paste(" zzz"))
        await watcher.look("filter", "None of")
        await watcher.press("escape", "escape", "M", "home")

    async def details(app: AdvisorApp, watcher: Watcher) -> None:
        tick = Tick(report, 2, None, PULSES, 0.1, True, close_up=close_up(report))
        source.put(tick)
        await settled(source, watcher.pilot)
        await watcher.press("home", "enter")
        await until(watcher.pilot, lambda: app.query(DetailView).first().display)
        for number, _ in enumerate(TABS, 1):
            await watcher.press(str(number), "end")
        await watcher.press("5", "down", "c", "w", "escape", "escape")

    async def questions(app: AdvisorApp, watcher: Watcher) -> None:
        await watcher.press("home", "p", "escape", "m", "m", "p", "escape", "M", "e", "escape", "s", "escape")
        first = report.processes[0]
        source.what_if = WhatIf(
            (WantedPolicy(first.pid, "thp", None, first.start_ticks),), "never", (WantedPool(2 << 20, 5),)
        )
        await watcher.press("h")
        source.send(position=3)
        await settled(source, watcher.pilot)
        await watcher.press("down", "pagedown", "pagedown", "escape")
        source.what_if = WhatIf()
        source.send(position=4)
        await settled(source, watcher.pilot)

    async def talk(app: AdvisorApp, watcher: Watcher) -> None:
        """The trial, what is said in passing, the line of a recording, and the end."""
        await watcher.press("home", "T")
        await until(watcher.pilot, lambda: bool(trial.orders))
        plan = msgspec.structs.replace(PLAN, name=name)
        trial.send(Ready(plan))
        await watcher.look("trial form", "can be moved")
        await watcher.press("enter")
        await until(watcher.pilot, lambda: len(trial.orders) > 1)
        trial.send(Ready(plan))
        await watcher.look("question", "Go ahead?" if size[0] > 40 else "")
        await watcher.press("y")
        trial.send(Died(name, True))
        await watcher.look("death of a trial", "No result")
        await watcher.press("escape")
        going = Recording(f"/tmp/{name}.jsonl", 3, 4096, False, None)
        source.put(Tick(report, 5, None, PULSES, 0.1, True, recording=going))
        await settled(source, watcher.pilot)
        await watcher.look("recording", "recording")
        ended = msgspec.structs.replace(going, is_over=True, problem=name)
        source.put(Tick(report, 6, None, PULSES, 0.1, True, recording=ended))
        await settled(source, watcher.pilot)
        await watcher.look("recording that ended", "ended" if size[0] > 40 else "")
        app._exported(going.path)  # type: ignore[arg-type]  # as said after a file was written
        await watcher.look("notification", "Written" if size[0] > 40 else "")
        source.fail(name)
        await settled(source, watcher.pilot)
        await watcher.look("failed", "q quits" if size[0] > 40 else "")

    app = play(source, scenario, size, trials=lambda: trial, notifications=True)
    trial._queue.put(None)
    assert app.return_code in (None, 0)


def test_what_is_shown_is_how_it_is_spelt() -> None:
    source = FakeSource(hostile_report())

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        lines = screen_text(app).splitlines()
        spelt = (
            r"e\x1b[2J\x1b[31m\x9b1m\x07",
            r"l\x1b]8;;https://evil",
            "m[bold]b[/][@click=app",
            r"b\u202egnp.exe\u2066",
        )
        for start in spelt:
            assert any(start in line for line in lines), start

    play(source, scenario, (200, 50))
