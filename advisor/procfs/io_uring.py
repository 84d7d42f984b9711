"""Buffers registered with io_uring, whose pages stay pinned: /proc/PID/fdinfo/FD of a ring (io_uring/fdinfo.c)."""

from __future__ import annotations

import contextlib
import re

from advisor.procfs.errors import MissingError
from advisor.procfs.facts import PinnedRange
from advisor.procfs.fs import KernelFs

RING = "anon_inode:[io_uring]"
"""Target of /proc/PID/fd/FD where FD is a ring."""

MOST_FILES = 4096
"""Open files of one process that are looked at, 3 us each. Source: own choice: rings are opened early and are few."""

_BUFFER = re.compile(rb"^ *[0-9]+: 0x([0-9a-f]{1,16})/([0-9]{1,20})$", re.MULTILINE)


def parse_registered_buffers(data: bytes) -> list[PinnedRange]:
    """The lines below `UserBufs:` (5.12): number, address, length. Empty where the ring has none, or before 5.12."""
    section = data.partition(b"\nUserBufs:")[2].partition(b"\nPollList:")[0]
    return [PinnedRange(int(start, 16), int(size)) for start, size in _BUFFER.findall(section)]


def read_pinned_buffers(fs: KernelFs, pid: int) -> list[PinnedRange]:
    """Buffers that the rings of a process pin, by address. Raises GoneError, DeniedError, MissingError."""
    found: set[tuple[int, int]] = set()
    for name in fs.list_proc(f"{pid}/fd")[:MOST_FILES]:
        with contextlib.suppress(MissingError):  # closed since
            if fs.link_of_process(pid, f"fd/{name}") == RING:
                buffers = fs.parse_process(pid, f"fdinfo/{name}", parse_registered_buffers)
                found.update((buffer.start, buffer.size) for buffer in buffers)
    return [PinnedRange(*buffer) for buffer in sorted(found)]
