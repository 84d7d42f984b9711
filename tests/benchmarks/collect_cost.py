"""What collecting costs, against reading the same files and throwing them away.

    python -m tests.benchmarks.collect_cost [--processes 200] [--vmas 300] [--big 40000] [--rounds 7]

Prints ratios of medians of CPU time (user and system), which other work on the machine disturbs less than wall time;
the variants take turns within every round, and all values are printed. Compared with the floor: reading and parsing
smaps into a table, folding it as the sampler does, and psutil's memory_maps for scale. Then the sampler's first tick
against a second in which nothing changed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import psutil

from advisor.collect.fold import Folder
from advisor.collect.options import SamplerOptions
from advisor.collect.sampler import Sampler
from advisor.collect.smaps_batch import ProcessMaps, SmapsBatch
from advisor.procfs.fs import KernelFs
from advisor.procfs.smaps import SmapsParser, VmaTable
from advisor.procfs.thp import read_thp
from tests.programs import processes_with_vmas

BUFFER = bytearray(1 << 16)
Variants = dict[str, Callable[[list[int]], int]]


def floor(pids: list[int]) -> int:
    """Read and throw away, into one buffer that is used again: the cheapest way Python has."""
    total = 0
    for pid in pids:
        descriptor = os.open(f"/proc/{pid}/smaps", os.O_RDONLY)
        while count := os.readv(descriptor, [BUFFER]):
            total += count
        os.close(descriptor)
    return total


class Parsing(SmapsBatch):
    """The sampler's batch up to the table of VMAs, which is then thrown away."""

    def _keep(self, table: VmaTable, segments: list[tuple[int, int, int]]) -> None:
        del table
        self.results |= {pid: ProcessMaps() for pid, _, _ in segments}


class Collecting:
    """Reading files through a batch, as the sampler does; the parser lives on between ticks as it does there."""

    def __init__(self, batch: type[SmapsBatch]) -> None:
        self.batch = batch
        self.folder = Folder(read_thp(KernelFs()).pmd_bytes, os.sysconf("SC_PAGE_SIZE"))
        self.parser: SmapsParser | None = None

    def __call__(self, pids: list[int]) -> int:
        batch = self.batch(self.folder, self.parser)
        for pid in pids:
            batch.read(pid, f"/proc/{pid}/smaps")
        batch.finish()
        self.parser = batch.parser
        return len(batch.results)


def with_psutil(pids: list[int]) -> int:
    return sum(len(psutil.Process(pid).memory_maps(grouped=False)) for pid in pids)


def measure(title: str, pids: list[int], variants: Variants, rounds: int) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, variant in variants.items():
            began = time.thread_time()
            variant(pids)
            seconds[name].append(time.thread_time() - began)
    base = statistics.median(seconds["floor"])
    print(f"{title}: floor {base * 1e3:.1f} ms CPU")
    for name, values in seconds.items():
        listed = " ".join(f"{value * 1e3:.1f}" for value in values)
        print(f"  {name:12s} {statistics.median(values) / base:5.2f} x floor   (ms: {listed})")


def measure_ticks(rounds: int) -> None:
    ratios = []
    for _ in range(rounds):
        sampler = Sampler(KernelFs(), SamplerOptions(complete_first=True))
        first, second = sampler.tick().cost, sampler.tick().cost
        ratios.append(second.cpu_s / first.cpu_s)
        print(f"  first tick {first.cpu_s * 1e3:.1f} ms CPU, second {second.cpu_s * 1e3:.1f} ms")
    print(f"second tick / first tick: {statistics.median(ratios):.3f} (median of {rounds})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=200)
    parser.add_argument("--vmas", type=int, default=300)
    parser.add_argument("--big", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    parsing, folding = Collecting(Parsing), Collecting(SmapsBatch)
    ours: Variants = {"floor": floor, "read, parse": parsing, "and fold": folding}
    # psutil takes turns with the floor alone: the objects it makes and frees disturb whoever comes next.
    theirs: Variants = {"floor": floor, "psutil": with_psutil}
    with processes_with_vmas(options.processes, options.vmas) as pids:
        title = f"{options.processes} processes of {options.vmas} VMAs"
        measure(title, pids, ours, options.rounds)
        measure(title, pids, theirs, options.rounds)
        measure_ticks(options.rounds)
    with processes_with_vmas(1, options.big) as pids:
        title = f"one process of {options.big} VMAs"
        measure(title, pids, ours, options.rounds)
        measure(title, pids, theirs, options.rounds)


if __name__ == "__main__":
    main()
