"""The interface open for hours on a host with churn: `python -m tests.benchmarks.tui_soak [--minutes 120]`.

Processes come and go all the while, and every minute somebody looks around: opens a process, its tabs, sorts,
filters. Each minute, for the interface and for the child that watches: resident memory and the CPU of one tick,
against the floor: the CPU of reading `stat` of everybody in that minute, as what else runs on the host makes both
dearer. At the end: the last quarter against the second one (the first warms up), which have to agree. --pace 4: as
many ticks, and looks around, in a fourth of the time.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import psutil

from advisor.watch.worker import INTERVAL_S
from tests.benchmarks.tui_paint import on_terminal, until_drawn

MINUTE_S = 60.0
BIRTHS_PER_S = 4.0
LIFE_S = 8.0
"""Mean life of a process; with the births some thirty are alive at any time."""

MOST_GROWTH = 1.05
"""Last quarter over second. Source: own choice. Reason: medians of a flat series agree far better than this; a leak
of one object in each of 3,600 ticks does not."""

FLOORS = 9
"""Times that the floor is measured each minute."""

LOOKING_AROUND = (
    *(b"\r", b"2", b"3", b"4", b"5", b"6", b"1", b"\x1b[27u"),
    *(b">", b"r", b"0", b"\x1b[F", b"\x1b[H", b"/python", b"\r", b"\x1b[27u", b"t", b"t", b"t", b"?", b"\x1b[27u"),
)


class Minute(NamedTuple):
    """What one process did in a minute. floor_s: CPU of reading `stat` of everybody, then."""

    rss_bytes: int
    cpu_s: float
    ticks: int
    floor_s: float

    @property
    def tick_cpu_s(self) -> float:
        return self.cpu_s / self.ticks if self.ticks else 0.0

    @property
    def tick_floors(self) -> float:
        return self.tick_cpu_s / self.floor_s


@contextmanager
def churn() -> Iterator[None]:
    """Children that map some memory, live a while and end, for as long as it is wanted."""
    parent = os.fork()
    if not parent:
        be_the_parent()
    try:
        yield
    finally:
        os.kill(parent, 15)
        os.waitpid(parent, 0)


def be_the_parent() -> None:
    chance = random.Random(1)
    alive = set()
    while True:
        size, life = chance.randrange(1, 24) << 20, chance.expovariate(1 / LIFE_S)
        child = os.fork()
        if not child:
            filled = b"x" * size
            time.sleep(life)
            os._exit(len(filled) == 0)
        alive.add(child)
        time.sleep(chance.expovariate(BIRTHS_PER_S))
        alive -= {pid for pid in alive if os.waitpid(pid, os.WNOHANG)[0]}


class Watched:
    """Memory and CPU of a process, since it was last asked."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._cpu_s, self._writes = self._now()

    def minute(self, floor_s: float, ticks: int | None = None) -> Minute:
        """ticks: how many there were; None: as many as this process wrote frames, each of which is one write."""
        (cpu_s, writes), was_cpu_s, was_writes = self._now(), self._cpu_s, self._writes
        self._cpu_s, self._writes = cpu_s, writes
        ticks = writes - was_writes if ticks is None else ticks
        return Minute(self._process.memory_info().rss, cpu_s - was_cpu_s, ticks, floor_s)

    def _now(self) -> tuple[float, int]:
        times = self._process.cpu_times()
        return times.user + times.system, self._process.io_counters().write_count


def child_of(process: psutil.Process, having: str) -> psutil.Process:
    """The child with this in its command line."""
    return next(child for child in process.children() if having in child.cmdline())


def floor_s() -> float:
    """CPU of reading `stat` of everybody, the median of some times."""

    def once() -> float:
        began = time.process_time()
        for pid in psutil.pids():
            with suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:
                file.read()
        return time.process_time() - began

    return statistics.median(once() for _ in range(FLOORS))


def drain(master: int, seconds: float) -> None:
    """Read what is drawn, for so long."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if select.select([master], [], [], left)[0]:
            os.read(master, 1 << 16)


def soak(minutes: int, pace: float) -> Iterator[tuple[Minute, Minute]]:
    """The interface and the child that watches, minute by minute, of which so many go into one."""
    command = [sys.executable, "-m", "advisor", "tui", "--interval", str(INTERVAL_S / pace)]
    with churn(), on_terminal(command) as master:
        until_drawn(master, b"ADVICE")
        shown = child_of(psutil.Process(), "advisor")
        interface, watcher = Watched(shown), Watched(child_of(shown, "advisor.watch.start"))
        for _ in range(minutes):
            began = time.monotonic()
            for key in LOOKING_AROUND:
                os.write(master, key)
                drain(master, 0.3)
            drain(master, max(began + MINUTE_S / pace - time.monotonic(), 0.0))
            floor = floor_s()
            watched = watcher.minute(floor)
            yield interface.minute(floor, watched.ticks), watched


def verdict(name: str, minutes: list[Minute]) -> bool:
    """Prints the quarters; whether the last is like the second."""
    quarter = len(minutes) // 4
    good = True
    for what, values in (
        ("MiB", [one.rss_bytes / (1 << 20) for one in minutes]),
        ("times the floor, CPU of a tick", [one.tick_floors for one in minutes]),
    ):
        medians = [statistics.median(values[n * quarter : (n + 1) * quarter]) for n in range(4)]
        growth = medians[3] / medians[1]
        good = good and growth <= MOST_GROWTH
        said = ", ".join(f"{median:.1f}" for median in medians)
        print(f"{name}: {said} {what}, by quarter; last / second {growth:.3f} (at most {MOST_GROWTH})")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=120)
    parser.add_argument("--pace", type=float, default=1.0)
    given = parser.parse_args()
    seen: list[tuple[Minute, Minute]] = []
    for number, (interface, watcher) in enumerate(soak(given.minutes, given.pace), 1):
        seen.append((interface, watcher))
        print(
            f"{number:4} min  interface {interface.rss_bytes >> 20} MiB {interface.tick_cpu_s * 1000:.1f} ms/tick"
            f"  watcher {watcher.rss_bytes >> 20} MiB {watcher.tick_cpu_s * 1000:.1f} ms/tick  {watcher.ticks} ticks"
            f"  floor {watcher.floor_s * 1000:.2f} ms",
            flush=True,
        )
    good = [verdict("interface", [one for one, _ in seen]), verdict("watcher", [one for _, one in seen])]
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main())
