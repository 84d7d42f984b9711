"""Rules about one process as a whole: its size, its age, its CPU use, its page tables."""

from __future__ import annotations

import polars as pl

from advisor.rules.conditions import LARGE_BYTES, MIB, SMALL_BYTES, TRANSHUGE, col, large_on_base_pages
from advisor.rules.engine import IDLE_CPU_CORES, Confidence, Policy, Severity, rule

THEME = "process"
"""Theme of every rule in this file."""

PAGE_TABLE_BYTES = 64 * MIB
"""Bytes. Source: own choice. Reason: with 4 KiB pages this maps 32 GiB; a smaller page table is not worth a
change."""

PAGE_TABLE_SHARE = 0.01
"""Share of resident memory. Source: 8 bytes an entry. Reason: a densely used page table of 4 KiB pages costs
0.2 %; five times that means sparse or shared mappings."""

YOUNG_SECONDS = 30
"""Seconds. Source: own choice. Reason: servers fill caches and heaps for longer than this after their
start."""


@rule(
    id="small-process",
    title="The process is small",
    theme=THEME,
    severity=Severity.INFO,
    confidence=Confidence.HIGH,
    proposes=Policy.LEAVE,
    message="Only {resident_memory_bytes} is resident: too little for page walks to matter.",
    remedy="Nothing to do.",
    sources=("vendor TLB tables: last-level data TLB reach", TRANSHUGE),
    known_problems="A small process that maps a large shared object is judged by the rules on shared memory.",
)
def small_process() -> pl.Expr:
    """What it does: matches a process whose resident memory, hugetlb pages included, is below 32 MiB.

    Why it matters: such a process fits the TLB and the page-walk caches; huge pages could only cost it
    memory.

    Example: a shell with 8 MiB resident.
    """
    return col("resident_memory_bytes") < SMALL_BYTES


@rule(
    id="middle-sized-process",
    title="The process has little memory that huge pages could take over",
    theme=THEME,
    severity=Severity.INFO,
    confidence=Confidence.MEDIUM,
    proposes=Policy.LEAVE,
    message="Of {resident_memory_bytes} resident, only {anon_bytes} is anonymous and {shmem_rss_bytes} "
    "shared memory: too little for a change to pay.",
    remedy="Nothing to do.",
    sources=("vendor TLB tables: last-level data TLB reach", TRANSHUGE),
    known_problems="A program whose hot loop touches all of it at random may still gain some percent.",
)
def middle_sized_process() -> pl.Expr:
    """What it does: matches a process that is not small, but has less than 128 MiB of anonymous and of shared
    memory.

    Why it matters: file pages are the page cache's matter; what is left is at most a few times the TLB's
    reach.

    Example: an editor with 150 MiB resident, 60 MiB of it anonymous.
    """
    return (
        (col("resident_memory_bytes") >= SMALL_BYTES)
        & (col("anon_bytes") < LARGE_BYTES)
        & (col("shmem_rss_bytes") < LARGE_BYTES)
        & (col("hugetlb_bytes") < SMALL_BYTES)
    )


@rule(
    id="cpu-idle-process",
    title="The process used no CPU while it was watched",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.LOW,
    proposes=Policy.LEAVE,
    message="It used {cpu_cores} CPUs while watched: there is no time to gain for its {slotted_anon_bytes}.",
    remedy="Watch it again while it works.",
    sources=("proc_pid_stat(5): utime, stime",),
    known_problems="A short window may have missed its work.",
)
def cpu_idle_process() -> pl.Expr:
    """What it does: matches large memory on base pages of a process that used less than a hundredth of a CPU.

    Why it matters: huge pages save CPU time; who uses none, gains none, whatever its size.

    Example: a database at night.
    """
    return large_on_base_pages() & (col("cpu_cores") < IDLE_CPU_CORES)


@rule(
    id="young-process",
    title="The process has just started",
    theme=THEME,
    severity=Severity.INFO,
    confidence=Confidence.MEDIUM,
    message="It started {age_s} ago and may still be filling its {anon_bytes}.",
    remedy="Watch it again when it is warm.",
    sources=("proc_pid_stat(5): starttime",),
    known_problems="Jobs that live for seconds only are always young.",
)
def young_process() -> pl.Expr:
    """What it does: matches a large process that is younger than half a minute.

    Why it matters: sizes, rates and coverage of a starting program are not those it will have.

    Example: a server five seconds after its start.
    """
    return (col("anon_bytes") >= LARGE_BYTES) & (col("age_s") < YOUNG_SECONDS)


@rule(
    id="page-tables-heavy",
    title="The page tables of the process are large",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.MEDIUM,
    message="{page_table_bytes} of page tables map {resident_memory_bytes}.",
    remedy="Explicit huge pages remove them; transparent huge pages of anonymous memory keep one spare "
    "table a huge page.",
    sources=("Documentation/filesystems/proc.rst: VmPTE", "mm/huge_memory.c: pgtable_trans_huge_deposit"),
    known_problems="Page tables of memory that was freed stay until the mapping goes.",
)
def page_tables_heavy() -> pl.Expr:
    """What it does: matches page tables of at least 64 MiB that are at least 1 % of the resident memory.

    Why it matters: page tables are unswappable memory and compete with data for the caches in every page
    walk.

    Example: a backend with 90 MiB of page tables for 2 GiB of shared buffers and many dead mappings.
    """
    tables = col("page_table_bytes")
    return (tables >= PAGE_TABLE_BYTES) & (tables >= PAGE_TABLE_SHARE * col("resident_memory_bytes"))


RULES = (
    small_process,
    middle_sized_process,
    cpu_idle_process,
    young_process,
    page_tables_heavy,
)
