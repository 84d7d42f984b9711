"""`python -m tests.benchmarks.overhead [--rounds 12] [--seconds 20] [NAME ...]`, as root on a host that nobody uses.

Each round puts a program under load three times: twice without a recording and once with one at its defaults. The six
orders take turns, as what comes first in a round is faster on many machines. Two ratios of each round: with against
without, and without against without, which is what noise alone does. Printed: every value, the median ratio and its
interval at 95 %, also of the 99th percentile and of the longest, what the recording cost, and how often it walked the
program's page tables.

There is one recording, which is stopped (SIGSTOP) while it is not wanted. Its budget is earned by the clock, so that
it may spend in one load what it saved in three: more than an undisturbed recording costs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import psutil

from advisor.profile.codec import ProfileReader
from advisor.trial.statistics import ratio_interval
from tests.benchmarks.overhead.targets import TARGETS, Load, Target, at_usual_priority
from tests.samples.bench import bench

START_S = 5.0
"""Until the recording has started and looked at everybody once, before the first round."""

END_S = 30.0
ARMS = ("without", "with", "again without")


class Round(NamedTuple):
    """The three loads of one round. cpu_share: what the recording used of one CPU during its load."""

    without: Load
    with_it: Load
    again: Load
    cpu_share: float


class Recording:
    """`record` at its defaults, stopped but where it is asked to run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._process = subprocess.Popen([sys.executable, "-m", "advisor", "record", "-o", str(path)])
        time.sleep(START_S)
        os.kill(self._process.pid, signal.SIGSTOP)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        os.kill(self._process.pid, signal.SIGCONT)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGSTOP)

    def cpu_s(self) -> float:
        times = psutil.Process(self._process.pid).cpu_times()
        return times.user + times.system

    def end(self) -> None:
        """Raises RuntimeError where it ends with an error."""
        self._process.send_signal(signal.SIGINT)
        self._process.send_signal(signal.SIGCONT)
        if self._process.wait(END_S):
            raise RuntimeError(f"record ended with code {self._process.returncode}")

    def walks(self, family: set[int]) -> int:
        """How often page tables of these processes were walked, by the recording that has ended."""
        return sum(
            record.pid in family and bool(record.maps or record.rollup)
            for sample in ProfileReader(self._path).samples()
            for record in sample.processes
        )


def once(target: Target, recording: Recording, seconds: float, arms: Sequence[str]) -> Round:
    loads: dict[str, Load] = {}
    cpu_share = 0.0
    for arm in arms:
        if arm == "with":
            before_s, began = recording.cpu_s(), time.monotonic()
            with recording.running():
                loads[arm] = target.load(seconds)
            cpu_share = (recording.cpu_s() - before_s) / (time.monotonic() - began)
        else:
            loads[arm] = target.load(seconds)
    return Round(*(loads[arm] for arm in ARMS), cpu_share)


def compared(name: str, ours: Sequence[float], theirs: Sequence[float]) -> None:
    """Prints the median of the pairs' ratios and its interval."""
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    found = ratio_interval(ratios, [1.0] * len(ratios), "higher")
    print(f"  {name}: {found.estimate:.4f} ({found.low:.4f} to {found.high:.4f})")


def measure(name: str, rounds: int, seconds: float, folder: Path) -> None:
    orders = list(permutations(ARMS))
    with bench("madvise") as made:
        target = TARGETS[name](made)
        at_usual_priority(made)
        target.load(seconds)  # the first is of another kind: caches, free lists, tables that grow
        recording = Recording(folder / f"{name}.jsonl.zst")
        try:
            seen = [once(target, recording, seconds, orders[number % len(orders)]) for number in range(rounds)]
        finally:
            recording.end()
        children = psutil.Process(target.pid).children(recursive=True)
        walks = recording.walks({target.pid, *(child.pid for child in children)})
    print(f"{name}, {rounds} rounds of {seconds:.0f} s")
    for which, what in enumerate(("throughput", "p99", "longest")):
        rows = [(one.without[which], one.with_it[which], one.again[which]) for one in seen]
        print(
            f"  {what} without, with, again: " + "; ".join(", ".join(f"{value:.6g}" for value in row) for row in rows)
        )
        without, with_it, again = zip(*rows, strict=True)
        middle = [statistics.mean(pair) for pair in zip(without, again, strict=True)]
        compared(f"{what} with / without", with_it, middle)
        compared(f"{what} without / without", again, without)
        if what != "throughput":
            added_us = [1e6 * (one - other) for one, other in zip(with_it, middle, strict=True)]
            base_us = 1e6 * statistics.median(middle)
            print(f"  {what} without {base_us:.0f} us, added {statistics.median(added_us):+.0f} us")
    share = statistics.median(one.cpu_share for one in seen)
    print(f"  the recording: {share:.2%} of one CPU, {walks} walks of page tables of {name}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in given.names or TARGETS:
            measure(name, given.rounds, given.seconds, Path(folder))


if __name__ == "__main__":
    main()
