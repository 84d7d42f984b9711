"""What a fleet costs: `python -m tests.benchmarks.scale [--hosts 100 400] [--processes 300] [--price 0.05]`.

Made-up fleets of several sizes are scored with one job for each CPU, its start included. From two sizes follow what
the start costs and what each process adds; from these, cost and time for a million processes. price: of one core for
an hour, in any currency; what a provider asks is no matter of this project.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.dask_cost import children_cpu
from tests.benchmarks.fleet import make_fleet
from tests.benchmarks.score_cost import score

MILLION = 1_000_000
SECONDS_PER_HOUR = 3600


class Cost(NamedTuple):
    """One fleet. pss_bytes: the most memory of all processes together at one look."""

    profiles: int
    processes: int
    input_bytes: int
    output_bytes: int
    wall_s: float
    cpu_s: float
    pss_bytes: int


def cost_of(hosts: int, processes: int, jobs: int) -> Cost:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made, "fleet")
        paths = make_fleet(folder, hosts, processes)
        before = children_cpu()
        run = score(folder, jobs)
        output = folder.parent / "out.parquet"
        read = sum(path.stat().st_size for path in paths)
        return Cost(
            hosts, hosts * processes, read, output.stat().st_size, run.wall_s, children_cpu() - before, run.pss_bytes
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, nargs=2, default=[100, 400])
    parser.add_argument("--processes", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--price", type=float, default=0.05)
    given = parser.parse_args()
    costs = [cost_of(hosts, given.processes, given.jobs) for hosts in given.hosts]
    for one in costs:
        print(
            f"{one.profiles:,} profiles, {one.processes:,} processes, {given.jobs} jobs: {one.wall_s:.1f} s, "
            f"{one.cpu_s:.1f} s of CPU, at most {one.pss_bytes >> 20} MiB; "
            f"a process: {one.input_bytes / one.processes:,.0f} bytes in, {one.output_bytes / one.processes:,.0f} out"
        )
    small, large = costs
    more = large.processes - small.processes
    each_s = (large.cpu_s - small.cpu_s) / more
    hours = each_s * MILLION / SECONDS_PER_HOUR
    rate = more / (large.wall_s - small.wall_s)
    print(
        f"start: {small.cpu_s - each_s * small.processes:.1f} s of CPU; each process: {each_s * 1000:.2f} ms of CPU"
    )
    print(
        f"a million processes: {hours:.2f} core-hours = {hours * given.price:.3f} at {given.price} a core-hour, and "
        f"{MILLION / rate / 60:.1f} min with {given.jobs} jobs ({rate:,.0f} processes a second)"
    )
    print(
        f"memory: {(large.pss_bytes - small.pss_bytes) / (1 << 20):+.0f} MiB for "
        f"{large.profiles / small.profiles:.0f} times the profiles"
    )


if __name__ == "__main__":
    main()
