"""`record` for hours on a host with churn: `python -m tests.benchmarks.record_soak [--minutes 240] [--births 50]`.

At its defaults, while processes come and go, so many each second: twice as many in half the time are as many. As
root it sees nobody else (a PID namespace): what others start on this host would fill what a recording remembers of
arguments, names and mapped files. Each minute: resident memory and what of it is anonymous, descriptors, threads,
CPU. At the end: anonymous memory of the last quarter against the second (the first warms up), descriptors and threads
of the last against those of the first (the fewest: a minute may end while a thread reads), CPU since the start
against the budget, and the recording is read back.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from advisor.collect.budget import DEFAULT_SHARE
from advisor.profile.codec import ProfileReader
from advisor.units import MIB
from tests.benchmarks.soaking import MINUTE_S, Minute, Watched, churn, grows

LIFE_S = 2.0
"""Mean life of a process; with the births a hundred are alive at any time, nearly all of them new at each sample."""

MOST_MIB = 2
"""Memory of a process. Reason: filling 12 MiB each would take a CPU and a half of the host for nothing."""

ALONE = ("unshare", "--fork", "--pid", "--mount-proc", "--kill-child")
"""unshare(1): what follows is process 1 of its own namespace."""

MOST_GROWTH = 1.02
END_S = 60.0
"""Seconds that the recording may take to end: it is compressed as it grows, so there is little left to do."""


def soak(minutes: int, births_per_s: float, path: Path) -> Iterator[Minute]:
    """The recording, minute by minute; ended by SIGTERM. Raises RuntimeError where it ends with an error."""
    command = [sys.executable, "-m", "advisor", "record", "-o", str(path)]
    with churn(births_per_s, LIFE_S, MOST_MIB), subprocess.Popen(command) as process:
        watched = Watched(psutil.Process(process.pid))
        began = time.monotonic()
        for number in range(1, minutes + 1):
            time.sleep(max(began + number * MINUTE_S - time.monotonic(), 0.0))
            yield watched.minute()
        process.send_signal(signal.SIGTERM)  # started in the background, it would ignore SIGINT
        if process.wait(END_S):
            raise RuntimeError(f"record ended with code {process.returncode}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=240)
    parser.add_argument("--births", type=float, default=50.0, help="processes that begin each second")
    given = parser.parse_args()
    if os.geteuid() == 0 and os.getpid() != 1:
        return subprocess.run([*ALONE, sys.executable, *sys.orig_argv[1:]], check=False).returncode
    seen: list[Minute] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "soak.jsonl.zst")
        for number, one in enumerate(soak(given.minutes, given.births, path), 1):
            seen.append(one)
            print(f"{number:4} min  {one.rss_bytes / MIB:.1f} MiB, {one.anonymous_bytes / MIB:.1f} anonymous"
                  f"  {one.descriptors} descriptors  {one.threads} threads"
                  f"  {one.cpu_s / MINUTE_S:.2%} of one CPU", flush=True)  # fmt: skip
        samples, processes = 0, set()
        for sample in ProfileReader(path).samples():
            samples += 1
            processes.update((record.pid, record.start_ticks) for record in sample.processes)
        print(f"read back: {samples} samples of {len(processes)} processes, {path.stat().st_size >> 10} KiB")
    grows("record", "MiB resident", [one.rss_bytes / MIB for one in seen], MOST_GROWTH)
    grown = grows("record", "MiB anonymous", [one.anonymous_bytes / MIB for one in seen], MOST_GROWTH)
    quarter = len(seen) // 4
    leaked = False
    for name in ("descriptors", "threads"):
        first, last = (min(getattr(one, name) for one in part) for part in (seen[:quarter], seen[-quarter:]))
        print(f"{name}: {first}, in the last quarter {last}")
        leaked |= last > first
    share = sum(one.cpu_s for one in seen) / (len(seen) * MINUTE_S)
    print(f"{share:.2%} of one CPU (budget {DEFAULT_SHARE:.0%})")
    return int(grown or leaked or share > DEFAULT_SHARE)


if __name__ == "__main__":
    sys.exit(main())
