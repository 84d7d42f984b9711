"""Windows of a running process: what its counters and the user's metric did in each, beside its CPU time."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from advisor.procfs.errors import GoneError
from advisor.trial.collapse import Target
from advisor.trial.live_document import LiveMetric, Window
from advisor.trial.proxies import CounterSource, cpu_seconds

METRIC_TIMEOUT_S = 10.0
"""Seconds that one call of the metric command may take. Reason: longer than a window of any use."""

RATE_CALLS = 3
"""Calls of a rate's command in one window, its beginning and end included. Reason: three tell a spike from a level
at a cost that stays small beside the window."""

LAST_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
"""Of the numbers that a metric command prints, the last counts."""


class StoppedError(Exception):
    """The user asked to stop."""


class MetricError(Exception):
    """The metric command cannot be used: it failed, took too long, or printed no number."""


@dataclass(frozen=True)
class _Moment:
    """One reading. at_s and metric_at_s: when the counters and the metric were read (monotonic)."""

    at_s: float
    cpu_s: float
    counts: dict[str, int]
    metric: float | None
    metric_at_s: float


class Watcher:
    """Takes windows of one process. problems: what the metric command last failed with."""

    def __init__(
        self,
        target: Target,
        sources: Sequence[CounterSource],
        metric: LiveMetric | None,
        window_s: float,
        stop: threading.Event,
    ) -> None:
        self._target = target
        self._sources = sources
        self._metric = metric
        self._window_s = window_s
        self._stop = stop
        self._began = time.monotonic()
        self.metric_failures = 0

    def wait(self, seconds: float) -> None:
        """Raises StoppedError, and GoneError where the process has exited by then."""
        if self._stop.wait(seconds):
            raise StoppedError
        if not self._target.alive():
            raise GoneError("exited", path=f"/proc/{self._target.pid}")

    def windows(self, dose: float, count: int, take: Callable[[Window], None]) -> None:
        """`count` windows, one after the other without a gap, each handed over as soon as it is whole.

        Raises StoppedError, GoneError.
        """
        before = self._moment()
        for _ in range(count):
            between = self._wait_within()
            after = self._moment()
            take(self._window(dose, before, between, after))
            before = after

    def _wait_within(self) -> list[float]:
        """Wait for one window; numbers of a rate that were read meanwhile."""
        if self._metric is None or self._metric.kind == "counter":
            self.wait(self._window_s)
            return []
        numbers: list[float] = []
        for call in range(1, RATE_CALLS):
            self.wait(self._window_s / (RATE_CALLS - 1))
            if call < RATE_CALLS - 1 and (number := self._call_metric()) is not None:
                numbers.append(number)
        return numbers

    def _moment(self) -> _Moment:
        try:
            at, cpu = time.monotonic(), cpu_seconds(self._target.pid)
        except OSError as error:
            raise GoneError("exited", path=f"/proc/{self._target.pid}") from error
        counts: dict[str, int] = {}
        for source in self._sources:
            counts.update(source.read())
        metric_began = time.monotonic()
        metric = self._call_metric() if self._metric else None
        return _Moment(at, cpu, counts, metric, (metric_began + time.monotonic()) / 2)

    def _call_metric(self) -> float | None:
        assert self._metric is not None  # noqa: S101  # for the type checker
        try:
            return read_metric(self._metric.command, self._target.pid)
        except MetricError:
            self.metric_failures += 1
            return None

    def _window(self, dose: float, before: _Moment, between: list[float], after: _Moment) -> Window:
        grown = {name: after.counts[name] - count for name, count in before.counts.items() if name in after.counts}
        return Window(
            dose=dose,
            began_s=before.at_s - self._began,
            wall_s=after.at_s - before.at_s,
            cpu_s=after.cpu_s - before.cpu_s,
            # A count that shrinks lost a thread or was reset: no count.
            counts={name: count for name, count in grown.items() if count >= 0},
            value=self._value(before, between, after),
        )

    def _value(self, before: _Moment, between: list[float], after: _Moment) -> float | None:
        if self._metric is None or before.metric is None or after.metric is None:
            return None
        if self._metric.kind == "rate":
            numbers = [before.metric, *between, after.metric]
            return sum(numbers) / len(numbers)
        grown = after.metric - before.metric
        return grown / (after.metric_at_s - before.metric_at_s) if grown >= 0 else None


def read_metric(command: str, pid: int) -> float:
    """The last number that a shell command prints. It finds the process in HUGEPAGE_ADVISOR_PID.

    Raises MetricError.
    """
    environment = {**os.environ, "HUGEPAGE_ADVISOR_PID": str(pid)}
    try:
        done = subprocess.run(  # noqa: S602  # the user's own command line, as the user gave it
            command,
            shell=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=METRIC_TIMEOUT_S,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        raise MetricError(f"took longer than {METRIC_TIMEOUT_S:.0f} s") from error
    if done.returncode:
        raise MetricError(f"exit code {done.returncode}: {done.stderr.strip()[-200:]}")
    numbers = LAST_NUMBER.findall(done.stdout)
    if not numbers:
        raise MetricError(f"printed no number: {done.stdout[:80]!r}")
    return float(numbers[-1])
