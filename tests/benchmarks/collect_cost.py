"""What collecting costs, against reading the same files and throwing them away.

    python tests/benchmarks/collect_cost.py [--processes 200] [--vmas 300] [--big 40000] [--rounds 7]

Prints ratios of medians of CPU time (user and system), which other work on the machine disturbs less than wall time;
the variants take turns within every round, and all values are printed. Compared with the floor: reading, parsing and
folding smaps as the sampler does, and psutil's memory_maps for scale. Then the sampler's first tick against a second
in which nothing changed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from advisor.collect.fold import Folder
from advisor.collect.sampler import Sampler, SamplerOptions
from advisor.collect.smaps_batch import SmapsBatch, keep_freed_heap
from advisor.procfs.fs import KernelFs
from advisor.procfs.thp import read_thp
from tests.programs import processes_with_vmas

BUFFER = bytearray(1 << 16)


def floor(pids: list[int]) -> int:
    """Read and throw away, into one buffer that is used again: the cheapest way Python has."""
    total = 0
    for pid in pids:
        descriptor = os.open(f"/proc/{pid}/smaps", os.O_RDONLY)
        while count := os.readv(descriptor, [BUFFER]):
            total += count
        os.close(descriptor)
    return total


class Collecting:
    """Reading, parsing and folding, as in the sampler; the parser lives on between ticks as it does there."""

    def __init__(self) -> None:
        keep_freed_heap()
        fs = KernelFs()
        self.folder = Folder(read_thp(fs).pmd_bytes, os.sysconf("SC_PAGE_SIZE"))
        self.parser = None

    def __call__(self, pids: list[int]) -> int:
        batch = SmapsBatch(self.folder, self.parser)
        for pid in pids:
            batch.read(pid, f"/proc/{pid}/smaps")
        batch.finish()
        self.parser = batch.parser
        return len(batch.results)


def with_psutil(pids: list[int]) -> int:
    return sum(len(psutil.Process(pid).memory_maps(grouped=False)) for pid in pids)


def measure(title: str, pids: list[int], variants: dict[str, Callable[[list[int]], int]], rounds: int) -> None:
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
        print(f"  {name:10s} {statistics.median(values) / base:5.2f} x floor   (ms: {listed})")


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
    variants: dict[str, Callable[[list[int]], int]] = {
        "floor": floor,
        "advisor": Collecting(),
        "psutil": with_psutil,
    }
    with processes_with_vmas(options.processes, options.vmas) as pids:
        measure(f"{options.processes} processes of {options.vmas} VMAs", pids, variants, options.rounds)
        measure_ticks(options.rounds)
    with processes_with_vmas(1, options.big) as pids:
        measure(f"one process of {options.big} VMAs", pids, variants, options.rounds)


if __name__ == "__main__":
    main()
