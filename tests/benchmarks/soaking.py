"""What soaks share: processes that come and go, what a process does in a minute, and a run by quarters.

A soak is hours long and the machine is not alone: what costs CPU is compared with a process that does the same all
the while. (A floor of some milliseconds once a minute moved by half from one minute to the next.)
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

import psutil

MINUTE_S = 60.0


class Minute(NamedTuple):
    """What one process did in a minute, and holds at its end.

    anonymous_bytes: of rss_bytes, what the process made itself; files that it maps come and go with the memory that
    others leave. writes: calls of write, one for each tick of some.
    """

    rss_bytes: int
    anonymous_bytes: int
    cpu_s: float
    writes: int
    descriptors: int
    threads: int


class Watched:
    """Memory and CPU of a process, since it was last asked."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._cpu_s, self._writes = self._now()

    def minute(self) -> Minute:
        (cpu_s, writes), was_cpu_s, was_writes = self._now(), self._cpu_s, self._writes
        self._cpu_s, self._writes = cpu_s, writes
        process = self._process
        with process.oneshot():
            memory, threads = process.memory_info(), process.num_threads()
        return Minute(
            memory.rss, memory.rss - memory.shared, cpu_s - was_cpu_s, writes - was_writes, process.num_fds(), threads
        )

    def _now(self) -> tuple[float, int]:
        times = self._process.cpu_times()
        return times.user + times.system, self._process.io_counters().write_count


@contextmanager
def churn(births_per_s: float, life_s: float, most_mib: int) -> Iterator[None]:
    """Children that fill memory, live a while and end, for as long as it is wanted.

    life_s: how long, in the mean. most_mib: how much memory; evenly anything from 1 to this.
    """
    parent = os.fork()
    if not parent:
        _be_the_parent(births_per_s, life_s, most_mib)
    try:
        yield
    finally:
        os.kill(parent, 15)
        os.waitpid(parent, 0)


def _be_the_parent(births_per_s: float, life_s: float, most_mib: int) -> None:
    chance = random.Random(1)
    next_birth = time.monotonic()
    while True:
        size, life = chance.randint(1, most_mib) << 20, chance.expovariate(1 / life_s)
        if not os.fork():
            filled = b"x" * size
            time.sleep(life)
            os._exit(len(filled) == 0)
        next_birth += chance.expovariate(births_per_s)
        time.sleep(max(next_birth - time.monotonic(), 0.0))
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


@contextmanager
def reference(interval_s: float) -> Iterator[Watched]:
    """A process that does the same every so many seconds and writes once each time (`tests.benchmarks.reference`)."""
    command = [sys.executable, "-m", "tests.benchmarks.reference", str(interval_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout is not None
        process.stdout.read(1)  # what it takes to start is not what it takes each time
        try:
            yield Watched(psutil.Process(process.pid))
        finally:
            process.terminate()


def grows(name: str, unit: str, values: Sequence[float], most: float) -> bool:
    """Prints the medians of the quarters; whether the last is more than `most` times the second (the first warms up).

    values: one a minute, at least four.
    """
    quarter = len(values) // 4
    medians = [statistics.median(values[n * quarter : (n + 1) * quarter]) for n in range(4)]
    growth = medians[3] / medians[1]
    said = ", ".join(f"{median:.1f}" for median in medians)
    print(f"{name}: {said} {unit}, by quarter; last / second {growth:.3f} (at most {most})")
    return growth > most
