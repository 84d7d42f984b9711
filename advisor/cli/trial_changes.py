"""Which settings of the host a trial would change, in words: said before it is allowed to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from advisor.procfs.fs import KernelFs
from advisor.procfs.hugetlb import POOLS_FOLDER
from advisor.procfs.text import parse_value, read_optional
from advisor.procfs.thp import THP_FOLDER, parse_choice
from advisor.trial.document import Way
from advisor.units import KIB


def settings_needed(ways: Iterable[Way], fs: KernelFs, pool_bytes: int | None) -> list[str]:
    """One line a setting: its file, its value now, what it would become, for which policy. Empty: none is needed."""
    lines: dict[str, str] = {}
    for way in ways:
        if way.why_unusable is None:
            for line in _of_way(way, fs, pool_bytes):
                lines.setdefault(line, way.policy.name)
    return [f"{line} (for {policy})" for line, policy in lines.items()]


def effects_on_others(ways: Iterable[Way]) -> Iterator[str]:
    """What the rest of the host feels of it, a sentence each."""
    usable = [way for way in ways if way.why_unusable is None]
    if any(way.thp_enabled == "always" for way in usable):
        yield "While THP is always, every process gets huge pages for memory that it takes then, and keeps them."
    if any(way.pool_page_bytes is not None for way in usable):
        yield "Memory of a pool is taken from everybody else until the end."


def _of_way(way: Way, fs: KernelFs, pool_bytes: int | None) -> list[str]:
    modes = (("enabled", way.thp_enabled), ("shmem_enabled", way.shmem_enabled))
    lines = [
        f"/sys/{THP_FOLDER}/{name}: {now} -> {mode}"
        for name, mode in modes
        if mode is not None and (now := read_optional(fs, f"{THP_FOLDER}/{name}", parse_choice, {})) != mode
    ]
    if way.pool_page_bytes is not None:
        lines += _of_pool(way.pool_page_bytes, fs, pool_bytes)
    return lines


def _of_pool(page_bytes: int, fs: KernelFs, pool_bytes: int | None) -> list[str]:
    """A pool is grown to what is asked for, else to what the first runs will have needed."""
    folder = f"{POOLS_FOLDER}/hugepages-{page_bytes // KIB}kB"
    total, free, reserved = (
        read_optional(fs, f"{folder}/{name}", parse_value, {}) or 0
        for name in ("nr_hugepages", "free_hugepages", "resv_hugepages")
    )
    path = f"/sys/{folder}/nr_hugepages"
    if pool_bytes is None:
        return [f"{path}: {total} -> until as much is free as the first runs needed"]
    missing = -(-pool_bytes // page_bytes) - (free - reserved)
    return [f"{path}: {total} -> {total + missing}"] if missing > 0 else []
