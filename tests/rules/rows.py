"""Feature rows for rules: a quiet process on a quiet host, and what some processes differ in."""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from advisor.features import SCHEMA
from advisor.units import GIB, MIB

PMD = 2 * MIB
Values = dict[str, Any]

HOST: Values = {
    "host_thp_enabled": "madvise",
    "host_thp_defrag": "madvise",
    "host_shmem_enabled": "never",
    "host_pmd_bytes": PMD,
    "host_base_page_bytes": 4096,
    "host_mthp_enabled": False,
    "host_memory_total_bytes": 24 * GIB,
    "host_memory_available_bytes": 18 * GIB,
    "host_memory_available_share": 0.75,
    "host_memory_pressure_some_avg10": 0.0,
    "host_thp_fault_fallback_share": 0.0,
    "host_thp_fault_fallback_share_since_boot": 0.0,
    "host_compact_stalls_per_s": 0.0,
    "host_khugepaged_cpu_share": 0.0,
    "host_khugepaged_pages_to_scan": 4096,
    "host_khugepaged_scan_sleep_ms": 10000.0,
    "host_khugepaged_max_ptes_none": 511,
    "host_khugepaged_scan_bytes_per_s": 1.6 * MIB,
    "host_khugepaged_pass_s": 60.0,
    "host_collapsible_bytes": 0,
    "host_pmd_unusable_index": 0.1,
    "host_pmd_supply_pages": 6000,
    "host_gigantic_supply_pages": 4,
    "host_pool_pmd_total": 0,
    "host_pool_pmd_reserved": 0,
    "host_pool_pmd_surplus": 0,
    "host_pool_pmd_overcommit": 0,
    "host_pool_pmd_unused_pages": 0,
    "host_pool_gigantic_page_bytes": GIB,
    "host_pool_gigantic_reserved": 0,
    "host_pool_gigantic_unused_pages": 0,
    "host_pool_bytes": 0,
    "host_pool_unused_bytes": 0,
    "host_virtualized": False,
    "host_privileged": True,
    "host_hidepid": False,
    "host_in_pid_namespace": False,
    "host_samples": 6,
    "host_duration_s": 30.0,
    "tlb_reach_pmd_bytes": 3 * GIB,
    "tlb_reach_gigantic_bytes": 16 * GIB,
    "host_tlb_first_gigantic_entries": 64,
}

QUIET: Values = {
    **HOST,
    "pid": 1,
    "start_ticks": 100,
    "rss_bytes": 0,
    "resident_memory_bytes": 0,
    "anon_bytes": 0,
    "anon_base_bytes": 0,
    "anon_huge_bytes": 0,
    "anon_huge_coverage": 0.0,
    "shmem_rss_bytes": 0,
    "shmem_base_bytes": 0,
    "shmem_huge_bytes": 0,
    "shmem_huge_coverage": 0.0,
    "hugetlb_bytes": 0,
    "hugetlb_mapped_bytes": 0,
    "hugetlb_gigantic_bytes": 0,
    "hugetlb_sharing_processes": 0,
    "hugetlb_noreserve_bytes": 0,
    "hugetlb_noreserve_resident_bytes": 0,
    "hugetlb_copied_on_write_bytes": 0,
    "hugetlb_page_bytes": 0,
    "page_table_bytes": 0,
    "slot_bytes": 0,
    "slotted_anon_bytes": 0,
    "unslotted_anon_bytes": 0,
    "alignment_loss_bytes": 0,
    "thp_eligible_anon_rss_bytes": 0,
    "huge_page_growth_bytes": 0,
    "advised_bytes": 0,
    "advised_anon_rss_bytes": 0,
    "advised_against_anon_bytes": 0,
    "thp_disabled_by_process": False,
    "cpu_cores": 1.0,
    "age_s": 3600.0,
    "anon_vma_count": 10,
    "shmem_mapped_bytes": 0,
    "shared_object_bytes": 0,
    "sharing_processes": 0,
    "sharing_page_table_bytes": 0,
    "is_vmm": False,
    "guest_ram_bytes": 0,
    "memory_to_pmd_reach": 0.0,
    "application_stance": "neutral",
    "application_says": "Program 1.0: its makers advise neither way",
    "application_source": "its manual (2026)",
}
"""Every column that a rule reads, known."""

LARGE: Values = {
    "rss_bytes": GIB,
    "resident_memory_bytes": GIB,
    "anon_bytes": GIB,
    "anon_base_bytes": GIB,
    "slotted_anon_bytes": GIB,
    "slot_bytes": GIB,
}
"""1 GiB of dense anonymous memory on base pages."""

SPARSE: Values = {
    "rss_bytes": 16 * MIB,
    "resident_memory_bytes": 16 * MIB,
    "anon_bytes": 16 * MIB,
    "anon_base_bytes": 16 * MIB,
    "slotted_anon_bytes": 16 * MIB,
    "slot_bytes": 8 * GIB,
    "huge_page_growth_bytes": 8 * GIB - 16 * MIB,
}
"""8 GiB mapped, one base page touched in each PMD slot."""

POOL_USER: Values = {
    "resident_memory_bytes": 512 * MIB,
    "hugetlb_bytes": 512 * MIB,
    "hugetlb_mapped_bytes": 512 * MIB,
    "hugetlb_page_bytes": PMD,
}
"""512 MiB in PMD-size hugetlb pages, filled."""

GUEST: Values = {
    **LARGE,
    "is_vmm": True,
    "application_id": "qemu",
    "guest_ram_bytes": GIB,
}
"""A guest with 1 GiB on base pages."""

BEYOND: Values = {
    "resident_memory_bytes": 40 * GIB,
    "memory_to_pmd_reach": 13.3,
}
"""More than PMD pages reach."""

SHARED: Values = {
    "shmem_mapped_bytes": 8 * GIB,
    "shared_object_bytes": 8 * GIB,
    "sharing_processes": 300,
    "sharing_page_table_bytes": 3 * GIB,
}
"""One of 300 processes over 8 GiB of shared memory."""


class Example(NamedTuple):
    """Values in which a firing row and its near misses differ from QUIET, and the exact message."""

    fires: Values
    message: str
    near_misses: list[Values]


def frame(*rows: Values) -> pl.DataFrame:
    """A feature frame with these values, all other columns null."""
    return pl.DataFrame(list(rows), schema=SCHEMA)
