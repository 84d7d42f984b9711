"""What a Dask cluster costs beside processes of one machine: `python -m tests.benchmarks.dask_cost [--hosts 200]`.

Two workers of one thread against `--jobs 2` on the same files, interleaved, medians: wall time of whole commands, and
their CPU time, that of the workers included. The scheduler and the workers are there before the first round and have
loaded what they need, as in a cluster that is in use.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.batch.clusters import cluster
from tests.benchmarks.fleet import make_fleet

PROCESSES = 300
MOST_TIMES = 1.5
"""Source: what this project promises of Dask."""


class Run(NamedTuple):
    """A command: seconds until it ended, and CPU seconds of all that worked for it."""

    wall_s: float
    cpu_s: float


def run(folder: Path, engine: list[str], output: Path, servants: Iterable[int] = ()) -> Run:
    """The command as somebody runs it, its start included. servants: pids that work for it, not started by it."""
    command = [sys.executable, "-m", "advisor", "score", str(folder), *engine, "-o", str(output)]
    before, began = _cpu_of(servants), time.perf_counter()
    own = children_cpu()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return Run(time.perf_counter() - began, children_cpu() - own + _cpu_of(servants) - before)


def children_cpu() -> float:
    """CPU seconds of all processes that were started here, and of theirs, and have ended."""
    times = psutil.Process().cpu_times()
    return times.children_user + times.children_system


def _cpu_of(pids: Iterable[int]) -> float:
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder, out = Path(made, "fleet"), {name: Path(made, f"{name}.parquet") for name in ("jobs", "dask")}
        make_fleet(folder, given.hosts, PROCESSES)
        with cluster(Path(made, "cluster")) as dask:
            pids = [dask.scheduler.pid, *(worker.pid for worker in dask.workers)]
            ways: dict[str, Callable[[], Run]] = {
                "jobs": lambda: run(folder, ["--jobs", "2"], out["jobs"]),
                "dask": lambda: run(folder, ["--dask", dask.address], out["dask"], pids),
            }
            ways["dask"]()  # workers load the model once
            runs: dict[str, list[Run]] = {name: [] for name in ways}
            for _ in range(given.rounds):
                for name, way in ways.items():
                    runs[name].append(way())
        same = out["jobs"].read_bytes() == out["dask"].read_bytes()
    jobs, dasks = (Run(*map(statistics.median, zip(*of, strict=True))) for of in runs.values())
    ratio = dasks.wall_s / jobs.wall_s
    print(f"{given.hosts} profiles of {PROCESSES} processes; every value: {runs}")
    print(f"jobs {jobs.wall_s:.1f} s, {jobs.cpu_s:.1f} s of CPU; Dask {dasks.wall_s:.1f} s, {dasks.cpu_s:.1f} s")
    print(f"Dask takes {ratio:.2f} times as long (at most {MOST_TIMES}); the same bytes: {same}")
    return int(ratio > MOST_TIMES or not same)


if __name__ == "__main__":
    sys.exit(main())
