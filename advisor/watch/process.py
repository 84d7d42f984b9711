"""A child process of a front end: it is told what to do over its stdin, and ends when that does."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from typing import IO, Any

from advisor.watch.pipe import write_value

ENDING_S = 2.0
"""Seconds that a child has to end by itself once its stdin is closed, before it is killed."""

LAST_WORDS_BYTES = 2000
"""Of what a child wrote on stderr: the last of it is told when it dies."""


class ChildProcess:
    """The process and its two pipes."""

    def __init__(self, module: str, errors: IO[bytes]) -> None:
        """Starts it. In a session of its own: Ctrl-C on the terminal is the front end's matter."""
        self.process = subprocess.Popen(  # noqa: S603  # a module of this program
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        self._errors = errors
        self._lock = threading.Lock()

    @property
    def frames(self) -> IO[bytes]:
        """What it sends."""
        assert self.process.stdout is not None  # noqa: S101  # a pipe was asked for
        return self.process.stdout

    def order(self, order: Any) -> None:
        """Send it an order; nothing where it is gone."""
        if self.process.stdin is not None:
            with self._lock, contextlib.suppress(OSError, ValueError):
                write_value(self.process.stdin, order)

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

    def last_words(self) -> str:
        """How it ended, and the last line that it wrote."""
        code, errors = self.process.returncode, self._errors
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"
        errors.seek(0, 2)
        errors.seek(max(errors.tell() - LAST_WORDS_BYTES, 0))
        lines = errors.read().decode(errors="replace").strip().splitlines()
        return how + (f": {lines[-1]}" if lines else "")
