"""Starts the child that makes a live trial, and reads what it sends. Imports nothing heavy."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator

import msgspec

from advisor.watch.process import ChildProcess
from advisor.watch.trial_frames import Died, Done, Go, Prepare, TrialFrame, read_trial_frame

TRIAL_WORKER = "advisor.watch.trial_worker"


class Trier:
    """One live trial in a child process. `frames` is for one thread; the rest any may call, and it never waits."""

    def __init__(self, *, redact: bool = True) -> None:
        self.redact = redact
        self._child: ChildProcess | None = None
        self._lock = threading.Lock()
        self._waiting: list[Prepare | Go] = []
        self._ended = False
        self._running = False

    def frames(self) -> Iterator[TrialFrame]:
        """Starts the child, and gives what it sends, blocking, until it is over: Done or Died is the last.

        After `end` there may be none any more. The child is never killed: it ends what it is at, then itself.
        """
        with tempfile.TemporaryFile() as errors:
            try:
                child = ChildProcess(TRIAL_WORKER, errors)
            except OSError as error:
                yield Died(f"the process that makes the trial could not be started: {error.strerror}", running=False)
                return
            self._adopt(child)
            last: TrialFrame | None = None
            why = None
            try:
                while (last := read_trial_frame(child.frames)) is not None:
                    yield last
                    if isinstance(last, Done):
                        break
            except msgspec.DecodeError as error:
                why = f"sent what cannot be read: {error}"
            child.close_orders()
            child.frames.close()  # what it still writes ends it
            child.process.wait()
            if not isinstance(last, Done) and (why or not self._ended or child.process.returncode):
                yield Died(f"the process that makes the trial {why or child.last_words()}", self._running)

    def _adopt(self, child: ChildProcess) -> None:
        """Orders that were given before it was there are its first."""
        with self._lock:
            self._child = child
            for order in self._waiting:
                child.order(order)
            if self._ended:
                child.close_orders()

    def order(self, order: Prepare | Go) -> None:
        """Look at a process, or go ahead."""
        with self._lock:
            self._running = self._running or isinstance(order, Go)
            if self._child is None:
                self._waiting.append(order)
            else:
                self._child.order(order)

    def end(self) -> None:
        """End a running trial early; what it has measured by then is still sent. Nothing more can be ordered."""
        with self._lock:
            self._ended = True
            if self._child is not None:
                self._child.close_orders()
