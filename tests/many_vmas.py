"""A program with many VMAs: `python tests/many_vmas.py COUNT`. Prints "ready"; stays until its input closes.

Pages of one area get alternating protections, so that the kernel cannot merge them; a third of the VMAs are
mappings of this file, since real processes have many mapped files, and every second page is touched.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys

FILE_SHARE = 3
PROT_READ, PROT_READ_WRITE = 1, 3
MAP_PRIVATE, MAP_ANONYMOUS = 2, 0x20


def main() -> None:
    count = int(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    page = mmap.PAGESIZE
    handle = os.open(__file__, os.O_RDONLY)
    for _ in range(count // FILE_SHARE // 2):
        base = libc.mmap(None, 2 * page, PROT_READ, MAP_PRIVATE, handle, 0)
        libc.mprotect(base, page, PROT_READ_WRITE)
    pages = count - count // FILE_SHARE
    base = libc.mmap(None, pages * page, PROT_READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    for number in range(0, pages, 2):
        ctypes.memset(base + number * page, 1, 1)
        libc.mprotect(base + number * page, page, PROT_READ)
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
