"""Giving up capabilities (capabilities(7)) by capset(2) and prctl(2): of this thread and all that it starts."""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from collections.abc import Iterable, Iterator

NUMBERS = {
    "CAP_DAC_OVERRIDE": 1,
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_FOWNER": 3,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_SYS_NICE": 23,
    "CAP_PERFMON": 38,
}
"""Those that this program has a use for (include/uapi/linux/capability.h)."""

VERSION_3 = 0x20080522
"""_LINUX_CAPABILITY_VERSION_3: two words of 32 bits for each set (2.6.26)."""

MOST_CAPABILITIES = 64

PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 24, 38, 47, 4
"""include/uapi/linux/prctl.h; since 2.6.25, 3.5 and 4.3."""


LINGERING_MS = 50
"""How long a thread that has ended may be listed. Source: own choice. Reason: it is some microseconds, on a busy host
as much as it takes until the thread runs again."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Word(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


_libc = ctypes.CDLL(None, use_errno=True)


def bits(names: Iterable[str]) -> int:
    """The set as the kernel writes it."""
    return sum(1 << NUMBERS[name] for name in set(names))


def keep_only(kept: Iterable[str], idle: Iterable[str] = ()) -> bool:
    """Give up every capability but these, for good, also for what is started later (no_new_privs).

    idle: kept, too, but without force until `raised`. What this process does not hold it does not get. False where
    nothing was given up: the kernel refused, or other threads, which this cannot reach, are running already.
    """
    if not _is_single_threaded():
        return False
    held = _held()
    if held is None:
        return False
    permitted = bits((*kept, *idle)) & held[1]
    for number in range(MOST_CAPABILITIES):  # needs CAP_SETPCAP: first of all, and refused without harm
        if not permitted >> number & 1:
            _libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
    _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return _set(bits(kept) & permitted, permitted)


@contextlib.contextmanager
def raised(*names: str) -> Iterator[None]:
    """Idle capabilities have force inside; nothing happens where none is held, or all have force anyway."""
    held = _held()
    idle = bits(names) & held[1] & ~held[0] if held is not None else 0
    if held is None or not idle:
        yield
        return
    _set(held[0] | idle, held[1])
    try:
        yield
    finally:
        _set(*held)


@contextlib.contextmanager
def without(names: Iterable[str]) -> Iterator[None]:
    """These have no force inside: to ask what could be done without them."""
    held = _held()
    if held is None:
        yield
        return
    _set(held[0] & ~bits(names), held[1])
    try:
        yield
    finally:
        _set(*held)


def _held() -> tuple[int, int] | None:
    """(effective, permitted) of this thread; None where the kernel does not say."""
    words = (_Word * 2)()
    if _libc.capget(ctypes.byref(_Header(VERSION_3, 0)), words) != 0:
        return None
    return words[0].effective | words[1].effective << 32, words[0].permitted | words[1].permitted << 32


def _set(effective: int, permitted: int) -> bool:
    words = (_Word * 2)()
    for place, word in enumerate(words):
        word.effective, word.permitted = effective >> 32 * place & 0xFFFFFFFF, permitted >> 32 * place & 0xFFFFFFFF
    return bool(_libc.capset(ctypes.byref(_Header(VERSION_3, 0)), words) == 0)


def _is_single_threaded() -> bool:
    """Sets are each thread's own: threads that libraries started keep what they have.

    A thread that was joined is listed a moment longer, and waited for.
    """
    for _ in range(LINGERING_MS):
        try:
            if len(os.listdir("/proc/self/task")) == 1:
                return True
        except OSError:
            return True
        time.sleep(0.001)
    return False
