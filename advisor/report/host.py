"""The host's part of the report document."""

from __future__ import annotations

from msgspec import Struct

from advisor.report.reasons import Reason


class ThpSizeState(Struct, frozen=True):
    """One size of transparent huge pages and its switch (`hugepages-<kB>kB/enabled`); null where it has none."""

    page_bytes: int
    enabled: str | None
    shmem_enabled: str | None


class ThpState(Struct, frozen=True):
    """The host's switches of transparent huge pages; all null where the kernel has none.

    effective_enabled, effective_shmem_enabled: what holds for the PMD size, which has a switch of its own since 6.8.
    """

    enabled: str | None
    defrag: str | None
    shmem_enabled: str | None
    pmd_bytes: int | None
    sizes: list[ThpSizeState]
    effective_enabled: str | None
    effective_shmem_enabled: str | None
    in_use_bytes: int | None
    fault_alloc_per_s: float | None
    fault_fallback_share: float | None
    fault_fallback_share_since_boot: float | None


class SlotLooks(Struct, frozen=True):
    """khugepaged looked at `times` huge page slots with this result, the kernel's word; reason: that of why_not_huge
    which it means, with its title; null where it means none."""

    result: str
    times: int
    reason: str | None
    title: str | None


class Listened(Struct, frozen=True):
    """What khugepaged was heard to do within `seconds` (--trace). attributed: refusals of which the process is known,
    which are in its why_not_huge; lost: events that the kernel's buffer did not hold."""

    seconds: float
    looks: list[SlotLooks]
    attributed: int
    lost: int


class Khugepaged(Struct, frozen=True):
    """khugepaged: settings and progress. cpu_share: of one CPU; pass_s: seconds to look at all eligible memory.
    listened: null where nobody listened."""

    pages_collapsed_per_s: float | None
    full_scans_per_s: float | None
    cpu_share: float | None
    pages_to_scan: int | None
    scan_sleep_ms: float | None
    max_ptes_none: int | None
    scan_bytes_per_s: float | None
    pass_s: float | None
    listened: Listened | None = None


class Pool(Struct, frozen=True):
    """One hugetlb pool, in pages. node null: the whole host. free includes reserved; total includes surplus."""

    page_bytes: int
    node: int | None
    total: int
    free: int
    reserved: int | None
    surplus: int
    overcommit: int | None


class Supply(Struct, frozen=True):
    """How many more huge pages of a size the host could hand out now, outside the pools; basis says how known.

    With compaction and repeated writes of nr_hugepages; low is free in one piece already, high the most that is
    possible. at_boot: an estimate of how many could be reserved at boot in all, in today's pools or not, such that
    what is in use today keeps its memory.
    """

    page_bytes: int
    node: int | None
    available_now: int | None
    basis: str
    low: int | None = None
    high: int | None = None
    at_boot: int | None = None
    at_boot_basis: str | None = None


class Tlb(Struct, frozen=True):
    """Data-TLB entries of one core that can hold pages of this size, and the memory that they reach."""

    level: int
    page_bytes: int
    entries: int
    reach_bytes: int
    source: str


class Host(Struct, frozen=True):
    """The host, its memory, and what it does with huge pages now. boot_id: the kernel's, new at each start of it."""

    hostname: str | None
    kernel: str | None
    arch: str | None
    cpu_model: str | None
    virtualization: str | None
    base_page_bytes: int | None
    memory_total_bytes: int | None
    memory_available_bytes: int | None
    thp: ThpState
    khugepaged: Khugepaged
    pools: list[Pool]
    supply: list[Supply]
    tlb: list[Tlb]
    cpus: int | None
    numa_nodes: int | None
    swap_total_bytes: int | None
    swap_used_bytes: int | None
    memory_pressure_some_avg10: float | None
    unusable_index: float | None
    findings: list[Reason]
    boot_id: str | None = None
