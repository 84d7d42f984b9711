"""Examples of the rules on the host and on limits of what was seen."""

from __future__ import annotations

from advisor.units import GIB, MIB
from tests.rules.rows import SPARSE, Example

HOST_RULES = {
    "memory-tight": Example(
        {"host_memory_available_share": 0.04},
        "4 % of the memory is available.",
        [{"host_memory_available_share": 0.1}],
    ),
    "memory-pressure": Example(
        {"host_memory_pressure_some_avg10": 23.1},
        "Some tasks waited for memory 23.1 % of the last ten seconds.",
        [{"host_memory_pressure_some_avg10": 9.9}],
    ),
    "memory-fragmented": Example(
        {"host_pmd_unusable_index": 0.95, "host_pmd_supply_pages": 40},
        "40 huge pages are free now: the unusable index for pages of 2 MiB is 0.95.",
        [{"host_pmd_unusable_index": 0.79}],
    ),
    "thp-faults-fall-back": Example(
        {"host_thp_fault_fallback_share": 0.375},
        "38 % of the faults that could take a huge page while watching fell back.",
        [{"host_thp_fault_fallback_share": 0.19}],
    ),
    "thp-faults-fell-back-since-boot": Example(
        {"host_thp_fault_fallback_share_since_boot": 0.6},
        "60 % of all faults since boot that could take a huge page fell back.",
        [{"host_thp_fault_fallback_share_since_boot": 0.19}],
    ),
    "khugepaged-starved": Example(
        {"host_khugepaged_pass_s": 64800.0, "host_collapsible_bytes": 40 * GIB},
        "40 GiB could be huge, and one pass over all eligible memory takes khugepaged 18 h at 1.6 MiB/s.",
        [
            {"host_khugepaged_pass_s": 3599.0, "host_collapsible_bytes": 40 * GIB},
            {"host_khugepaged_pass_s": 64800.0, "host_collapsible_bytes": 200 * MIB},
            {"host_khugepaged_pass_s": 64800.0, "host_collapsible_bytes": 40 * GIB, "host_thp_enabled": "never"},
        ],
    ),
    "khugepaged-too-eager": Example(
        {"host_khugepaged_cpu_share": 0.3, "host_khugepaged_scan_sleep_ms": 0.0},
        "khugepaged uses 30 % of one CPU, scanning 4,096 pages every 0 ms.",
        [{"host_khugepaged_cpu_share": 0.049}],
    ),
    "khugepaged-fills-sparse-memory": Example(
        {**SPARSE, "host_thp_enabled": "always"},
        "khugepaged collapses a range with up to 511 empty entries; mode always lets it add up to 8 GiB here.",
        [
            {**SPARSE, "host_thp_enabled": "always", "host_khugepaged_max_ptes_none": 409},
            {**SPARSE},
        ],
    ),
    "defrag-stalls": Example(
        {"host_compact_stalls_per_s": 40.0, "host_thp_defrag": "always"},
        "40 direct compactions a second while defrag is always.",
        [
            {"host_compact_stalls_per_s": 0.9, "host_thp_defrag": "always"},
            {"host_compact_stalls_per_s": 40.0, "host_thp_defrag": "defer"},
        ],
    ),
}

LIMITS = {
    "no-smaps-access": Example(
        {"rss_bytes": GIB, "slot_bytes": None},
        "1 GiB is resident, and its mappings are unknown: eligibility, alignment and advice cannot be judged.",
        [{"rss_bytes": GIB}, {"rss_bytes": MIB, "slot_bytes": None}],
    ),
    "not-privileged": Example(
        {"host_privileged": False},
        "Privileged: no. Processes of other users, and the supply of gigantic pages, are only partly known.",
        [{}],
    ),
    "processes-hidden": Example(
        {"host_hidepid": True, "host_privileged": False},
        "/proc hides processes (hidepid: yes) and the report was made without privileges (privileged: no): others "
        "than those listed may run here.",
        [{"host_hidepid": True}, {"host_privileged": False}],
    ),
    "one-container-only": Example(
        {"host_in_pid_namespace": True},
        "In a PID namespace of its own: yes. The host's other processes are not listed, while memory, pools and THP "
        "settings are those of the whole host.",
        [{}],
    ),
    "one-sample-only": Example(
        {"host_samples": 1},
        "1 sample: rates of faults, CPU use, collapses and stalls are unknown.",
        [{"host_samples": 2}],
    ),
    "window-too-short": Example(
        {"host_samples": 3, "host_duration_s": 2.0},
        "3 samples in 2 s: rare events and khugepaged's rounds may be missed.",
        [{"host_samples": 1, "host_duration_s": 0.0}, {"host_duration_s": 10.0}],
    ),
    "mthp-not-visible": Example(
        {"host_mthp_enabled": True},
        "mTHP enabled: yes. Memory shown as on base pages may be on pages between base and PMD size.",
        [{}],
    ),
    "tlb-geometry-unknown": Example(
        {"tlb_reach_pmd_bytes": None},
        "TLB reach with PMD pages: unknown. Whether gigantic pages would help cannot be told.",
        [{}],
    ),
    "inside-a-guest": Example(
        {"host_virtualized": True},
        "Virtualized: yes. The full gain of huge pages needs them in the hypervisor below, too.",
        [{}],
    ),
    "large-with-unknown-cpu": Example(
        {"resident_memory_bytes": GIB, "cpu_cores": None},
        "It holds 1 GiB; its CPU use is unknown, so what it could gain is not weighed.",
        [{"resident_memory_bytes": GIB}, {"cpu_cores": None}],
    ),
}
