"""Which of root's capabilities watching this host has a use for."""

from __future__ import annotations

from advisor.privilege.needs import NEEDS, WATCHING
from advisor.procfs.errors import KernelTextError
from advisor.procfs.fs import KernelFs
from advisor.procfs.thp import has_mthp, read_thp


def to_watch(fs: KernelFs, *, with_frames: bool = False) -> tuple[str, ...]:
    """Names. with_frames: numbers of page frames are wanted; they are also wanted where the host has mTHP."""
    return (*WATCHING, *NEEDS["frames"].least) if with_frames or _has_mthp(fs) else WATCHING


def _has_mthp(fs: KernelFs) -> bool:
    try:
        return fs.is_live and bool(has_mthp(read_thp(fs, {})))
    except KernelTextError:
        return False
