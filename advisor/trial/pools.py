"""How much of a pool the command needs, and getting it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from advisor.procfs.errors import KernelTextError
from advisor.procfs.fs import KernelFs
from advisor.procfs.hugetlb import read_pools
from advisor.trial.environment import memory_available_bytes
from advisor.trial.errors import BusyError, SettingError
from advisor.trial.settings import HostSettings
from advisor.units import MIB

HEADROOM = 1.1
"""Pool for each byte that was seen resident: allocators reserve whole mappings, and every mapping ends in a page of
its own that is partly empty. Beyond one page it is a whole page at least: malloc's heap takes one of its own beside a
block that fills others."""

FLOOR_BYTES = 512 << 20
"""MemAvailable that stays beside the pools and beside what the command needs on base pages."""


@dataclass(frozen=True, slots=True)
class NeededMemory:
    """Most that a run needed, bytes: all of it on ordinary pages, and what of it a pool could carry."""

    rss: int
    poolable: int


def pages_needed(page_bytes: int, pool_bytes: int | None, needed: NeededMemory) -> int:
    """Pages of one pool for one run, at least one. pool_bytes: as asked for, else by what was needed."""
    wanted = pool_bytes if pool_bytes is not None else int(needed.poolable * HEADROOM)
    if pool_bytes is None and wanted > page_bytes:
        wanted = max(wanted, needed.poolable + page_bytes)
    return max(1, -(-wanted // page_bytes))


def growth_order(page_sizes: Iterable[int], pool_bytes: int | None, needed: NeededMemory, fs: KernelFs) -> list[int]:
    """In which order pools grow: the largest pages first, while free memory is least broken up.

    The smallest first where there is no room for all of them: those are the ones that more hosts can have.
    """
    sizes = set(page_sizes)
    growth = sum(max(0, pages_needed(size, pool_bytes, needed) - _free_pages(fs, size)) * size for size in sizes)
    available = memory_available_bytes(fs)
    return sorted(sizes, reverse=available is None or not _is_tight(growth, needed, available))


def shortage(page_bytes: int, pool_bytes: int | None, needed: NeededMemory, fs: KernelFs) -> str | None:
    """What a pool lacks after `reserve`, in words; None: nothing."""
    wanted, free = pages_needed(page_bytes, pool_bytes, needed), _free_pages(fs, page_bytes)
    if free >= wanted:
        return None
    return f"has {free} free pages of {wanted} that were wanted; memory that finds none is on base pages"


def reserve(
    page_bytes: int,
    pool_bytes: int | None,
    needed: NeededMemory,
    settings: HostSettings | None,
    fs: KernelFs,
) -> str | None:
    """Sees to it that the pool has enough free pages; why not, in words, where it has not. None: it has.

    settings: None where the host may not be changed. Fewer pages than wanted are no reason yet: whether they are
    enough is seen from what the runs cover. Raises BusyError.
    """
    if pool_bytes is None and not needed.poolable:
        return "no run has shown yet how much memory the pool must have; say how much (--pool-bytes)"
    wanted = pages_needed(page_bytes, pool_bytes, needed)
    free = _free_pages(fs, page_bytes)
    if settings is None:
        return None if free >= wanted else f"the pool has {free} free pages and {wanted} are needed"
    if free >= wanted:
        return None
    available = memory_available_bytes(fs)
    growth = (wanted - free) * page_bytes
    if available is not None and _is_tight(growth, needed, available):
        return (
            f"a pool {growth // MIB} MiB larger would leave {max(available - growth, 0) // MIB} MiB, and the command "
            f"needs {needed.rss // MIB} MiB on base pages and the host {FLOOR_BYTES // MIB} MiB"
        )
    try:
        got = settings.pool(page_bytes, wanted)
    except BusyError:
        raise
    except SettingError as error:
        return str(error)
    return None if got else "the kernel found no contiguous memory for a single page of the pool"


def _is_tight(growth: int, needed: NeededMemory, available: int) -> bool:
    """Whether pools that grow by so many bytes would leave too little for a run on base pages and for the host."""
    return available - growth < needed.rss + FLOOR_BYTES


def _free_pages(fs: KernelFs, page_bytes: int) -> int:
    """Free pages of one pool that nobody has reserved."""
    try:
        pools = read_pools(fs, {})
    except KernelTextError:
        return 0
    host_wide = (pool for pool in pools if pool.node is None and pool.page_bytes == page_bytes)
    return sum(pool.free - (pool.reserved or 0) for pool in host_wide)
