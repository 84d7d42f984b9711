"""Giving up those of root's capabilities that watching this host has no use for."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

from advisor.privilege.capabilities import keep_only
from advisor.privilege.needs import NEEDS, WATCHING
from advisor.procfs.deadline_fs import DeadlineFs
from advisor.procfs.errors import KernelTextError
from advisor.procfs.thp import has_mthp, read_thp

FRAMES = NEEDS["frames"].least


def keep_to_watch(
    roots: tuple[str, str], *, with_frames: bool = False, also: Iterable[str] = (), idle: Iterable[str] = ()
) -> None:
    """Keep what watching the host below these roots needs, and these.

    with_frames: numbers of page frames are wanted; they are also wanted where the host has mTHP. That is looked up
    when all else has been given up already, as a file that hangs leaves a thread behind.
    """
    kept = (*WATCHING, *also)
    keep_only((*kept, *FRAMES), idle)
    if not (with_frames or _has_mthp(roots)):
        keep_only(kept, idle)


def _has_mthp(roots: tuple[str, str]) -> bool:
    with closing(DeadlineFs(*roots)) as fs:
        try:
            return fs.is_live and bool(has_mthp(read_thp(fs, {})))
        except KernelTextError:
            return False
