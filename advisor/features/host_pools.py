"""The host's hugetlb pools: of the PMD size, of the next larger size, and all together."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.features.declare import Feature, Value, byte_count, count
from advisor.procfs.facts import HugetlbPool

POOL = "sysfs: hugepages/hugepages-<size>kB/"
NO_POOL = "the host has no pool of this size, or it could not be read"
NO_POOLS = "the pools could not be read"


def _pool_features(prefix: str, size: str) -> tuple[Feature, ...]:
    """The columns that both pools have."""
    return (
        count(
            f"{prefix}_total",
            f"Pages in the pool of {size}, surplus included.",
            f"{POOL}nr_hugepages",
            NO_POOL,
            "host",
        ),
        count(
            f"{prefix}_free",
            "Of these, free pages, reserved ones included.",
            f"{POOL}free_hugepages",
            NO_POOL,
            "host",
        ),
        count(
            f"{prefix}_reserved",
            "Free pages already promised to a mapping.",
            f"{POOL}resv_hugepages",
            NO_POOL,
            "host",
        ),
        count(
            f"{prefix}_unused_pages",
            "Free pages that nobody was promised: dead memory for all others.",
            "free - reserved",
            NO_POOL,
            "host",
        ),
    )


FEATURES = (
    *_pool_features("host_pool_pmd", "the PMD page size"),
    count(
        "host_pool_pmd_surplus",
        "Pages beyond the pool's fixed size.",
        f"{POOL}surplus_hugepages",
        NO_POOL,
        "host",
    ),
    count(
        "host_pool_pmd_overcommit",
        "How many surplus pages it may take on demand.",
        f"{POOL}nr_overcommit_hugepages",
        NO_POOL,
        "host",
    ),
    byte_count(
        "host_pool_gigantic_page_bytes",
        "The smallest pool page size above the PMD page.",
        "sysfs: the folders in hugepages/",
        "no larger size here, the pools could not be read, or the PMD size is unknown",
        "host",
    ),
    *_pool_features("host_pool_gigantic", "host_pool_gigantic_page_bytes"),
    byte_count("host_pool_bytes", "Memory in the pools of all sizes.", f"{POOL}nr_hugepages", NO_POOLS, "host"),
    byte_count(
        "host_pool_unused_bytes",
        "Pool memory of all sizes that is free and promised to nobody.",
        f"{POOL}free_hugepages - resv_hugepages",
        NO_POOLS,
        "host",
    ),
)


def host_values(pools: Sequence[HugetlbPool] | None, pmd_bytes: int | None) -> dict[str, Value]:
    """This theme's columns; pools None is unread. Pools of single nodes are part of the host-wide ones."""
    whole = {pool.page_bytes: pool for pool in pools or () if pool.node is None}
    larger = min((size for size in whole if pmd_bytes is not None and size > pmd_bytes), default=None)
    pmd = whole.get(pmd_bytes) if pmd_bytes is not None else None
    return {
        **_pool_values("host_pool_pmd", pmd),
        "host_pool_pmd_surplus": pmd.surplus if pmd is not None else None,
        "host_pool_pmd_overcommit": pmd.overcommit if pmd is not None else None,
        "host_pool_gigantic_page_bytes": larger,
        **_pool_values("host_pool_gigantic", whole.get(larger) if larger is not None else None),
        "host_pool_bytes": _sum([pool.total * size for size, pool in whole.items()], pools),
        "host_pool_unused_bytes": _sum(
            [unused * size if (unused := unused_pages(pool)) is not None else None for size, pool in whole.items()],
            pools,
        ),
    }


def unused_pages(pool: HugetlbPool) -> int | None:
    """Free pages that are not reserved (reserved pages are inside free); None where reservations are unknown."""
    return pool.free - pool.reserved if pool.reserved is not None else None


def _pool_values(prefix: str, pool: HugetlbPool | None) -> dict[str, Value]:
    return {
        f"{prefix}_total": pool.total if pool is not None else None,
        f"{prefix}_free": pool.free if pool is not None else None,
        f"{prefix}_reserved": pool.reserved if pool is not None else None,
        f"{prefix}_unused_pages": unused_pages(pool) if pool is not None else None,
    }


def _sum(parts: Sequence[int | None], pools: Sequence[HugetlbPool] | None) -> int | None:
    """The sum, unknown where the pools or one part are."""
    known = [part for part in parts if part is not None]
    return sum(known) if pools is not None and len(known) == len(parts) else None
