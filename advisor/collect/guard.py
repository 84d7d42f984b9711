"""Runs reads one after another in a thread that can be left behind when one of them does not return.

A read of /proc/PID/smaps waits for the target's mmap_lock and nothing but the target's progress ends the wait.
The caller's thread therefore never reads; it waits for the reader with a deadline per item, and when an item
hangs, gives the rest to a new reader. The old thread stays blocked (it is a daemon and holds nothing but its
own buffer) and what it answers later is thrown away.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from advisor.procfs.errors import HungError, KernelTextError

Item = TypeVar("Item", contravariant=True)
Result = TypeVar("Result", covariant=True)
K = TypeVar("K")
R = TypeVar("R")

DEADLINE_S = 1.0
"""Seconds an item may take beyond which it counts as hung. The longest read of an ordinary process seen is 0.12 s
(40,000 VMAs); predicted longer walks are refused beforehand (see `priority.py`)."""


class Reader(Protocol[Item, Result]):
    """Does the reading. `place` names the file being read, for the report of a hang."""

    @property
    def place(self) -> str: ...

    def read(self, item: Item) -> Result: ...

    def finish(self) -> None:
        """Called after the last item, in the reading thread."""

    def successor(self) -> Reader[Item, Result]:
        """A reader for the remaining items, after this one hung; takes over what is complete."""


@dataclass
class Outcome(Generic[K, R]):
    """What became of one item: a result, or the error that its reading ended with."""

    item: K
    result: R | None = None
    error: KernelTextError | None = None
    stuck: threading.Thread | None = None


@dataclass
class GuardedRun(Generic[K, R]):
    """Outcomes in the order of the items, CPU seconds of the reading threads, and the reader that finished."""

    outcomes: list[Outcome[K, R]]
    cpu_s: float
    reader: Reader[K, R]


@dataclass
class _Shift(Generic[K, R]):
    """One thread's turn at the items from `begin` on. The lock decides whether a result still counts."""

    reader: Reader[K, R]
    outcomes: list[Outcome[K, R]]
    position: int
    item_began: float = field(default_factory=time.monotonic)
    abandoned: bool = False
    crash: BaseException | None = None
    cpu_s: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        began = time.thread_time()
        try:
            while self.position < len(self.outcomes):
                outcome = self.outcomes[self.position]
                result, error = self._read_one(outcome.item)
                with self.lock:
                    if self.abandoned:
                        return
                    outcome.result, outcome.error = result, error
                    self.position += 1
                    self.item_began = time.monotonic()
            self.reader.finish()
        except BaseException as crash:  # a bug in a reader must surface in the caller's thread
            self.crash = crash
        finally:
            self.cpu_s = time.thread_time() - began
            self.ended.set()

    def _read_one(self, item: K) -> tuple[R | None, KernelTextError | None]:
        try:
            return self.reader.read(item), None
        except KernelTextError as error:
            return None, _without_frames(error)

    def overdue(self, deadline_s: float) -> bool:
        """Marks the shift abandoned if its current item has run beyond the deadline."""
        with self.lock:
            if self.position < len(self.outcomes) and time.monotonic() - self.item_began >= deadline_s:
                self.abandoned = True
            return self.abandoned


def _without_frames(error: KernelTextError) -> KernelTextError:
    """Frames of the traceback refer to the error, and to all that was read: a cycle that would outlive the run by
    minutes, until Python looks for such cycles among its old objects."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def run_guarded(reader: Reader[K, R], items: Sequence[K], deadline_s: float = DEADLINE_S) -> GuardedRun[K, R]:
    """Read every item; a hanging one costs at most `deadline_s` and gets a HungError. Re-raises a reader's bug."""
    outcomes: list[Outcome[K, R]] = [Outcome(item) for item in items]
    if not outcomes:
        return GuardedRun(outcomes, 0.0, reader)
    cpu_s = 0.0
    position = 0
    while True:
        shift = _Shift(reader, outcomes, position)
        thread = threading.Thread(target=shift.work, name="advisor-reader", daemon=True)
        thread.start()
        while not shift.ended.wait(max(0.001, shift.item_began + deadline_s - time.monotonic())):
            if shift.overdue(deadline_s):
                break
        if not shift.abandoned:
            if shift.crash is not None:
                raise shift.crash
            return GuardedRun(outcomes, cpu_s + shift.cpu_s, reader)
        hung = outcomes[shift.position]
        hung.error = HungError(f"no answer within {deadline_s:g} s", path=reader.place)
        hung.stuck = thread
        position = shift.position + 1
        reader = reader.successor()
