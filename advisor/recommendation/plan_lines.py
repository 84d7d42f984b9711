"""The plan's arithmetic as lines: every sum with its summands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from advisor.recommendation.demands import Demand
from advisor.recommendation.model import (
    Asked,
    BeforeAfter,
    NodeMemory,
    PageTables,
    PoolPlan,
    PoolTerm,
    ProcessAdvice,
    ThpPlan,
)
from advisor.rules import Policy
from advisor.rules.text import show_bytes

NAMED_DEMANDS = 4
"""Processes. Source: own choice. Reason: as many as one line of the summary can name."""


def asked_line(one: Asked) -> str:
    """What was asked for, and whether the plan has it."""
    if one.granted:
        return f"Asked for: {one.what}{f' ({one.note})' if one.note else ''}."
    return f"Asked for and not granted: {one.what}{f': {one.note}' if one.note else ''}."


def plan_lines(
    advice: Sequence[ProcessAdvice],
    thp: ThpPlan,
    pools: Sequence[PoolPlan],
    memory: BeforeAfter,
    tables: PageTables,
    demands: Sequence[Demand],
) -> list[str]:
    """How many change to what, the mode, each pool, memory by node and in all, page tables."""
    return [
        _changes_line(advice),
        f"THP mode {thp.enabled or 'unknown'}{'' if 'enabled' in thp.changed else ' (no change)'}: {thp.reason}",
        *map(_pool_line, pools),
        *map(_node_line, memory.nodes),
        _memory_line(memory, advice, demands),
        _page_table_line(tables),
    ]


def _changes_line(advice: Sequence[ProcessAdvice]) -> str:
    counts = Counter(one.recommendation.policy for one in advice)
    parts = ", ".join(f"{counts[policy]} {policy.value}" for policy in Policy if counts[policy])
    return f"{len(advice)} {'process' if len(advice) == 1 else 'processes'}: {parts}."


def _pool_line(pool: PoolPlan) -> str:
    """Pages in use + new demand + headroom + kept = pages, and the change."""
    terms = [f"{sum(term.pages for term in pool.terms if term.kind == 'in-use')} in use or reserved"]
    new = [term for term in pool.terms if term.kind == "new"]
    terms += [f"{term.pages} for pid {term.pid}" for term in new[:NAMED_DEMANDS]]
    rest = new[NAMED_DEMANDS:]
    terms += [f"{sum(term.pages for term in rest)} for {len(rest)} more"] if rest else []
    terms += [_spare(term) for term in pool.terms if term.kind in ("headroom", "kept", "asked")]
    more = sum(term.pages for term in pool.terms if term.kind == "surplus")
    less = f" - {-more} that stay until they are freed" if more else ""
    where = "" if pool.node is None else f" on node {pool.node}"
    line = f"Pool of {show_bytes(pool.page_bytes)} pages{where}: {' + '.join(terms)}{less} = {pool.pages}"
    if pool.current_pages is None:
        return f"{line}; today's size is unknown."
    change = pool.pages - pool.current_pages
    surplus = f" ({pool.surplus_pages} of them surplus)" if pool.surplus_pages else ""
    if not change:
        return f"{line}{surplus}, no change."
    return (
        f"{line}, today {pool.current_pages}{surplus}: {change:+d} pages = "
        f"{'-' if change < 0 else ''}{show_bytes(abs(change) * pool.page_bytes)}, at {pool.when}."
    )


def _spare(term: PoolTerm) -> str:
    if term.kind == "asked":
        return f"{term.pages} asked for, for nobody yet"
    return f"{term.pages} unused that stay" if term.kind == "kept" else f"{term.pages} headroom ({term.why})"


def _node_line(node: NodeMemory) -> str:
    pools = f"{show_bytes(node.pool_before_bytes)} -> {show_bytes(node.pool_after_bytes)} in pools"
    if node.available_before_bytes is None or node.available_after_bytes is None:
        return f"Node {node.node}: {pools}; what is available there is unknown."
    return (
        f"Node {node.node}: {pools}, {show_bytes(node.available_before_bytes)} -> "
        f"{show_bytes(node.available_after_bytes)} available (estimate)."
    )


def _memory_line(memory: BeforeAfter, advice: Sequence[ProcessAdvice], demands: Sequence[Demand]) -> str:
    bound = sum(one.recommendation.bloat_bytes or 0 for one in advice if one.recommendation.policy == Policy.THP)
    risk = f" THP may take up to {show_bytes(bound)} more (upper bound)." if bound else ""
    before, after = memory.before.available_bytes, memory.after.available_bytes
    if before is None or after is None:
        return f"Memory: what is available is unknown.{risk}"
    grown = (memory.after.pool_bytes or 0) - (memory.before.pool_bytes or 0)
    moved = sum(demand.moved_bytes for demand in demands)
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
