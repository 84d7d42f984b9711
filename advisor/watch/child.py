"""Starts the child that watches, and reads what it sends. Imports nothing heavy."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import msgspec

from advisor.watch.frames import Frame, Job, LookAt, Problem, Record, Seek, WhatIf, read_frame
from advisor.watch.process import ChildProcess

WORKER = "advisor.watch.start"


class Watcher:
    """Ticks of a job, from a child process. Use from one thread, but for `close` and `order`, which any may call."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._child: ChildProcess | None = None

    @property
    def is_live(self) -> bool:
        """Whether it is no recording."""
        return self.job.profile is None

    def frames(self) -> Iterator[Frame]:
        """Starts a child, and gives what it sends, blocking, until `close`; a Problem is the last.

        May be called again once it has ended: that starts anew.
        """
        with tempfile.TemporaryFile() as errors:
            try:
                child = ChildProcess(WORKER, errors)
            except OSError as error:  # no memory, no more processes: what this program is asked about
                yield Problem(f"the process that watches the host could not be started: {error.strerror}")
                return
            child.order(self.job)  # before anybody else can order anything
            self._child = child
            try:
                while (frame := read_frame(child.frames)) is not None:
                    yield frame
                    if isinstance(frame, Problem):
                        return
            except msgspec.DecodeError as error:
                yield Problem(f"the process that watches the host sent what cannot be read: {error}")
                return
            finally:
                closed = self._child is not child
                child.end()
            if not closed:
                yield Problem(f"the process that watches the host {child.last_words()}")

    def order(self, order: Seek | WhatIf | LookAt | Record) -> None:
        """Ask for something else; nothing where the child is gone."""
        if (child := self._child) is not None:
            child.order(order)

    def close(self) -> None:
        """Let the child end; `frames` ends with it. Waits for nothing."""
        child, self._child = self._child, None
        if child is not None:
            child.close_orders()
