"""The host's hugetlb pools: what is in use, what the advice adds, and whether the host has room for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from advisor.recommendation.model import PoolPlan, ProcessAdvice
from advisor.recommendation.sizing import moved_bytes
from advisor.rules import Policy

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""

KEEP_AVAILABLE_SHARE = 0.1
"""Share of MemTotal. Source: the rules' threshold for tight memory. Reason: a plan must not make the host
tight."""


class Demand(NamedTuple):
    """Pool pages that one process's advice asks for in addition to what pools hold for it already.

    moved_bytes: its resident memory that leaves ordinary memory for the pool.
    """

    pid: int
    page_bytes: int
    pages: int
    moved_bytes: int
    at_stake_bytes: int

    @property
    def bytes(self) -> int:
        """Size of these pages."""
        return self.pages * self.page_bytes


def new_demands(rows: Sequence[Row], advice: Sequence[ProcessAdvice]) -> list[Demand]:
    """New pool pages that the advice asks for, highest stake first; a shared object counts at its leader.

    Of a shared object at least as much is resident as any one process that maps it has touched.
    """
    asking = [entry for entry in _pool_advice(rows, advice) if not _uses_already(entry[0], entry[2])]
    moved: dict[Any, int] = {}
    for row, one, _, _ in asking:
        key = _demand_key(row)
        moved[key] = max(moved.get(key, 0), moved_bytes(row, one.recommendation))
    demands = [
        Demand(row["pid"], page, pages, moved[_demand_key(row)], one.at_stake_bytes)
        for row, one, page, pages in asking
        if row["sharing_leader"] is not False
    ]
    return sorted(demands, key=lambda demand: (-demand.at_stake_bytes, demand.pid))


def shared_object(row: Row) -> tuple[int | None, int | None]:
    """What tells a process's largest shared object apart: how many map it, and their page tables together."""
    return row["sharing_processes"], row["sharing_page_table_bytes"]


def _demand_key(row: Row) -> Any:
    """The shared object that a demand is for, or the process itself."""
    return row["pid"] if row["sharing_leader"] is None else shared_object(row)


def without_room(host: Row, demands: Iterable[Demand]) -> list[Demand]:
    """The demands that do not fit: taken in order, the rest of the host keeps KEEP_AVAILABLE_SHARE of its
    memory.

    Unused pages of the pool count as room. Unknown available memory refuses nothing: the rules have said so.
    """
    available, total = host["host_memory_available_bytes"], host["host_memory_total_bytes"]
    if available is None or total is None:
        return []
    room = available - KEEP_AVAILABLE_SHARE * total + (host["host_pool_unused_bytes"] or 0)
    refused = []
    for demand in demands:
        cost = demand.bytes - demand.moved_bytes
        if cost > room:
            refused.append(demand)
        else:
            room -= cost
    return refused


def plan_pools(
    host: Row, rows: Sequence[Row], advice: Sequence[ProcessAdvice], host_rules: Collection[str]
) -> list[PoolPlan]:
    """The pools as they should be, smallest page first: pages in use or reserved, plus new demand.

    A pool is made smaller only where the rule pool-pages-unused matches. Pools without pages are left out.
    """
    demands = new_demands(rows, advice)
    sizes = {demand.page_bytes for demand in demands} | _sizes_in_use(host, rows)
    plans = [_plan_pool(size, host, rows, advice, demands, host_rules) for size in sorted(sizes)]
    return [plan for plan in plans if plan.pages or plan.current_pages]


def _plan_pool(
    size: int,
    host: Row,
    rows: Sequence[Row],
    advice: Sequence[ProcessAdvice],
    demands: Sequence[Demand],
    host_rules: Collection[str],
) -> PoolPlan:
    current = _host_count(host, size, "total")
    pages = in_use(host, rows, size) + sum(demand.pages for demand in demands if demand.page_bytes == size)
    if current is not None and "pool-pages-unused" not in host_rules:
        pages = max(pages, current)
    pids = {row["pid"] for row, _, page, _ in _pool_advice(rows, advice) if page == size}
    pids |= {row["pid"] for row in rows if _uses_already(row, size)}
    when = _when(host, size, pages - (current or 0), host_rules)
    return PoolPlan(size, None, pages, current, when, sorted(pids))


def in_use(host: Row, rows: Sequence[Row], size: int) -> int:
    """Pages of this size that are spoken for: the host's own count, or what processes map where that is more.

    The host counts pages in use and reserved, so shared ones once; mappings without reservation show only in
    the sum over processes, which takes a shared object at its leader only.
    """
    total, unused = _host_count(host, size, "total"), _host_count(host, size, "unused_pages")
    counted = total - unused if total is not None and unused is not None else 0
    mapped: int = sum(
        -(-row["hugetlb_mapped_bytes"] // size)
        for row in rows
        if _uses_already(row, size) and row["hugetlb_sharing_leader"] is not False
    )
    return max(counted, mapped)


def _pool_advice(
    rows: Sequence[Row], advice: Sequence[ProcessAdvice]
) -> Iterable[tuple[Row, ProcessAdvice, int, int]]:
    """Rows advised to use a pool whose size can be computed, with page size and pages."""
    for row, one in zip(rows, advice, strict=True):
        page, pages = one.recommendation.page_bytes, one.recommendation.pages
        if one.recommendation.policy == Policy.HUGETLB and page and pages:
            yield row, one, page, pages


def _uses_already(row: Row, size: int) -> bool:
    return bool(row["hugetlb_mapped_bytes"]) and row["hugetlb_page_bytes"] == size


def _sizes_in_use(host: Row, rows: Sequence[Row]) -> set[int]:
    sizes = {host["host_pmd_bytes"], host["host_pool_gigantic_page_bytes"]}
    sizes |= {row["hugetlb_page_bytes"] for row in rows}
    return {size for size in sizes if size}


def _host_count(host: Row, size: int, what: str) -> int | None:
    """A count of the host's pool of this page size; None where the feature table has no column for it."""
    names = {host["host_pool_gigantic_page_bytes"]: "gigantic", host["host_pmd_bytes"]: "pmd"}
    name = names.get(size)
    value = host[f"host_pool_{name}_{what}"] if name is not None else None
    return None if value is None else int(value)


def _when(host: Row, size: int, missing: int, host_rules: Collection[str]) -> str:
    """runtime where the pages can be formed on the running host, else boot.

    Smaller pages can be compacted together unless memory is fragmented; pages beyond the buddy allocator
    cannot.
    """
    if missing <= 0:
        return "runtime"
    if size == host["host_pmd_bytes"]:
        supply = host["host_pmd_supply_pages"]
        short = supply is not None and supply < missing
        return "boot" if short and "memory-fragmented" in host_rules else "runtime"
    supply = host["host_gigantic_supply_pages"] if size == host["host_pool_gigantic_page_bytes"] else None
    return "runtime" if supply is not None and supply >= missing else "boot"
