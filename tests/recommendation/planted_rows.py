"""Feature rows of six programs as they look on a 24 GiB x86 host with two CPUs and THP mode madvise."""

from __future__ import annotations

from advisor.units import GIB, MIB
from tests.rules.rows import PMD, QUIET, Values

PROGRAM: Values = {
    **QUIET,
    "rss_bytes": 12 * MIB,
    "file_rss_bytes": 6 * MIB,
    "shmem_rss_bytes": 0,
    "slot_bytes": 0,
    "cpu_cores": 1.0,
    "system_cores": 0.0,
    "children_cores": 0.0,
    "heap_bytes": 0,
    "minor_faults_per_s": 0.0,
    "age_s": 40.0,
    "name": "python3",
    "executable": "python3.11",
    "allocator": "glibc",
    "cgroup": "/user.slice/user-1000.slice/session-2.scope",
    "page_table_bytes": MIB,
    "hugetlb_page_bytes": None,
}
"""The interpreter around each planted mapping: 6 MiB of its own anonymous memory, 6 MiB of files."""

OWN_ANON = 6 * MIB


def program(pid: int, **values: object) -> Values:
    """A planted program; the sums of sizes follow from its anonymous, huge and hugetlb bytes."""
    row: Values = {**PROGRAM, "pid": pid, "start_ticks": 1000 + pid, **values}
    row["anon_bytes"] = row["anon_bytes"] or OWN_ANON
    row["anon_base_bytes"] = row["anon_bytes"] - row["anon_huge_bytes"]
    row["anon_huge_coverage"] = row["anon_huge_bytes"] / row["anon_bytes"]
    row["rss_bytes"] = row["anon_bytes"] + row["file_rss_bytes"] + row["shmem_rss_bytes"]
    row["resident_memory_bytes"] = row["rss_bytes"] + row["hugetlb_bytes"]
    touched = row["anon_bytes"] + row["shmem_rss_bytes"] + row["hugetlb_bytes"]
    row["memory_to_pmd_reach"] = touched / row["tlb_reach_pmd_bytes"]
    return row


RANDOM_ACCESS = program(
    101,
    anon_bytes=GIB + OWN_ANON,
    slotted_anon_bytes=GIB,
    slot_bytes=GIB,
    page_table_bytes=2 * MIB + 200 * 1024,
)
ADVISED = program(
    102,
    anon_bytes=GIB + OWN_ANON,
    anon_huge_bytes=GIB,
    slotted_anon_bytes=GIB,
    slot_bytes=GIB,
    advised_bytes=GIB,
    advised_anon_rss_bytes=GIB,
    thp_eligible_anon_rss_bytes=GIB,
)
POOL_USER = program(
    103,
    hugetlb_bytes=512 * MIB,
    hugetlb_mapped_bytes=512 * MIB,
    hugetlb_page_bytes=PMD,
    cpu_cores=0.0,
)
SPARSE = program(
    104,
    anon_bytes=16 * MIB + OWN_ANON,
    slotted_anon_bytes=16 * MIB,
    slot_bytes=8 * GIB,
    huge_page_growth_bytes=8 * GIB - 16 * MIB,
    page_table_bytes=17 * MIB,
    cpu_cores=0.0,
)
DISABLED = program(
    105, anon_bytes=600 * MIB, slotted_anon_bytes=594 * MIB, slot_bytes=594 * MIB, thp_disabled_by_process=True
)
TINY = program(106, anon_bytes=3 * MIB, file_rss_bytes=5 * MIB, cpu_cores=0.0)

PLANTED_POOL: Values = {
    "host_pool_pmd_total": 256,
    "host_pool_bytes": 512 * MIB,
    "host_memory_available_bytes": 18 * GIB,
}
"""The pool of 256 pages that the pool user fills."""

PLANTED = [{**row, **PLANTED_POOL} for row in (RANDOM_ACCESS, ADVISED, POOL_USER, SPARSE, DISABLED, TINY)]
