"""The host plan: the sum of all recommendations, with its arithmetic shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from advisor.recommendation.model import (
    BeforeAfter,
    MemoryState,
    PageTables,
    Plan,
    PoolPlan,
    ProcessAdvice,
    ThpPlan,
)
from advisor.recommendation.page_tables import page_tables
from advisor.recommendation.pool_plan import in_use, new_demands, plan_pools
from advisor.recommendation.sizing import moved_bytes
from advisor.recommendation.tenants import tenants, wanting
from advisor.recommendation.thp_plan import plan_thp
from advisor.rules import Finding, Policy, Status
from advisor.rules.text import show_bytes

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""

NAMED_DEMANDS = 4
"""Processes. Source: own choice. Reason: as many as one line of the summary can name."""

EMPTY_PLAN = Plan(
    summary=["No process was seen."],
    thp=ThpPlan(None, None, None, {}, [], "No process was seen."),
    pools=[],
    memory=BeforeAfter(MemoryState(None, None, None, None), MemoryState(None, None, None, None)),
    page_table_bytes=PageTables(None, None),
)
"""The plan for a frame without rows: nothing is known of the host either."""


def make_plan(rows: Sequence[Row], advice: Sequence[ProcessAdvice], host_findings: Sequence[Finding]) -> Plan:
    """The plan for one host, without artefacts.

    rows: the feature frame's, at least one; advice: one for each, in their order; host_findings: host scope.
    """
    host = rows[0]
    matched = {finding.rule.id for finding in host_findings if finding.status is Status.MATCHED}
    found = wanting(rows, advice)
    thp = plan_thp(host, rows, found, matched)
    pools = plan_pools(host, rows, advice, matched)
    memory = _memory(host, rows, advice, pools)
    tables = page_tables(host, rows, advice)
    summary = [
        _changes_line(advice),
        f"THP mode {thp.enabled or 'unknown'}{'' if 'enabled' in thp.changed else ' (no change)'}: {thp.reason}",
        *(_pool_line(pool, host, rows, advice) for pool in pools),
        _memory_line(memory, rows, advice),
        _page_table_line(tables),
    ]
    who = tenants(found, thp.enabled, thp.shmem_enabled, thp.denied or "")
    return Plan(summary, thp, pools, memory, tables, tenants=who)


def _memory(
    host: Row, rows: Sequence[Row], advice: Sequence[ProcessAdvice], pools: Sequence[PoolPlan]
) -> BeforeAfter:
    """Where memory is and would be. What moves into a pool leaves ordinary memory free."""
    base = _total(rows, "anon_base_bytes", "shmem_base_bytes")
    huge = _total(rows, "anon_huge_bytes", "shmem_huge_bytes", "hugetlb_bytes")
    pool, available = host["host_pool_bytes"], host["host_memory_available_bytes"]
    growth = sum((plan.pages - (plan.current_pages or 0)) * plan.page_bytes for plan in pools)
    to_huge = sum(moved_bytes(row, one.recommendation) for row, one in zip(rows, advice, strict=True))
    to_pool = sum(demand.moved_bytes for demand in new_demands(rows, advice))
    return BeforeAfter(
        MemoryState(pool, huge, base, available),
        MemoryState(_add(pool, growth), _add(huge, to_huge), _add(base, -to_huge), _add(available, to_pool - growth)),
    )


def _changes_line(advice: Sequence[ProcessAdvice]) -> str:
    counts = Counter(one.recommendation.policy for one in advice)
    parts = ", ".join(f"{counts[policy]} {policy.value}" for policy in Policy if counts[policy])
    return f"{len(advice)} {'process' if len(advice) == 1 else 'processes'}: {parts}."


def _pool_line(pool: PoolPlan, host: Row, rows: Sequence[Row], advice: Sequence[ProcessAdvice]) -> str:
    """Pages in use + new demand + kept = pages, and the change."""
    used = in_use(host, rows, pool.page_bytes)
    new = [demand for demand in new_demands(rows, advice) if demand.page_bytes == pool.page_bytes]
    terms = [f"{used} in use or reserved"]
    terms += [f"{demand.pages} for pid {demand.pid}" for demand in new[:NAMED_DEMANDS]]
    rest = new[NAMED_DEMANDS:]
    terms += [f"{sum(demand.pages for demand in rest)} for {len(rest)} more"] if rest else []
    spare = pool.pages - used - sum(demand.pages for demand in new)
    terms += [f"{spare} unused that stay"] if spare else []
    line = f"Pool of {show_bytes(pool.page_bytes)} pages: {' + '.join(terms)} = {pool.pages}"
    if pool.current_pages is None:
        return f"{line}; today's size is unknown."
    change = pool.pages - pool.current_pages
    if not change:
        return f"{line}, no change."
    return (
        f"{line}, today {pool.current_pages}: {change:+d} pages = "
        f"{'-' if change < 0 else ''}{show_bytes(abs(change) * pool.page_bytes)}, at {pool.when}."
    )


def _memory_line(memory: BeforeAfter, rows: Sequence[Row], advice: Sequence[ProcessAdvice]) -> str:
    bound = sum(one.recommendation.bloat_bytes or 0 for one in advice if one.recommendation.policy == Policy.THP)
    risk = f" THP may take up to {show_bytes(bound)} more (upper bound)." if bound else ""
    before, after = memory.before.available_bytes, memory.after.available_bytes
    if before is None or after is None:
        return f"Memory: what is available is unknown.{risk}"
    grown = (memory.after.pool_bytes or 0) - (memory.before.pool_bytes or 0)
    moved = sum(demand.moved_bytes for demand in new_demands(rows, advice))
    pools = f"+ {show_bytes(-grown)} given back by pools" if grown < 0 else f"- {show_bytes(grown)} for pools"
    return (
        f"Memory available: {show_bytes(before)} {pools} + {show_bytes(moved)} that moves into them = "
        f"{show_bytes(after)}.{risk}"
    )


def _page_table_line(tables: PageTables) -> str:
    if tables.before is None:
        return "Page tables: unknown."
    if tables.after is None or tables.after == tables.before:
        return f"Page tables: {show_bytes(tables.before)}, no change."
    return f"Page tables: {show_bytes(tables.before)} now, about {show_bytes(tables.after)} with the pools."


def _total(rows: Sequence[Row], *names: str) -> int | None:
    """Sum over all rows of the columns where known; None where nothing is known at all."""
    known = [row[name] for row in rows for name in names if row[name] is not None]
    return sum(known) if known else None


def _add(value: int | None, change: int) -> int | None:
    return None if value is None else value + change
