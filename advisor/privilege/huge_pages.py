"""Leaving huge pages to others: what watches for hours must not take what those that it watches are short of."""

from __future__ import annotations

import ctypes

PR_SET_THP_DISABLE = 41
"""include/uapi/linux/prctl.h; since 3.15."""

_libc = ctypes.CDLL(None, use_errno=True)


def leave_huge_pages() -> None:
    """No transparent huge page for this process from now on, whatever the host's mode, nor for what it starts
    (PR_SET_THP_DISABLE(2const)). Nothing happens where the kernel refuses: it is a courtesy.
    """
    _libc.prctl(PR_SET_THP_DISABLE, *map(ctypes.c_ulong, (1, 0, 0, 0)))
