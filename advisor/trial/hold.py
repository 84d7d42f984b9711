"""Memory kept warm between runs.

A guest that reports free pages gives freed memory back to its host after about two seconds (mm/page_reporting.c),
and every first touch afterwards goes through the hypervisor: seconds per GiB that belong to no page policy. Between
runs the hold therefore keeps as much memory as a run needs, and gives it back immediately before the next start.
It is held on huge pages, so that what it frees is contiguous and every policy finds the same supply. Memory that a
command first takes seconds after its start has gone back by then: set-up and steady state are told apart for that.
"""

from __future__ import annotations

import errno
import mmap
from contextlib import suppress

from advisor.procfs.fs import KernelFs
from advisor.trial.environment import memory_available_bytes

MADV_POPULATE_WRITE = 23
"""Since 5.14 (include/uapi/asm-generic/mman-common.h); not in Python's mmap module."""

FLOOR_BYTES = 1 << 30
"""MemAvailable that a hold never goes below: the host and the watcher need room as well."""

MARGIN_SHARE = 0.1
MARGIN_BYTES = 64 << 20
"""Held beyond what a run needed: page tables, and pages that the kernel frees late."""

PART_BYTES = 256 << 20
"""Taken at one go, so that a hold that meets the end of memory keeps what it has."""


class MemoryHold:
    """Anonymous memory of this process, written to, that nobody uses. Not thread-safe."""

    def __init__(self, fs: KernelFs, floor_bytes: int = FLOOR_BYTES) -> None:
        self._fs = fs
        self._floor_bytes = floor_bytes
        self._parts: list[mmap.mmap] = []

    @property
    def held_bytes(self) -> int:
        """Bytes held now."""
        return sum(len(part) for part in self._parts)

    def take(self, run_bytes: int) -> int:
        """Holds what a run of `run_bytes` needs, less where MemAvailable would fall below the floor.

        Answers the bytes held; nothing more where MemAvailable is unknown. What is held already stays held.
        """
        available = memory_available_bytes(self._fs)
        if available is None or run_bytes <= 0:
            return self.held_bytes
        wanted = min(with_margin(run_bytes), self.held_bytes + available - self._floor_bytes)
        while wanted - self.held_bytes >= mmap.PAGESIZE:
            part = _filled(min(PART_BYTES, wanted - self.held_bytes) // mmap.PAGESIZE * mmap.PAGESIZE)
            if part is None:
                break
            self._parts.append(part)
        return self.held_bytes

    def release(self, run_bytes: int | None = None) -> None:
        """Gives back what a run of `run_bytes` needs; None: everything."""
        wanted = self.held_bytes if run_bytes is None else with_margin(run_bytes)
        left = self.held_bytes - wanted
        while self._parts and self.held_bytes > left:
            self._parts.pop().close()


def with_margin(run_bytes: int) -> int:
    """What has to be there for a run of this size, bytes."""
    return int(run_bytes * (1 + MARGIN_SHARE)) + MARGIN_BYTES


def _filled(size: int) -> mmap.mmap | None:
    """Memory with every page in place; None where the kernel has none left."""
    try:
        area = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        return None
    with suppress(OSError):  # a kernel without THP holds base pages
        area.madvise(mmap.MADV_HUGEPAGE)
    area.madvise(mmap.MADV_DONTFORK)
    try:
        area.madvise(MADV_POPULATE_WRITE)
    except OSError as error:
        if error.errno == errno.EINVAL:  # before 5.14
            area[:: mmap.PAGESIZE] = bytes(len(area[:: mmap.PAGESIZE]))
        else:
            area.close()
            return None
    return area
