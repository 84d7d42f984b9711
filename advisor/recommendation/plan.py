"""The host plan: the sum of all recommendations, with its arithmetic shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from advisor.profile.model import HostState
from advisor.recommendation.asked import asked_for, granted
from advisor.recommendation.asked_risks import asked_risks
from advisor.recommendation.cgroup_plan import plan_cgroups
from advisor.recommendation.demands import Demand, spread
from advisor.recommendation.gigantic import gigantic_line
from advisor.recommendation.guests import plan_guests
from advisor.recommendation.model import (
    BeforeAfter,
    MemoryState,
    NodeMemory,
    PageTables,
    Plan,
    PoolPlan,
    ProcessAdvice,
    ThpPlan,
)
from advisor.recommendation.page_tables import page_tables
from advisor.recommendation.plan_lines import asked_line, plan_lines
from advisor.recommendation.pool_plan import plan_pools
from advisor.recommendation.pool_state import HostNow, host_now
from advisor.recommendation.risks import Planned, find_risks, in_order
from advisor.recommendation.tenants import tenants, wanting
from advisor.recommendation.thp_plan import own_switch, plan_thp
from advisor.recommendation.thp_reach import moved_by_mode, thp_growth
from advisor.recommendation.wishes import NO_WISHES, Wishes
from advisor.rules import Finding, Status

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""

EMPTY_PLAN = Plan(
    summary=["No process was seen."],
    thp=ThpPlan(None, None, None, {}, [], "No process was seen."),
    pools=[],
    memory=BeforeAfter(MemoryState(None, None, None, None), MemoryState(None, None, None, None)),
    page_table_bytes=PageTables(None, None),
)
"""The plan for a frame without rows: nothing is known of the host either."""


class Decided(NamedTuple):
    """All processes of a host, at least one, with their advice in the same order, and what follows from all of it.

    demands: the new pool pages that it asks for. tables_after: page tables of each process, bytes, None: not known.
    """

    rows: Sequence[Row]
    advice: Sequence[ProcessAdvice]
    demands: Sequence[Demand]
    tables_after: Sequence[int | None]


def make_plan(
    decided: Decided, host_findings: Sequence[Finding], state: HostState | None = None, wishes: Wishes = NO_WISHES
) -> Plan:
    """The plan for one host, without artefacts.

    host_findings: host scope. state: the host's files at the last sample, for what is no column: nodes, cgroups,
    other pool sizes. wishes: what somebody wants for the host; those for processes are in their advice already.
    """
    rows, advice, demands, tables_after = decided
    host, now = rows[0], host_now(rows[0], state)
    wanted = granted(wishes, host, now)
    asked = asked_for(wishes, rows, advice, now)
    matched = {finding.rule.id for finding in host_findings if finding.status is Status.MATCHED}
    found = wanting(rows, advice)
    thp = replace(plan_thp(host, rows, found, matched, wanted.thp_enabled), enabled_page_bytes=own_switch(state))
    growth = thp_growth(rows, advice, found, thp.enabled)
    pools = plan_pools(rows, advice, demands, matched, now, wanted.pools)
    to_huge = moved_by_mode(rows, advice, wanted.thp_enabled)
    memory = _memory(rows, advice, pools, demands, now, to_huge)
    tables = page_tables(rows, tables_after)
    cgroups = plan_cgroups(host, rows, demands, state)
    planned = Planned(host, rows, advice, now, demands, pools, memory, cgroups)
    return Plan(
        summary=[
            *map(asked_line, asked),
            *plan_lines(advice, thp, pools, memory, tables, demands),
            *filter(None, [gigantic_line(host, advice)]),
        ],
        thp=thp,
        pools=pools,
        memory=memory,
        page_table_bytes=tables,
        tenants=tenants(found, thp, pools),
        risks=in_order([*find_risks(planned), *asked_risks(planned, wanted, found)]),
        cgroups=cgroups,
        guests=plan_guests(rows, advice),
        asked_for=asked,
        thp_growth_bytes=growth,
    )


def _memory(
    rows: Sequence[Row],
    advice: Sequence[ProcessAdvice],
    pools: Sequence[PoolPlan],
    demands: Sequence[Demand],
    now: HostNow,
    by_mode: int,
) -> BeforeAfter:
    """Where memory is and would be. What moves into a pool leaves ordinary memory free.

    by_mode: bytes that a mode that was asked for puts on huge pages (negative: on base pages) of who is advised
    neither.
    """
    host = rows[0]
    base = _total(rows, "anon_base_bytes", "shmem_base_bytes")
    huge = _total(rows, "anon_huge_bytes", "shmem_huge_bytes", "hugetlb_bytes")
    pool, available = host["host_pool_bytes"], host["host_memory_available_bytes"]
    growth = sum(map(_growth, pools))
    to_huge = by_mode + sum(one.moved_bytes for one in advice)
    to_pool = sum(demand.moved_bytes for demand in demands)
    return BeforeAfter(
        MemoryState(pool, huge, base, available),
        MemoryState(_add(pool, growth), _add(huge, to_huge), _add(base, -to_huge), _add(available, to_pool - growth)),
        _by_node(pools, demands, now) if now.has_nodes else [],
    )


def _growth(pool: PoolPlan) -> int:
    return (pool.held_pages - (pool.current_pages or 0)) * pool.page_bytes


def _by_node(pools: Sequence[PoolPlan], demands: Sequence[Demand], now: HostNow) -> list[NodeMemory]:
    """Each node before and after; what is not bound to nodes is spread evenly over them, as the kernel does it."""
    growth, freed = dict.fromkeys(now.nodes, 0), dict.fromkeys(now.nodes, 0)
    for pool in pools:
        if pool.node is not None:
            growth[pool.node] += _growth(pool)
            continue
        more = _growth(pool)
        for node, part in spread(abs(more) // pool.page_bytes, list(now.nodes)).items():
            growth[node] += (part if more > 0 else -part) * pool.page_bytes
    for demand in demands:
        where = [node for node in demand.nodes if node in now.nodes] or list(now.nodes)
        for node, part in spread(demand.moved_bytes, where).items():
            freed[node] += part
    return [
        NodeMemory(
            node,
            here.total_bytes,
            before := sum(pool.total * size for size, pool in here.pools.items()),
            before + growth[node],
            here.available_bytes,
            _add(here.available_bytes, freed[node] - growth[node]),
        )
        for node, here in now.nodes.items()
    ]


def _total(rows: Sequence[Row], *names: str) -> int | None:
    """Sum over all rows of the columns where known; None where nothing is known at all."""
    known = [value for row in rows for name in names if (value := row[name]) is not None]
    return sum(known) if known else None


def _add(value: int | None, change: int) -> int | None:
    return None if value is None else value + change
