"""Programs with a known state of memory, for tests and for trying the advisor: `python tests/planted.py KIND MIB`.

Each prints "ready" once its memory stands and then stays until its standard input closes. The busy kinds keep
reading at random places meanwhile, as a program that would profit from a larger TLB reach does.
"""

from __future__ import annotations

import argparse
import ctypes
import mmap
import os
import random
import select
import sys
from collections.abc import Callable

PR_SET_THP_DISABLE = 41
MAP_HUGETLB = 0x40000
MIB = 1 << 20
SPARSE_STEP = 2 * MIB
"""One touched page in each of these: the worst case for huge pages."""


def anonymous(size: int, flags: int = 0) -> mmap.mmap:
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | flags)


def touch_all(area: mmap.mmap) -> None:
    for begin in range(0, len(area), MIB):
        area[begin : begin + MIB] = b"\x01" * MIB


def plain(size: int) -> mmap.mmap:
    area = anonymous(size)
    touch_all(area)
    return area


def advised(size: int) -> mmap.mmap:
    area = anonymous(size)
    area.madvise(mmap.MADV_HUGEPAGE)
    touch_all(area)
    return area


def hugetlb(size: int) -> mmap.mmap:
    area = anonymous(size, MAP_HUGETLB)
    touch_all(area)
    return area


def sparse(size: int) -> mmap.mmap:
    area = anonymous(size)
    for begin in range(0, size, SPARSE_STEP):
        area[begin] = 1
    return area


def forked(size: int) -> mmap.mmap:
    """All of it is shared with a child, which ends when standard input closes."""
    area = plain(size)
    if os.fork() == 0:
        sys.stdin.read()
        os._exit(0)
    return area


def thp_disabled(size: int) -> mmap.mmap:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_THP_DISABLE)")
    return plain(size)


KINDS: dict[str, Callable[[int], mmap.mmap]] = {
    "random-access": plain,
    "advised": advised,
    "forked": forked,
    "hugetlb": hugetlb,
    "sparse": sparse,
    "thp-disabled": thp_disabled,
    "tiny": plain,
}
BUSY = {"random-access", "advised", "thp-disabled"}


def stay(area: mmap.mmap, *, busy: bool) -> None:
    """Until standard input closes. Busy: random reads, a pause of a tenth so that tests' own work is not starved."""
    places = random.Random(0)
    while not select.select([sys.stdin], [], [], 0.01 if busy else None)[0]:
        for _ in range(100_000):
            area[places.randrange(len(area))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("mib", type=int)
    arguments = parser.parse_args()
    area = KINDS[arguments.kind](arguments.mib * MIB)
    print("ready", flush=True)
    stay(area, busy=arguments.kind in BUSY)


if __name__ == "__main__":
    main()
