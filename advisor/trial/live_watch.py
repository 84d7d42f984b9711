"""Windows of a running process: what its counters and the user's metric did in each, beside its CPU time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from advisor.procfs.errors import GoneError
from advisor.trial.collapse import Target
from advisor.trial.live_document import LiveMetric, MetricKind, Window
from advisor.trial.metric_command import MetricError, read_metric
from advisor.trial.proxies import CounterSource, cpu_seconds

RATE_CALLS = 3
"""Calls of a rate's command in one window, spread evenly, the last at its end. Reason: three tell a spike from a
level at a cost that stays small beside the window; none is shared with the next window, which would make neighbours
alike."""


class StoppedError(Exception):
    """The user asked to stop."""


@dataclass(frozen=True)
class _Moment:
    """One reading. at_s and count_at_s: when the counters and the metric's count were read (monotonic)."""

    at_s: float
    cpu_s: float
    counts: dict[str, int]
    count: float | None
    count_at_s: float


class Watcher:
    """Takes windows of one process. metric_failures: how often the metric command gave no number."""

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
            numbers = self._wait_within()
            after = self._moment()
            take(self._window(dose, before, numbers, after))
            before = after

    def _wait_within(self) -> list[float]:
        """Wait for one window; numbers of a rate that were read meanwhile."""
        if not self._is("rate"):
            self.wait(self._window_s)
            return []
        numbers: list[float] = []
        for _ in range(RATE_CALLS):
            self.wait(self._window_s / RATE_CALLS)
            if (number := self._call_metric()) is not None:
                numbers.append(number)
        return numbers

    def _is(self, kind: MetricKind) -> bool:
        return self._metric is not None and self._metric.kind == kind

    def _moment(self) -> _Moment:
        try:
            at, cpu = time.monotonic(), cpu_seconds(self._target.pid)
        except OSError as error:
            raise GoneError("exited", path=f"/proc/{self._target.pid}") from error
        counts: dict[str, int] = {}
        for source in self._sources:
            counts.update(source.read())
        count_began = time.monotonic()
        count = self._call_metric() if self._is("counter") else None
        return _Moment(at, cpu, counts, count, (count_began + time.monotonic()) / 2)

    def _call_metric(self) -> float | None:
        assert self._metric is not None  # noqa: S101  # for the type checker
        try:
            return read_metric(self._metric.command, self._target.pid)
        except MetricError:
            self.metric_failures += 1
            return None

    def _window(self, dose: float, before: _Moment, numbers: list[float], after: _Moment) -> Window:
        grown = {name: after.counts[name] - count for name, count in before.counts.items() if name in after.counts}
        return Window(
            dose=dose,
            began_s=before.at_s - self._began,
            wall_s=after.at_s - before.at_s,
            cpu_s=after.cpu_s - before.cpu_s,
            # A count that shrinks lost a thread or was reset: no count.
            counts={name: count for name, count in grown.items() if count >= 0},
            value=growth_per_second(before, after) if self._is("counter") else mean_of_all(numbers),
        )


def growth_per_second(before: _Moment, after: _Moment) -> float | None:
    """Of the metric's count; None where it is unknown at one end, or shrank."""
    if before.count is None or after.count is None or after.count < before.count:
        return None
    return (after.count - before.count) / (after.count_at_s - before.count_at_s)


def mean_of_all(numbers: Sequence[float]) -> float | None:
    """None where a call failed: the mean of fewer would be less steady than those of its neighbours."""
    return sum(numbers) / len(numbers) if len(numbers) == RATE_CALLS else None
