"""Programs with a known state of memory, for tests and for trying the advisor: `python tests/planted.py KIND MIB`.

Each prints "ready" once its memory stands and then stays until its standard input closes; a line on it makes it map
and touch two huge pages more, by which khugepaged gets to know it. The busy kinds keep
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

from advisor.units import MIB

PR_SET_THP_DISABLE = 41
MAP_HUGETLB = 0x40000
SPARSE_STEP = 2 * MIB
"""One touched page in each of these: the worst case for huge pages."""


def anonymous(size: int, flags: int = 0) -> mmap.mmap:
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | flags)


def touch_all(area: mmap.mmap | bytearray) -> None:
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


def half(size: int) -> mmap.mmap:
    """Every other page of it is touched."""
    area = anonymous(size)
    for begin in range(0, size, 2 * mmap.PAGESIZE):
        area[begin] = 1
    return area


def trimmed(size: int) -> mmap.mmap:
    """As `churn`, and what is free goes back to the kernel, page by page."""
    area = churn(size)
    ctypes.CDLL(None).malloc_trim(0)
    return area


def churn(size: int) -> mmap.mmap:
    """Strings from glibc's malloc, replaced at random until four times as much was made as lives; half stays."""
    if os.environ.get("PYTHONMALLOC") != "malloc":
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONMALLOC": "malloc"})  # noqa: S606
    choose = random.Random(0)
    living: list[bytes] = []
    made = held = 0
    while made < 4 * size:
        block = b"\x01" * choose.choice((40, 300, 1500, 9000, 70_000, 300_000, 2_000_000))
        made, held = made + len(block), held + len(block)
        living.append(block)
        while held > size:
            place = choose.randrange(len(living))
            living[place], living[-1] = living[-1], living[place]
            held -= len(living.pop())
    KEPT.extend(block for block in living if choose.random() < 0.5)
    return anonymous(mmap.PAGESIZE)


KEPT: list[bytes] = []
"""What `churn` still holds."""


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


def heap(size: int) -> bytearray:
    """From malloc, which glibc's tunables can put on huge pages."""
    area = bytearray(size)
    touch_all(area)
    return area


KINDS: dict[str, Callable[[int], mmap.mmap | bytearray]] = {
    "random-access": plain,
    "heap": heap,
    "advised": advised,
    "churn": churn,
    "forked": forked,
    "half": half,
    "hugetlb": hugetlb,
    "sparse": sparse,
    "thp-disabled": thp_disabled,
    "tiny": plain,
    "trimmed": trimmed,
}
BUSY = {"random-access", "heap", "advised", "thp-disabled"}


def stay(area: mmap.mmap | bytearray, *, busy: bool) -> None:
    """Until standard input closes. Busy: random reads, a pause of a tenth so that tests' own work is not starved."""
    places = random.Random(0)
    more = []
    while True:
        if select.select([sys.stdin], [], [], 0.01 if busy else None)[0]:
            if not sys.stdin.readline():
                return
            more.append(plain(2 * SPARSE_STEP))
            print("mapped", flush=True)
        for _ in range(100_000 if busy else 0):
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
