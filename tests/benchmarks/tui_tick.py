"""What a tick costs the interface, beside what it costs the sampler: `python -m tests.benchmarks.tui_tick`.

On a terminal (pty) of its own, 200x50, watching this host and a few hundred idle processes. CPU of the interface's
process from one tick to the next, against the CPU of the sampler in the report that the tick brings.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from tests.benchmarks.tui_paint import on_terminal

IDLE_PROCESSES = 300
"""Processes beside those of the host. Reason: what a server runs."""

TICKS = 15
SETTLING = 4
"""Ticks before the first that counts: the first sample is complete, then the model is loaded."""

MOST = 1.0
"""The interface's share of the sampler's CPU at most."""


@contextlib.contextmanager
def idle_processes() -> Iterator[None]:
    """Processes of a Python interpreter that sleep."""
    started = [
        subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(3600)"]) for _ in range(IDLE_PROCESSES)
    ]
    try:
        yield
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


def show_and_measure(path: Path) -> None:
    """The application on this terminal, writing a line for each tick: its own CPU and that of the sampler by now."""
    from advisor.tui.app import AdvisorApp
    from advisor.tui.garbage import look_seldom
    from advisor.watch.child import Watcher
    from advisor.watch.frames import Job, Tick

    look_seldom()
    lines: list[str] = []

    class Measured(AdvisorApp):
        def _take(self, tick: Tick) -> None:
            lines.append(f"{time.process_time()} {tick.report.source.cost.cpu_s} {len(tick.report.processes)}")
            super()._take(tick)
            if len(lines) > SETTLING + TICKS:
                self.exit()

    Measured(Watcher(Job(interval_s=1.0))).run()
    path.write_text("\n".join(lines))


def measure() -> tuple[list[float], list[float], int]:
    """CPU seconds of each tick, of interface and sampler; and how many processes there were."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ticks")
        with on_terminal([sys.executable, "-m", "tests.benchmarks.tui_tick", "--show", str(path)]) as master:
            with contextlib.suppress(OSError):  # the other end is closed
                while os.read(master, 1 << 16):
                    pass
            until = time.monotonic() + 10
            while not path.exists() and time.monotonic() < until:
                time.sleep(0.1)
        rows = [tuple(map(float, line.split())) for line in path.read_text().splitlines()][SETTLING:]
    interface, sampler = ([after[n] - before[n] for before, after in pairwise(rows)] for n in (0, 1))
    return interface, sampler, int(rows[-1][2])


def main() -> int:
    with idle_processes():
        interface, sampler, processes = measure()
    ratio = statistics.median(interface) / statistics.median(sampler)
    for name, seconds in (("interface", interface), ("sampler", sampler)):
        told = " ".join(f"{one * 1000:.0f}" for one in seconds)
        print(
            f"{name:10} {statistics.median(seconds) * 1000:5.1f} ms of CPU a tick, median of {len(seconds)}: {told}"
        )
    print(f"{processes} processes: a tick costs the interface {ratio:.2f} of the sampler (at most {MOST:.2f})")
    return int(ratio > MOST)


if __name__ == "__main__":
    sys.exit(show_and_measure(Path(sys.argv[2])) if "--show" in sys.argv[1:2] else main())
