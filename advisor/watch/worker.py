"""The child: `python -m advisor.watch.worker`. Orders come on stdin, frames go to stdout; ends when stdin does."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import BinaryIO

from msgspec.structs import replace

from advisor.advise import NO_MODEL, advise
from advisor.collect.options import SamplerOptions
from advisor.collect.sampler import Sampler
from advisor.collect.session import make_header
from advisor.predictor import ModelError, Predictor, load_predictor
from advisor.procfs.fs import KernelFs
from advisor.profile.codec import ProfileError, load_profile
from advisor.profile.model import Profile
from advisor.report.document import SourceKind
from advisor.watch.frames import Frame, Job, Problem, Pulse, Seek, Tick, read_order, write_frame
from advisor.watch.pulse import PulseTaker, pulses_of
from advisor.watch.window import Window

INTERVAL_S = 2.0
"""Seconds between ticks. Source: own choice. Reason: quick enough for eyes; the sampler stays within its budget."""

ADVICE_SHARE = 0.1
"""Share of one CPU that advising may take over time; ticks of large hosts come later. Source: own choice."""

MODEL_LOADING = "the model is being loaded"

Wait = Callable[[float | None], Seek | None]
"""Waits so many seconds (None: for ever) for an order."""


def main() -> None:
    """Do the job that comes first on stdin until stdin ends."""
    orders, frames = sys.stdin.buffer, _take_stdout()
    job = read_order(orders)
    if not isinstance(job, Job):
        return
    waiting = _listen(orders)
    with contextlib.suppress(BrokenPipeError):
        for frame in watch(job, waiting):
            write_frame(frames, frame)


def _take_stdout() -> BinaryIO:
    """Stdout for frames alone: whatever prints goes to stderr from here on."""
    frames = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return frames


def _listen(orders: BinaryIO) -> Wait:
    """Reads orders beside the work, and ends the process with them. Of several seeks, the newest counts."""
    queue: SimpleQueue[Seek] = SimpleQueue()

    def read() -> None:
        while (order := read_order(orders)) is not None:
            if isinstance(order, Seek):
                queue.put(order)
        os._exit(0)  # at once, whatever is being read: nothing is written that could be left half done

    def wait(seconds: float | None) -> Seek | None:
        try:
            order = queue.get(timeout=seconds)
        except Empty:
            return None
        while not queue.empty():
            order = queue.get()
        return order

    threading.Thread(target=read, daemon=True).start()
    return wait


def watch(job: Job, wait: Wait) -> Iterator[Frame]:
    """The frames of a job. Ends only with a Problem, where nothing can be shown."""
    if job.profile is not None:
        try:
            profile = load_profile(Path(job.profile))
        except ProfileError as error:
            yield Problem(str(error))
            return
        yield from _replay(profile, job, wait)
    else:
        yield from _live(job, wait)


class _Adviser:
    """Reports by rules alone at first, with the model once it is loaded."""

    def __init__(self, redact: bool, kind: SourceKind | None) -> None:
        self._redact, self._kind = redact, kind
        self._predictor: Predictor | None = None
        self._why_none = MODEL_LOADING

    def load_model(self) -> bool:
        """Whether there is one now. A second of CPU."""
        try:
            self._predictor = load_predictor()
        except ModelError as error:
            self._why_none = f"{NO_MODEL} that can be used: {error}"
        return self._predictor is not None

    def tick(self, profile: Profile, position: int, length: int | None, pulses: list[Pulse]) -> Tick:
        began = time.process_time()
        report = advise(
            profile, redact=self._redact, kind=self._kind, predictor=self._predictor, without_model=self._why_none
        )
        return Tick(report, position, length, pulses, time.process_time() - began, self._predictor is not None)


def _replay(profile: Profile, job: Job, wait: Wait) -> Iterator[Frame]:
    """As of the last sample at first, then as of whichever is asked for."""
    length = len(profile.samples)
    if not length:
        yield Problem(f"{job.profile}: no sample in it")
        return
    adviser = _Adviser(job.redact, "profile")
    position = length
    ticks_per_s = profile.header.host.clock_ticks_per_s

    def tick() -> Tick:
        samples = profile.samples[:position]
        until = replace(profile, samples=samples, truncated=profile.truncated and position == length)
        return adviser.tick(until, position, length, pulses_of(samples, ticks_per_s))

    yield tick()
    if adviser.load_model():
        yield tick()
    while True:
        order = wait(None)
        if order is not None:
            position = min(max(order.position, 1), length)
            yield tick()


def _live(job: Job, wait: Wait) -> Iterator[Frame]:
    """A tick at the sampler's pace, slower where advising takes long. A captured tree does not change."""
    fs = KernelFs(job.procfs, job.sysfs)
    options = SamplerOptions(
        complete_first=True,
        look_at_memory=True,
        interval_s=job.interval_s or INTERVAL_S,
        front_end=os.getppid(),
    )
    sampler = Sampler(fs, options)
    window, adviser, number = Window(), _Adviser(job.redact, None), 0
    pulse = PulseTaker(sampler.host_facts.clock_ticks_per_s)
    while True:
        sample = sampler.tick()
        if not (sample.processes or sample.host.meminfo or number):
            yield Problem(f"{fs.procfs}: neither a process nor meminfo can be read; is this a /proc?")
            return
        number += 1
        window.add(sample)
        pulse.add(sample)
        profile = Profile(make_header(sampler, redacted=job.redact), window.samples)
        tick = adviser.tick(profile, number, None, list(pulse.pulses))
        yield tick
        if number == 1 and adviser.load_model():
            yield (tick := adviser.tick(profile, number, None, list(pulse.pulses)))
        while not fs.is_live:
            wait(None)
        wait(max(sampler.delay_s(), tick.advice_cpu_s / ADVICE_SHARE))


if __name__ == "__main__":
    main()
