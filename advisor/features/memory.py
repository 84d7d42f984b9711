"""Sizes by kind of memory, and how much of each kind huge pages already cover."""

from __future__ import annotations

import polars as pl

from advisor.features.declare import NO_MAPS, NO_SMAPS, HostValues, byte_count, share
from advisor.features.mappings import HUGETLB_RESIDENT, IS_HUGETLB, IS_PRIVATE, SHMEM_RESIDENT
from advisor.features.totals import newest_total, ratio

SMAPS_OR_ROLLUP = "/proc/PID/smaps or smaps_rollup, whichever was read later"

FEATURES = (
    byte_count(
        "rss_bytes",
        "Resident memory: anonymous, file and shmem pages. hugetlb pages are in no RSS.",
        f"{SMAPS_OR_ROLLUP}: Rss; else status VmRSS; else stat rss x base page",
        "the process could not be read at all",
    ),
    byte_count(
        "pss_bytes",
        "Resident memory, shared pages divided by their users.",
        f"{SMAPS_OR_ROLLUP}: Pss",
        NO_SMAPS,
    ),
    byte_count(
        "anon_bytes",
        "Resident anonymous memory, copied pages of private file mappings included.",
        f"{SMAPS_OR_ROLLUP}: Anonymous; else status RssAnon",
        "smaps could not be read and status has no RssAnon (before 4.5)",
    ),
    byte_count("swap_bytes", "Memory that is in swap.", f"{SMAPS_OR_ROLLUP}: Swap; else status VmSwap", NO_SMAPS),
    byte_count(
        "file_rss_bytes",
        "Resident page cache: what is neither anonymous nor shmem.",
        "smaps: Rss - Anonymous - resident shmem; else status RssFile",
        NO_SMAPS,
    ),
    byte_count(
        "shmem_rss_bytes",
        "Resident shmem: shared anonymous memory, memfd, SysV and /dev/shm; of other files only what is "
        "PMD-mapped shmem, because smaps does not tell tmpfs from a disk. At least shmem_huge_bytes.",
        "smaps: Rss - Anonymous of shmem VMAs, ShmemPmdMapped of others; else status RssShmem "
        "(a counter that may lag by some pages a CPU)",
        "smaps could not be read and status has no RssShmem (before 4.5)",
    ),
    byte_count(
        "locked_bytes",
        "Virtual size of locked VMAs. The smaps field Locked is not used: 4.14 and 4.15 print PSS there.",
        "smaps: Size where VmFlags has lo; else status VmLck",
        "neither VmFlags nor VmLck is known",
    ),
    byte_count("vsize_bytes", "Virtual size.", "status VmSize; else stat vsize", "status and stat could not be read"),
    byte_count(
        "hugetlb_bytes",
        "Resident hugetlb memory. It is not part of rss_bytes.",
        f"{SMAPS_OR_ROLLUP}: Shared_Hugetlb + Private_Hugetlb; else status HugetlbPages",
        "it maps hugetlb, or smaps could not be read, on a kernel that does not print it (before 4.4)",
    ),
    byte_count(
        "hugetlb_page_bytes",
        "Largest page size among its hugetlb VMAs.",
        "smaps: KernelPageSize of hugetlb VMAs",
        "it has no hugetlb VMA (then hugetlb_mapped_bytes is 0), or smaps could not be read",
    ),
    byte_count("hugetlb_mapped_bytes", "Virtual size of its hugetlb VMAs.", "smaps: Size", NO_MAPS),
    byte_count(
        "hugetlb_gigantic_bytes",
        "Resident hugetlb memory in pages larger than the PMD page.",
        "smaps: Shared_Hugetlb + Private_Hugetlb where KernelPageSize > hpage_pmd_size",
        "smaps could not be read, or it has hugetlb VMAs and the PMD page size is unknown",
    ),
    byte_count(
        "anon_huge_bytes",
        "Anonymous memory mapped by PMD-size THP. mTHP and PTE-mapped THP are not in it.",
        f"{SMAPS_OR_ROLLUP}: AnonHugePages",
        NO_SMAPS,
    ),
    byte_count("shmem_huge_bytes", "shmem mapped by PMD.", f"{SMAPS_OR_ROLLUP}: ShmemPmdMapped (4.8)", NO_SMAPS),
    byte_count("file_huge_bytes", "Page cache mapped by PMD.", f"{SMAPS_OR_ROLLUP}: FilePmdMapped (5.4)", NO_SMAPS),
    byte_count(
        "peak_rss_bytes", "The largest RSS of its life.", "status: VmHWM", "status could not be read, or has no VmHWM"
    ),
    byte_count("page_table_bytes", "Its last-level page tables.", "status: VmPTE", "status could not be read"),
    byte_count(
        "resident_memory_bytes",
        "All memory it holds in RAM.",
        "rss_bytes + hugetlb_bytes",
        "a part is unknown",
    ),
    byte_count(
        "anon_base_bytes",
        "Anonymous memory that no PMD-size THP maps.",
        "anon_bytes - anon_huge_bytes",
        "a part is unknown",
    ),
    byte_count(
        "shmem_base_bytes",
        "Resident shmem that no PMD-size page maps.",
        "shmem_rss_bytes - shmem_huge_bytes",
        "a part is unknown",
    ),
    byte_count("private_anon_virtual_bytes", "Virtual size of its anonymous and heap VMAs.", "smaps: Size", NO_MAPS),
    byte_count(
        "heap_bytes",
        "Anonymous memory in the heap that grows by brk, which in practice is malloc's.",
        "smaps: Anonymous of [heap]",
        NO_MAPS,
    ),
    byte_count(
        "largest_anon_vma_bytes",
        "Virtual size of its largest anonymous or heap VMA. Small VMAs that were recorded together count "
        "with their mean size: each of them is below a PMD page.",
        "smaps: Size",
        NO_MAPS,
    ),
    byte_count(
        "largest_resident_vma_bytes",
        "Resident bytes of the VMA that holds most, hugetlb included; small VMAs as in largest_anon_vma_bytes.",
        "smaps: Rss + Shared_Hugetlb + Private_Hugetlb",
        NO_MAPS,
    ),
    share(
        "huge_coverage",
        "Share of its anonymous, shmem and hugetlb memory that huge pages map.",
        "(anon_huge + shmem_huge + hugetlb) / (anon + shmem_rss + hugetlb)",
        "a part is unknown, or it has no such memory",
    ),
    share(
        "anon_huge_coverage",
        "Share of its anonymous memory that PMD-size THP maps.",
        "anon_huge_bytes / anon_bytes",
        "a part is unknown, or it has no anonymous memory",
    ),
    share(
        "shmem_huge_coverage",
        "Share of its resident shmem that is PMD-mapped.",
        "shmem_huge_bytes / shmem_rss_bytes",
        "a part is unknown, or it has no shmem",
    ),
)


def measures(host: HostValues) -> dict[str, pl.Expr]:
    """What one mapping adds to each total of its process; null is unknown."""
    pmd_bytes = pl.lit(host["host_pmd_bytes"], dtype=pl.Int64)
    gigantic = pl.when(IS_HUGETLB).then(HUGETLB_RESIDENT * (pl.col("page_bytes") > pmd_bytes).cast(pl.Int64))
    return {
        "maps_rss": pl.col("rss"),
        "maps_pss": pl.col("pss"),
        "maps_anon": pl.col("anonymous"),
        "maps_swap": pl.col("swap"),
        "maps_file": pl.col("rss") - pl.col("anonymous") - SHMEM_RESIDENT,
        "maps_shmem": SHMEM_RESIDENT,
        "maps_locked": pl.col("size") * pl.col("locked").cast(pl.Int64),
        "maps_hugetlb": HUGETLB_RESIDENT,
        "hugetlb_mapped_bytes": pl.col("size") * IS_HUGETLB.cast(pl.Int64),
        "hugetlb_gigantic_bytes": gigantic.otherwise(0),
        "maps_anon_huge": pl.col("anon_huge"),
        "maps_shmem_huge": pl.col("shmem_huge"),
        "maps_file_huge": pl.col("file_huge"),
        "private_anon_virtual_bytes": pl.col("size") * IS_PRIVATE.cast(pl.Int64),
        "heap_bytes": pl.col("anonymous") * (pl.col("kind") == "heap").cast(pl.Int64),
    }


MAXIMA = {
    "hugetlb_page_bytes": pl.when(IS_HUGETLB).then(pl.col("page_bytes")),
    "largest_anon_vma_bytes": pl.when(IS_PRIVATE).then(pl.col("size") // pl.col("count")).otherwise(0),
    "largest_resident_vma_bytes": (pl.col("rss") + HUGETLB_RESIDENT) // pl.col("count"),
}
"""Per mapping values of which a process's largest is a feature."""


TOTALS = {
    "rss_bytes": pl.coalesce(
        newest_total("maps_rss", "rollup_rss", "status_rss"),
        pl.col("stat_rss_pages") * pl.col("host_base_page_bytes"),
    ),
    "pss_bytes": newest_total("maps_pss", "rollup_pss"),
    "anon_bytes": newest_total("maps_anon", "rollup_anon", "status_anon"),
    "swap_bytes": newest_total("maps_swap", "rollup_swap", "status_swap"),
    "file_rss_bytes": newest_total("maps_file", None, "status_file"),
    "shmem_rss_bytes": newest_total("maps_shmem", None, "status_shmem"),
    "locked_bytes": pl.coalesce("maps_locked", "status_locked"),
    "vsize_bytes": pl.coalesce("status_vsize", "stat_vsize"),
    "hugetlb_bytes": newest_total(
        "maps_hugetlb", pl.col("rollup_shared_hugetlb") + pl.col("rollup_private_hugetlb"), "status_hugetlb"
    ),
    "anon_huge_bytes": newest_total("maps_anon_huge", "rollup_anon_huge"),
    "shmem_huge_bytes": newest_total("maps_shmem_huge", "rollup_shmem_huge"),
    "file_huge_bytes": newest_total("maps_file_huge", "rollup_file_huge"),
    "page_table_bytes": pl.col("status_page_tables"),
    "peak_rss_bytes": pl.col("status_peak_rss"),
}
"""Totals of a process from its measures (maps_*) and counters."""


def derive(frame: pl.DataFrame) -> pl.DataFrame:
    """Add this theme's columns to the process frame, which has measures, counters and host columns."""
    totals = frame.with_columns(**TOTALS)
    return _coverage(totals.with_columns(shmem_rss_bytes=_at_least_its_huge_part()))


def _at_least_its_huge_part() -> pl.Expr:
    """shmem_rss_bytes, not below shmem_huge_bytes where the two come from files read at different times."""
    rss, huge = pl.col("shmem_rss_bytes"), pl.col("shmem_huge_bytes")
    return pl.when(huge > rss).then(huge).otherwise(rss)


def _coverage(frame: pl.DataFrame) -> pl.DataFrame:
    anon, shmem, hugetlb = pl.col("anon_bytes"), pl.col("shmem_rss_bytes"), pl.col("hugetlb_bytes")
    anon_huge = pl.when(anon == 0).then(0).otherwise("anon_huge_bytes")
    shmem_huge = pl.when(shmem == 0).then(0).otherwise("shmem_huge_bytes")
    return frame.with_columns(
        resident_memory_bytes=pl.col("rss_bytes") + hugetlb,
        anon_base_bytes=anon - anon_huge,
        shmem_base_bytes=shmem - shmem_huge,
        huge_coverage=ratio(anon_huge + shmem_huge + hugetlb, anon + shmem + hugetlb),
        anon_huge_coverage=ratio(anon_huge, anon),
        shmem_huge_coverage=ratio(shmem_huge, shmem),
    )
