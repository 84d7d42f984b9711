"""First paint, and key to paint with 5,000 processes: `python -m tests.benchmarks.tui_paint`.

On a terminal (pty) of its own. First paint: from the start of the command until its title is drawn, less the start
of Python alone. Key to paint: from writing a key to the terminal until the last of what it changes has been drawn.
A tick: CPU of the interface for one new report.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator

from msgspec.structs import replace

from advisor.report.document import Report
from advisor.tui.app import AdvisorApp
from advisor.tui.garbage import look_seldom
from tests.render.conftest import make_report
from tests.tui.fake import FakeSource

PROCESSES = 5000
RUNS = 7
MOST_FIRST_PAINT_S = 0.7
MOST_KEY_S = 0.1
QUIET_S = 0.05
"""Seconds without output after which a key's work is over; not counted."""

KEYS = {
    "down": b"\x1b[B",
    "page down": b"\x1b[6~",
    "end": b"\x1b[F",
    "home": b"\x1b[H",
    "sort": b">",
    "reverse": b"r",
    "filter, a letter": b"/w",
    "another": b"9",
    "escape": b"\x1b[27u",
    "mark": b"m",
    "group": b"b",
    "open a group": b"\r",
    "sort in groups": b">",
    "mark a group": b"\x1b[Hm",
    "by cgroup": b"b",
    "not grouped": b"b",
    "unmark all": b"M",
    "unsorted": b"0",
}


@contextlib.contextmanager
def on_terminal(command: list[str]) -> Iterator[int]:
    """The terminal's other end, 200x50, with the command on it."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    child = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=environment
    )
    os.close(slave)
    try:
        yield master
    finally:
        child.kill()  # not asked politely: what it would say at its end nobody reads, and that would block it
        child.wait()
        os.close(master)


def until_drawn(master: int, mark: bytes) -> None:
    """Until the command has written `mark`."""
    seen = b""
    while mark not in seen:
        if not select.select([master], [], [], 60)[0]:
            raise TimeoutError(mark)
        seen += os.read(master, 1 << 16)


def until_quiet(master: int) -> float:
    """When the last output came before a pause."""
    last = time.perf_counter()
    wait = 1.0
    while select.select([master], [], [], wait)[0]:
        os.read(master, 1 << 16)
        last, wait = time.perf_counter(), QUIET_S
    return last


def time_to_draw(command: list[str], mark: bytes) -> float:
    """Seconds from the start of the command."""
    began = time.perf_counter()
    with on_terminal(command) as master:
        until_drawn(master, mark)
        return time.perf_counter() - began


def key_times() -> dict[str, list[float]]:
    """Seconds from a key to its paint."""
    times: dict[str, list[float]] = {}
    with on_terminal([sys.executable, "-m", "tests.benchmarks.tui_paint", "--crowd"]) as master:
        until_drawn(master, b"worker-")
        until_quiet(master)
        for _ in range(RUNS):
            for name, key in KEYS.items():
                began = time.perf_counter()
                os.write(master, key)
                times.setdefault(name, []).append(until_quiet(master) - began)
    return times


def crowd() -> Report:
    """Many processes, as one host of a fleet may have."""
    report = make_report()
    first = report.processes
    return replace(
        report,
        processes=[
            replace(first[n % len(first)], pid=n + 1, start_ticks=n, name=f"worker-{n}", at_stake_bytes=n << 12)
            for n in range(PROCESSES)
        ],
    )


def show_crowd() -> None:
    """The application with the crowd in it, on this terminal."""
    look_seldom()
    source = FakeSource(crowd())
    source.send()
    AdvisorApp(source).run()


def tick_cost() -> float:
    """CPU seconds of the interface for one new report, the median."""
    from tests.tui.fake import play, settled

    source = FakeSource(crowd())
    costs: list[float] = []

    async def scenario(app: AdvisorApp, pilot: object) -> None:
        del app
        for n in range(RUNS):
            began = time.thread_time()
            source.send(position=n + 2)
            await settled(source, pilot)  # type: ignore[arg-type]
            costs.append(time.thread_time() - began)

    play(source, scenario, (200, 50))
    return statistics.median(costs)


def main() -> int:
    python = statistics.median(time_to_draw([sys.executable, "-c", "print('here')"], b"here") for _ in range(RUNS))
    drawn = [time_to_draw([sys.executable, "-m", "advisor", "tui"], b"hugepage-advisor") for _ in range(RUNS)]
    more = statistics.median(drawn) - python
    print(f"first paint: {more:.2f} s more than Python's own {python:.2f} s (at most {MOST_FIRST_PAINT_S})")
    medians = {}
    for name, seconds in key_times().items():
        medians[name] = statistics.median(seconds)
        print(f"{name:20} {medians[name] * 1000:6.1f} ms, worst {max(seconds) * 1000:6.1f} ms")
    print(f"slowest key with {PROCESSES:,} processes: {max(medians.values()) * 1000:.0f} ms (at most 100)")
    print(f"tick with {PROCESSES:,} processes: {tick_cost() * 1000:.0f} ms of CPU in the interface")
    return int(more > MOST_FIRST_PAINT_S or max(medians.values()) > MOST_KEY_S)


if __name__ == "__main__":
    sys.exit(show_crowd() if "--crowd" in sys.argv[1:] else main())
