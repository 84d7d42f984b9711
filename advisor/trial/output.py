"""What a command prints: its end, in bounded memory, and when a line came that is waited for."""

from __future__ import annotations

import os
import re
import select
from collections.abc import Callable

OUTPUT_BYTES = 8 << 20
"""The end of the output that is kept: a metric is the last match."""

READ_BYTES = 1 << 20
"""Most that one read takes: what a pipe may hold."""

LONGEST_LINE_BYTES = 1 << 16
"""A line is looked at for the ready pattern when it ends or when it is this long."""

REST_S = 1.0
"""Longest time for the rest of it: who writes on after the run is none of it."""


class Output:
    """The end of what a command prints, and when its ready line came. Reads a pipe without blocking."""

    def __init__(
        self,
        descriptor: int,
        ready: re.Pattern[str] | None,
        clock: Callable[[], float],
        kept_bytes: int = OUTPUT_BYTES,
    ) -> None:
        self._descriptor, self._ready, self._clock = descriptor, ready, clock
        self._kept, self._kept_bytes = bytearray(), kept_bytes
        self._line = b""
        self.ready_s: float | None = None

    def fileno(self) -> int:
        """The pipe, for select(2)."""
        return self._descriptor

    def read(self) -> bool:
        """Takes what is there; False at the end of the pipe."""
        try:
            chunk = os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return True
        if not chunk:
            return False
        self._kept += chunk
        del self._kept[: -self._kept_bytes]
        if self._ready is not None and self.ready_s is None:
            self._look_for_ready(self._ready, chunk)
        return True

    def read_rest(self) -> None:
        """Takes what is left; for so long only, because a process outside the run may have got hold of the pipe."""
        until_s = self._clock() + REST_S
        while self._clock() < until_s and select.select([self._descriptor], [], [], 0)[0] and self.read():
            pass
        if self._ready is not None and self.ready_s is None and self._line:
            self._look_for_ready(self._ready, b"\n")

    def _look_for_ready(self, ready: re.Pattern[str], chunk: bytes) -> None:
        *lines, self._line = (self._line + chunk).split(b"\n")
        if len(self._line) > LONGEST_LINE_BYTES:
            lines.append(self._line)
            self._line = b""
        if any(ready.search(line.decode("utf-8", "replace")) for line in lines):
            self.ready_s = self._clock()

    @property
    def text(self) -> str:
        """The end of the output; bytes that are not UTF-8 are replaced."""
        return self._kept.decode("utf-8", "replace")
