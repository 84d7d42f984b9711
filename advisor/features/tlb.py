"""How far this CPU's TLB reaches with each page size, against the memory that a process could touch."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from advisor.features.declare import HostValues, Value, byte_count, count, number
from advisor.features.totals import ratio
from advisor.procfs.facts import TlbLevel

REACH = "TLB table by CPU model, or cpuinfo: entries x page size of the last level that holds this page size"
NO_REACH = "the CPU's TLB is not known, or holds no page of this size"
TOUCHED = "(anon_bytes + shmem_rss_bytes + hugetlb_bytes) / "
NO_RATIO = "the reach or a part of its memory is unknown"

FEATURES = (
    byte_count("tlb_reach_base_bytes", "TLB reach of one core with base pages.", REACH, NO_REACH, "host"),
    byte_count("tlb_reach_pmd_bytes", "TLB reach of one core with PMD pages.", REACH, NO_REACH, "host"),
    byte_count(
        "tlb_reach_gigantic_bytes",
        "TLB reach of one core with pages of host_pool_gigantic_page_bytes.",
        REACH,
        "no such page size on this host, or its TLB is not known",
        "host",
    ),
    count(
        "host_tlb_first_gigantic_entries",
        "Entries of the first-level data TLB of one core for pages of host_pool_gigantic_page_bytes.",
        "TLB table by CPU model",
        "no such page size on this host, or its TLB is not known",
        "host",
    ),
    number(
        "memory_to_base_reach",
        "ratio",
        "Memory that it could touch at most, as a multiple of the reach with base pages: up to 1, misses are rare.",
        f"{TOUCHED}tlb_reach_base_bytes",
        NO_RATIO,
    ),
    number(
        "memory_to_pmd_reach",
        "ratio",
        "The same against the reach with PMD pages.",
        f"{TOUCHED}tlb_reach_pmd_bytes",
        NO_RATIO,
    ),
    number(
        "memory_to_gigantic_reach",
        "ratio",
        "The same against the reach with gigantic pages.",
        f"{TOUCHED}tlb_reach_gigantic_bytes",
        NO_RATIO,
    ),
)


def host_values(levels: Sequence[TlbLevel], host: HostValues) -> dict[str, Value]:
    """This theme's host columns."""
    return {
        "tlb_reach_base_bytes": reach_bytes(levels, host["host_base_page_bytes"]),
        "tlb_reach_pmd_bytes": reach_bytes(levels, host["host_pmd_bytes"]),
        "tlb_reach_gigantic_bytes": reach_bytes(levels, host["host_pool_gigantic_page_bytes"]),
        "host_tlb_first_gigantic_entries": first_level_entries(levels, host["host_pool_gigantic_page_bytes"]),
    }


def first_level_entries(levels: Sequence[TlbLevel], page_bytes: Value) -> int | None:
    """Entries of the first level for pages of this size; None where that level is not known to hold any."""
    return next((level.entries for level in levels if level.level == 1 and level.page_bytes == page_bytes), None)


def reach_bytes(levels: Sequence[TlbLevel], page_bytes: Value) -> int | None:
    """Entries x page size of the highest level that holds pages of this size; None where no level is known to."""
    fitting = [level for level in levels if level.page_bytes == page_bytes]
    if not fitting:
        return None
    last = max(fitting, key=lambda level: level.level)
    return last.entries * last.page_bytes


def derive(frame: pl.DataFrame) -> pl.DataFrame:
    """Add this theme's columns to the process frame, which has the sizes and the host columns."""
    touched = pl.col("anon_bytes") + pl.col("shmem_rss_bytes") + pl.col("hugetlb_bytes")
    return frame.with_columns(
        memory_to_base_reach=ratio(touched, pl.col("tlb_reach_base_bytes")),
        memory_to_pmd_reach=ratio(touched, pl.col("tlb_reach_pmd_bytes")),
        memory_to_gigantic_reach=ratio(touched, pl.col("tlb_reach_gigantic_bytes")),
    )
