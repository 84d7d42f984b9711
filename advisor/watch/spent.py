"""What watching costs: CPU of this process over the last samples."""

from __future__ import annotations

import time
from collections import deque

from advisor.watch.window import KEPT_SAMPLES


class Spent:
    """The clock and the CPU of this process at each sample of the window."""

    def __init__(self) -> None:
        self._at: deque[tuple[float, float]] = deque(maxlen=KEPT_SAMPLES)

    def add(self) -> None:
        """A sample was taken."""
        self._at.append((time.monotonic(), time.process_time()))

    @property
    def share(self) -> float | None:
        """Share of one CPU since the first sample of the window; None before the second one."""
        (then, spent_then), (now, spent_now) = (self._at[0], self._at[-1]) if self._at else ((0.0, 0.0), (0.0, 0.0))
        return (spent_now - spent_then) / (now - then) if now > then else None
