"""Typed facts, as the kernel printed them. Sizes are bytes unless the name says otherwise; absent is None.

Values are plain data (msgspec structs), so that a profile can store them as they are.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

PageBytes = Annotated[int, Meta(ge=1 << 12, le=1 << 40)]
"""Bytes of a page: 4 KiB to 16 GiB on what Linux runs on. In a profile, others are damage."""


class Stat(Struct, frozen=True, omit_defaults=True):
    """`/proc/PID/stat` (proc_pid_stat(5)). Times are clock ticks (USER_HZ), start_ticks since boot.

    children_*: of children that ended and were waited for, and theirs; None in profiles recorded before they were
    read.
    """

    comm: str
    state: str
    ppid: int
    flags: int
    minor_faults: int
    major_faults: int
    user_ticks: int
    system_ticks: int
    threads: int
    start_ticks: int
    vsize_bytes: int
    rss_pages: int
    children_minor_faults: int | None = None
    children_user_ticks: int | None = None
    children_system_ticks: int | None = None

    @property
    def is_kernel_thread(self) -> bool:
        """PF_KTHREAD (0x00200000, include/linux/sched.h) is set."""
        return bool(self.flags & 0x00200000)


class Status(Struct, frozen=True, omit_defaults=True):
    """`/proc/PID/status`: the memory lines. None where this kernel does not print the line.

    thp_enabled: 5.0+; 0 means PR_SET_THP_DISABLE (stays 1 in 6.18's except-advised mode).
    hugetlb_bytes: 4.4+; rss_*_bytes: 4.5+. Kernel threads have no Vm lines at all. mems_allowed: NUMA nodes as the
    kernel lists them ("0-1,3"), from cpuset; None also in profiles recorded before it was read.
    """

    name: str
    uid: int | None = None
    vm_size_bytes: int | None = None
    vm_peak_bytes: int | None = None
    vm_rss_bytes: int | None = None
    vm_hwm_bytes: int | None = None
    rss_anon_bytes: int | None = None
    rss_file_bytes: int | None = None
    rss_shmem_bytes: int | None = None
    vm_locked_bytes: int | None = None
    vm_pinned_bytes: int | None = None
    vm_pte_bytes: int | None = None
    vm_swap_bytes: int | None = None
    hugetlb_bytes: int | None = None
    thp_enabled: int | None = None
    threads: int | None = None
    mems_allowed: str | None = None


class NumaPlacement(Struct, frozen=True, omit_defaults=True):
    """Where memory lies and must lie, from `/proc/PID/numa_maps` (proc_pid_numa_maps(5)).

    bound_to: nodes that most of its memory is bound to by mbind or set_mempolicy ("1", "0-1"); None: to none.
    hugetlb: page size -> node -> resident bytes.
    """

    bound_to: str | None = None
    hugetlb: dict[int, dict[int, int]] = field(default_factory=dict)


class PinnedRange(Struct, frozen=True, array_like=True):
    """Address range of one process that is pinned in memory: a buffer registered with io_uring. Bytes."""

    start: int
    size: int


class CgroupMembership(Struct, frozen=True, omit_defaults=True):
    """One line of `/proc/PID/cgroup` (cgroups(7)): hierarchy 0 with no controllers is v2."""

    hierarchy: int
    controllers: list[str]
    path: str


class Limit(Struct, frozen=True):
    """One row of `/proc/PID/limits`; None is unlimited. Unit as the kernel prints it (bytes, processes, ...)."""

    name: str
    soft: int | None
    hard: int | None
    unit: str


class ThpSize(Struct, frozen=True, omit_defaults=True):
    """`transparent_hugepage/hugepages-<kB>kB/` (anon 6.8+, shmem 6.11+). 8 kB exists for shmem only."""

    page_bytes: PageBytes
    enabled: str | None = None
    shmem_enabled: str | None = None
    stats: dict[str, int] = field(default_factory=dict)


class Thp(Struct, frozen=True, omit_defaults=True):
    """`/sys/kernel/mm/transparent_hugepage/`. The bracketed choice of each switch; None where absent.

    khugepaged holds every number of `khugepaged/` by file name (milliseconds, pages and counts as named there).
    """

    enabled: str | None = None
    defrag: str | None = None
    shmem_enabled: str | None = None
    use_zero_page: int | None = None
    shrink_underused: int | None = None
    pmd_bytes: PageBytes | None = None
    sizes: list[ThpSize] = field(default_factory=list)
    khugepaged: dict[str, int] = field(default_factory=dict)


class HugetlbPool(Struct, frozen=True, omit_defaults=True):
    """One pool: `/sys/kernel/mm/hugepages/hugepages-<kB>kB/` (node None) or the same below a node.

    total includes surplus; reserved pages are inside free; reserved and overcommit exist host-wide only.
    """

    page_bytes: PageBytes
    node: int | None
    total: int
    free: int
    surplus: int
    reserved: int | None = None
    overcommit: int | None = None


class BuddyZone(Struct, frozen=True):
    """One line of `/proc/buddyinfo`: free blocks by order, order 0 first."""

    node: int
    zone: str
    free_blocks: list[int]


class PagetypeZone(Struct, frozen=True, omit_defaults=True):
    """`/proc/pagetypeinfo` for one zone: number of page blocks and free blocks by order, by migrate type.

    A free count that the kernel capped (printed as ">100000") is the cap; its type is named in `capped`.
    """

    node: int
    zone: str
    blocks: dict[str, int]
    free_blocks: dict[str, list[int]]
    capped: list[str] = field(default_factory=list)


class Pagetypes(Struct, frozen=True):
    """`/proc/pagetypeinfo` as a whole; block order is the order of one page block."""

    block_order: int
    pages_per_block: int
    zones: list[PagetypeZone]


class Zone(Struct, frozen=True, omit_defaults=True):
    """One zone of `/proc/zoneinfo`, in pages. counters holds the nr_* lines as printed.

    start_pfn: number of its first page frame. protection: free pages that an allocation must leave here, by the zone
    that it would rather have had (lowmem_reserve), in the order of the node's zones.
    """

    node: int
    zone: str
    free: int | None = None
    min: int | None = None
    low: int | None = None
    high: int | None = None
    spanned: int | None = None
    present: int | None = None
    managed: int | None = None
    counters: dict[str, int] = field(default_factory=dict)
    start_pfn: int | None = None
    protection: list[int] = field(default_factory=list)


class PressureLine(Struct, frozen=True):
    """Averages are percent of wall time over 10, 60 and 300 s; total is microseconds since boot."""

    avg10: float
    avg60: float
    avg300: float
    total_us: int


class Pressure(Struct, frozen=True, omit_defaults=True):
    """One file of `/proc/pressure/` (4.20+, Documentation/accounting/psi.rst)."""

    some: PressureLine | None = None
    full: PressureLine | None = None


class CgroupHugetlb(Struct, frozen=True, omit_defaults=True):
    """hugetlb controller of one cgroup and page size, bytes; None is unlimited for limits, unknown for usage."""

    path: str
    version: int
    page_bytes: PageBytes
    limit_bytes: int | None = None
    usage_bytes: int | None = None
    rsvd_limit_bytes: int | None = None
    rsvd_usage_bytes: int | None = None
    limit_hits: int | None = None


class CgroupMemory(Struct, frozen=True, omit_defaults=True):
    """memory controller of one cgroup that has a limit, bytes. usage_bytes: None is unknown.

    cache_bytes: page cache in the usage, which reclaim can give back (active and inactive file pages, children
    included).
    """

    path: str
    version: int
    limit_bytes: int
    usage_bytes: int | None = None
    cache_bytes: int | None = None


class Cpu(Struct, frozen=True, omit_defaults=True):
    """The first processor of `/proc/cpuinfo`. vendor/family/model are x86 CPUID values; implementer/part are Arm's.

    kernel_tlb_entries is x86's "TLB size" line: the kernel's own decoding, known to be wrong on Zen 5.
    """

    model_name: str | None = None
    vendor: str | None = None
    family: int | None = None
    model: int | None = None
    stepping: int | None = None
    implementer: int | None = None
    part: int | None = None
    kernel_tlb_entries: int | None = None
    processors: int | None = None
    hypervisor_flag: bool | None = None
    gigantic_pages_flag: bool | None = None


class TlbLevel(Struct, frozen=True):
    """Data-TLB entries that can hold a page of this size, per core. source: table row or kernel file it came from."""

    level: int
    page_bytes: PageBytes
    entries: int
    source: str


class ElfFacts(Struct, frozen=True, omit_defaults=True):
    """What an executable or library can do, read from its ELF headers and dynamic symbols (pyelftools)."""

    path: str
    kind: str
    static: bool
    interpreter: str | None = None
    needed: list[str] = field(default_factory=list)
    text_bytes: int | None = None
    text_alignment_bytes: int | None = None
    imports: list[str] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    build_id: str | None = None


class ProgramFacts(Struct, frozen=True, omit_defaults=True):
    """What a process's executable and mapped libraries say together. None is: could not be read.

    versions: by id of the table of applications, what the files say of a version: "7.0.15", "8.0 or later".
    """

    executable: ElfFacts | None = None
    allocator: str | None = None
    allocator_source: str | None = None
    runtime: str | None = None
    runtime_source: str | None = None
    imports_madvise: bool | None = None
    imports_hugetlb: bool | None = None
    problem: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
