"""Programs of which one mapping is not huge for one known reason: `python tests/planted_vmas.py KIND`.

Each prints "ready" once its memory stands and then stays until its standard input closes. Memory is filled on base
pages first and advised afterwards: so it is eligible, but only khugepaged could make it huge.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import struct
import sys
import tempfile
from collections.abc import Callable

from advisor.units import MIB

PAGE = mmap.PAGESIZE
SIZE = 32 * MIB
PROT_READ, PROT_WRITE = mmap.PROT_READ, mmap.PROT_WRITE
MAP_SHARED, MAP_PRIVATE, MAP_ANONYMOUS = mmap.MAP_SHARED, mmap.MAP_PRIVATE, mmap.MAP_ANONYMOUS
MAP_FIXED, MAP_NORESERVE = 0x10, 0x4000
MADV_DONTNEED, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_PAGEOUT = 4, 14, 15, 21
PR_SET_THP_DISABLE = 41
THP_DISABLE_EXCEPT_ADVISED = 2
UFFD_USER_MODE_ONLY, UFFDIO_API, UFFDIO_REGISTER, UFFD_API = 1, 0xC018AA3F, 0xC020AA00, 0xAA
SYS_USERFAULTFD = {"x86_64": 323, "aarch64": 282}
SYS_IO_URING_SETUP, SYS_IO_URING_REGISTER, IORING_REGISTER_BUFFERS = 425, 427, 0

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.mlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.syscall.restype = ctypes.c_long


def pmd_bytes() -> int:
    with open("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", encoding="ascii") as file:
        return int(file.read())


def check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {errno.errorcode.get(number, number)}")
    return result


def map_at(address: int, size: int, flags: int = MAP_PRIVATE | MAP_ANONYMOUS, file: int = -1) -> int:
    """A mapping at exactly this address, or anywhere for 0."""
    found = libc.mmap(address or None, size, PROT_READ | PROT_WRITE, flags | (MAP_FIXED if address else 0), file, 0)
    if found in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "mmap")
    return int(found)


def aligned(size: int = SIZE) -> int:
    """Address of free space that begins at a huge page slot, with free space around it."""
    pmd = pmd_bytes()
    found = map_at(0, size + 4 * pmd)
    check(libc.munmap(found, size + 4 * pmd), "munmap")
    return (found // pmd + 1) * pmd


def advise(address: int, size: int, advice: int) -> None:
    check(libc.madvise(address, size, advice), f"madvise {advice}")


def touch(address: int, size: int, step: int = PAGE) -> None:
    for place in range(address, address + size, step):
        ctypes.memset(place, 1, 1)


def filled(flags: int = MAP_PRIVATE | MAP_ANONYMOUS, file: int = -1) -> int:
    """An aligned mapping, every page written."""
    address = map_at(aligned(), SIZE, flags, file)
    touch(address, SIZE)
    return address


def plain() -> None:
    filled()


def eligible() -> None:
    """Filled on base pages, advised afterwards."""
    advise(filled(), SIZE, MADV_HUGEPAGE)


def locked() -> None:
    address = filled()
    check(libc.mlock(address, SIZE), "mlock")
    advise(address, SIZE, MADV_HUGEPAGE)


def advised_against() -> None:
    address = map_at(aligned(), SIZE)
    advise(address, SIZE, MADV_NOHUGEPAGE)
    touch(address, SIZE)


def prctl() -> None:
    check(libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), "prctl")
    address = map_at(aligned(), SIZE)
    advise(address, SIZE, MADV_HUGEPAGE)
    touch(address, SIZE)


def prctl_except_advised() -> None:
    check(libc.prctl(PR_SET_THP_DISABLE, 1, THP_DISABLE_EXCEPT_ADVISED, 0, 0), "prctl except advised")
    filled()


def too_small() -> None:
    """Mappings of half a huge page, apart from each other."""
    half = pmd_bytes() // 2
    begin = aligned(2 * SIZE)
    for number in range(SIZE // half):
        address = map_at(begin + number * 2 * half, half)
        advise(address, half, MADV_HUGEPAGE)
        touch(address, half)


def misaligned() -> None:
    """Mappings larger than a huge page that hold no whole slot."""
    pmd = pmd_bytes()
    begin = aligned(4 * SIZE)
    for number in range(SIZE // (3 * pmd // 2)):
        address = map_at(begin + number * 3 * pmd + pmd // 4, 3 * pmd // 2)
        advise(address, 3 * pmd // 2, MADV_HUGEPAGE)
        touch(address, 3 * pmd // 2)


def shared_memory() -> None:
    filled(MAP_SHARED | MAP_ANONYMOUS)


def shared_memory_advised() -> None:
    advise(filled(MAP_SHARED | MAP_ANONYMOUS), SIZE, MADV_HUGEPAGE)


def shared_memory_askew() -> None:
    """A page beside an aligned address, with the file's beginning at its own: no huge page of the file fits."""
    address = map_at(aligned() + PAGE, SIZE, MAP_SHARED | MAP_ANONYMOUS)
    touch(address, SIZE)


def memfd_copy() -> None:
    """Private copies of a memfd's pages."""
    file = os.memfd_create("copied")
    os.ftruncate(file, SIZE)
    filled(MAP_PRIVATE, file)


def file_copy() -> None:
    with tempfile.TemporaryFile() as file:
        file.truncate(SIZE)
        advise(filled(MAP_PRIVATE, file.fileno()), SIZE, MADV_HUGEPAGE)


def sparse() -> None:
    """A quarter of the pages of each slot."""
    address = map_at(aligned(), SIZE)
    touch(address, SIZE, 4 * PAGE)
    advise(address, SIZE, MADV_HUGEPAGE)


def shared() -> None:
    """Filled, then shared with a child that stays."""
    address = filled()
    advise(address, SIZE, MADV_HUGEPAGE)
    if os.fork() == 0:
        sys.stdin.read()
        os._exit(0)


def swapped() -> None:
    """Filled, advised, and a quarter of each slot pushed out to swap."""
    address, pmd = filled(), pmd_bytes()
    advise(address, SIZE, MADV_HUGEPAGE)
    for slot in range(address, address + SIZE, pmd):
        advise(slot, pmd // 4, MADV_PAGEOUT)


def userfaultfd() -> None:
    """Half of each slot filled, then armed for missing pages."""
    pmd = pmd_bytes()
    address = map_at(aligned(), SIZE)
    for slot in range(address, address + SIZE, pmd):
        touch(slot, pmd // 2)
    advise(address, SIZE, MADV_HUGEPAGE)
    number = SYS_USERFAULTFD[platform.machine()]
    file = check(libc.syscall(ctypes.c_long(number), os.O_CLOEXEC | UFFD_USER_MODE_ONLY), "userfaultfd")
    fcntl.ioctl(file, UFFDIO_API, bytearray(struct.pack("QQQ", UFFD_API, 0, 0)))
    fcntl.ioctl(file, UFFDIO_REGISTER, bytearray(struct.pack("QQQQ", address, SIZE, 1, 0)))


def pinned() -> None:
    """Filled, advised, and registered with io_uring as one buffer."""
    address = filled()
    advise(address, SIZE, MADV_HUGEPAGE)
    parameters = ctypes.create_string_buffer(120)
    ring = check(libc.syscall(ctypes.c_long(SYS_IO_URING_SETUP), 4, parameters), "io_uring_setup")
    vector = ctypes.create_string_buffer(struct.pack("QQ", address, SIZE))
    result = libc.syscall(ctypes.c_long(SYS_IO_URING_REGISTER), ring, IORING_REGISTER_BUFFERS, vector, 1)
    check(result, "io_uring_register")


def spliced() -> None:
    """Filled, advised, and a page of each slot held by a pipe (vmsplice), which no file of /proc tells."""
    address, pmd = filled(), pmd_bytes()
    advise(address, SIZE, MADV_HUGEPAGE)
    _, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, SIZE // pmd * PAGE)
    vectors = b"".join(struct.pack("QQ", slot, PAGE) for slot in range(address, address + SIZE, pmd))
    check(libc.vmsplice(write, ctypes.create_string_buffer(vectors), SIZE // pmd, 0), "vmsplice")


def idle() -> None:
    """Filled, advised, and its accessed bits cleared."""
    eligible()
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("2")


def held() -> None:
    """Filled, advised, and in the cgroup whose folder is the second argument."""
    with open(f"{sys.argv[2]}/cgroup.procs", "w", encoding="ascii") as file:
        file.write(str(os.getpid()))
    eligible()


def unused() -> None:
    advise(map_at(aligned(), SIZE), SIZE, MADV_HUGEPAGE)


def cut() -> None:
    """On huge pages, of each of which one page is then given back."""
    pmd = pmd_bytes()
    address = map_at(aligned(), SIZE)
    advise(address, SIZE, MADV_HUGEPAGE)
    touch(address, SIZE)
    for slot in range(address, address + SIZE, pmd):
        advise(slot, PAGE, MADV_DONTNEED)


KINDS: dict[str, Callable[[], None]] = {
    kind.__name__.replace("_", "-"): kind
    for kind in (
        plain, eligible, locked, advised_against, prctl, prctl_except_advised, too_small, misaligned, shared_memory,
        shared_memory_advised, shared_memory_askew, file_copy, memfd_copy,
        sparse, shared, swapped, userfaultfd, pinned, spliced, idle, held, unused,
        cut,
    )
}  # fmt: skip


def main() -> None:
    KINDS[sys.argv[1]]()
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
