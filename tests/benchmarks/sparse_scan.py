"""What a page scan costs against reading pagemap over the span: `python -m tests.benchmarks.sparse_scan`.

Prints milliseconds, peak memory and ratios for 512 GiB with one page, and for a GiB of base pages, in one run. Each
way runs in a process of its own, so that peak memory is its own.
"""

from __future__ import annotations

import ctypes
import mmap
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Callable

from advisor.collect.page_scan import PagePlan, PageReader, Target
from advisor.collect.page_slots import Shape
from advisor.procfs.fs import KernelFs
from advisor.procfs.pagemap_scan import PagemapScanner, Vma
from advisor.procfs.text import parse_value
from advisor.units import GIB

ROUNDS = 5
MAP_NORESERVE = 0x4000
PMD_SIZE = "kernel/mm/transparent_hugepage/hpage_pmd_size"


def area(size: int) -> tuple[mmap.mmap, int]:
    """Private memory that stays on base pages, and its address."""
    made = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
    made.madvise(mmap.MADV_NOHUGEPAGE)
    return made, ctypes.addressof(ctypes.c_char.from_buffer(made))


def naive(start: int, size: int) -> None:
    """All of pagemap, at one go."""
    with PagemapScanner(KernelFs(), "self") as scanner:
        scanner.entries(start, start + size)


def scan(start: int, size: int) -> None:
    shape = Shape(KernelFs().parse_sys(PMD_SIZE, parse_value), mmap.PAGESIZE)
    target = Target(Vma(start, start + size), "anon", "nh", size, 0, 0, False)
    PageReader(KernelFs(), shape).read(PagePlan(os.getpid(), (target,), 0))


def measure(way: Callable[[int, int], None], size: int, filled: int, rounds: int) -> tuple[float, int]:
    """(median seconds, bytes that peak memory grew by)."""
    made, start = area(size)
    for place in range(0, filled, mmap.PAGESIZE):
        made[place] = 1
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        way(start, size)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024


def compare(title: str, size: int, filled: int) -> None:
    print(title)
    floor_s: float | None = None
    for name, way, rounds in (("pagemap over the span", naive, 1), ("page scan", scan, ROUNDS)):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            spent_s, grown = pool.apply(measure, (way, size, filled, rounds))
        floor_s = floor_s or spent_s
        print(f"  {name}: {spent_s * 1e3:.2f} ms, {grown / 2**20:.1f} MiB, ratio {spent_s / floor_s:.5f}")


if __name__ == "__main__":
    compare("512 GiB with one page", 512 * GIB, mmap.PAGESIZE)
    compare("1 GiB of base pages", GIB, GIB)
