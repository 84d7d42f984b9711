"""What soaks share: processes that come and go, what a process does in a minute, and a run by quarters.

A soak is hours long and the machine is not alone: what costs CPU is compared with a floor of the same minute.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

import psutil

MINUTE_S = 60.0

FLOORS = 9
"""Times that the floor is measured each minute."""


class Minute(NamedTuple):
    """What one process did in a minute. floor_s: CPU of reading `stat` of everybody, then."""

    rss_bytes: int
    cpu_s: float
    writes: int
    descriptors: int
    threads: int
    floor_s: float


class Watched:
    """Memory and CPU of a process, since it was last asked."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._cpu_s, self._writes = self._now()

    def minute(self, floor_s: float) -> Minute:
        (cpu_s, writes), was_cpu_s, was_writes = self._now(), self._cpu_s, self._writes
        self._cpu_s, self._writes = cpu_s, writes
        process = self._process
        with process.oneshot():
            rss, threads = process.memory_info().rss, process.num_threads()
        return Minute(rss, cpu_s - was_cpu_s, writes - was_writes, process.num_fds(), threads, floor_s)

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


def floor_s() -> float:
    """CPU of reading `stat` of everybody, the median of some times."""

    def once() -> float:
        began = time.process_time()
        for pid in psutil.pids():
            with suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:
                file.read()
        return time.process_time() - began

    return statistics.median(once() for _ in range(FLOORS))


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
