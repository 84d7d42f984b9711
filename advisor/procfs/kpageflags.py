"""/proc/kpageflags: one 64-bit word of flags for each physical page, by page frame number.

Source: Documentation/admin-guide/mm/pagemap.rst, include/uapi/linux/kernel-page-flags.h, fs/proc/page.c. The file
belongs to root (mode 0400). Memory is read in pieces of a stated size whatever the range, so that a walk over all of
a host's memory costs no more of it than a look at one page.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from advisor.procfs.fs import KernelFs, translate_os_error

Uint64s = npt.NDArray[np.uint64]

LOCKED, LRU, SLAB, BUDDY, MMAP, ANON = 1 << 0, 1 << 5, 1 << 7, 1 << 10, 1 << 11, 1 << 12
SWAPBACKED = 1 << 14
COMPOUND_HEAD, COMPOUND_TAIL, HUGETLB, UNEVICTABLE, HWPOISON = 1 << 15, 1 << 16, 1 << 17, 1 << 18, 1 << 19
NOPAGE, KSM, THP, OFFLINE, ZERO_PAGE, PGTABLE, RESERVED = (
    1 << 20,
    1 << 21,
    1 << 22,
    1 << 23,
    1 << 24,
    1 << 26,
    1 << 32,
)
"""KPF_* bits. BUDDY: free, set on every page of a free block (is_free_buddy_page). THP: a page of any large folio but
hugetlb, PMD-mapped or not; with ZERO_PAGE, the huge zero page. NOPAGE: no memory behind this number. RESERVED is one
of the kernel's own bits, which it does not promise to keep. A page without any bit is neither free nor named: memory
that the kernel has not accepted or not initialised yet looks so, and so do its own plain allocations."""

WORD_BYTES = 8

PIECE_PAGES = 1 << 16
"""Pages of one piece of a long range: 512 KiB of words, 256 MiB of memory with pages of 4 KiB."""

NEAR_PAGES = 32
"""Numbers that are no further apart are read together. Source: measured on 6.18. Reason: a call from here costs as
much as about 30 words (4 us against 0.13 us)."""


class PageFlagReader:
    """Holds the file open; a context manager. Opening raises MissingError, DeniedError; reading KernelTextError.

    A captured tree has no such file, so that opening it there answers MissingError.
    """

    def __init__(self, fs: KernelFs) -> None:
        self._path = fs.mark(fs.proc_path("kpageflags"))
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise translate_os_error(error, self._path, of_process=False) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def read(self, first: int, count: int) -> Uint64s:
        """Flags of `count` page frames from number `first` on; fewer where the memory of the host ends before."""
        words = np.empty(count, np.uint64)
        return words[: self._fill(first, words)]

    def pieces(self, first: int, end: int) -> Iterator[tuple[int, Uint64s]]:
        """(number of its first page, flags) of [first, end) in pieces of PIECE_PAGES, up to the end of memory.

        A piece begins at a multiple of PIECE_PAGES, but for the first one; all are views of one buffer, which the
        next piece overwrites.
        """
        buffer = np.empty(PIECE_PAGES, np.uint64)
        while first < end:
            wanted = min(end, (first // PIECE_PAGES + 1) * PIECE_PAGES) - first
            filled = self._fill(first, buffer[:wanted])
            if filled:
                yield first, buffer[:filled]
            if filled < wanted:
                return
            first += wanted

    def of(self, frames: Uint64s) -> Uint64s:
        """Flags of these page frames, in their order; 0 for a number beyond the end of memory.

        Neighbours are read together, into one buffer of at most NEAR_PAGES words for each frame.
        """
        if not len(frames):
            return np.zeros(0, np.uint64)
        numbers, places = np.unique(frames, return_inverse=True)
        cuts = np.flatnonzero(np.diff(numbers) > np.uint64(NEAR_PAGES)) + 1
        firsts = numbers[np.concatenate(([0], cuts))]
        lengths = (numbers[np.append(cuts, len(numbers)) - 1] - firsts).astype(np.int64) + 1
        begins = np.cumsum(lengths) - lengths
        words = np.zeros(int(lengths.sum()), np.uint64)
        for first, begin, length in zip(firsts.tolist(), begins.tolist(), lengths.tolist(), strict=True):
            self._fill(first, words[begin : begin + length])
        run = np.searchsorted(firsts, numbers, "right") - 1
        flags: Uint64s = words[begins[run] + (numbers - firsts[run]).astype(np.int64)][places]
        return flags

    def _fill(self, first: int, words: Uint64s) -> int:
        """Number of words read; short at the end of memory alone."""
        view, filled = words.data.cast("B"), 0
        try:
            while filled < len(view) and (
                got := os.preadv(self._descriptor, [view[filled:]], first * WORD_BYTES + filled)
            ):
                filled += got
        except OSError as error:
            raise translate_os_error(error, self._path, of_process=False) from error
        return filled // WORD_BYTES
