"""How many pages of each slot of another process are populated, and which slots are huge already.

By ioctl(PAGEMAP_SCAN) where the kernel has it (6.7), else by reading /proc/PID/pagemap. Both hold mmap_lock for
reading only for one piece at a time. Source: Documentation/admin-guide/mm/pagemap.rst.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from advisor.procfs.fs import KernelFs, translate_os_error

PAGEMAP_SCAN = 0xC0606610
"""_IOWR('f', 16, struct pm_scan_arg), 96 bytes. Source: include/uapi/linux/fs.h."""

PAGE_IS_PRESENT = 1 << 3
PAGE_IS_PFNZERO = 1 << 5
PAGE_IS_HUGE = 1 << 6
"""Categories: mapped; mapped to the shared zero page, which holds no memory; mapped by PMD or hugetlb."""

PIECE_BYTES = 256 << 20
"""Address space looked at in one system call. Reason: about 1 ms of page table walk, so that a waiting mmap or
page fault is not held up."""

REGIONS_A_CALL = 2048
"""Regions of like pages taken in one call, 24 bytes each."""

PAGEMAP_ENTRY_BYTES = 8
PAGEMAP_PRESENT = np.uint64(1 << 63)
"""Bit of a pagemap entry. The zero page cannot be told here, and counts as populated."""

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SlotPages:
    """Of consecutive slots: populated bytes, and whether the slot is mapped huge (None: this way cannot tell)."""

    populated: Int64s
    huge: npt.NDArray[np.bool_] | None


class PageReader:
    """Reads the pagemap of one process."""

    def __init__(self, fs: KernelFs, pid: int) -> None:
        """Raises GoneError, MissingError, DeniedError."""
        path = fs.proc_path(f"{pid}/pagemap")
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise translate_os_error(error, path, of_process=True) from error
        self._path = path
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")
        self.can_scan = True

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> PageReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def slots(self, start: int, count: int, slot_bytes: int) -> SlotPages:
        """Slots from `start` on. Raises GoneError where the process ended, KernelTextError for other failures."""
        try:
            if self.can_scan:
                try:
                    return self._scan_slots(start, count, slot_bytes)
                except OSError as error:
                    if error.errno not in (errno.ENOTTY, errno.EINVAL):
                        raise
                    self.can_scan = False
            return SlotPages(self._read_slots(start, count, slot_bytes), None)
        except OSError as error:
            raise translate_os_error(error, self._path, of_process=True) from error

    def _scan_slots(self, start: int, count: int, slot_bytes: int) -> SlotPages:
        edges = start + slot_bytes * np.arange(count + 1, dtype=np.int64)
        regions = self._regions(start, start + count * slot_bytes)
        huge = regions[(regions[:, 2] & PAGE_IS_HUGE) != 0]
        return SlotPages(covered(regions, edges), covered(huge, edges) == slot_bytes)

    def _regions(self, start: int, end: int) -> Int64s:
        """Rows of start, end, categories: pages that are present and not the zero page."""
        found: list[int] = []
        while start < end:
            piece_end = min(end, start + PIECE_BYTES)
            start = self._scan(start, piece_end, found)
        return np.array(found, np.int64).reshape(-1, 3)

    def _scan(self, start: int, end: int, found: list[int]) -> int:
        """One system call; answers how far it came."""
        regions = array.array("Q", bytes(24 * REGIONS_A_CALL))
        address, _ = regions.buffer_info()
        wanted = PAGE_IS_PRESENT | PAGE_IS_PFNZERO
        # size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, mask, anyof, return.
        argument = bytearray(
            struct.pack(
                "12Q", 96, 0, start, end, 0, address, REGIONS_A_CALL, 0, PAGE_IS_PFNZERO, wanted, 0, PAGE_IS_HUGE
            )
        )
        filled = fcntl.ioctl(self._descriptor, PAGEMAP_SCAN, argument, True)
        found.extend(regions[: 3 * filled])
        return int(struct.unpack_from("Q", argument, 32)[0])

    def _read_slots(self, start: int, count: int, slot_bytes: int) -> Int64s:
        """Populated bytes of each slot, from the pagemap's own entries."""
        pages_a_slot = slot_bytes // self._page_bytes
        slots_a_piece = max(PIECE_BYTES // slot_bytes, 1)
        populated = np.zeros(count, np.int64)
        for first in range(0, count, slots_a_piece):
            slots = min(slots_a_piece, count - first)
            offset = (start + first * slot_bytes) // self._page_bytes * PAGEMAP_ENTRY_BYTES
            data = os.pread(self._descriptor, slots * pages_a_slot * PAGEMAP_ENTRY_BYTES, offset)
            if len(data) < slots * pages_a_slot * PAGEMAP_ENTRY_BYTES:
                raise OSError(errno.ESRCH, os.strerror(errno.ESRCH))
            present = (np.frombuffer(data, np.uint64) & PAGEMAP_PRESENT) != 0
            populated[first : first + slots] = present.reshape(slots, pages_a_slot).sum(axis=1) * self._page_bytes
        return populated


def covered(regions: Int64s, edges: Int64s) -> Int64s:
    """Bytes of ordered, disjoint regions between each two neighbouring edges."""
    if not len(regions):
        return np.zeros(len(edges) - 1, np.int64)
    starts, lengths = regions[:, 0], regions[:, 1] - regions[:, 0]
    before = np.concatenate([[0], np.cumsum(lengths)])
    last = np.searchsorted(starts, edges, side="right")
    # Up to an edge: all regions that begin earlier, the last of them only as far as the edge.
    index = np.maximum(last - 1, 0)
    inside = np.clip(edges - starts[index], 0, lengths[index])
    up_to = np.where(last > 0, before[index] + inside, 0)
    return np.diff(up_to).astype(np.int64)
