"""A program that fragments memory: `python tests/fragment.py KIND MIB KEEP`, until its standard input closes.

It touches MIB on base pages and gives back all but every KEEP-th page: KIND holes leaves them as they are, locked
mlocks them. KIND tables instead makes page tables, one for each page that it touches, on such memory; pipes fills
pipes, whose pages the kernel cannot move. Each prints "ready" once its memory stands.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import mmap
import os
import resource
import sys

from advisor.units import MIB

PAGE = mmap.PAGESIZE
PIPE_BYTES = 1 << 20
F_SETPIPE_SZ = 1031
MLOCK_ONFAULT = 1
MAP_NORESERVE = 0x4000
TABLE_SPAN = 2 * MIB
"""One page table maps so much."""


def holes(size: int, keep: int) -> mmap.mmap:
    area = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.madvise(mmap.MADV_NOHUGEPAGE)
    for begin in range(0, size, MIB):
        area[begin : begin + MIB] = b"\x01" * MIB
    for page in range(0, size, keep * PAGE):
        area.madvise(mmap.MADV_DONTNEED, page, min((keep - 1) * PAGE, size - page))
    return area


def locked(size: int, keep: int) -> mmap.mmap:
    """As much is locked as this user may lock."""
    area = holes(size, keep)
    libc = ctypes.CDLL(None, use_errno=True)
    start = ctypes.addressof(ctypes.c_char.from_buffer(area))
    allowed = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    for length in (size, min(allowed, size) & -PAGE):
        if not libc.mlock2(ctypes.c_void_p(start), ctypes.c_size_t(length), MLOCK_ONFAULT):
            return area
    raise OSError(ctypes.get_errno(), "mlock2")


def tables(size: int, keep: int) -> tuple[mmap.mmap, mmap.mmap]:
    """size bytes of holes, and page tables for a sixteenth of them."""
    area = holes(size, keep)
    wanted = size // 16 // PAGE
    sparse = mmap.mmap(-1, wanted * TABLE_SPAN, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
    sparse.madvise(mmap.MADV_NOHUGEPAGE)
    for begin in range(0, len(sparse), TABLE_SPAN):
        sparse[begin] = 1
    return area, sparse


def pipes(size: int, keep: int) -> tuple[mmap.mmap, list[int]]:
    """size bytes of holes, and pipes that hold a sixteenth of them, as far as this user may."""
    area = holes(size, keep)
    ends: list[int] = []
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for _ in range(size // 16 // PIPE_BYTES):
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        with contextlib.suppress(PermissionError):
            fcntl.fcntl(writing, F_SETPIPE_SZ, PIPE_BYTES)
        os.write(writing, b"\x01" * PIPE_BYTES)
        ends += [reading, writing]
    return area, ends


KINDS = {"holes": holes, "locked": locked, "tables": tables, "pipes": pipes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("mib", type=int)
    parser.add_argument("keep", type=int)
    arguments = parser.parse_args()
    held = KINDS[arguments.kind](arguments.mib * MIB, arguments.keep)
    print("ready", flush=True)
    sys.stdin.read()
    del held


if __name__ == "__main__":
    main()
