"""What the form of a trial asks for, as typed, and the order that it makes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from advisor.trial.document import Better
from advisor.trial.live_document import LiveMetric, MetricKind
from advisor.watch.trial_frames import Prepare

SHORTEST_WINDOW_S = 0.1
"""Seconds of a window at least, as `trial --window` has it."""

WINDOWS = range(4, 1001)
"""Windows at each dose, as `trial --windows` has them."""


class SettingsError(ValueError):
    """What was typed cannot be. field: where."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class TrialSettings:
    """The fields of the form. steps: checked by whoever makes the trial."""

    command: str = ""
    kind: MetricKind = "rate"
    better: Better = "higher"
    steps: str = "25,50,100"
    window: str = "1"
    windows: str = "8"

    def order(self, pid: int, start_ticks: int, *, redact: bool) -> Prepare:
        """Raises SettingsError."""
        command = self.command.strip()
        return Prepare(
            pid=pid,
            start_ticks=start_ticks,
            metric=LiveMetric(command, self.kind, self.better) if command else None,
            steps=self.steps.strip(),
            window_s=self._window_s(),
            windows=self._windows(),
            redact=redact,
        )

    def _window_s(self) -> float:
        try:
            seconds = float(self.window)
        except ValueError:
            seconds = math.nan
        if not SHORTEST_WINDOW_S <= seconds < math.inf:
            raise SettingsError("window", f"a window is a number of seconds, at least {SHORTEST_WINDOW_S:g}")
        return seconds

    def _windows(self) -> int:
        text = self.windows.strip()
        if not (text.isascii() and text.isdigit() and int(text) in WINDOWS):
            raise SettingsError("windows", f"windows at each dose are {WINDOWS[0]} to {WINDOWS[-1]}")
        return int(text)
