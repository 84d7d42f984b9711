"""What the child does that `start` starts. Orders come on stdin, frames go to stdout; ends when stdin does."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path

from msgspec.structs import replace

from advisor.collect.options import SamplerOptions
from advisor.collect.sampler import Sampler
from advisor.collect.session import make_header
from advisor.lean import leave_out
from advisor.procfs.fs import KernelFs
from advisor.profile.codec import ProfileError, load_profile
from advisor.profile.model import Profile
from advisor.profile.redact_sample import redacted_profile, redacted_sample
from advisor.watch.adviser import Adviser
from advisor.watch.asked import Asked
from advisor.watch.frames import Frame, Job, Problem, Tick, read_order, write_frame
from advisor.watch.pipe import take_stdout
from advisor.watch.pulse import PulseTaker, pulses_of
from advisor.watch.recorder import Recorder
from advisor.watch.spent import Spent
from advisor.watch.window import Window

INTERVAL_S = 2.0
"""Seconds between ticks. Source: own choice. Reason: quick enough for eyes; the sampler stays within its budget."""

ADVICE_SHARE = 0.1
"""Share of one CPU that advising may take over time; ticks of large hosts come later. Source: own choice."""


def main() -> None:
    """Do the job that comes first on stdin until stdin ends."""
    leave_out("pandas", "dask", "pytest")
    orders, frames = sys.stdin.buffer, take_stdout()
    job = read_order(orders)
    if not isinstance(job, Job):
        return
    asked = Asked()
    asked.listen(orders)
    with contextlib.suppress(BrokenPipeError), contextlib.closing(watch(job, asked)) as watched:
        for frame in watched:
            write_frame(frames, frame)


def watch(job: Job, asked: Asked) -> Generator[Frame]:
    """The frames of a job. Ends only with a Problem, where nothing can be shown."""
    if job.profile is not None:
        try:
            profile = load_profile(Path(job.profile))
        except ProfileError as error:
            yield Problem(str(error))
            return
        yield from _replay(redacted_profile(profile) if job.redact else profile, job, asked)
    else:
        yield from _live(job, asked)


def _replay(profile: Profile, job: Job, asked: Asked) -> Iterator[Frame]:
    """As of the last sample at first, then as of whichever is asked for."""
    length = len(profile.samples)
    if not length:
        yield Problem(f"{job.profile}: no sample in it")
        return
    adviser = Adviser(job.redact, "profile")
    asked.position = length
    ticks_per_s = profile.header.host.clock_ticks_per_s

    def tick() -> Tick:
        position = asked.position = min(max(asked.position, 1), length)
        samples = profile.samples[:position]
        until = replace(profile, samples=samples, truncated=profile.truncated and position == length)
        return adviser.tick(until, asked, position, length, pulses_of(samples, ticks_per_s))

    yield tick()
    if adviser.load_model():
        yield tick()
    while True:
        asked.wait(None)
        yield tick()


def _live(job: Job, asked: Asked) -> Iterator[Frame]:
    """A tick at the sampler's pace, slower where advising takes long. A captured tree does not change.

    What is asked meanwhile is answered at once, from the samples that are there.
    """
    fs = KernelFs(job.procfs, job.sysfs)
    options = SamplerOptions(
        complete_first=True,
        look_at_memory=True,
        interval_s=job.interval_s or INTERVAL_S,
        front_end=os.getppid(),
    )
    sampler = Sampler(fs, options)
    window, adviser, number = Window(), Adviser(job.redact, None), 0
    pulse, spent = PulseTaker(sampler.host_facts.clock_ticks_per_s), Spent()
    recorder = Recorder(lambda: make_header(sampler, redacted=job.redact), redact=job.redact)
    asked.at_end = recorder.close

    def tick() -> Tick:
        recorder.obey(asked.recording, window.samples)
        profile = Profile(make_header(sampler, redacted=job.redact), window.samples)
        made = adviser.tick(profile, asked, number, None, list(pulse.pulses))
        return replace(made, recording=recorder.state, watch_share=spent.share)

    while True:
        sampler.near = asked.pid
        seen = sampler.tick()
        sample = redacted_sample(seen) if job.redact else seen
        if not (sample.processes or sample.host.meminfo or number):
            yield Problem(f"{fs.procfs}: neither a process nor meminfo can be read; is this a /proc?")
            return
        number += 1
        window.add(sample)
        pulse.add(sample)
        spent.add()
        recorder.add(sample)
        yield (sent := tick())
        if number == 1 and adviser.load_model():
            yield (sent := tick())
        pause = max(sampler.delay_s(), sent.advice_cpu_s / ADVICE_SHARE)
        until = time.monotonic() + pause if fs.is_live else None
        while asked.wait(None if until is None else max(until - time.monotonic(), 0.0)):
            yield tick()
