"""The course of a live trial on this process itself; only the collapsing is made up, the windows are real."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from advisor.procfs.errors import GoneError
from advisor.procfs.fs import KernelFs
from advisor.trial import live
from advisor.trial.collapse import CollapseError, Outcome, Target
from advisor.trial.document import Environment
from advisor.trial.dose import choose_slots
from advisor.trial.live import LiveOptions, Progress, run_live
from advisor.trial.live_document import LiveMetric, LiveTrial
from advisor.trial.live_prepare import LiveRefusedError, Prepared, memory_of

SLOT = 2 << 20
SLOTS = 200
ENVIRONMENT = Environment(**dict.fromkeys(Environment.__struct_fields__))
METRIC = LiveMetric("echo 5", "rate", "higher")


class Collapsing(Target):
    """Notes what it is asked for. gone: it exits when asked."""

    def __init__(self) -> None:
        super().__init__(os.getpid())
        self.asked: list[int] = []
        self.gone = False

    def collapse(self, starts: Sequence[int], slot_bytes: int) -> Outcome:
        assert slot_bytes == SLOT
        if self.gone:
            raise CollapseError("gone", "exited")
        self.asked += starts
        return Outcome(list(range(len(starts))), {}, 0.1, 0.1)


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collapsing]:
    monkeypatch.setattr(live, "SETTLE_S", 0.0)
    with Collapsing() as made:
        yield made


def run(
    target: Collapsing,
    stop: threading.Event | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    metric: LiveMetric | None = METRIC,
) -> LiveTrial:
    """Two doses of SLOTS slots, each 4 KiB short of full, in four short windows each."""
    fs = KernelFs()
    populated = np.full(SLOTS, SLOT - 4096, np.int64)
    choice = choose_slots(np.arange(SLOTS, dtype=np.int64) * SLOT, populated, SLOT, 0, 0)
    prepared = Prepared(target.pid, "own", choice, (0.5, 1.0), memory_of(fs, target.pid), 0)
    options = LiveOptions(metric, 0.03, 4)
    return run_live(fs, target, prepared, options, ENVIRONMENT, stop or threading.Event(), on_progress)


def test_every_slot_is_asked_for_once_and_every_dose_is_measured(target: Collapsing) -> None:
    seen: list[Progress] = []
    made = run(target, on_progress=seen.append)
    assert made.ended == "complete"
    assert sorted(target.asked) == [place * SLOT for place in range(SLOTS)]
    assert [(step.dose, step.asked_slots, step.filled_bytes) for step in made.steps] == [
        (0.5, SLOTS // 2, SLOTS // 2 * 4096), (1.0, SLOTS // 2, SLOTS // 2 * 4096),
    ]  # fmt: skip
    assert [window.dose for window in made.windows] == [0.0] * 4 + [0.5] * 4 + [1.0] * 4
    assert {window.value for window in made.windows} == {5.0}
    collapsing = [one for one in seen if one.dose == 0.5 and one.windows == 0]
    assert [one.asked_slots for one in collapsing] == [0, 64, SLOTS // 2], "told before, and as it goes"
    assert [one.filled_bytes for one in collapsing] == [0, 64 * 4096, SLOTS // 2 * 4096]
    assert [len(one.taken) for one in seen if one.windows] == list(range(1, 13))
    assert (seen[-1].dose, seen[-1].windows, seen[-1].collapsed_slots) == (1.0, 4, SLOTS)
    # Nothing was really collapsed, and the smaps say so: no verdict of no difference.
    assert (made.verdict, made.judged_by) == ("cannot-tell", "metric")
    assert made.huge_bytes_taken is not None and made.huge_bytes_taken < SLOTS * SLOT / 2


def test_what_is_tight_meanwhile_ends_it_before_the_step(target: Collapsing, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms: list[int] = []

    def check(fs: KernelFs, pid: int, growth_bytes: int) -> None:
        rooms.append(growth_bytes)
        if len(rooms) == 2:
            raise LiveRefusedError("memory would get tight: 7 MiB")

    monkeypatch.setattr(live, "check_room", check)
    made = run(target)
    assert rooms == [SLOTS // 2 * 4096] * 2
    assert (made.ended, len(made.steps), len(target.asked)) == ("tight-memory", 1, SLOTS // 2)
    assert "7 MiB" in next(caveat.message for caveat in made.warnings if caveat.id == "tight-memory")


def test_a_stop_while_collapsing_keeps_what_was_done(target: Collapsing) -> None:
    stop = threading.Event()

    def halt(progress: Progress) -> None:
        if (progress.dose, progress.windows) == (1.0, 0):
            stop.set()

    made = run(target, stop, halt)
    assert made.ended == "interrupted"
    assert [step.asked_slots for step in made.steps] == [SLOTS // 2, 0]
    assert len(made.windows) == 8


def test_a_process_that_exits_keeps_what_was_measured(target: Collapsing, monkeypatch: pytest.MonkeyPatch) -> None:
    target.gone = True

    def nothing(*_: Any) -> None:
        raise GoneError("exited")

    monkeypatch.setattr(live, "memory_of", nothing)
    made = run(target)
    assert (made.ended, made.at_end, made.verdict) == ("gone", None, "cannot-tell")
    assert [step.collapsed_slots for step in made.steps] == [0]


def test_without_a_measure_nothing_is_touched(target: Collapsing) -> None:
    made = run(target, metric=LiveMetric("false", "rate", "higher"))
    assert (made.ended, target.asked, made.steps) == ("no-measure", [], [])
