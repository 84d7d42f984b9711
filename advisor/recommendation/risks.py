"""What can go wrong with the plan, with its numbers: SIGBUS, memory that runs out, pages that are not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from advisor.recommendation.demands import KEEP_AVAILABLE_SHARE, Demand, uses_already
from advisor.recommendation.model import BeforeAfter, CgroupPlan, PoolPlan, ProcessAdvice, Risk
from advisor.recommendation.pool_state import HostNow
from advisor.rules import Policy
from advisor.rules.text import show_bytes

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""


class Planned(NamedTuple):
    """What is judged: the host as it is, and every part of the plan."""

    host: Row
    rows: Sequence[Row]
    advice: Sequence[ProcessAdvice]
    now: HostNow
    demands: Sequence[Demand]
    pools: Sequence[PoolPlan]
    memory: BeforeAfter
    cgroups: Sequence[CgroupPlan]


def find_risks(planned: Planned) -> list[Risk]:
    """Every risk that the numbers show, the gravest first; nothing that is unknown counts."""
    return in_order([risk for check in CHECKS for risk in check(planned)])


def in_order(risks: Sequence[Risk]) -> list[Risk]:
    """The gravest first."""
    return sorted(risks, key=lambda risk: ("high", "medium", "low").index(risk.severity))


def _cgroup_limits(planned: Planned) -> Iterator[Risk]:
    for limit in planned.cgroups:
        if limit.required:
            pids = ", ".join(map(str, limit.for_pids[:5]))
            yield Risk(
                "cgroup-limit-too-low",
                "high",
                f"The {limit.controller} limit of cgroup {limit.path} is too low for pid {pids}. {limit.reason}",
                "Raise it before the restart: over a fault limit a process is killed by SIGBUS, over a reservation "
                "limit its mapping fails.",
            )


def _without_reservation(planned: Planned) -> Iterator[Risk]:
    """MAP_NORESERVE users that may still touch more than the pool will have unused."""
    for size in sorted({pool.page_bytes for pool in planned.pools}):
        rows = [row for row in planned.rows if uses_already(row, size)]
        owed = sum(
            (row["hugetlb_noreserve_bytes"] or 0) - (row["hugetlb_noreserve_resident_bytes"] or 0) for row in rows
        )
        unused = _unused_before(planned, size)
        if owed > 0 and unused is not None and owed > unused * size:
            yield Risk(
                "hugetlb-without-reservation",
                "high",
                f"{show_bytes(owed)} of {show_bytes(size)} pages are mapped without a reservation and not touched "
                f"yet; the pool has {unused} unused pages = {show_bytes(unused * size)} today: the touch that finds "
                "none ends in SIGBUS.",
                "Grow the pool as planned before the program touches the rest, or let it map without MAP_NORESERVE.",
            )


def _copies(planned: Planned) -> Iterator[Risk]:
    for pool in planned.pools:
        copies = sum(term.pages for term in pool.terms if term.kind == "headroom" and "fork" in (term.why or ""))
        unused = _unused_before(planned, pool.page_bytes)
        if copies and unused is not None and copies > unused:
            yield Risk(
                "private-pool-after-fork",
                "high",
                f"Processes share {copies} private pool pages of {show_bytes(pool.page_bytes)} since a fork, and "
                f"{unused} pages are unused: a write that needs a copy and finds no page kills the child by SIGBUS.",
                f"The plan holds {copies} pages for that. Better: map the pool shared, or do not fork with it.",
            )


def _unused_before(planned: Planned, size: int) -> int | None:
    pool = planned.now.pools.get(size)
    return None if pool is None else pool.unused


def _surplus(planned: Planned) -> Iterator[Risk]:
    for size, pool in sorted(planned.now.pools.items()):
        if pool.surplus:
            yield Risk(
                "pool-on-overcommit",
                "medium",
                f"{pool.surplus} of {pool.total} pages of {show_bytes(size)} are surplus, taken on demand "
                f"(overcommit {pool.overcommit}): they go back when they are freed, and the next start must find as "
                "many in one piece again.",
                "Make them permanent: write the pool's size into nr_hugepages, which takes surplus pages in first.",
            )


def _available_after(planned: Planned) -> Iterator[Risk]:
    """The host, and each node, must keep its reserve; and processes must fit beside the new pool before they move."""
    host, before, after = planned.host, planned.memory.before, planned.memory.after
    total = host["host_memory_total_bytes"]
    if total is None or before.available_bytes is None or after.available_bytes is None:
        return
    keep = int(KEEP_AVAILABLE_SHARE * total)
    growth = (after.pool_bytes or 0) - (before.pool_bytes or 0)
    if growth > 0 and after.available_bytes < keep:
        yield Risk(
            "little-memory-left",
            "high",
            f"{show_bytes(max(after.available_bytes, 0))} would be available with the plan, less than the "
            f"{show_bytes(keep)} that the host should keep: {_swap(host)}",
            "Give the host more memory, or let the applications map less.",
        )
    if growth > before.available_bytes - keep and after.available_bytes >= keep:
        yield Risk(
            "pools-before-restart",
            "medium",
            f"While the processes still run, the pools take {show_bytes(growth)} of "
            f"{show_bytes(before.available_bytes)} available, and less than {show_bytes(keep)} is left; once they "
            f"are restarted {show_bytes(after.available_bytes)} is.",
            "Stop the processes first, then make the pools, then start them; or make the pools at boot.",
        )
    for node in planned.memory.nodes:
        here = node.available_after_bytes
        grows = node.pool_after_bytes > node.pool_before_bytes
        if grows and here is not None and node.total_bytes and here < KEEP_AVAILABLE_SHARE * node.total_bytes:
            yield Risk(
                "little-memory-left-on-node",
                "high",
                f"Node {node.node} would have {show_bytes(max(here, 0))} of {show_bytes(node.total_bytes)} "
                "available: its pool may get fewer pages than planned, and processes bound to it run out of memory.",
                "Bind some of them to another node, or let them map less.",
            )


def _growth(planned: Planned) -> Iterator[Risk]:
    """What THP may add, at most, on top of the plan."""
    bound = sum(
        one.recommendation.bloat_bytes or 0 for one in planned.advice if one.recommendation.policy == Policy.THP
    )
    total, after = planned.host["host_memory_total_bytes"], planned.memory.after.available_bytes
    if bound and total is not None and after is not None and after - bound < KEEP_AVAILABLE_SHARE * total:
        yield Risk(
            "thp-growth",
            "medium",
            f"Huge pages may add up to {show_bytes(bound)} (an upper bound); {show_bytes(after)} is available with "
            f"the plan: {_swap(planned.host)}",
            "Change one program at a time and watch its RSS, or lower khugepaged/max_ptes_none first.",
        )


def _swap(host: Row) -> str:
    """What happens when memory runs out: pool pages can be neither swapped nor reclaimed."""
    if host["host_swap_total_bytes"] is None:
        return "reclaim comes first, then the OOM killer."
    if not host["host_swap_total_bytes"]:
        return "there is no swap, so the OOM killer comes next."
    left = host["host_swap_total_bytes"] - (host["host_swap_used_bytes"] or 0)
    return f"others are swapped out ({show_bytes(left)} of swap is left), as pool pages cannot be."


def _reservations_by_node(planned: Planned) -> Iterator[Risk]:
    """Reservations are counted for the host, pages are taken on nodes."""
    bound = sorted({demand.pid for demand in planned.demands if demand.nodes})
    free_users = [row["pid"] for row in planned.rows if row["hugetlb_mapped_bytes"] and not row["numa_nodes"]]
    others = [demand.pid for demand in planned.demands if not demand.nodes]
    if bound and (free_users or others):
        yield Risk(
            "reservations-not-by-node",
            "medium",
            f"Pid {', '.join(map(str, bound[:5]))} can use pages of certain nodes only, and the kernel reserves "
            "pages host-wide: a process without binding may take a node's pages first, and a bound one is then "
            "killed by SIGBUS although its mapping succeeded.",
            "Start bound processes first and let them fill their memory (prealloc), or bind the others as well.",
        )


def _supply(planned: Planned) -> Iterator[Risk]:
    """More pages of the PMD size than are free in one piece: the kernel must compact, and may grant fewer."""
    host, size = planned.host, planned.host["host_pmd_bytes"]
    supply, most = host["host_pmd_supply_pages"], host["host_pmd_supply_compacted_pages"]
    missing = sum(
        max(pool.pages - (pool.current_pages or 0), 0)
        for pool in planned.pools
        if pool.page_bytes == size and pool.when == "runtime"
    )
    if supply is not None and missing > supply:
        yield Risk(
            "fewer-pages-granted",
            "medium",
            f"{missing} pages of {show_bytes(size)} are missing and {supply} are free in one piece now: the kernel "
            f"compacts for the rest{'' if most is None else f' (about {most} in all)'} and may grant fewer, "
            "without an error.",
            "Read nr_hugepages again after writing it; where it says less, make the pool at boot.",
        )


CHECKS = (
    _cgroup_limits,
    _without_reservation,
    _copies,
    _available_after,
    _surplus,
    _growth,
    _reservations_by_node,
    _supply,
)
"""All checks; each finds nothing where its numbers are unknown."""
