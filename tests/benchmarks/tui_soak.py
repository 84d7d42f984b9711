"""The interface open for hours on a host with churn: `python -m tests.benchmarks.tui_soak [--minutes 120]`.

Processes come and go all the while, and every minute somebody looks around: opens a process, its tabs, sorts,
filters. Each minute, for the interface and for the child that watches: resident memory and the CPU of one tick, this
against a process that does the same every time, as what else runs on the host makes all of them dearer. At the end:
the last quarter against the second one (the first warms up), which have to agree. --pace 4: as many ticks, and looks
around, in a fourth of the time.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import psutil

from advisor.units import MIB
from advisor.watch.worker import INTERVAL_S
from tests.benchmarks.soaking import MINUTE_S, Minute, Watched, churn, grows, reference
from tests.benchmarks.tui_paint import on_terminal, until_drawn

BIRTHS_PER_S = 4.0
LIFE_S = 8.0
"""Mean life of a process; with the births some thirty are alive at any time."""

MOST_MIB = 23
"""Memory of a process: enough for page tables, programs and page scans to be looked at."""

MOST_GROWTH = 1.05
"""Last quarter over second. Source: own choice. Reason: medians of a flat series agree far better than this; a leak
of one object in each of 3,600 ticks does not."""

LOOKING_AROUND = (
    *(b"\r", b"2", b"3", b"4", b"5", b"6", b"1", b"\x1b[27u"),
    *(b">", b"r", b"0", b"\x1b[F", b"\x1b[H", b"/python", b"\r", b"\x1b[27u", b"t", b"t", b"t", b"?", b"\x1b[27u"),
)


JUDGED = ("interface", "watcher")
"""The processes of a minute that must not grow."""


class Seen(NamedTuple):
    """A minute of the interface, of the child that watches, which writes once a tick, and of what stays the same."""

    interface: Minute
    watcher: Minute
    reference: Minute

    def tick_s(self, which: Minute) -> float:
        return which.cpu_s / self.watcher.writes if self.watcher.writes else 0.0

    @property
    def reference_s(self) -> float:
        return self.reference.cpu_s / self.reference.writes


def child_of(process: psutil.Process, having: str) -> psutil.Process:
    """The child with this in its command line."""
    return next(child for child in process.children() if having in child.cmdline())


def drain(master: int, seconds: float) -> None:
    """Read what is drawn, for so long."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if select.select([master], [], [], left)[0]:
            os.read(master, 1 << 16)


def soak(minutes: int, pace: float) -> Iterator[Seen]:
    """Minute by minute, of which so many go into one."""
    interval_s = INTERVAL_S / pace
    command = [sys.executable, "-m", "advisor", "tui", "--interval", str(interval_s)]
    with churn(BIRTHS_PER_S, LIFE_S, MOST_MIB), reference(interval_s) as same, on_terminal(command) as master:
        until_drawn(master, b"ADVICE")
        shown = child_of(psutil.Process(), "tui")
        watched = Watched(shown), Watched(child_of(shown, "advisor.watch.start")), same
        for _ in range(minutes):
            began = time.monotonic()
            for key in LOOKING_AROUND:
                os.write(master, key)
                drain(master, 0.3)
            drain(master, max(began + MINUTE_S / pace - time.monotonic(), 0.0))
            yield Seen(*(one.minute() for one in watched))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=120)
    parser.add_argument("--pace", type=float, default=1.0)
    given = parser.parse_args()
    minutes: list[Seen] = []
    for number, seen in enumerate(soak(given.minutes, given.pace), 1):
        minutes.append(seen)
        print(f"{number:4} min", end="")
        for name in JUDGED:
            one = getattr(seen, name)
            print(f"  {name} {one.rss_bytes // MIB} MiB {seen.tick_s(one) * 1000:.1f} ms/tick", end="")
        print(f"  {seen.watcher.writes} ticks  reference {seen.reference_s * 1000:.1f} ms", flush=True)
    grown = False
    for name in JUDGED:
        ones = [(seen, getattr(seen, name)) for seen in minutes]
        grown |= grows(name, "MiB", [one.rss_bytes / MIB for _, one in ones], MOST_GROWTH)
        ticks = [seen.tick_s(one) / seen.reference_s for seen, one in ones]
        grown |= grows(name, "times the reference, CPU of a tick", ticks, MOST_GROWTH)
    return int(grown)


if __name__ == "__main__":
    sys.exit(main())
