"""Starts the child that watches, and reads what it sends. Imports nothing heavy."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

import msgspec

from advisor.watch.frames import Frame, Job, LookAt, Order, Problem, Record, Seek, WhatIf, read_frame, write_frame

ENDING_S = 2.0
"""Seconds that the child has to end by itself once its stdin is closed, before it is killed."""

LAST_WORDS_BYTES = 2000
"""Of what the child wrote on stderr: the last of it is told when it dies."""


class Watcher:
    """Ticks of a job, from a child process. Use from one thread, but for `close` and `order`, which any may call."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._child: _Child | None = None

    @property
    def is_live(self) -> bool:
        """Whether it is no recording."""
        return self.job.profile is None

    def frames(self) -> Iterator[Frame]:
        """Starts a child, and gives what it sends, blocking, until `close`; a Problem is the last.

        May be called again once it has ended: that starts anew.
        """
        with tempfile.TemporaryFile() as errors:
            child = self._child = _Child(self.job, errors)
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
                yield Problem(_last_words(child.process.returncode, errors))

    def order(self, order: Seek | WhatIf | LookAt | Record) -> None:
        """Ask for something else; nothing where the child is gone."""
        if (child := self._child) is not None:
            child.order(order)

    def close(self) -> None:
        """Let the child end; `frames` ends with it. Waits for nothing."""
        child, self._child = self._child, None
        if child is not None:
            child.close_orders()


class _Child:
    """The process and its two pipes."""

    def __init__(self, job: Job, errors: IO[bytes]) -> None:
        """Starts it. In a session of its own: Ctrl-C on the terminal is the front end's matter."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "advisor.watch.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        self._lock = threading.Lock()
        self.order(job)

    @property
    def frames(self) -> IO[bytes]:
        """What it sends."""
        assert self.process.stdout is not None  # noqa: S101  # a pipe was asked for
        return self.process.stdout

    def order(self, order: Order) -> None:
        """Send it an order; nothing where it is gone."""
        if self.process.stdin is not None:
            with self._lock, contextlib.suppress(OSError, ValueError):
                write_frame(self.process.stdin, order)

    def close_orders(self) -> None:
        """It ends when its stdin does."""
        if self.process.stdin is not None:
            with self._lock, contextlib.suppress(OSError):
                self.process.stdin.close()

    def end(self) -> None:
        """Wait for its end, kill it if need be; one that hangs in the kernel is left to end when that lets it."""
        self.close_orders()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(ENDING_S)
        if self.process.returncode is None:
            self.process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(ENDING_S)
        self.frames.close()


def _last_words(code: int | None, errors: IO[bytes]) -> str:
    """How the child ended, and the last line that it wrote."""
    how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"
    errors.seek(0, 2)
    errors.seek(max(errors.tell() - LAST_WORDS_BYTES, 0))
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return f"the process that watches the host {how}" + (f": {lines[-1]}" if lines else "")
