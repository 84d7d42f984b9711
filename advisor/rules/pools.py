"""Rules about explicit hugetlb pools and the processes that use them, or should."""

from __future__ import annotations

import polars as pl

from advisor.rules.conditions import (
    COVERED_SHARE,
    HUGETLBPAGE,
    POOL_APPLICATIONS,
    col,
    is_one_of,
    memory_tight,
    slotted_base_bytes,
)
from advisor.rules.engine import Confidence, PageSize, Policy, Scope, Severity, rule
from advisor.units import GIB, MIB

THEME = "pools"
"""Theme of every rule in this file."""

UNUSED_BYTES = 64 * MIB
"""Bytes. Source: own choice. Reason: a few dozen spare pages are headroom, not waste."""

UNUSED_SHARE = 0.25
"""Share of the pool. Source: own choice. Reason: a quarter unused is more than any headroom that was
planned."""

CANDIDATE_BYTES = 256 * MIB
"""Bytes. Source: own choice. Reason: the least memory for which any rule proposes a pool."""

WORTH_A_POOL_BYTES = 1 * GIB
"""Bytes. Source: own choice. Reason: a pool must be sized, reserved and kept by a person; less is not worth
that."""


@rule(
    id="hugetlb-right-sized",
    title="The process uses explicit huge pages and fills them",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.HIGH,
    proposes=Policy.HUGETLB,
    message="{hugetlb_bytes} of {hugetlb_mapped_bytes} mapped are resident in hugetlb pages of {hugetlb_page_bytes}.",
    remedy="Keep the pool at this size.",
    sources=(HUGETLBPAGE,),
    known_problems="Memory that the program filled once and does not use any more counts as filled.",
)
def hugetlb_right_sized() -> pl.Expr:
    """What it does: matches a process that has touched at least 80 % of the hugetlb memory it maps.

    Why it matters: it has the policy with the fewest page walks already, and wastes little of the pool.

    Example: 512 MiB mapped with MAP_HUGETLB, all of it written.
    """
    mapped = col("hugetlb_mapped_bytes")
    return (
        (col("hugetlb_bytes") > 0)
        & (mapped > 0)
        & (col("hugetlb_bytes") >= COVERED_SHARE * mapped)
        & (col("hugetlb_page_bytes") > 0)
    )


@rule(
    id="hugetlb-mostly-untouched",
    title="The process maps more explicit huge pages than it has touched",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.MEDIUM,
    proposes=Policy.HUGETLB,
    message="Only {hugetlb_bytes} of {hugetlb_mapped_bytes} mapped hugetlb memory is resident: the rest is "
    "reserved for it.",
    remedy="If it does not grow in normal work, let the program map less, then shrink the pool by as much.",
    sources=(HUGETLBPAGE, "mm/hugetlb.c: gather_surplus_pages"),
    known_problems="A program that fills its memory slowly looks the same. Shared mappings may be filled by "
    "another process.",
)
def hugetlb_mostly_untouched() -> pl.Expr:
    """What it does: matches a process that has touched less than 80 % of at least 64 MiB of hugetlb mappings.

    Why it matters: reserved pages are lost for everybody else, as pool memory cannot be reclaimed.

    Example: a database with 8 GiB of huge shared buffers, 2 GiB of them ever used.
    """
    mapped = col("hugetlb_mapped_bytes")
    return (mapped >= UNUSED_BYTES) & (col("hugetlb_bytes") > 0) & (col("hugetlb_bytes") < COVERED_SHARE * mapped)


def _pool_short(pool: str, page: pl.Expr) -> pl.Expr:
    """The rest of what the process maps is more than the pool has reserved, nothing is unused.

    Not for a mapping that several processes share: what one of them has not touched, another may have.
    """
    owed = col("hugetlb_mapped_bytes") - col("hugetlb_bytes")
    return (
        (col("hugetlb_page_bytes") == page)
        & (col("hugetlb_sharing_processes") <= 1)
        & (owed > 0)
        & (col(f"host_pool_{pool}_unused_pages") <= 0)
        & (owed > col(f"host_pool_{pool}_reserved") * page)
    )


@rule(
    id="pool-short",
    title="The pool has too few pages for what the process maps",
    theme=THEME,
    severity=Severity.HIGH,
    confidence=Confidence.MEDIUM,
    proposes=Policy.HUGETLB,
    message="{hugetlb_mapped_bytes} are mapped and {hugetlb_bytes} resident, but the pool has "
    "{host_pool_pmd_unused_pages} unused and {host_pool_pmd_reserved} reserved pages: touching the rest "
    "ends in SIGBUS.",
    remedy="Grow the pool before the program touches the rest, or let it map less.",
    sources=(HUGETLBPAGE, "Documentation/admin-guide/cgroup-v1/hugetlb.rst"),
    known_problems="Says nothing of mappings that several processes share: what one has not touched, another may "
    "have. Overcommit may still supply pages one by one.",
)
def pool_short() -> pl.Expr:
    """What it does: matches a user of PMD-size hugetlb pages whose untouched rest is not covered by
    reservations.

    Why it matters: a mapping without reservation (MAP_NORESERVE, a COW after fork) gets SIGBUS when the pool
    is empty.

    Example: 1 GiB mapped with MAP_NORESERVE, 512 MiB touched, pool empty.
    """
    return _pool_short("pmd", col("host_pmd_bytes"))


@rule(
    id="gigantic-pool-short",
    title="The pool of gigantic pages has too few pages for what the process maps",
    theme=THEME,
    severity=Severity.HIGH,
    confidence=Confidence.MEDIUM,
    proposes=Policy.HUGETLB,
    message="{hugetlb_mapped_bytes} are mapped and {hugetlb_bytes} resident in pages of "
    "{host_pool_gigantic_page_bytes}, but the pool has {host_pool_gigantic_unused_pages} unused pages: "
    "touching the rest ends in SIGBUS.",
    remedy="Reserve more gigantic pages at boot, or let the program map less.",
    sources=(HUGETLBPAGE,),
    known_problems="Says nothing of mappings that several processes share.",
)
def gigantic_pool_short() -> pl.Expr:
    """What it does: matches a user of gigantic hugetlb pages whose untouched rest is not covered by
    reservations.

    Why it matters: gigantic pools cannot grow on demand, so there is no second chance at the fault.

    Example: a guest with 16 GiB on 1 GiB pages, prealloc off, 12 pages in the pool.
    """
    return _pool_short("gigantic", col("host_pool_gigantic_page_bytes"))


@rule(
    id="pool-pages-unused",
    title="A hugetlb pool holds pages that nobody uses",
    theme=THEME,
    scope=Scope.HOST,
    severity=Severity.MEDIUM,
    confidence=Confidence.HIGH,
    message="{host_pool_unused_bytes} of {host_pool_bytes} in hugetlb pools are neither used nor reserved.",
    remedy="Lower nr_hugepages of that pool, in sysctl.d or on the kernel command line, unless somebody is "
    "about to use it.",
    sources=(HUGETLBPAGE,),
    known_problems="A service that is stopped at the moment may need them when it starts.",
)
def pool_pages_unused() -> pl.Expr:
    """What it does: matches pools of which at least 64 MiB and a quarter are free and not reserved.

    Why it matters: pool memory is no page cache, cannot be swapped or reclaimed, and is not part of
    MemAvailable.

    Example: 4 GiB of pool, 512 MiB in use.
    """
    unused = col("host_pool_unused_bytes")
    return (unused >= UNUSED_BYTES) & (unused >= UNUSED_SHARE * col("host_pool_bytes"))


@rule(
    id="pool-missed-by-application",
    title="A pool is waiting and the application that could use it does not",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.MEDIUM,
    proposes=Policy.HUGETLB,
    page=PageSize.PMD,
    message="{application_id} can use hugetlb pages, {host_pool_unused_bytes} of pool is unused, and the "
    "process has {hugetlb_bytes} in it.",
    remedy="Check the application's switch (try means silent fall-back), that the pool is at least as large "
    "as what it asks for, its memlock limit, and vm.hugetlb_shm_group for SysV memory; then restart it.",
    sources=(HUGETLBPAGE, "shmget(2): SHM_HUGETLB"),
    known_problems="The pool may have been made for another program.",
)
def pool_missed_by_application() -> pl.Expr:
    """What it does: matches a large application known to support hugetlb that has none although pool pages
    are unused.

    Why it matters: this is what a silent fall-back looks like; memory is paid twice, once in the pool and
    once outside.

    Example: PostgreSQL with huge_pages=try and a pool a few pages too small.
    """
    return (
        (col("resident_memory_bytes") >= WORTH_A_POOL_BYTES)
        & is_one_of(POOL_APPLICATIONS)
        & (col("hugetlb_bytes") == 0)
        & (col("host_pool_unused_bytes") >= UNUSED_BYTES)
    )


@rule(
    id="application-can-use-pool",
    title="The application has a switch for explicit huge pages",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.LOW,
    proposes=Policy.HUGETLB,
    page=PageSize.PMD,
    gains_time=True,
    message="{application_id} can put its memory into hugetlb pages; {slotted_anon_bytes} anonymous and "
    "{shmem_base_bytes} shared memory are candidates.",
    remedy="Size a pool for its peak, switch the application's option on, restart it, and compare.",
    sources=(HUGETLBPAGE, "the application's own manual"),
    known_problems="Transparent huge pages give most of the gain with less care, except for shared memory.",
)
def application_can_use_pool() -> pl.Expr:
    """What it does: matches a recognised application with at least 1 GiB that could be in a pool and is not
    huge yet.

    Why it matters: a pool guarantees what THP only attempts, and removes the page tables of shared memory.

    Example: a JVM with a heap of 4 GiB and no -XX:+UseLargePages.
    """
    return (
        (col("resident_memory_bytes") >= WORTH_A_POOL_BYTES)
        & is_one_of(POOL_APPLICATIONS)
        & (col("hugetlb_bytes") == 0)
        & ((slotted_base_bytes() + col("shmem_base_bytes")) >= WORTH_A_POOL_BYTES)
    )


def _pool_candidate() -> pl.Expr:
    """It has no hugetlb memory yet, and enough memory of its own or shared that a pool might be proposed."""
    large = (col("resident_memory_bytes") >= CANDIDATE_BYTES) | (col("shared_object_bytes") >= CANDIDATE_BYTES)
    return (col("hugetlb_bytes") == 0) & large


@rule(
    id="no-memory-for-a-pool",
    title="The host has no memory to set aside for a new pool",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.MEDIUM,
    forbids=frozenset({Policy.HUGETLB}),
    message="Only {host_memory_available_share} of the host's memory is available, too little to set aside "
    "for a pool that nobody else can use.",
    remedy="Free memory first, or give the host more.",
    sources=(HUGETLBPAGE,),
    known_problems="A program that is stopped before the pool is made gives back its own memory; the plan "
    "counts that.",
)
def no_memory_for_a_pool() -> pl.Expr:
    """What it does: matches, for large processes without hugetlb pages, a host with less than a tenth of
    memory available.

    Why it matters: pool memory is lost to the page cache and to everybody else, and cannot be reclaimed.

    Example: 1 GiB available of 24 GiB.
    """
    return _pool_candidate() & memory_tight()


@rule(
    id="no-pool-on-this-host",
    title="This host has no hugetlb pool of the PMD page's size",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.MEDIUM,
    forbids=frozenset({Policy.HUGETLB}),
    message="The number of pool pages of {host_pmd_bytes} is {host_pool_pmd_total}: hugetlb is not built "
    "into this kernel, or was not captured.",
    remedy="See whether /sys/kernel/mm/hugepages has a folder of that size.",
    sources=(HUGETLBPAGE,),
    known_problems="A captured tree without /sys looks the same.",
)
def no_pool_on_this_host() -> pl.Expr:
    """What it does: matches, for large processes without hugetlb pages, a host whose PMD-size pool is not
    known.

    Why it matters: a pool that cannot be made must not be advised. An empty pool is a pool, with 0 pages.

    Example: a kernel without CONFIG_HUGETLBFS.
    """
    return _pool_candidate() & (col("host_pmd_bytes").is_null() | col("host_pool_pmd_total").is_null())


def _unused_bytes() -> pl.Expr:
    """Bytes of the process's own page size that its pool has and has promised to nobody."""
    page, gigantic = col("hugetlb_page_bytes"), col("host_pool_gigantic_page_bytes")
    pages = (
        pl.when((page == gigantic).fill_null(False))
        .then(col("host_pool_gigantic_unused_pages"))
        .otherwise(col("host_pool_pmd_unused_pages"))
    )
    return pages * page


@rule(
    id="hugetlb-without-reservation",
    title="The process maps explicit huge pages without a reservation, and the pool does not have them",
    theme=THEME,
    severity=Severity.HIGH,
    confidence=Confidence.HIGH,
    message="{hugetlb_noreserve_bytes} are mapped with MAP_NORESERVE and {hugetlb_noreserve_resident_bytes} of it "
    "touched, more than the pool has unused: a touch that finds no page of {hugetlb_page_bytes} ends in SIGBUS.",
    remedy="Grow the pool before the program touches the rest, or let it map without MAP_NORESERVE (QEMU: reserve=on "
    "or prealloc=on), so that the mapping fails in place of the touch.",
    sources=(HUGETLBPAGE, "mmap(2): MAP_NORESERVE", "proc_pid_smaps(5): VmFlags nr"),
    known_problems="Overcommit may still supply pages one by one.",
)
def hugetlb_without_reservation() -> pl.Expr:
    """What it does: matches hugetlb mappings with the flag nr whose untouched part is larger than what the pool has
    unused.

    Why it matters: nothing was promised to them, so that the program is killed in the middle of its work.

    Example: QEMU with reserve=off, 16 GiB mapped, 10 GiB touched, 2 GiB of pool unused.
    """
    owed = col("hugetlb_noreserve_bytes") - col("hugetlb_noreserve_resident_bytes")
    return (owed > 0) & (owed > _unused_bytes())


@rule(
    id="private-pool-after-fork",
    title="Processes share private pool pages since a fork, and the pool has none for their copies",
    theme=THEME,
    severity=Severity.HIGH,
    confidence=Confidence.MEDIUM,
    message="{hugetlb_copied_on_write_bytes} of private pages of {hugetlb_page_bytes} are shared with another "
    "process since a fork, more than the pool has unused: who writes them first needs a copy, and a child that finds "
    "none is killed by SIGBUS.",
    remedy="Map the pool shared, use vfork or posix_spawn, or keep as many pages unused as can be copied.",
    sources=(HUGETLBPAGE, "mm/hugetlb.c: hugetlb_wp", "Documentation/mm/hugetlbfs_reserv.rst"),
    known_problems="A child that only reads, or calls exec at once, copies nothing.",
)
def private_pool_after_fork() -> pl.Expr:
    """What it does: matches resident pages of private, writable hugetlb mappings that more than one process maps,
    where the pool has fewer unused.

    Why it matters: reservations belong to the parent; a copy for the child is taken from what nobody reserved.

    Example: a server with a private heap in a pool of its size that forks a worker.
    """
    copied = col("hugetlb_copied_on_write_bytes")
    return (copied > 0) & (copied > _unused_bytes())


@rule(
    id="pool-on-overcommit",
    title="A pool lives on pages that the kernel adds on demand",
    theme=THEME,
    scope=Scope.HOST,
    severity=Severity.LOW,
    confidence=Confidence.HIGH,
    message="{host_pool_pmd_surplus} of {host_pool_pmd_total} pages of {host_pmd_bytes} are surplus (overcommit "
    "{host_pool_pmd_overcommit}): they go back when they are freed, and may not be found again.",
    remedy="Write the size that is needed into nr_hugepages: the kernel takes surplus pages in first.",
    sources=(f"{HUGETLBPAGE}: nr_overcommit_hugepages, surplus_hugepages",),
    known_problems="Who sets overcommit on purpose prefers memory over certainty.",
)
def pool_on_overcommit() -> pl.Expr:
    """What it does: matches a pool of the PMD size that holds surplus pages.

    Why it matters: after weeks of running, a restart may not find as many pages in one piece.

    Example: nr_hugepages 0, nr_overcommit_hugepages 4096, 2,000 pages in use.
    """
    known = (col("host_pool_pmd_total") >= 0) & (col("host_pool_pmd_overcommit") >= 0) & (col("host_pmd_bytes") > 0)
    return (col("host_pool_pmd_surplus") > 0) & known


RULES = (
    hugetlb_right_sized,
    hugetlb_mostly_untouched,
    pool_short,
    gigantic_pool_short,
    pool_pages_unused,
    pool_missed_by_application,
    application_can_use_pool,
    no_memory_for_a_pool,
    no_pool_on_this_host,
    hugetlb_without_reservation,
    private_pool_after_fork,
    pool_on_overcommit,
)
