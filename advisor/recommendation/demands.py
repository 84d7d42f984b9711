"""Pages that the advice asks of the pools: by process, by node, and whether the host has room for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from advisor.procfs.text import node_list
from advisor.recommendation.model import ProcessAdvice
from advisor.recommendation.pool_state import HostNow
from advisor.rules import Policy

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""

KEEP_AVAILABLE_SHARE = 0.1
"""Share of MemTotal. Source: the rules' threshold for tight memory. Reason: a plan must not make the host
tight."""


class Demand(NamedTuple):
    """Pool pages that one process's advice asks for in addition to what pools hold for it already.

    moved_bytes: its resident memory that leaves ordinary memory for the pool. nodes: those that the pages must come
    from, empty where any will do. pids: it and those that share the memory. why: how the pages were counted.
    """

    pid: int
    page_bytes: int
    pages: int
    moved_bytes: int
    at_stake_bytes: int
    nodes: tuple[int, ...] = ()
    pids: tuple[int, ...] = ()
    why: str | None = None

    @property
    def bytes(self) -> int:
        """Size of these pages."""
        return self.pages * self.page_bytes


def new_demands(rows: Sequence[Row], advice: Sequence[ProcessAdvice]) -> list[Demand]:
    """New pool pages that the advice asks for, highest stake first; a shared object counts at its leader.

    Of a shared object at least as much is resident as any one process that maps it has touched.
    """
    leading: list[tuple[Any, Row, ProcessAdvice, int, int]] = []
    moved: dict[Any, int] = {}
    sharers: dict[Any, list[int]] = {}
    for row, one, page, pages in pool_advice(rows, advice):
        if uses_already(row, page):
            continue
        leads = row["sharing_leader"]
        key = one.pid if leads is None else shared_object(row)
        moved[key] = max(moved.get(key, 0), one.moved_bytes)
        sharers.setdefault(key, []).append(one.pid)
        if leads is not False:
            leading.append((key, row, one, page, pages))
    demands = [
        Demand(
            pid=one.pid,
            page_bytes=page,
            pages=pages,
            moved_bytes=moved[key],
            at_stake_bytes=one.at_stake_bytes,
            nodes=bound_nodes(row),
            pids=tuple(sharers[key]),
            why=one.recommendation.pages_basis,
        )
        for key, row, one, page, pages in leading
    ]
    return sorted(demands, key=lambda demand: (-demand.at_stake_bytes, demand.pid))


def shared_object(row: Row) -> tuple[int | None, int | None]:
    """What tells a process's largest shared object apart: how many map it, and their page tables together."""
    return row["sharing_processes"], row["sharing_page_table_bytes"]


def bound_nodes(row: Row) -> tuple[int, ...]:
    """NUMA nodes that a process's memory must come from; empty where it may use all."""
    bound = row["numa_nodes"]
    try:
        return tuple(node_list(bound)) if bound else ()
    except ValueError:
        return ()


def pool_advice(
    rows: Sequence[Row], advice: Sequence[ProcessAdvice]
) -> Iterable[tuple[Row, ProcessAdvice, int, int]]:
    """Rows advised to use a pool whose size can be computed, with page size and pages."""
    for row, one in zip(rows, advice, strict=True):
        page, pages = one.recommendation.page_bytes, one.recommendation.pages
        if one.recommendation.policy == Policy.HUGETLB and page and pages:
            yield row, one, page, pages


def uses_already(row: Row, size: int) -> bool:
    """Whether the process maps pages of this size from a pool."""
    return bool(row["hugetlb_mapped_bytes"]) and row["hugetlb_page_bytes"] == size


def without_room(host: Row, demands: Iterable[Demand], now: HostNow, held_bytes: int = 0) -> list[Demand]:
    """The demands that do not fit: taken in order, the rest of the host keeps KEEP_AVAILABLE_SHARE of its memory,
    and so does every node that a demand is bound to.

    Unused pages of the pool count as room, less held_bytes that somebody else wants. Unknown available memory refuses
    nothing: the rules have said so.
    """
    available, total = host["host_memory_available_bytes"], host["host_memory_total_bytes"]
    if available is None or total is None:
        return []
    room = available - KEEP_AVAILABLE_SHARE * total + (host["host_pool_unused_bytes"] or 0) - held_bytes
    held = spread(held_bytes, list(now.nodes))
    rooms = {node: _room_of_node(now, node) - held[node] for node in now.nodes}
    refused = []
    for demand in demands:
        cost = demand.bytes - demand.moved_bytes
        on_nodes = [rooms[node] for node in demand.nodes if rooms.get(node) is not None]
        if cost > room or (len(on_nodes) == len(demand.nodes) > 0 and cost > sum(on_nodes)):
            refused.append(demand)
            continue
        room -= cost
        for node, share in spread(cost, [node for node in demand.nodes if node in rooms]).items():
            rooms[node] = rooms[node] - share
    return refused


def _room_of_node(now: HostNow, node: int) -> float:
    """Bytes that pools may take of a node: what is available, less what it keeps, and its unused pool pages."""
    here = now.nodes[node]
    if here.available_bytes is None or here.total_bytes is None:
        return float("inf")
    unused = sum(pool.free * size for size, pool in here.pools.items())
    return here.available_bytes - KEEP_AVAILABLE_SHARE * here.total_bytes + unused


def spread(amount: int, nodes: Sequence[int]) -> dict[int, int]:
    """An amount in equal parts over nodes, what is left over on the first ones, as the kernel's round robin does."""
    if not nodes:
        return {}
    part, rest = divmod(amount, len(nodes))
    return {node: part + (place < rest) for place, node in enumerate(sorted(nodes))}
