"""The host's pools and nodes as they are: from the host's files where they are given, else from the feature row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from advisor.procfs.facts import HugetlbPool
from advisor.profile.model import HostState

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""

RECLAIMABLE = ("MemFree", "Active(file)", "Inactive(file)", "SReclaimable")
"""Lines of a node's meminfo that add up to what could be had there; the kernel prints no MemAvailable by node.
Source: mm/show_mem.c, si_mem_available, less its watermarks."""


class PoolNow(NamedTuple):
    """One pool, in pages; None is unknown. total includes surplus; unused: free and promised to nobody.

    overcommit: how many surplus pages the kernel may add on demand.
    """

    total: int | None
    unused: int | None
    surplus: int = 0
    overcommit: int = 0

    @property
    def in_use(self) -> int:
        """Pages that are used or reserved; 0 where that is unknown."""
        return 0 if self.total is None or self.unused is None else max(self.total - self.unused, 0)


class NodeNow(NamedTuple):
    """One NUMA node, bytes. available: an estimate, see RECLAIMABLE."""

    total_bytes: int | None
    available_bytes: int | None
    pools: dict[int, HugetlbPool]


class HostNow(NamedTuple):
    """What the plan starts from. pools: host-wide, by page size; nodes: those with memory, by number."""

    pools: dict[int, PoolNow]
    nodes: dict[int, NodeNow]

    @property
    def has_nodes(self) -> bool:
        """Whether it makes a difference on which node a page is."""
        return len(self.nodes) > 1


def host_now(host: Row, state: HostState | None) -> HostNow:
    """host: any row of the frame; state: the host at the last sample, None where only the frame is known."""
    pools = _pools_of_row(host)
    given = state.pools if state is not None and state.pools is not None else []
    for pool in given:
        if pool.node is None:
            unused = None if pool.reserved is None else pool.free - pool.reserved
            pools[pool.page_bytes] = PoolNow(pool.total, unused, pool.surplus, pool.overcommit or 0)
    return HostNow({size: _plausible(pool) for size, pool in pools.items()}, _nodes(state, given))


def _plausible(pool: PoolNow) -> PoolNow:
    """Counts are read one after the other, so that surplus may be the younger one."""
    return pool._replace(surplus=min(pool.surplus, pool.total or 0))


def _pools_of_row(host: Row) -> dict[int, PoolNow]:
    """The two pools that the feature table has columns for."""
    pools = {}
    for name, size in (("gigantic", host["host_pool_gigantic_page_bytes"]), ("pmd", host["host_pmd_bytes"])):
        if size:
            total, unused = host[f"host_pool_{name}_total"], host[f"host_pool_{name}_unused_pages"]
            is_pmd = name == "pmd"
            surplus = (host["host_pool_pmd_surplus"] or 0) if is_pmd else 0
            overcommit = (host["host_pool_pmd_overcommit"] or 0) if is_pmd else 0
            pools[int(size)] = PoolNow(total, unused, surplus, overcommit)
    return pools


def _nodes(state: HostState | None, pools: list[HugetlbPool]) -> dict[int, NodeNow]:
    nodes = {}
    for node, meminfo in sorted(state.node_meminfo.items()) if state is not None else []:
        total = meminfo.get("MemTotal")
        if total == 0:
            continue
        parts = [meminfo.get(name) for name in RECLAIMABLE]
        available = sum(part or 0 for part in parts) if parts[0] is not None else None
        nodes[node] = NodeNow(total, available, {pool.page_bytes: pool for pool in pools if pool.node == node})
    return nodes
