"""Rules about one process as a whole: its size, its age, its CPU use, its page tables."""

from __future__ import annotations

import polars as pl

from advisor.rules.conditions import LARGE_BYTES, SMALL_BYTES, TRANSHUGE, col, large_on_base_pages, slotted_base_bytes
from advisor.rules.engine import IDLE_CPU_CORES, Confidence, PageSize, Policy, Severity, rule
from advisor.units import MIB

THEME = "process"
"""Theme of every rule in this file."""

PAGE_TABLE_BYTES = 64 * MIB
"""Bytes. Source: own choice. Reason: with 4 KiB pages this maps 32 GiB; a smaller page table is not worth a
change."""

PAGE_TABLE_SHARE = 0.01
"""Share of resident memory. Source: 8 bytes an entry. Reason: a densely used page table of 4 KiB pages costs
0.2 %; five times that means sparse or shared mappings."""

FAULT_S = 1e-6
"""CPU seconds of one fault that brings a zeroed base page. Source: docs/measurements.md, where programs that fault
300,000 times per CPU second spend a third to a half of their time so. Reason: half of what was seen in a guest,
because bare metal is faster."""

FAULTING_SHARE = 0.1
"""Share of CPU time. Source: own choice. Reason: of a tenth of the time nearly all can be saved, which is as much as
page walks cost most programs."""

LASTING_SHARE = 0.5
"""Share of what is faulted in that may stay. Source: own choice. Reason: a program whose memory grows as fast as it
faults is filling it once; that ends by itself."""

DENSE_SHARE = 0.5
"""Populated share of mappings with slots. Source: own choice. Reason: a huge page that is half used costs at most as
much memory as it holds."""

FILLED_SHARE = 0.15
"""Populated share of mappings that are filled and dropped all the time. Source: docs/measurements.md, sparse-touch
against map-and-fill: zeroing 2 MiB costs about as much as 60 faults, an eighth of those that it saves where all of it
is used. Reason: seen at any moment, such memory is half filled on average."""

SPARSELY_FILLED_SHARE = 0.1
"""Populated share below which huge pages surely cost time. Source: as for FILLED_SHARE. Reason: a ninth is where
zeroing costs what it saves."""

MOSTLY_BASE_SHARE = 0.5
"""Share of memory with slots that is on base pages. Source: own choice. Reason: below it most faults bring huge pages
already."""

KERNEL_SHARE = 0.5
"""Share of CPU time in the kernel. Source: own choice. Reason: in programs that fork more than anything else it is
nearly all (docs/measurements.md: fork-copy, numpy-workers); servers that only talk a lot stay out by the rest."""

CHILDREN_SHARE = 0.25
"""CPU time of ended children against its own. Source: docs/measurements.md. Reason: taking the copied page tables
down costs a child as much as making them costs its parent, so that even idle children reach about 1."""

HEAP_SHARE = 0.5
"""Share of anonymous memory in the heap. Source: own choice. Reason: only of the heap it is known to be malloc's."""

TRIMMING_SHARE = 0.25
"""Share of CPU time in the kernel. Source: own choice. Reason: half of it saved is then worth a restart."""

REFAULTING_SHARE = 0.01
"""Share of CPU time that faults take at least. Source: docs/measurements.md, stress-malloc with small blocks, where
trimming costs much more than faulting. Reason: without faults nothing is taken anew."""

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


def _mostly_faulting() -> pl.Expr:
    """It works, and its faults cost at least a tenth of its CPU time."""
    return (col("cpu_cores") >= IDLE_CPU_CORES) & (
        col("minor_faults_per_s") * FAULT_S >= FAULTING_SHARE * col("cpu_cores")
    )


@rule(
    id="faulting-takes-time",
    title="The process spends much of its CPU time faulting memory in",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.MEDIUM,
    proposes=Policy.THP,
    gains_time=True,
    message="It faults {minor_faults_per_s} times a second while it uses {cpu_cores} CPUs, and its memory does not "
    "grow as fast: it gives memory back and takes it anew. A huge page takes the place of many faults.",
    remedy="Let it have huge pages (GLIBC_TUNABLES=glibc.malloc.hugetlb=1, madvise(MADV_HUGEPAGE)), or keep what is "
    "freed: glibc.malloc.mmap_threshold and trim_threshold, or an allocator that does.",
    sources=("docs/measurements.md: map-and-fill, numpy-fft, numpy-temporaries, stress-vm", TRANSHUGE),
    known_problems="Blocks that end inside a huge page, or are used only in part, are zeroed for nothing: measure "
    "it. Faults on files and on copied pages count as well.",
)
def faulting_takes_time() -> pl.Expr:
    """What it does: matches a process whose faults cost at least a tenth of its CPU time, whose memory grows at
    less than half the speed at which it faults, with slots on base pages that are not used too sparsely; or
    without any at the moment, where it held much before.

    Why it matters: zeroing 2 MiB at once costs a fraction of 512 faults. Programs of this kind gained more from
    huge pages than any that is bound by page walks.

    Example: an array job that allocates its temporaries anew in each step.
    """
    faulted = col("minor_faults_per_s") * col("host_base_page_bytes")
    is_there = col("slot_bytes") >= col("host_pmd_bytes")
    has_slots = (
        is_there
        & (slotted_base_bytes() >= MOSTLY_BASE_SHARE * col("slotted_anon_bytes"))
        & (col("populated_density") >= FILLED_SHARE)
    )
    just_gave_all_back = ~is_there & (col("peak_rss_bytes") >= SMALL_BYTES)
    return (
        _mostly_faulting()
        & (col("rss_growth_bytes_per_s") <= LASTING_SHARE * faulted)
        & (has_slots | just_gave_all_back)
    )


@rule(
    id="faulting-sparsely",
    title="The process faults all the time, and uses its memory sparsely",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.MEDIUM,
    forbids=frozenset({Policy.THP}),
    message="It faults {minor_faults_per_s} times a second while it uses {cpu_cores} CPUs, and fills only "
    "{populated_density} of {slot_bytes}: a huge page would zero far more than it saves faults.",
    remedy="Leave it on base pages, or make it use its memory more densely.",
    sources=("docs/measurements.md: sparse-touch", TRANSHUGE),
    known_problems="Memory that is filled and dropped all the time may just have been empty: look again.",
)
def faulting_sparsely() -> pl.Expr:
    """What it does: matches a process whose faults cost at least a tenth of its CPU time and that fills less than a
    tenth of its mappings with slots.

    Why it matters: zeroing 2 MiB costs as much as some 60 faults. A program that writes a byte in every 64 KiB of
    fresh mappings took nearly twice the time with huge pages, one that writes one in every 2 MiB more than thirty
    times.

    Example: an allocator that spreads small objects over large fresh mappings.
    """
    return (
        _mostly_faulting()
        & (col("slot_bytes") >= col("host_pmd_bytes"))
        & (col("populated_density") < SPARSELY_FILLED_SHARE)
    )


@rule(
    id="forking-takes-time",
    title="The process spends its time on forking",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.MEDIUM,
    proposes=Policy.THP,
    forbids=frozenset({Policy.HUGETLB}),
    gains_time=True,
    message="Of {cpu_cores} CPUs it spends {system_cores} in the kernel, and children that ended meanwhile used "
    "{children_cores}: each fork copies the page tables of {slotted_anon_bytes}. A huge page has one entry instead "
    "of 512.",
    remedy="Let it have huge pages (madvise(MADV_HUGEPAGE), GLIBC_TUNABLES=glibc.malloc.hugetlb=1), or start "
    "children by posix_spawn or vfork, which copy none. No pool: a child's first write copies a whole page of it, "
    "and kills the child where none is left.",
    sources=("mm/memory.c: copy_page_range", "docs/measurements.md: fork-copy, numpy-workers, cpython-workers"),
    known_problems="A server that mostly talks through system calls and starts busy children looks alike. A parent "
    "or child that writes everywhere after each fork splits the huge pages again.",
)
def forking_takes_time() -> pl.Expr:
    """What it does: matches a process with much memory on base pages that spends half of its CPU time in the kernel,
    not on faults of its own, while children of it end that used at least a quarter of its CPU time.

    Why it matters: fork copies the page table entries of all anonymous memory, and the end of the child takes them
    down again. Programs of this kind were 1.5 to 28 times as fast with huge pages.

    Example: a server with 768 MiB of tables in memory that forks a child for each request.
    """
    return (
        (col("cpu_cores") >= IDLE_CPU_CORES)
        & (col("system_cores") >= KERNEL_SHARE * col("cpu_cores"))
        & (col("minor_faults_per_s") * FAULT_S <= KERNEL_SHARE * col("system_cores"))
        & (col("children_cores") >= CHILDREN_SHARE * col("cpu_cores"))
        & (slotted_base_bytes() >= SMALL_BYTES)
        & (col("slotted_anon_bytes") >= SMALL_BYTES)
        & (col("populated_density") >= DENSE_SHARE)
    )


@rule(
    id="malloc-returns-memory",
    title="malloc gives memory back to the kernel and takes it anew",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.LOW,
    proposes=Policy.HUGETLB,
    page=PageSize.PMD,
    gains_time=True,
    seen_by_model=False,
    message="It faults {minor_faults_per_s} times a second on {heap_bytes} of heap and spends {system_cores} of "
    "{cpu_cores} CPUs in the kernel: the malloc of {allocator} gives free memory back by base pages and gets it "
    "again. A heap in a pool gives back whole huge pages only, which are seldom free.",
    remedy="See what gives it back (strace -fc -e trace=madvise,brk). Many madvise are malloc_trim: call it more "
    "seldom. Many brk: raise glibc.malloc.trim_threshold. Where neither can be changed: glibc.malloc.hugetlb.",
    sources=("glibc malloc/malloc.c: mtrim, systrim", "docs/measurements.md: stress-malloc"),
    known_problems="Memory that is kept is memory that others do not get. Time in the kernel may be spent on "
    "something else.",
)
def malloc_returns_memory() -> pl.Expr:
    """What it does: matches a process on glibc's malloc, most of whose memory is the heap, that spends a quarter of
    its CPU time in the kernel and faults all the time without growing or forking.

    Why it matters: malloc_trim gives back every free page between blocks, and glibc the end of the heap from 128 KiB
    on; each page comes back by a fault. On a heap from a pool only whole huge pages go: programs that trim all the
    time took two thirds to a third of the time so, while THP, which each trim splits, gave nothing.

    Example: a server that calls malloc_trim after each request.
    """
    faulted = col("minor_faults_per_s") * col("host_base_page_bytes")
    return (
        (col("allocator") == "glibc")
        & (col("cpu_cores") >= IDLE_CPU_CORES)
        & (col("heap_bytes") >= HEAP_SHARE * col("anon_bytes"))
        & (col("system_cores") >= TRIMMING_SHARE * col("cpu_cores"))
        & (col("minor_faults_per_s") * FAULT_S >= REFAULTING_SHARE * col("cpu_cores"))
        & (col("rss_growth_bytes_per_s") <= LASTING_SHARE * faulted)
        & (col("children_cores") < CHILDREN_SHARE * col("cpu_cores"))
    )


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
    faulting_takes_time,
    faulting_sparsely,
    forking_takes_time,
    malloc_returns_memory,
    page_tables_heavy,
)
