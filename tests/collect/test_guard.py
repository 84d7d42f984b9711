"""The guard: hanging items cost their deadline, bugs surface, order is kept."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest

from advisor.collect.guard import run_guarded
from advisor.procfs.errors import DeniedError, HungError

DEADLINE_S = 0.15


class Reader:
    """Doubles numbers; negative ones hang until released, 13 is denied, 99 is a bug."""

    def __init__(self, release: threading.Event, generation: int = 0) -> None:
        self.release = release
        self.generation = generation
        self.place = ""
        self.finished = False

    def read(self, item: int) -> int:
        self.place = f"file {item}"
        if item < 0:
            self.release.wait()
        if item == 13:
            raise DeniedError("no", path=self.place)
        if item == 99:
            raise ZeroDivisionError("a bug")
        return 2 * item

    def finish(self) -> None:
        self.finished = True

    def successor(self) -> Reader:
        return Reader(self.release, self.generation + 1)


class FailingOnItsFile(Reader):
    """As real readers do, it says in its own terms what the system said."""

    def read(self, item: int) -> int:
        try:
            return 2 * int("thirteen" if item == 13 else item)
        except ValueError as error:
            raise DeniedError("no", path=self.place) from error


@pytest.fixture
def release() -> threading.Event:
    return threading.Event()


def test_results_come_in_the_order_of_the_items(release: threading.Event) -> None:
    run = run_guarded(Reader(release), [1, 13, 3], DEADLINE_S)
    assert [outcome.result for outcome in run.outcomes] == [2, None, 6]
    assert isinstance(run.outcomes[1].error, DeniedError)
    assert run.reader.finished  # type: ignore[attr-defined]  # the Reader above


def test_an_error_keeps_nothing_alive_that_was_read(release: threading.Event) -> None:
    """What a sampler has read of hundreds of processes goes with the tick, not with Python's next full collection."""
    gc.collect()
    gc.disable()
    try:
        run = run_guarded(FailingOnItsFile(release), [1, 13, 3], DEADLINE_S)
        reader = weakref.ref(run.reader)
        assert isinstance(run.outcomes[1].error, DeniedError)
        del run
        assert reader() is None
    finally:
        gc.enable()


def test_each_hanging_item_costs_one_deadline_and_no_other_item(release: threading.Event) -> None:
    began = time.monotonic()
    run = run_guarded(Reader(release), [1, -1, 2, -2, 3], DEADLINE_S)
    elapsed = time.monotonic() - began
    assert 2 * DEADLINE_S <= elapsed < 4 * DEADLINE_S
    assert [outcome.result for outcome in run.outcomes] == [2, None, 4, None, 6]
    hung = run.outcomes[1].error
    assert isinstance(hung, HungError)
    assert hung.path == "file -1"
    assert run.outcomes[1].stuck is not None
    assert run.outcomes[1].stuck.is_alive()
    assert run.reader.generation == 2  # type: ignore[attr-defined]  # the Reader above
    release.set()


def test_a_late_answer_is_thrown_away(release: threading.Event) -> None:
    run = run_guarded(Reader(release), [-5, 1], DEADLINE_S)
    stuck = run.outcomes[0].stuck
    assert stuck is not None
    release.set()
    stuck.join(5)
    assert run.outcomes[0].result is None
    assert run.outcomes[1].result == 2


def test_a_bug_in_a_reader_surfaces(release: threading.Event) -> None:
    with pytest.raises(ZeroDivisionError):
        run_guarded(Reader(release), [1, 99, 2], DEADLINE_S)


def test_nothing_to_read_is_done_at_once(release: threading.Event) -> None:
    assert run_guarded(Reader(release), [], DEADLINE_S).outcomes == []
