"""What scoring costs beside reading: `python -m tests.benchmarks.score_cost [--hosts 200] [--rounds 3] [--copies 1]`.

The floor is decompressing and decoding the same files with the same codec, on one core as one job, in the same run;
once as Python does it, and once without its looking for garbage, which workers of `score` leave out as well. Wall
time of whole commands, interleaved, medians; and the most memory that all processes of a command hold together (PSS,
so that what they share counts once). --copies: each profile so often; --memory: two jobs alone, for memory with many
of them.
"""

from __future__ import annotations

import argparse
import gc
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import psutil

from advisor.profile.codec import ProfileReader
from tests.benchmarks.fleet import make_fleet

PROCESSES = 300
MOST_FLOORS = 3.0
LEAST_SPEED_UP = 1.7
MOST_BYTES = 600 << 20
LOOK_S = 0.5
"""Seconds between looks at memory. A look takes some 5 ms of the process that is looked at."""


class Run(NamedTuple):
    """A command: how long it took, and the most memory at one look."""

    wall_s: float
    pss_bytes: int


def decode(paths: Sequence[Path]) -> int:
    """Samples in these files."""
    return sum(1 for path in paths for _ in ProfileReader(path).samples())


def floor(paths: Sequence[Path], *, garbage: bool) -> float:
    """Seconds for reading all of them with one process, its start not counted."""
    with ProcessPoolExecutor(1, get_context("spawn"), None if garbage else gc.disable) as pool:
        pool.submit(decode, paths[:1]).result()
        began = time.perf_counter()
        pool.submit(decode, paths).result()
        return time.perf_counter() - began


def score(folder: Path, jobs: int) -> Run:
    """The command as somebody runs it, its start included."""
    command = [sys.executable, "-m", "advisor", "score", folder, "--jobs", jobs, "-o", folder.parent / "out.parquet"]
    began, most = time.perf_counter(), 0
    with subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL) as run:
        while run.poll() is None:
            most = max(most, _memory(run.pid))
            time.sleep(LOOK_S)
        if run.returncode:
            raise RuntimeError(f"score ended with code {run.returncode}")
    return Run(time.perf_counter() - began, most)


def _memory(pid: int) -> int:
    total = 0
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            total += process.memory_full_info().pss
    except psutil.Error:
        return 0
    return total


def copied(path: Path, number: int) -> Path:
    """The same profile under another name; a file that only has another name would be scored once."""
    return Path(shutil.copyfile(path, path.with_name(f"{number}-{path.name}")))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--memory", action="store_true")
    given = parser.parse_args()
    floors: list[float] = []
    bare: list[float] = []
    one: list[Run] = []
    two: list[Run] = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made, "fleet")
        made_up = make_fleet(folder, given.hosts, PROCESSES)
        paths = [*made_up, *(copied(path, n) for path in made_up for n in range(1, given.copies))]
        if given.memory:
            run = score(folder, 2)
            print(f"{len(paths)} profiles of {PROCESSES} processes: two jobs took {run.wall_s:.0f} s and at most "
                  f"{run.pss_bytes >> 20} MiB (of {MOST_BYTES >> 20})")  # fmt: skip
            return int(run.pss_bytes > MOST_BYTES)
        for _ in range(given.rounds):
            floors.append(floor(paths, garbage=True))
            bare.append(floor(paths, garbage=False))
            one.append(score(folder, 1))
            two.append(score(folder, 2))
    base, single, double = (
        statistics.median(values) for values in (floors, [run.wall_s for run in one], [run.wall_s for run in two])
    )
    rows = len(paths) * PROCESSES
    most = max(run.pss_bytes for run in (*one, *two))
    print(f"{len(paths)} profiles of {PROCESSES} processes; every value: one job {one}, two {two}")
    print(f"floor {floors}, without looking for garbage {bare}")
    print(f"decode {base:.1f} s, score {single:.1f} s = {single / base:.2f} x floor (at most {MOST_FLOORS})")
    print(f"{single / statistics.median(bare):.2f} x floor without looking for garbage")
    print(f"two jobs {single / double:.2f} times as fast as one (at least {LEAST_SPEED_UP})")
    print(f"{rows / double:,.0f} processes a second with two jobs; at most {most >> 20} MiB (of {MOST_BYTES >> 20})")
    return int(single / base > MOST_FLOORS or single / double < LEAST_SPEED_UP or most > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
