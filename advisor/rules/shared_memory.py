"""Rules about memory that several processes map: its page tables are paid once a process."""

from __future__ import annotations

import polars as pl

from advisor.rules.conditions import COVERED_SHARE, HUGETLBPAGE, LARGE_BYTES, TRANSHUGE, col
from advisor.rules.engine import Confidence, PageSize, Policy, Severity, rule
from advisor.units import MIB

THEME = "shared memory"
"""Theme of every rule in this file."""

SHARED_OBJECT_BYTES = 256 * MIB
"""Bytes. Source: own choice. Reason: twice what the rules call large, as a pool needs care."""

MANY_PROCESSES = 8
"""Processes. Source: own choice. Reason: below it all page tables together stay under 2 % of the object (4
KiB pages)."""

HEAVY_TABLES_SHARE = 0.05
"""Share of the object. Source: 8 bytes for each base page and process. Reason: with 4 KiB pages, 25 processes
that map all of it; from here on page tables are a cost that grows with every connection."""

HEAVY_TABLES_BYTES = 64 * MIB
"""Bytes. Source: own choice. Reason: less than this is not worth a pool."""


@rule(
    id="shared-memory-heavy-page-tables",
    title="Many processes pay page tables for the same shared memory",
    theme=THEME,
    severity=Severity.HIGH,
    confidence=Confidence.HIGH,
    proposes=Policy.HUGETLB,
    page=PageSize.PMD,
    message="{sharing_processes} processes map the same {shared_object_bytes} and spend "
    "{sharing_page_table_bytes} on page tables for it and their own memory.",
    remedy="Put the shared memory into a hugetlb pool (PostgreSQL: huge_pages = on), where all share one "
    "size of entry that is hundreds of times larger.",
    sources=(HUGETLBPAGE, "Documentation/filesystems/proc.rst: VmPTE", "PostgreSQL manual, Linux Huge Pages"),
    known_problems="Page tables are known for a process, not for one mapping: private memory counts in.",
)
def shared_memory_heavy_page_tables() -> pl.Expr:
    """What it does: matches a shared object of 256 MiB or more whose processes' page tables reach 5 % of its
    size.

    Why it matters: each process has its own tables for the shared pages; with hundreds of connections they
    can outgrow the shared memory itself, and they can be neither swapped nor reclaimed.

    Example: 300 PostgreSQL backends over 8 GiB of shared buffers: up to 16 MiB of page tables in each.
    """
    tables = col("sharing_page_table_bytes")
    return (
        (col("shmem_mapped_bytes") >= SHARED_OBJECT_BYTES)
        & (col("shared_object_bytes") >= SHARED_OBJECT_BYTES)
        & (col("sharing_processes") >= MANY_PROCESSES)
        & (tables >= HEAVY_TABLES_BYTES)
        & (tables >= HEAVY_TABLES_SHARE * col("shared_object_bytes"))
    )


@rule(
    id="shmem-huge-pages-off",
    title="Large shared memory is on base pages because the host gives shmem no huge pages",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.MEDIUM,
    proposes=Policy.THP,
    gains_time=True,
    message="{shmem_base_bytes} of shared memory is on base pages; shmem_enabled is {host_shmem_enabled}.",
    remedy="Set shmem_enabled to advise and let the program advise it, or to within_size; or use a hugetlb "
    "pool if the program can.",
    sources=(f"{TRANSHUGE}, Hugepages in tmpfs/shmem",),
    known_problems="within_size applies to every shmem user of the host. Mounted tmpfs follows its own huge= option.",
)
def shmem_huge_pages_off() -> pl.Expr:
    """What it does: matches at least 128 MiB of resident shared memory on base pages under shmem_enabled
    never or deny.

    Why it matters: the mode for anonymous memory does not apply to shmem, which has a switch of its own, off
    by default.

    Example: a 2 GiB memfd buffer, shmem_enabled never.
    """
    return (col("shmem_base_bytes") >= LARGE_BYTES) & col("host_shmem_enabled").is_in(["never", "deny"])


@rule(
    id="shmem-already-huge",
    title="Shared memory is already on transparent huge pages",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.HIGH,
    proposes=Policy.LEAVE,
    message="{shmem_huge_bytes} of shared memory, {shmem_huge_coverage} of it, is PMD-mapped.",
    remedy="Nothing to do.",
    sources=(TRANSHUGE,),
    known_problems="Another process may map the same pages with base-page entries.",
)
def shmem_already_huge() -> pl.Expr:
    """What it does: matches a process with at least 128 MiB and 80 % of its shared memory PMD-mapped.

    Why it matters: the policy in force works for this memory.

    Example: a 2 GiB memfd under shmem_enabled always.
    """
    return (col("shmem_huge_bytes") >= LARGE_BYTES) & (col("shmem_huge_coverage") >= COVERED_SHARE)


RULES = (shared_memory_heavy_page_tables, shmem_huge_pages_off, shmem_already_huge)
