"""Pidfds by system call: a Python that was built against old kernel headers, as conda's, has no os.pidfd_open."""

from __future__ import annotations

import ctypes
import errno
import os

SYS_PIDFD_SEND_SIGNAL, SYS_PIDFD_OPEN = 424, 434
"""Since Linux 5.1 and 5.3; from 424 on the numbers are the same on every architecture but alpha."""

PIDS_END = 1 << 31
"""pid_t is an int of 32 bits, to which the kernel would cut any other number."""


def open_pidfd(pid: int) -> int:
    """A descriptor that stays with this process when its number passes on; readable once it has ended.

    Raises OSError: ESRCH where there is no such process, ENOSYS or EPERM where kernel or sandbox has no pidfds.
    """
    if not 0 < pid < PIDS_END:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    return _call(SYS_PIDFD_OPEN, pid, 0)


def send_signal(pidfd: int, number: int) -> None:
    """Raises OSError."""
    _call(SYS_PIDFD_SEND_SIGNAL, pidfd, number, 0, 0)


def _call(number: int, *arguments: int) -> int:
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    answer = int(syscall(*(ctypes.c_long(value) for value in (number, *arguments))))
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer
