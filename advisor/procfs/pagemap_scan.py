"""PAGEMAP_SCAN: which pages of a range are present, huge or written, as ranges, without page frame numbers.

An ioctl on /proc/PID/pagemap, since 6.7 (Documentation/admin-guide/mm/pagemap.rst, include/uapi/linux/fs.h). It takes
mmap_lock for reading, and lets go of it after every 512 ranges that it found: callers scan long mappings in pieces.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from advisor.procfs.errors import GoneError, IncompleteError, KernelTextError, MalformedError, MissingError
from advisor.procfs.fs import KernelFs, process_error
from advisor.procfs.smaps_lines import parse_head
from advisor.procfs.text import whole_lines

Uint64s = npt.NDArray[np.uint64]

PAGEMAP_SCAN = 0xC0606610
"""_IOWR('f', 16, struct pm_scan_arg): 12 words of 64 bits."""

FILE, PRESENT, SWAPPED, ZERO_PAGE, HUGE, SOFT_DIRTY = 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7
"""PAGE_IS_FILE (page cache and shmem), _PRESENT, _SWAPPED, _PFNZERO, _HUGE (PMD-mapped or hugetlb), _SOFT_DIRTY."""

ARGUMENT_WORDS = 12
SIZE, START, END, VECTOR, VECTOR_LENGTH, MOST_PAGES = 0, 2, 3, 5, 6, 7
INVERTED, ALL_OF, ANY_OF, SHOWN = 8, 9, 10, 11
"""Places of the words in struct pm_scan_arg; flags and walk_end stay 0."""

REGION_WORDS = 3
"""struct page_region: start, end, categories."""

REGIONS = 8192
"""Ranges that one call hands out, 192 KiB: 16 slots of 2 MiB with every other page populated."""

PAGES_A_CALL = 1 << 21
"""Pages that one call may find, 8 GiB of 4 KiB pages: the walk holds mmap_lock for 25 ms at 3 ms a GiB."""

ENTRY_BYTES = 8
ENTRY_PRESENT, ENTRY_SWAPPED, ENTRY_EXCLUSIVE = np.uint64(1 << 63), np.uint64(1 << 62), np.uint64(1 << 56)
ENTRY_FRAME = np.uint64((1 << 55) - 1)
"""An entry of the file itself, one a page: its bits for a page that is present, in swap, mapped by nobody else (4.2),
and its page frame number, which reads as 0 without CAP_SYS_ADMIN."""

NO_SCAN = frozenset((errno.ENOTTY, errno.EINVAL))
"""How a kernel without the call, or without one of the categories asked for, answers."""


class Vma(NamedTuple):
    """Addresses of a mapping."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Regions:
    """Neighbouring pages that agree in the categories shown, in address order; end is exclusive."""

    start: Uint64s
    end: Uint64s
    categories: Uint64s

    def __len__(self) -> int:
        return len(self.start)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Regions:
        """Those regions alone."""
        return Regions(self.start[chosen], self.end[chosen], self.categories[chosen])


class PagemapScanner:
    """Scans one process; a context manager that holds its pagemap open. Raises Gone-, Denied-, MissingError.

    Everything raises HungError, too, where `fs` waits for an answer no longer than some deadline.
    """

    def __init__(self, fs: KernelFs, pid: int | Literal["self"]) -> None:
        self._fs, self._path = fs, fs.proc_path(f"{pid}/pagemap")
        self._vector = np.zeros((REGIONS, REGION_WORDS), np.uint64)
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")
        try:
            self._descriptor = fs.ask(lambda path: os.open(path, os.O_RDONLY | os.O_CLOEXEC), self._path)
        except OSError as error:
            raise process_error(error, self._path) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def regions(
        self, start: int, end: int, *, all_of: int = 0, any_of: int = 0, none_of: int = 0, shown: int = 0
    ) -> Iterator[Regions]:
        """Regions of [start, end) whose pages are in every category of all_of, in one of any_of, in none of none_of.

        A region ends where a category in `shown` changes, and may end where one answer of the kernel does. The
        kernel's walk_end is not used: it fills its answer 512 regions at a time and, when the walk then runs to its
        end, leaves the place of the last refill there (fs/proc/task_mmu.c do_pagemap_scan, seen on 6.18). An answer
        that is full, or holds PAGES_A_CALL pages, goes on behind its last region; any other is the last one.
        """
        argument = np.zeros(ARGUMENT_WORDS, np.uint64)
        argument[[SIZE, END, VECTOR, VECTOR_LENGTH]] = argument.nbytes, end, self._vector.ctypes.data, REGIONS
        argument[[INVERTED, ALL_OF, ANY_OF, SHOWN]] = none_of, all_of | none_of, any_of, shown | all_of | any_of
        argument[MOST_PAGES] = PAGES_A_CALL
        while start < end:
            argument[START] = start
            found = self._scan(argument)
            if not found:
                return
            regions = self._vector[:found].copy()
            yield Regions(regions[:, 0], regions[:, 1], regions[:, 2])
            pages = int((regions[:, 1] - regions[:, 0]).sum()) // self._page_bytes
            if found < REGIONS and pages < PAGES_A_CALL:
                return
            start = int(regions[-1, 1])

    def entries(self, start: int, end: int) -> Uint64s:
        """The 64-bit entries of the pages of [start, end), as read: what every kernel has. Raises GoneError."""
        wanted = (end - start) // self._page_bytes * ENTRY_BYTES
        offset = start // self._page_bytes * ENTRY_BYTES
        try:
            data = self._fs.ask(lambda _: os.pread(self._descriptor, wanted, offset), self._path)
        except OSError as error:
            raise process_error(error, self._path) from error
        if len(data) < wanted:
            raise GoneError("cut off", path=self._path)
        return np.frombuffer(data, np.uint64)

    def _scan(self, argument: Uint64s) -> int:
        try:
            return self._fs.ask(lambda _: _ioctl(self._descriptor, argument), self._path)
        except OSError as error:
            if error.errno in NO_SCAN:
                raise MissingError("this kernel has no PAGEMAP_SCAN (before 6.7)", path=self._path) from error
            raise process_error(error, self._path) from error


def _ioctl(descriptor: int, argument: Uint64s) -> int:
    return fcntl.ioctl(descriptor, PAGEMAP_SCAN, argument)  # type: ignore[call-overload, no-any-return]


def parse_reachable(data: bytes) -> list[Vma]:
    """VMAs of /proc/PID/maps that permit any access, in address order, but for the kernel's own [vsyscall]."""
    return [
        vma
        for vma, tail, _ in _vmas(data)
        if not tail.startswith(b"---") and not tail.rstrip().endswith(b"[vsyscall]")
    ]


def parse_anonymous(data: bytes, smallest_bytes: int) -> list[Vma]:
    """Private anonymous VMAs of /proc/PID/maps of at least smallest_bytes: unnamed, heap and named by prctl."""
    return [
        vma
        for vma, tail, number in _vmas(data)
        if vma.end - vma.start >= smallest_bytes and _is_anonymous(tail, number)
    ]


def _vmas(data: bytes) -> Iterator[tuple[Vma, bytes, int]]:
    """(addresses, rest of the line, its number). Raises IncompleteError, MalformedError."""
    for number, line in enumerate(whole_lines(data), 1) if data else ():
        addresses, blank, tail = line.partition(b" ")
        low, dash, high = addresses.partition(b"-")
        if not blank or not dash:
            raise IncompleteError("no address range", line=number)
        try:
            vma = Vma(int(low, 16), int(high, 16))
        except ValueError:
            raise MalformedError("addresses are no hexadecimal numbers", line=number) from None
        yield vma, tail, number


def _is_anonymous(tail: bytes, number: int) -> bool:
    try:
        head = parse_head(tail)
    except KernelTextError as error:
        error.line = number
        raise
    return not head.shared and head.inode == 0 and (not head.name or head.name.startswith(("[heap", "[anon:")))


def spread_over_slots(regions: Regions, slot_bytes: int) -> tuple[Uint64s, Uint64s, npt.NDArray[np.int64]]:
    """(slot number, bytes of it, place of the region) for each part of a region that lies in one slot.

    A slot may come up many times."""
    slot = np.uint64(slot_bytes)
    first = regions.start // slot
    parts = ((regions.end - np.uint64(1)) // slot - first + np.uint64(1)).astype(np.int64)
    owner = np.repeat(np.arange(len(regions)), parts)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(parts) - parts, parts)
    number = first[owner] + within.astype(np.uint64)
    begin = np.maximum(regions.start[owner], number * slot)
    end = np.minimum(regions.end[owner], (number + np.uint64(1)) * slot)
    return number, end - begin, owner
