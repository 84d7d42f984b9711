"""Examples of the rules on shared memory, pools, virtual machines and gigantic pages."""

from __future__ import annotations

from advisor.units import GIB, MIB
from tests.rules.rows import BEYOND, GUEST, LARGE, POOL_USER, SHARED, Example

SHARED_MEMORY = {
    "shared-memory-heavy-page-tables": Example(
        {**SHARED},
        "300 processes map the same 8 GiB and spend 3 GiB on page tables for it and their own memory.",
        [
            {**SHARED, "sharing_processes": 7},
            {**SHARED, "sharing_page_table_bytes": 400 * MIB},
            {**SHARED, "shared_object_bytes": 255 * MIB},
        ],
    ),
    "shmem-huge-pages-off": Example(
        {"shmem_base_bytes": 2 * GIB},
        "2 GiB of shared memory is on base pages; shmem_enabled is never.",
        [{"shmem_base_bytes": 127 * MIB}, {"shmem_base_bytes": 2 * GIB, "host_shmem_enabled": "advise"}],
    ),
    "shmem-already-huge": Example(
        {"shmem_huge_bytes": 2 * GIB, "shmem_huge_coverage": 0.95},
        "2 GiB of shared memory, 95 % of it, is PMD-mapped.",
        [{"shmem_huge_bytes": 2 * GIB, "shmem_huge_coverage": 0.7}],
    ),
}

POOLS = {
    "hugetlb-right-sized": Example(
        {**POOL_USER},
        "512 MiB of 512 MiB mapped are resident in hugetlb pages of 2 MiB.",
        [{**POOL_USER, "hugetlb_mapped_bytes": GIB}, {}],
    ),
    "hugetlb-mostly-untouched": Example(
        {**POOL_USER, "hugetlb_mapped_bytes": 2 * GIB},
        "Only 512 MiB of 2 GiB mapped hugetlb memory is resident: the rest is reserved for it.",
        [{**POOL_USER}, {"hugetlb_bytes": 2 * MIB, "hugetlb_mapped_bytes": 62 * MIB}],
    ),
    "pool-short": Example(
        {**POOL_USER, "hugetlb_mapped_bytes": GIB},
        "1 GiB are mapped and 512 MiB resident, but the pool has 0 unused and 0 reserved pages: touching "
        "the rest ends in SIGBUS.",
        [
            {**POOL_USER, "hugetlb_mapped_bytes": GIB, "host_pool_pmd_reserved": 256},
            {**POOL_USER, "hugetlb_mapped_bytes": GIB, "host_pool_pmd_unused_pages": 1},
            {**POOL_USER, "hugetlb_mapped_bytes": GIB, "hugetlb_sharing_processes": 46},
            {**POOL_USER},
        ],
    ),
    "gigantic-pool-short": Example(
        {"hugetlb_bytes": 12 * GIB, "hugetlb_mapped_bytes": 16 * GIB, "hugetlb_page_bytes": GIB},
        "16 GiB are mapped and 12 GiB resident in pages of 1 GiB, but the pool has 0 unused pages: touching "
        "the rest ends in SIGBUS.",
        [
            {**POOL_USER, "hugetlb_mapped_bytes": GIB},
            {
                "hugetlb_bytes": 12 * GIB,
                "hugetlb_mapped_bytes": 16 * GIB,
                "hugetlb_page_bytes": GIB,
                "host_pool_gigantic_reserved": 4,
            },
        ],
    ),
    "pool-pages-unused": Example(
        {"host_pool_bytes": 4 * GIB, "host_pool_unused_bytes": 3584 * MIB},
        "3.5 GiB of 4 GiB in hugetlb pools are neither used nor reserved.",
        [
            {"host_pool_bytes": 4 * GIB, "host_pool_unused_bytes": 1000 * MIB},
            {"host_pool_bytes": 64 * MIB, "host_pool_unused_bytes": 60 * MIB},
        ],
    ),
    "pool-missed-by-application": Example(
        {**LARGE, "application_id": "postgresql", "host_pool_unused_bytes": 2 * GIB},
        "postgresql can use hugetlb pages, 2 GiB of pool is unused, and the process has 0 B in it.",
        [
            {**LARGE, "application_id": "redis", "host_pool_unused_bytes": 2 * GIB},
            {**LARGE, "application_id": "postgresql", "host_pool_unused_bytes": 60 * MIB},
            {**LARGE, "host_pool_unused_bytes": 2 * GIB},
        ],
    ),
    "application-can-use-pool": Example(
        {**LARGE, "application_id": "java"},
        "java can put its memory into hugetlb pages; 1 GiB anonymous and 0 B shared memory are candidates.",
        [{**LARGE, "application_id": "python"}, {**LARGE, "application_id": "java", "anon_huge_bytes": MIB}],
    ),
    "no-memory-for-a-pool": Example(
        {**LARGE, "host_memory_available_share": 0.04},
        "Only 4 % of the host's memory is available, too little to set aside for a pool that nobody else can use.",
        [{**LARGE, "host_memory_available_share": 0.1}, {"host_memory_available_share": 0.04}],
    ),
    "hugetlb-without-reservation": Example(
        {**POOL_USER, "hugetlb_noreserve_bytes": GIB, "hugetlb_noreserve_resident_bytes": 512 * MIB},
        "1 GiB are mapped with MAP_NORESERVE and 512 MiB of it touched, more than the pool has unused: a touch that "
        "finds no page of 2 MiB ends in SIGBUS.",
        [
            {
                **POOL_USER,
                "hugetlb_noreserve_bytes": GIB,
                "hugetlb_noreserve_resident_bytes": 512 * MIB,
                "host_pool_pmd_unused_pages": 256,
            },
            {**POOL_USER, "hugetlb_noreserve_bytes": GIB, "hugetlb_noreserve_resident_bytes": GIB},
        ],
    ),
    "private-pool-after-fork": Example(
        {**POOL_USER, "hugetlb_copied_on_write_bytes": 512 * MIB, "host_pool_pmd_unused_pages": 100},
        "512 MiB of private pages of 2 MiB are shared with another process since a fork, more than the pool has "
        "unused: who writes them first needs a copy, and a child that finds none is killed by SIGBUS.",
        [
            {**POOL_USER, "hugetlb_copied_on_write_bytes": 512 * MIB, "host_pool_pmd_unused_pages": 256},
            {**POOL_USER},
        ],
    ),
    "pool-on-overcommit": Example(
        {"host_pool_pmd_surplus": 2000, "host_pool_pmd_total": 2100, "host_pool_pmd_overcommit": 4096},
        "2,000 of 2,100 pages of 2 MiB are surplus (overcommit 4,096): they go back when they are freed, and may not "
        "be found again.",
        [{"host_pool_pmd_total": 2100, "host_pool_pmd_overcommit": 4096}],
    ),
    "no-pool-on-this-host": Example(
        {**LARGE, "host_pool_pmd_total": None},
        "The number of pool pages of 2 MiB is unknown: hugetlb is not built into this kernel, or was not captured.",
        [{**LARGE}, {"host_pool_pmd_total": None}],
    ),
}

VIRTUAL_MACHINES = {
    "guest-memory-on-base-pages": Example(
        {**GUEST},
        "The guest has 1 GiB of RAM; of 1 GiB resident, 1 GiB anonymous and 0 B shared memory is on base pages.",
        [
            {**GUEST, "is_vmm": False},
            {**GUEST, "anon_base_bytes": 400 * MIB},
            {**GUEST, "guest_ram_bytes": 511 * MIB},
            {**GUEST, "hugetlb_bytes": GIB},
        ],
    ),
    "guest-memory-beyond-pmd-reach": Example(
        {**GUEST, **BEYOND, "anon_base_bytes": 40 * GIB, "guest_ram_bytes": 40 * GIB},
        "The guest's 40 GiB are on base pages and 13.3 times what the TLB reaches with PMD pages; with "
        "pages of 1 GiB it reaches 16 GiB.",
        [
            {**GUEST},
            {
                **GUEST,
                **BEYOND,
                "anon_base_bytes": 40 * GIB,
                "guest_ram_bytes": 40 * GIB,
                "application_id": "firecracker",
            },
        ],
    ),
    "guest-memory-on-hugetlb": Example(
        {**POOL_USER, "is_vmm": True, "guest_ram_bytes": 512 * MIB},
        "512 MiB of the guest's 512 MiB are in hugetlb pages of 2 MiB.",
        [
            {**POOL_USER, "guest_ram_bytes": 512 * MIB},
            {**POOL_USER, "is_vmm": True, "guest_ram_bytes": GIB},
        ],
    ),
}

GIGANTIC = {
    "gigantic-worth-considering": Example(
        {**BEYOND, "application_id": "java"},
        "40 GiB is 13.3 times what the TLB reaches with PMD pages (3 GiB); pages of 1 GiB reach 16 GiB.",
        [
            {**BEYOND},
            {**BEYOND, "application_id": "mysql", "hugetlb_bytes": 40 * GIB},
            {**BEYOND, "application_id": "java", "memory_to_pmd_reach": 1.9},
            {**BEYOND, "application_id": "java", "tlb_reach_gigantic_bytes": 2 * GIB},
        ],
    ),
    "gigantic-not-needed": Example(
        {"resident_memory_bytes": 2 * GIB, "memory_to_pmd_reach": 0.67},
        "2 GiB fits into what the TLB reaches with PMD pages (3 GiB).",
        [{**BEYOND}, {"resident_memory_bytes": 900 * MIB, "memory_to_pmd_reach": 0.3}],
    ),
    "gigantic-not-better-on-this-cpu": Example(
        {**BEYOND, "tlb_reach_gigantic_bytes": 2 * GIB},
        "The TLB reaches 2 GiB with gigantic pages and 3 GiB with PMD pages.",
        [{**BEYOND}, {"resident_memory_bytes": 2 * GIB, "memory_to_pmd_reach": 0.67, "tlb_reach_gigantic_bytes": 1}],
    ),
    "gigantic-not-suppliable-now": Example(
        {**BEYOND, "application_id": "java"},
        "40 GiB would need more pages of 1 GiB than the pool's 0 unused and the 4 that could be formed now.",
        [
            {**BEYOND, "application_id": "java", "host_pool_gigantic_unused_pages": 36},
            {**BEYOND},
        ],
    ),
    "gigantic-few-entries": Example(
        {**BEYOND, "application_id": "java", "host_tlb_first_gigantic_entries": 4},
        "The first level of the TLB has 4 entries for pages of 1 GiB; 40 GiB are more than they reach.",
        [
            {**BEYOND, "application_id": "java", "host_tlb_first_gigantic_entries": 9},
            {**BEYOND, "host_tlb_first_gigantic_entries": 4},
            {
                "resident_memory_bytes": 8 * GIB,
                "memory_to_pmd_reach": 2.7,
                "application_id": "java",
                "host_tlb_first_gigantic_entries": 8,
            },
        ],
    ),
    "gigantic-guest-not-whole": Example(
        {**GUEST, "guest_ram_bytes": 40 * GIB + 512 * MIB},
        "The guest has 40.5 GiB of RAM, no multiple of 1 GiB.",
        [{**GUEST, "guest_ram_bytes": 40 * GIB}, {**GUEST, "guest_ram_bytes": 3 * GIB + 512 * MIB}],
    ),
}
