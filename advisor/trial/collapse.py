"""process_madvise(MADV_COLLAPSE) on another process, slot by slot.

MADV_COLLAPSE (6.1) is synchronous, ignores the system's THP mode and what the VMA was advised, and is refused where
the VMA is MADV_NOHUGEPAGE or the process disabled THP. Source: madvise(2), process_madvise(2), mm/khugepaged.c
madvise_collapse.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from advisor.trial.pidfd import open_pidfd

SYS_PROCESS_MADVISE = 440
"""Number of the system call: above 424 they are the same on every architecture but alpha, which has no THP."""

MADV_COLLAPSE = 25

SLOTS_A_CALL = 16
"""Huge pages asked for in one system call. Reason: 32 MiB with 2M pages are copied in 10 to 100 ms, after which an
interrupt is seen; the kernel itself lets go of mmap_lock between any two slots."""

FAILURES = {
    "ENOMEM": "no huge page could be had (free memory too little or too fragmented), or no longer mapped",
    "EBUSY": "the control group's memory limit leaves no room, or userfaultfd watches the range",
    "EAGAIN": "pages pinned, locked or moving, also at the second try",
    "EINVAL": "refused: MADV_NOHUGEPAGE, THP disabled by prctl, nothing mapped there, or memory that cannot be huge",
}
"""Answers of the kernel in words. Source: madvise(2) and mm/khugepaged.c madvise_collapse_errno."""


class CollapseError(Exception):
    """The process cannot be collapsed at all. reason: gone | denied | unsupported."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_size_t), ("length", ctypes.c_size_t))


@dataclass
class Outcome:
    """What came of a list of slots. collapsed: their places in the list. failures: slots by errno's name."""

    collapsed: list[int] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    wall_s: float = 0.0
    cpu_s: float = 0.0

    def add(self, later: Outcome, offset: int) -> None:
        """Join the outcome of a list that begins at place `offset` of this one."""
        self.collapsed.extend(offset + place for place in later.collapsed)
        for name, count in later.failures.items():
            self.failures[name] = self.failures.get(name, 0) + count
        self.wall_s += later.wall_s
        self.cpu_s += later.cpu_s

    def failed(self, error: int) -> None:
        name = errno.errorcode.get(error, str(error))
        self.failures[name] = self.failures.get(name, 0) + 1


class Target:
    """A process held by its pidfd: another one that gets the same number later is never touched."""

    def __init__(self, pid: int) -> None:
        """Raises CollapseError where the process is gone or the kernel has no pidfd."""
        self.pid = pid
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.syscall.restype = ctypes.c_long
        try:
            self.pidfd = open_pidfd(pid)
        except OSError as error:
            raise _open_error(pid, error.errno or 0) from error

    def close(self) -> None:
        os.close(self.pidfd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def alive(self) -> bool:
        """False from the moment that the whole process has exited (pidfd_open(2): it becomes readable)."""
        waiting = select.poll()
        waiting.register(self.pidfd, select.POLLIN)
        return not waiting.poll(0)

    def check(self) -> None:
        """Ask for nothing at all: the kernel says whether it would do it. Raises CollapseError.

        An empty list of ranges passes through the same checks of advice, process and privilege.
        """
        if self._advise([], 0) < 0:
            raise _check_error(self.pid, ctypes.get_errno())

    def collapse(self, starts: Sequence[int], slot_bytes: int) -> Outcome:
        """Collapse the slots that begin at these addresses. Raises CollapseError where the process is gone."""
        outcome = Outcome()
        began, cpu_began = time.monotonic(), time.process_time()
        place, retried = 0, False
        while place < len(starts):
            done = self._advise(starts[place : place + SLOTS_A_CALL], slot_bytes)
            error = ctypes.get_errno()
            if done > 0:
                # Fewer bytes than asked: the slot after them failed, and the next call says why.
                outcome.collapsed.extend(range(place, place + done // slot_bytes))
                place, retried = place + done // slot_bytes, False
            elif error == errno.ESRCH:
                raise CollapseError("gone", f"process {self.pid} exited")
            elif error == errno.EAGAIN and not retried:
                retried = True
            elif error != errno.EINTR:
                outcome.failed(error)
                place, retried = place + 1, False
        outcome.wall_s, outcome.cpu_s = time.monotonic() - began, time.process_time() - cpu_began
        return outcome

    def _advise(self, starts: Sequence[int], slot_bytes: int) -> int:
        ranges = (_Iovec * len(starts))(*(_Iovec(start, slot_bytes) for start in starts))
        return int(
            self._libc.syscall(
                ctypes.c_long(SYS_PROCESS_MADVISE),
                ctypes.c_int(self.pidfd),
                ctypes.byref(ranges),
                ctypes.c_size_t(len(starts)),
                ctypes.c_int(MADV_COLLAPSE),
                ctypes.c_uint(0),
            )
        )


def _open_error(pid: int, error: int) -> CollapseError:
    if error in (errno.ESRCH, errno.EINVAL, errno.ENOENT):
        return CollapseError("gone", f"process {pid} is gone or was never there (or is a thread of another)")
    if error == errno.ENOSYS:
        return CollapseError("unsupported", "this kernel has no pidfd_open (5.3)")
    return CollapseError("denied", f"process {pid}: {os.strerror(error)}")


def _check_error(pid: int, error: int) -> CollapseError:
    if error == errno.ESRCH:
        return CollapseError("gone", f"process {pid} is gone, or is a thread of the kernel")
    if error in (errno.EPERM, errno.EACCES):
        return CollapseError(
            "denied", f"process {pid}: collapsing another's memory needs CAP_SYS_NICE and CAP_SYS_PTRACE; run as root"
        )
    if error in (errno.EINVAL, errno.ENOSYS):
        return CollapseError("unsupported", "this kernel cannot collapse another process' memory (needs 6.1 and THP)")
    return CollapseError("denied", f"process {pid}: {os.strerror(error)}")
