"""A program that the sampler finds hard: `python sparse.py GIB VMAS`. Prints "ready"; needs numpy.

GIB of memory with one page in each 2 MiB, beside VMAS mappings. For each line on its input, a number of seconds, it
maps, touches and unmaps memory for so long, which needs its mmap_lock for writing, and prints how often a second and
the 99th percentile and the maximum of how long one took, in seconds.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
import time

import numpy as np

SLOT = 2 << 20
PIECE = 64 << 10
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
MAP_NORESERVE = 0x4000  # absent from the module before 3.13
MOST_ROUNDS = 1 << 22


def sparse(size: int) -> mmap.mmap:
    made = mmap.mmap(-1, size, flags=PRIVATE | MAP_NORESERVE)
    for place in range(0, size, SLOT):
        made[place] = 1
    return made


def many(count: int) -> mmap.mmap:
    """Pages with alternating protections, so that the kernel cannot merge them."""
    libc = ctypes.CDLL(None, use_errno=True)
    made = mmap.mmap(-1, count * mmap.PAGESIZE, flags=PRIVATE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(made))
    for number in range(0, count, 2):
        made[number * mmap.PAGESIZE] = 1
        address = ctypes.c_void_p(start + number * mmap.PAGESIZE)
        if libc.mprotect(address, ctypes.c_size_t(mmap.PAGESIZE), mmap.PROT_READ):
            raise OSError(ctypes.get_errno(), "mprotect: is vm.max_map_count too low?")
    return made


def work(seconds: float, took_ns: np.ndarray) -> tuple[float, float, float]:
    """(rounds a second, 99th percentile of a round in seconds, the longest one)."""
    began = before = time.perf_counter_ns()
    until, rounds = began + int(seconds * 1e9), 0
    while before < until and rounds < len(took_ns):
        with mmap.mmap(-1, PIECE, flags=PRIVATE) as piece:
            piece[0] = 1
        now = time.perf_counter_ns()
        took_ns[rounds] = now - before
        before, rounds = now, rounds + 1
    seen = took_ns[:rounds]
    return rounds / (before - began) * 1e9, float(np.percentile(seen, 99)) / 1e9, int(seen.max()) / 1e9


def main() -> None:
    kept = sparse(int(sys.argv[1]) << 30), many(int(sys.argv[2]))
    took_ns = np.zeros(MOST_ROUNDS, np.int64)
    print("ready", flush=True)
    for line in sys.stdin:
        print(*work(float(line), took_ns), flush=True)
    del kept


if __name__ == "__main__":
    main()
