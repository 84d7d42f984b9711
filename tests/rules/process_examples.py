"""Examples of the rules on processes and their anonymous memory."""

from __future__ import annotations

from advisor.units import GIB, MIB
from tests.rules.rows import LARGE, POOL_USER, SPARSE, Example

FAULTING = {
    "minor_faults_per_s": 300_000.0,
    "cpu_cores": 1.0,
    "rss_growth_bytes_per_s": 0.0,
    "slot_bytes": 72 * MIB,
    "slotted_anon_bytes": 64 * MIB,
    "populated_density": 0.9,
}

FORKING = {
    "cpu_cores": 0.5,
    "system_cores": 0.48,
    "children_cores": 0.5,
    "minor_faults_per_s": 4_000.0,
    "slotted_anon_bytes": 768 * MIB,
    "anon_bytes": 774 * MIB,
    "populated_density": 0.9,
}

TRIMMING = {
    "allocator": "glibc",
    "cpu_cores": 1.0,
    "system_cores": 0.85,
    "children_cores": 0.0,
    "minor_faults_per_s": 20_000.0,
    "rss_growth_bytes_per_s": 0.0,
    "heap_bytes": 23 * MIB,
    "anon_bytes": 24 * MIB,
}

PROCESS = {
    "small-process": Example(
        {"resident_memory_bytes": 8 * MIB},
        "Only 8 MiB is resident: too little for page walks to matter.",
        [{"resident_memory_bytes": 32 * MIB}],
    ),
    "middle-sized-process": Example(
        {"resident_memory_bytes": 150 * MIB, "anon_bytes": 60 * MIB, "shmem_rss_bytes": MIB},
        "Of 150 MiB resident, only 60 MiB is anonymous and 1 MiB shared memory: too little for a change to pay.",
        [
            {"resident_memory_bytes": 31 * MIB, "anon_bytes": 20 * MIB},
            {"resident_memory_bytes": 150 * MIB, "anon_bytes": 128 * MIB},
            {"resident_memory_bytes": 150 * MIB, "shmem_rss_bytes": 128 * MIB},
            {**POOL_USER},
        ],
    ),
    "cpu-idle-process": Example(
        {**LARGE, "cpu_cores": 0.004},
        "It used 0.004 CPUs while watched: there is no time to gain for its 1 GiB.",
        [{**LARGE, "cpu_cores": 0.01}, {"cpu_cores": 0.0}],
    ),
    "young-process": Example(
        {**LARGE, "age_s": 5.0},
        "It started 5 s ago and may still be filling its 1 GiB.",
        [{**LARGE, "age_s": 30.0}, {"age_s": 5.0}],
    ),
    "faulting-takes-time": Example(
        FAULTING,
        "It faults 300,000 times a second while it uses 1 CPUs, and its memory does not grow as fast: it gives "
        "memory back and takes it anew. A huge page takes the place of many faults.",
        [
            {**FAULTING, "minor_faults_per_s": 90_000.0},
            {**FAULTING, "cpu_cores": 4.0},
            {**FAULTING, "rss_growth_bytes_per_s": 300_000.0 * 4096},
            {**FAULTING, "populated_density": 0.1},
            {**FAULTING, "anon_huge_bytes": 64 * MIB},
            {**FAULTING, "slot_bytes": 0, "slotted_anon_bytes": 0, "peak_rss_bytes": 2 * MIB},
        ],
    ),
    "faulting-sparsely": Example(
        {**FAULTING, "slot_bytes": 256 * MIB, "populated_density": 0.05},
        "It faults 300,000 times a second while it uses 1 CPUs, and fills only 5 % of 256 MiB: a huge page would "
        "zero far more than it saves faults.",
        [
            {**FAULTING, "slot_bytes": 256 * MIB},
            {**FAULTING, "slot_bytes": 0, "populated_density": 0.05},
            {**FAULTING, "slot_bytes": 256 * MIB, "populated_density": 0.05, "minor_faults_per_s": 9_000.0},
        ],
    ),
    "forking-takes-time": Example(
        FORKING,
        "Of 0.5 CPUs it spends 0.48 in the kernel, and children that ended meanwhile used 0.5: each fork copies the "
        "page tables of 768 MiB. A huge page has one entry instead of 512.",
        [
            {**FORKING, "system_cores": 0.2},
            {**FORKING, "children_cores": 0.1},
            {**FORKING, "minor_faults_per_s": 400_000.0},
            {**FORKING, "slotted_anon_bytes": 16 * MIB},
            {**FORKING, "anon_huge_bytes": 760 * MIB},
            {**FORKING, "populated_density": 0.1},
        ],
    ),
    "malloc-returns-memory": Example(
        TRIMMING,
        "It faults 20,000 times a second on 23 MiB of heap and spends 0.85 of 1 CPUs in the kernel: the malloc of "
        "glibc gives free memory back by base pages and gets it again. A heap in a pool gives back whole huge pages "
        "only, which are seldom free.",
        [
            {**TRIMMING, "allocator": "jemalloc"},
            {**TRIMMING, "heap_bytes": MIB},
            {**TRIMMING, "system_cores": 0.1},
            {**TRIMMING, "minor_faults_per_s": 100.0},
            {**TRIMMING, "rss_growth_bytes_per_s": 20_000.0 * 4096},
            {**TRIMMING, "children_cores": 1.0},
        ],
    ),
    "page-tables-heavy": Example(
        {"page_table_bytes": 90 * MIB, "resident_memory_bytes": 2 * GIB},
        "90 MiB of page tables map 2 GiB.",
        [
            {"page_table_bytes": 63 * MIB, "resident_memory_bytes": 2 * GIB},
            {"page_table_bytes": 90 * MIB, "resident_memory_bytes": 40 * GIB},
        ],
    ),
}

ANONYMOUS = {
    "large-anon-host-never": Example(
        {**LARGE, "host_thp_enabled": "never"},
        "1 GiB of anonymous memory could be huge, 0 B is: the host's THP mode is never.",
        [{**LARGE}, {"host_thp_enabled": "never", "anon_bytes": 100 * MIB}],
    ),
    "large-anon-not-advised": Example(
        {**LARGE},
        "1 GiB of anonymous memory could be huge, 0 B is: the host's THP mode is madvise and the process "
        "advises 0 B of it.",
        [
            {**LARGE, "host_thp_enabled": "always"},
            {**LARGE, "advised_anon_rss_bytes": GIB},
            {**LARGE, "anon_huge_bytes": 900 * MIB},
            {**LARGE, "huge_page_growth_bytes": 2 * GIB},
        ],
    ),
    "large-anon-not-collapsed": Example(
        {**LARGE, "host_thp_enabled": "always", "anon_huge_bytes": 200 * MIB},
        "1 GiB of anonymous memory has aligned slots and may be huge (mode always), yet only 200 MiB is.",
        [{**LARGE}, {**LARGE, "host_thp_enabled": "always", "anon_huge_bytes": 900 * MIB}],
    ),
    "partly-populated-memory": Example(
        {**LARGE, "huge_page_growth_bytes": 2 * GIB},
        "1 GiB of anonymous memory could be huge, at the risk of growing by up to 2 GiB.",
        [{**LARGE, "huge_page_growth_bytes": GIB}, {**LARGE, "huge_page_growth_bytes": 4 * GIB}],
    ),
    "thp-already-covers": Example(
        {**LARGE, "anon_huge_bytes": GIB, "anon_huge_coverage": 1.0},
        "1 GiB of anonymous memory, 100 % of it, is on transparent huge pages.",
        [
            {**LARGE, "anon_huge_bytes": 700 * MIB, "anon_huge_coverage": 0.68},
            {"anon_huge_bytes": 32 * MIB, "anon_huge_coverage": 1.0},
        ],
    ),
    "sparse-memory-would-bloat": Example(
        {**SPARSE, "host_thp_enabled": "always"},
        "16 MiB of anonymous memory could grow by up to 8 GiB under THP mode always.",
        [{**SPARSE}, {**SPARSE, "host_thp_enabled": "always", "huge_page_growth_bytes": 255 * MIB}],
    ),
    "sparse-memory-unexposed": Example(
        {**SPARSE},
        "16 MiB of anonymous memory is spread so thinly that huge pages could add 8 GiB; THP mode madvise "
        "does not give it any now, always would.",
        [
            {**SPARSE, "host_memory_total_bytes": 128 * GIB},
            {**SPARSE, "advised_bytes": 8 * GIB},
            {**SPARSE, "host_thp_enabled": "never"},
        ],
    ),
    "sparse-memory-spared": Example(
        {**SPARSE, "host_thp_enabled": "never"},
        "16 MiB of anonymous memory is spread thinly; THP mode never gives it no huge pages, which saves up "
        "to 8 GiB.",
        [{**SPARSE}, {**SPARSE, "host_thp_enabled": "always"}],
    ),
    "growth-exceeds-available": Example(
        {**LARGE, "huge_page_growth_bytes": 3 * GIB, "host_memory_available_bytes": 2 * GIB},
        "Huge pages could add up to 3 GiB; 2 GiB is available.",
        [
            {**LARGE, "huge_page_growth_bytes": 2 * GIB, "host_memory_available_bytes": 2 * GIB},
            {**LARGE, "huge_page_growth_bytes": GIB, "host_memory_available_bytes": 512 * MIB},
        ],
    ),
}

ELIGIBILITY = {
    "thp-disabled-by-process": Example(
        {"anon_bytes": 600 * MIB, "thp_disabled_by_process": True},
        "THP is disabled by the process itself or by who started it (prctl PR_SET_THP_DISABLE); its 600 MiB "
        "of anonymous memory stays on base pages.",
        [
            {"anon_bytes": 600 * MIB},
            {"anon_bytes": 63 * MIB, "thp_disabled_by_process": True},
            {"anon_bytes": 600 * MIB, "thp_disabled_by_process": True, "application_stance": "self-disables"},
        ],
    ),
    "thp-limited-to-advised": Example(
        {**LARGE, "host_thp_enabled": "always", "thp_eligible_anon_rss_bytes": 0},
        "Of 1 GiB with aligned slots only 0 B is eligible under THP mode always, and no switch on the host says why.",
        [
            {**LARGE, "host_thp_enabled": "always", "thp_eligible_anon_rss_bytes": 110 * MIB},
            {**LARGE, "host_thp_enabled": "always", "thp_disabled_by_process": True},
            {**LARGE, "host_thp_enabled": "always", "advised_against_anon_bytes": GIB},
        ],
    ),
    "advised-against-huge-pages": Example(
        {**LARGE, "advised_against_anon_bytes": 700 * MIB},
        "700 MiB of 1 GiB anonymous memory is marked MADV_NOHUGEPAGE by the program.",
        [{**LARGE, "advised_against_anon_bytes": 500 * MIB}],
    ),
    "mappings-too-small": Example(
        {"anon_bytes": 600 * MIB, "unslotted_anon_bytes": 590 * MIB, "anon_vma_count": 3000},
        "590 MiB of 600 MiB anonymous memory is in mappings without one aligned slot of 2 MiB (3,000 "
        "anonymous mappings).",
        [
            {"anon_bytes": 600 * MIB, "unslotted_anon_bytes": 290 * MIB},
            {"anon_bytes": 63 * MIB, "unslotted_anon_bytes": 63 * MIB},
        ],
    ),
    "mappings-misaligned": Example(
        {"anon_bytes": 1200 * MIB, "alignment_loss_bytes": 410 * MIB, "unslotted_anon_bytes": 10 * MIB},
        "Up to 410 MiB of 1.2 GiB anonymous memory lies outside every aligned slot, only 10 MiB of it in "
        "mappings too small for one.",
        [
            {"anon_bytes": 1200 * MIB, "alignment_loss_bytes": 410 * MIB, "unslotted_anon_bytes": 400 * MIB},
            {"anon_bytes": 1700 * MIB, "alignment_loss_bytes": 410 * MIB, "unslotted_anon_bytes": 0},
        ],
    ),
}
