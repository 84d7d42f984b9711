"""Examples of the rules on what a program's makers say, and on what known programs do by themselves."""

from __future__ import annotations

from advisor.units import GIB, MIB
from tests.rules.rows import LARGE, POOL_USER, Example, Values

ALWAYS: Values = {"host_thp_enabled": "always"}

REDIS: Values = {
    **LARGE,
    "application_id": "redis",
    "application_stance": "self-disables",
    "application_says": "Redis 7.0.15: it switches THP off for itself",
    "application_source": "redis.conf (2020-10)",
}
MONGODB_7: Values = {
    **LARGE,
    "application_id": "mongodb",
    "application_stance": "wants-off",
    "application_says": "MongoDB before 8.0: THP is to be off",
    "application_source": "its manual (2026)",
}
MONGODB_8: Values = {
    **MONGODB_7,
    "application_stance": "wants-on",
    "application_says": "MongoDB 8.0 or later: THP is to be on",
}
MONGODB: Values = {
    **MONGODB_7,
    "application_stance": None,
    "application_says": "MongoDB 8.0 or later: THP is to be on; MongoDB otherwise: THP is to be off",
}
CLICKHOUSE: Values = {
    **LARGE,
    "application_id": "clickhouse",
    "application_stance": "wants-madvise",
    "application_says": "ClickHouse: madvise is advised",
    "application_source": "its tips (2024)",
}
POSTGRESQL: Values = {
    "application_id": "postgresql",
    "application_stance": "avoid-always",
    "application_says": "PostgreSQL 15: transparent ones are discouraged",
    "application_source": "its manual (2018-01-22)",
    "resident_memory_bytes": 2 * GIB,
    "shmem_rss_bytes": 2 * GIB,
    "shmem_base_bytes": 2 * GIB,
}
UCX: Values = {"takes_pool_unasked": "UCX (MPI)", "pool_refusal": "UCX_SYSV_HUGETLB_MODE=n"}

APPLICATIONS: dict[str, Example] = {
    "application-avoids-thp": Example(
        {**REDIS, **ALWAYS, "thp_disabled_by_process": True},
        "THP off is right for it, and is what it has (mode always). Redis 7.0.15: it switches THP off for itself.",
        [{**REDIS, **ALWAYS}, {**LARGE}, {**MONGODB_8}, {**REDIS, "anon_bytes": 60 * MIB}, {**MONGODB}],
    ),
    "application-exposed-to-thp": Example(
        {**MONGODB_7, **ALWAYS},
        "THP is on for it (mode always), and is to be off. MongoDB before 8.0: THP is to be off.",
        [
            {**MONGODB_7, **ALWAYS, "thp_disabled_by_process": True},
            {**MONGODB_7},
            {**MONGODB_8, **ALWAYS},
            {**MONGODB, **ALWAYS},
            {**MONGODB_7, **ALWAYS, "anon_bytes": 60 * MIB},
        ],
    ),
    "application-against-always": Example(
        {**CLICKHOUSE, **ALWAYS},
        "The mode is always. ClickHouse: madvise is advised.",
        [
            {**CLICKHOUSE},
            {**CLICKHOUSE, **ALWAYS, "advised_bytes": GIB},
            {**CLICKHOUSE, **ALWAYS, "thp_disabled_by_process": True},
            {**MONGODB_7, **ALWAYS},
        ],
    ),
    "application-not-to-be-advised": Example(
        {**POSTGRESQL},
        "The mode is madvise. PostgreSQL 15: transparent ones are discouraged.",
        [{**POSTGRESQL, **ALWAYS}, {**CLICKHOUSE, "advised_bytes": GIB}, {**REDIS}, {**LARGE}],
    ),
    "application-wants-thp": Example(
        {**MONGODB_8},
        "1 GiB of anonymous memory could be huge, 0 B is (mode madvise). MongoDB 8.0 or later: THP is to be on.",
        [
            {**MONGODB_8, **ALWAYS},
            {**MONGODB_8, "anon_huge_bytes": GIB},
            {**MONGODB_7},
            {**MONGODB},
        ],
    ),
    "application-keeps-thp": Example(
        {**MONGODB_8, **ALWAYS},
        "The mode is always. MongoDB 8.0 or later: THP is to be on.",
        [{**MONGODB_8}, {**MONGODB_8, **ALWAYS, "thp_disabled_by_process": True}, {**MONGODB_7, **ALWAYS}],
    ),
    "application-version-unknown": Example(
        {**MONGODB},
        "It depends on its version, which its files do not tell. MongoDB 8.0 or later: THP is to be on; "
        "MongoDB otherwise: THP is to be off.",
        [
            {**MONGODB_7},
            {**LARGE, "application_stance": None, "application_says": None, "application_source": None},
            {**MONGODB, "anon_bytes": 60 * MIB},
        ],
    ),
    "application-asks-for-thp": Example(
        {**LARGE, "asks_for_thp": "NumPy", "advised_bytes": 512 * MIB},
        "NumPy in it advises memory for huge pages, 512 MiB now: mode madvise is enough for it (it is madvise).",
        [{**LARGE}, {"asks_for_thp": "NumPy"}],
    ),
    "advised-in-vain": Example(
        {**LARGE, "host_thp_enabled": "never", "advised_anon_rss_bytes": GIB},
        "1 GiB of anonymous memory is advised for huge pages; the mode is never.",
        [
            {**LARGE, "advised_anon_rss_bytes": GIB},
            {**LARGE, "host_thp_enabled": "never", "advised_anon_rss_bytes": 100 * MIB},
        ],
    ),
    "malloc-has-no-tunable": Example(
        {**LARGE, "allocator": "glibc", "malloc_tunable": False},
        "1 GiB could be huge, but its glibc has no glibc.malloc.hugetlb yet (2.35).",
        [
            {**LARGE, "allocator": "glibc", "malloc_tunable": True},
            {**LARGE, "allocator": "glibc", "malloc_tunable": None},
            {"allocator": "glibc", "malloc_tunable": False},
        ],
    ),
    "application-prefers-a-pool": Example(
        {**POSTGRESQL},
        "postgresql is best served by a pool, say its makers; 2 GiB of shared and 0 B of anonymous memory are on "
        "base pages.",
        [
            {**POSTGRESQL, "resident_memory_bytes": 512 * MIB},
            {**POSTGRESQL, "hugetlb_bytes": 2 * GIB},
            {**POSTGRESQL, "shmem_base_bytes": 512 * MIB},
            {**POSTGRESQL, "application_id": "mysql"},
        ],
    ),
    "pool-taken-unasked": Example(
        {**UCX, **POOL_USER},
        "UCX (MPI) holds 512 MiB of a pool; nobody need have told it. To keep it away: UCX_SYSV_HUGETLB_MODE=n.",
        [{**UCX}, {**POOL_USER}],
    ),
    "pool-would-be-taken": Example(
        {**UCX, "host_pool_unused_bytes": GIB},
        "UCX (MPI) takes pool pages at its start where there are any; it holds 0 B, and 1 GiB of pool is unused. To "
        "keep it away: UCX_SYSV_HUGETLB_MODE=n.",
        [{**UCX, **POOL_USER}, {"host_pool_unused_bytes": GIB}],
    ),
}
