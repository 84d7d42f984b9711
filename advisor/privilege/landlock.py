"""Landlock (Documentation/userspace-api/landlock.rst): what a process that decodes foreign files may write.

A process of uid 0 without capabilities still owns the files of root. Not for processes that look at others: one that
is restricted so may read no process outside of its restriction.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""System calls, the same numbers on every architecture (5.13)."""

VERSION_FLAG, PATH_BENEATH = 1, 1

EXECUTE, WRITE_FILE, TRUNCATE, REFER = 1 << 0, 1 << 1, 1 << 14, 1 << 13
REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
"""REMOVE_DIR, REMOVE_FILE and all kinds of MAKE_ (include/uapi/linux/landlock.h)."""

SINCE = {REFER: 2, TRUNCATE: 3}
"""Version of the interface that has a right; the others are in all of them."""

PR_SET_NO_NEW_PRIVS = 38


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


_libc = ctypes.CDLL(None, use_errno=True)


def write_only_below(folders: Iterable[str]) -> bool:
    """From here on this thread and all that it starts write below these folders alone, and start no programs.

    Reading is as before, and so are descriptors that are open. A folder that is not there is none. False where the
    kernel has no Landlock: nothing is restricted then.
    """
    version = _libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(VERSION_FLAG))
    if version < 1:
        return False
    writing = WRITE_FILE | REMOVE_AND_MAKE | sum(right for right, since in SINCE.items() if version >= since)
    rules = _Ruleset(writing | EXECUTE)
    ruleset = _libc.syscall(CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(ctypes.sizeof(rules)), 0)
    if ruleset < 0:
        return False
    try:
        for folder in folders:
            _allow(ruleset, folder, writing)
        _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(_libc.syscall(RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, folder: str, writing: int) -> None:
    try:
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rule = _PathBeneath(writing, descriptor)
        _libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)
