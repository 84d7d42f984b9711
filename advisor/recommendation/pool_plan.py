"""The host's hugetlb pools as they should be: what is in use, what the advice adds, a stated headroom, by node."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from advisor.recommendation.demands import Demand, pool_advice, spread, uses_already
from advisor.recommendation.model import PoolPlan, PoolTerm, ProcessAdvice
from advisor.recommendation.pool_state import HostNow, PoolNow
from advisor.recommendation.pool_terms import Part, advised_terms, asked_terms
from advisor.recommendation.wishes import NO_WISHES

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""


def plan_pools(
    rows: Sequence[Row],
    advice: Sequence[ProcessAdvice],
    demands: Sequence[Demand],
    host_rules: Collection[str],
    now: HostNow,
    wanted: Mapping[int, int] = NO_WISHES.pools,
) -> list[PoolPlan]:
    """The pools as they should be, smallest page first: pages in use or reserved, new demand, and headroom.

    A pool is made smaller only where the rule pool-pages-unused matches, or it was asked for. Pools without pages are
    left out. By node where somebody's memory is bound to nodes, else over all nodes, where the kernel spreads them
    evenly. wanted: pages in all that somebody asks for, by page size; new demand fits into them.
    """
    sizes = {demand.page_bytes for demand in demands} | set(now.pools) | set(wanted)
    sizes |= {size for row in rows if (size := row["hugetlb_page_bytes"])}
    users = [row for row in rows if row["hugetlb_mapped_bytes"]]
    served = _served(rows, advice)
    plans = []
    for size in sorted(sizes):
        parts = _parts(size, users, [demand for demand in demands if demand.page_bytes == size], now)
        if size in wanted:
            terms = asked_terms(size, parts, wanted[size])
        else:
            may_shrink = "pool-pages-unused" in host_rules
            terms = [advised_terms(size, part, may_shrink=may_shrink) for part in parts]
        plans += [
            _plan(rows[0], size, part, host_rules, served.get(size, []), of_part)
            for part, of_part in zip(parts, terms, strict=True)
        ]
    return [plan for plan in plans if plan.pages or plan.current_pages]


def _served(rows: Sequence[Row], advice: Sequence[ProcessAdvice]) -> dict[int, list[int]]:
    """By page size, the processes that map its pages or are advised to."""
    found: dict[int, set[int]] = {}
    for _, one, page, _ in pool_advice(rows, advice):
        found.setdefault(page, set()).add(one.pid)
    for row in rows:
        if row["hugetlb_mapped_bytes"]:
            found.setdefault(row["hugetlb_page_bytes"], set()).add(row["pid"])
    return {page: sorted(pids) for page, pids in found.items()}


def in_use(now: HostNow, rows: Sequence[Row], size: int) -> int:
    """Pages of this size that are spoken for: the host's own count, or what processes map where that is more.

    The host counts pages in use and reserved, so shared ones once; mappings without reservation show only in
    the sum over processes, which takes a shared object at its leader only.
    """
    counted = now.pools[size].in_use if size in now.pools else 0
    mapped: int = sum(
        -(-row["hugetlb_mapped_bytes"] // size)
        for row in rows
        if uses_already(row, size) and row["hugetlb_sharing_leader"] is not False
    )
    return max(counted, mapped)


def copies_after_fork(rows: Sequence[Row], size: int) -> int:
    """Pages that processes share since a fork and copy when one of them writes; nobody has reserved these.

    A page that n processes share shows in each of them and costs n - 1 copies at most.
    """
    shared = [row["hugetlb_copied_on_write_bytes"] or 0 for row in rows if uses_already(row, size)]
    return (sum(shared) - max(shared)) // size if shared else 0


def _parts(size: int, rows: Sequence[Row], demands: Sequence[Demand], now: HostNow) -> list[Part]:
    """One for the host; or, where a demand is bound to nodes, one for each node."""
    whole = now.pools.get(size, PoolNow(None, None))
    spoken_for, copies = in_use(now, rows, size), copies_after_fork(rows, size)
    if not (now.has_nodes and any(demand.nodes for demand in demands)):
        return [Part(None, whole, spoken_for, [(demand, demand.pages) for demand in demands], copies)]
    here = {node: state.pools[size] for node, state in now.nodes.items() if size in state.pools}
    used = {node: pool.total - pool.free for node, pool in here.items()}
    free = {node: pool.free for node, pool in here.items()}
    reserved = _reserved_by_node(max(spoken_for - sum(used.values()), 0), free)
    shares = [(demand, spread(demand.pages, _nodes_for(demand, now))) for demand in demands]
    shared_copies = spread(copies, list(now.nodes))
    return [
        Part(
            node,
            _of_node(now, node, size, reserved.get(node, 0)),
            used.get(node, 0) + reserved.get(node, 0),
            [(demand, share[node]) for demand, share in shares if share.get(node)],
            shared_copies[node],
        )
        for node in now.nodes
    ]


def _nodes_for(demand: Demand, now: HostNow) -> list[int]:
    """The nodes whose pages serve a demand; all of them where it is bound to none that has memory."""
    return [node for node in demand.nodes if node in now.nodes] or list(now.nodes)


def _reserved_by_node(reserved: int, free: Mapping[int, int]) -> dict[int, int]:
    """Reserved pages, where they are likely to be taken, as the kernel counts them host-wide: where most is free."""
    found = dict.fromkeys(free, 0)
    for node in sorted(free, key=lambda node: (-free[node], node)):
        found[node] = min(free[node], reserved)
        reserved -= found[node]
    if reserved and found:
        found[min(found)] += reserved
    return found


def _of_node(now: HostNow, node: int, size: int, reserved: int) -> PoolNow:
    pool = now.nodes[node].pools.get(size)
    return (
        PoolNow(None, None)
        if pool is None
        else PoolNow(pool.total, pool.free - reserved, min(pool.surplus, pool.total))
    )


def _plan(
    host: Row, size: int, part: Part, host_rules: Collection[str], pids: list[int], terms: list[PoolTerm]
) -> PoolPlan:
    current, pages = part.now.total, sum(term.pages for term in terms)
    missing = pages - (current or 0)
    when = _when(host, size, missing, host_rules)
    compact = when == "runtime" and _needs_compaction(host, size, missing)
    return PoolPlan(size, part.node, pages, current, when, pids, part.now.surplus, terms, compact)


def _needs_compaction(host: Row, size: int, missing: int) -> bool:
    """Gigantic pages are no matter of it: the kernel empties the range that it gives."""
    supply = host["host_pmd_supply_pages"]
    return size == host["host_pmd_bytes"] and supply is not None and missing > supply


def _when(host: Row, size: int, missing: int, host_rules: Collection[str]) -> str:
    """runtime where the pages can be formed on the running host, else boot.

    Smaller pages can be compacted together: as many as a look at all blocks of memory found, or, without one, any
    number unless memory is fragmented. Pages beyond the buddy allocator cannot.
    """
    if missing <= 0:
        return "runtime"
    if size == host["host_pmd_bytes"]:
        supply, compacted = host["host_pmd_supply_pages"], host["host_pmd_supply_compacted_pages"]
        if compacted is not None:
            return "runtime" if compacted >= missing else "boot"
        short = supply is not None and supply < missing
        return "boot" if short and "memory-fragmented" in host_rules else "runtime"
    supply = host["host_gigantic_supply_pages"] if size == host["host_pool_gigantic_page_bytes"] else None
    return "runtime" if supply is not None and supply >= missing else "boot"
