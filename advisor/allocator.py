"""malloc of the C library, where its defaults do not suit a process of this program (mallopt(3); musl has none)."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Above how much free memory at its end the heap shrinks; from which size memory is mapped by itself; how many heaps
there are. Source: malloc.h of glibc."""


def set_options(options: dict[int, int]) -> None:
    """For the rest of this process."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in options.items():
            mallopt(option, value)


def use_one_heap() -> None:
    """For processes whose threads work one after another, in new ones at each tick.

    On a busy host, where a read takes longer than it may and its thread is left behind, each new thread gets a heap
    of its own, which keeps what it once had.
    """
    set_options({M_ARENA_MAX: 1})
