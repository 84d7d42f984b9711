"""Rules about the host: memory pressure, fragmentation, khugepaged's pace, and what faults pay."""

from __future__ import annotations

import polars as pl

from advisor.rules.conditions import KHUGEPAGED, TRANSHUGE, col, memory_tight, sparse
from advisor.rules.engine import Confidence, Scope, Severity, rule

THEME = "host"
"""Theme of every rule in this file."""

PRESSURE_PERCENT = 10.0
"""Percent of time. Source: Documentation/accounting/psi.rst. Reason: some tasks wait for memory a tenth of
the time."""

UNUSABLE_INDEX = 0.8
"""Index 0 to 1. Source: mm/vmstat.c, unusable_free_index. Reason: four fifths of the free memory cannot be a
huge page."""

FALLBACK_SHARE = 0.2
"""Share of huge page faults. Source: own choice. Reason: one in five asked for a huge page and did not get
it."""

PASS_SECONDS = 3600.0
"""Seconds. Source: own choice. Reason: memory that waits an hour to be looked at runs most of its life on
base pages."""

COLLAPSIBLE_BYTES = 256 << 20
"""Bytes. Source: own choice. Reason: below this, speeding khugepaged up has nothing to win that a process would
notice."""

KHUGEPAGED_CPU_SHARE = 0.05
"""Share of one CPU. Source: own choice. Reason: khugepaged's defaults cost well below one percent."""

STALLS_PER_SECOND = 1.0
"""Direct compactions a second. Source: own choice. Reason: each stops a task for milliseconds; one a second
is steady."""

COMPACTION = "Documentation/admin-guide/mm/concepts.rst: Compaction"
PSI = "Documentation/accounting/psi.rst"


@rule(
    id="memory-tight",
    title="Memory is tight",
    theme=THEME,
    scope=Scope.HOST,
    severity=Severity.MEDIUM,
    confidence=Confidence.HIGH,
    message="{host_memory_available_share} of the memory is available.",
    remedy="Make no new pools, and no change that lets processes grow, before there is room.",
    sources=("Documentation/filesystems/proc.rst: MemAvailable",),
    known_problems="MemAvailable is the kernel's estimate; memory of tmpfs counts as used.",
)
def memory_is_tight() -> pl.Expr:
    """What it does: matches a host with less than a tenth of its memory available.

    Why it matters: huge pages cost memory, and what they cost is paid by reclaim and swap here.

    Example: 1 GiB available of 24 GiB.
    """
    return memory_tight()


@rule(
    id="memory-pressure",
    title="Tasks are waiting for memory",
    theme=THEME,
    scope=Scope.HOST,
    severity=Severity.HIGH,
    confidence=Confidence.HIGH,
    message="Some tasks waited for memory {host_memory_pressure_some_avg10} of the last ten seconds.",
    remedy="Find the cause first: too little memory, or stalls in compaction for huge pages (see defrag).",
    sources=(PSI,),
    known_problems="Direct compaction for huge pages counts as memory pressure, so THP may be the cause itself.",
)
def memory_pressure() -> pl.Expr:
    """What it does: matches memory pressure (PSI some, ten seconds) of at least 10 percent.

    Why it matters: more time is lost in reclaim than any page size can win.

    Example: some avg10=23.10.
    """
    return col("host_memory_pressure_some_avg10") >= PRESSURE_PERCENT


@rule(
    id="memory-fragmented",
    title="Free memory is fragmented",
    theme=THEME,
    scope=Scope.HOST,
    severity=Severity.MEDIUM,
    confidence=Confidence.MEDIUM,
    message="{host_pmd_supply_pages} huge pages are free now: the unusable index for pages of "
    "{host_pmd_bytes} is {host_pmd_unusable_index}.",
    remedy="Compact once (vm.compact_memory) or raise vm.compaction_proactiveness; make pools at boot.",
    sources=("mm/vmstat.c: unusable_free_index", COMPACTION),
    known_problems="Compaction may still form huge pages from movable memory; free pages on per-CPU lists "
    "are not counted.",
)
def memory_fragmented() -> pl.Expr:
    """What it does: matches free memory of which at least four fifths is in pieces smaller than the PMD page.

    Why it matters: huge page faults fall back or stall, and a pool made now gets fewer pages than asked for.

    Example: 2 GiB free, 40 free blocks of 2 MiB.
    """
    return (
        (col("host_pmd_unusable_index") >= UNUSABLE_INDEX)
        & (col("host_pmd_supply_pages") >= 0)
        & (col("host_pmd_bytes") > 0)
    )


@rule(
    id="thp-faults-fall-back",
    title="Faults that want a huge page do not get one",
    theme=THEME,
    scope=Scope.HOST,
    severity=Severity.MEDIUM,
    confidence=Confidence.HIGH,
    message="{host_thp_fault_fallback_share} of the faults that could take a huge page while watching fell back.",
    remedy="Look at fragmentation and at defrag: madvise or defer+madvise let those who ask wait for a huge page.",
    sources=(f"{TRANSHUGE}: thp_fault_fallback",),
    known_problems="Misaligned and half-populated ranges are not counted as fall-backs; memory cgroup limits are.",
)
def thp_faults_fall_back() -> pl.Expr:
    """What it does: matches when at least a fifth of the huge page faults in the window fell back to base
    pages.

    Why it matters: policy permits huge pages and the host cannot supply them.

    Example: 100 huge faults, 60 fall-backs in the window.
    """
    return col("host_thp_fault_fallback_share") >= FALLBACK_SHARE


@rule(
    id="thp-faults-fell-back-since-boot",
    title="Since boot, many faults did not get their huge page",
    theme=THEME,
    scope=Scope.HOST,
    severity=Severity.LOW,
    confidence=Confidence.MEDIUM,
    message="{host_thp_fault_fallback_share_since_boot} of all faults since boot that could take a huge "
    "page fell back.",
    remedy="Watch for a longer time to see whether this still happens.",
    sources=(f"{TRANSHUGE}: thp_fault_fallback",),
    known_problems="The counter says nothing about when: it may have been one bad night.",
)
def thp_faults_fell_back_since_boot() -> pl.Expr:
    """What it does: matches when at least a fifth of all huge page faults since boot fell back to base pages.

    Why it matters: memory filled then is still on base pages unless khugepaged came by.

    Example: 1.2 million fall-backs, 800,000 huge faults.
    """
    return col("host_thp_fault_fallback_share_since_boot") >= FALLBACK_SHARE


@rule(
    id="khugepaged-starved",
    title="khugepaged is too slow for this much memory",
    theme=THEME,
    scope=Scope.HOST,
    severity=Severity.MEDIUM,
    confidence=Confidence.MEDIUM,
    message="{host_collapsible_bytes} could be huge, and one pass over all eligible memory takes khugepaged "
    "{host_khugepaged_pass_s} at {host_khugepaged_scan_bytes_per_s}.",
    remedy="Raise khugepaged/pages_to_scan or lower khugepaged/scan_sleep_millisecs, and watch its CPU time.",
    sources=(KHUGEPAGED, "mm/khugepaged.c: khugepaged_scan_mm_slot"),
    known_problems="After a failed allocation it sleeps a minute more, so the real pass may be longer.",
)
def khugepaged_starved() -> pl.Expr:
    """What it does: matches when a pass over the eligible anonymous memory takes khugepaged an hour or more,
    and at least 256 MiB of it are on base pages.

    Why it matters: memory that did not get a huge page at its first touch waits that long for the next
    chance.

    Example: 100 GiB of heap with the defaults of 16 MiB every ten seconds: 18 hours.
    """
    return (
        (col("host_khugepaged_pass_s") >= PASS_SECONDS)
        & (col("host_khugepaged_scan_bytes_per_s") > 0)
        & (col("host_collapsible_bytes") >= COLLAPSIBLE_BYTES)
        & (col("host_thp_enabled") != "never")
    )


@rule(
    id="khugepaged-too-eager",
    title="khugepaged uses much CPU",
    theme=THEME,
    scope=Scope.HOST,
    severity=Severity.MEDIUM,
    confidence=Confidence.HIGH,
    message="khugepaged uses {host_khugepaged_cpu_share} of one CPU, scanning "
    "{host_khugepaged_pages_to_scan} pages every {host_khugepaged_scan_sleep_ms} ms.",
    remedy="Lower khugepaged/pages_to_scan or raise khugepaged/scan_sleep_millisecs.",
    sources=(KHUGEPAGED,),
    known_problems="A burst after a large program has started is normal.",
)
def khugepaged_too_eager() -> pl.Expr:
    """What it does: matches when khugepaged uses at least 5 % of one CPU.

    Why it matters: it scans with page-table locks of the processes held, and copies memory.

    Example: scan_sleep_millisecs 0.
    """
    return (
        (col("host_khugepaged_cpu_share") >= KHUGEPAGED_CPU_SHARE)
        & (col("host_khugepaged_pages_to_scan") > 0)
        & (col("host_khugepaged_scan_sleep_ms") >= 0)
    )


@rule(
    id="khugepaged-fills-sparse-memory",
    title="khugepaged may fill this process's sparse memory",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.MEDIUM,
    message="khugepaged collapses a range with up to {host_khugepaged_max_ptes_none} empty entries; mode "
    "{host_thp_enabled} lets it add up to {huge_page_growth_bytes} here.",
    remedy="Lower khugepaged/max_ptes_none, so that only well-filled ranges are collapsed.",
    sources=(KHUGEPAGED, "mm/khugepaged.c: max_ptes_none"),
    known_problems="Also switches the shrinker of underused huge pages (6.12+) on, which the highest value "
    "keeps inert.",
)
def khugepaged_fills_sparse_memory() -> pl.Expr:
    """What it does: matches sparse memory under always while max_ptes_none has its highest value, the
    default.

    Why it matters: with it one touched base page is enough to collapse a whole range into a huge page.

    Example: 511 of 512 entries may be empty, 200 thread stacks.
    """
    highest = col("host_pmd_bytes") // col("host_base_page_bytes") - 1
    return sparse() & (col("host_thp_enabled") == "always") & (col("host_khugepaged_max_ptes_none") >= highest)


@rule(
    id="defrag-stalls",
    title="Faults stall in compaction to get huge pages",
    theme=THEME,
    scope=Scope.HOST,
    severity=Severity.MEDIUM,
    confidence=Confidence.MEDIUM,
    message="{host_compact_stalls_per_s} direct compactions a second while defrag is {host_thp_defrag}.",
    remedy="Set defrag to defer+madvise, so that only those who ask wait, or to defer, so that nobody does.",
    sources=(f"{TRANSHUGE}: defrag", "mm/huge_memory.c: vma_thp_gfp_mask"),
    known_problems="Other allocations of high order (network, drivers) compact as well.",
)
def defrag_stalls() -> pl.Expr:
    """What it does: matches at least one direct compaction a second under a defrag setting that lets faults
    wait.

    Why it matters: each is a pause of the faulting thread, which average throughput hides and latency shows.

    Example: 40 compactions a second with defrag always.
    """
    waits = col("host_thp_defrag").is_in(["always", "madvise", "defer+madvise"])
    return (col("host_compact_stalls_per_s") >= STALLS_PER_SECOND) & waits


RULES = (
    memory_is_tight,
    memory_pressure,
    memory_fragmented,
    thp_faults_fall_back,
    thp_faults_fell_back_since_boot,
    khugepaged_starved,
    khugepaged_too_eager,
    khugepaged_fills_sparse_memory,
    defrag_stalls,
)
