"""The child that makes a live trial: `python -m advisor.watch.trial_worker`.

Orders come on stdin, frames go to stdout. When stdin ends, whatever the reason, a running trial ends early as after
Ctrl-C on the command line: nothing more is collapsed, and what was measured by then is the result.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import BinaryIO

from msgspec.structs import replace

from advisor.interrupts import INTERRUPTING
from advisor.procfs.deadline_fs import DeadlineFs
from advisor.procfs.errors import DeniedError, GoneError, KernelTextError
from advisor.procfs.process import parse_stat
from advisor.profile.redact import redact_name
from advisor.trial.collapse import CollapseError, Target
from advisor.trial.dose import parse_steps
from advisor.trial.environment import read_environment
from advisor.trial.live import LiveOptions, Progress, run_live
from advisor.trial.live_document import LiveTrial
from advisor.trial.live_interim import Interim
from advisor.trial.live_prepare import LiveRefusedError, Prepared, prepare
from advisor.trial.live_redact import without_secrets
from advisor.trial.metric_command import MetricError, read_metric
from advisor.watch.pipe import take_stdout
from advisor.watch.trial_frames import (
    Done,
    Go,
    Prepare,
    Ready,
    Refused,
    TrialFrame,
    TrialOrder,
    Under,
    read_trial_order,
    write_trial_frame,
)

REFUSALS = (CollapseError, LiveRefusedError, KernelTextError, MetricError)
"""Why a process is not tried, before anything was changed."""


def main() -> None:
    """Serve the orders on stdin until it ends or a trial is over."""
    worker = Worker(sys.stdin.buffer, take_stdout())
    for number in INTERRUPTING:
        signal.signal(number, lambda *_: worker.leave())
    worker.serve()


class Worker:
    """One process at a time is held, from the look at it to the end of its trial."""

    def __init__(self, orders: BinaryIO, frames: BinaryIO) -> None:
        self._fs = DeadlineFs()
        self._frames = frames
        self._stop = threading.Event()
        self._lock = threading.RLock()
        self._only_looks = False
        self._queue: SimpleQueue[TrialOrder | None] = SimpleQueue()
        threading.Thread(target=self._listen, args=(orders,), daemon=True).start()

    def _listen(self, orders: BinaryIO) -> None:
        try:
            while (order := read_trial_order(orders)) is not None:
                self._queue.put(order)
        finally:
            self.leave()

    def leave(self) -> None:
        """End early; at once where it only looks, which takes long at a large process and leaves nothing behind."""
        self._stop.set()
        self._queue.put(None)
        with self._lock:
            if self._only_looks:
                os._exit(0)

    def serve(self) -> None:
        """Returns after a trial, or when there can be no more orders, or nobody reads what comes of them."""
        with contextlib.suppress(BrokenPipeError):
            order = self._queue.get()
            while order is not None:
                order = self._serve(order) if isinstance(order, Prepare) else self._queue.get()

    def _serve(self, asked: Prepare) -> TrialOrder | None:
        """Look, wait for the word, try it. Returns what was ordered instead; None after a trial."""
        try:
            steps = parse_steps(asked.steps)
        except ValueError as error:
            self._send(Refused(str(error), "steps"))
            return self._queue.get()
        try:
            options = LiveOptions(asked.metric, asked.window_s, asked.windows)
            with Target(asked.pid) as target:
                prepared = self._look(target, steps, asked.start_ticks)
                if asked.metric is not None:
                    read_metric(asked.metric.command, asked.pid)
                plan = prepared.plan(asked.window_s, asked.windows)
                self._send(Ready(replace(plan, name=redact_name(plan.name)) if asked.redact else plan))
                if not isinstance(order := self._queue.get(), Go):
                    return order
                made = self._measure(target, prepared, options)
        except REFUSALS as error:
            self._send(refusal(error, asked.pid))
            return self._queue.get()
        self._send(Done(without_secrets(made) if asked.redact else made))
        return None

    def _look(self, target: Target, steps: tuple[float, ...], start_ticks: int) -> Prepared:
        """Raises one of REFUSALS."""
        self._set_only_looks(True)
        try:
            if self._fs.parse_process(target.pid, "stat", parse_stat).start_ticks != start_ticks:
                raise LiveRefusedError(f"process {target.pid} has ended; its pid belongs to another one by now")
            return prepare(self._fs, target, steps)
        finally:
            self._set_only_looks(False)

    def _set_only_looks(self, only_looks: bool) -> None:
        with self._lock:
            self._only_looks = only_looks

    def _measure(self, target: Target, prepared: Prepared, options: LiveOptions) -> LiveTrial:
        interim = Interim(options.metric, options.windows)

        def tell(progress: Progress) -> None:
            self._send(Under(interim.see(progress)))

        return run_live(self._fs, target, prepared, options, read_environment(self._fs), self._stop, tell)

    def _send(self, frame: TrialFrame) -> None:
        """Raises BrokenPipeError, which ends a trial, too."""
        write_trial_frame(self._frames, frame)


def refusal(error: Exception, pid: int) -> Refused:
    """The words of `trial --pid`, and what they are about."""
    if isinstance(error, MetricError):
        return Refused(f"the metric command: {error}", "metric")
    if isinstance(error, GoneError | DeniedError):
        return Refused(f"process {pid}: {error.reason} ({error})")
    return Refused(str(error))


if __name__ == "__main__":
    main()
