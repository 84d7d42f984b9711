"""Limits of cgroups that do not go with the plan: too low for a pool, or higher than what is left to limit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from advisor.procfs.facts import CgroupHugetlb
from advisor.profile.model import HostState
from advisor.recommendation.demands import Demand
from advisor.recommendation.model import CgroupPlan
from advisor.rules.text import show_bytes

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""

POD = "kubepods"
"""Part of the cgroup path of a Kubernetes pod (kubelet's cgroup naming)."""


def plan_cgroups(
    host: Row, rows: Sequence[Row], demands: Sequence[Demand], state: HostState | None
) -> list[CgroupPlan]:
    """What must be raised, then what can be lowered. state: where the limits themselves are read."""
    by_pid = {row["pid"]: row for row in rows}
    asked = [(demand, by_pid[demand.pid]) for demand in demands]
    return [*_hugetlb(host, asked, state), *_memory(host, asked)]


def _hugetlb(host: Row, asked: Iterable[tuple[Demand, Row]], state: HostState | None) -> Iterable[CgroupPlan]:
    """Cgroups whose limit leaves less room in a pool than is asked for below them: the pool is of no use without."""
    rooms = {host["host_pmd_bytes"]: "pmd", host["host_pool_gigantic_page_bytes"]: "gigantic"}
    groups: dict[tuple[str, int], list[tuple[Demand, int]]] = {}
    for demand, row in asked:
        name = rooms.get(demand.page_bytes)
        room = row[f"cgroup_{name}_pool_room_bytes"] if name is not None else None
        path = row["cgroup_pool_limited_by"]
        if room is not None and path is not None:
            groups.setdefault((path, demand.page_bytes), []).append((demand, room))
    for (path, page), found in groups.items():
        wanted, room = sum(demand.bytes for demand, _ in found), min(room for _, room in found)
        if wanted <= room:
            continue
        limit = _limit(state, path, page)
        needed = (limit or 0) + wanted - room
        yield CgroupPlan(
            path=path,
            controller="hugetlb",
            page_bytes=page,
            limit_bytes=limit,
            needed_bytes=needed,
            required=True,
            for_pids=sorted(pid for demand, _ in found for pid in demand.pids),
            reason=f"{show_bytes(wanted)} are asked for and the limit leaves {show_bytes(room)}: "
            f"{_limit_words(limit)} {show_bytes(wanted - room)} = {show_bytes(needed)}.{_pod(path, 'hugepages')}",
        )


def _limit_words(limit: int | None) -> str:
    return "more by" if limit is None else f"{show_bytes(limit)} +"


def _limit(state: HostState | None, path: str, page: int) -> int | None:
    """The lower of the two limits of a cgroup and page size; None where it is not known."""
    found: list[CgroupHugetlb] = state.cgroup_hugetlb if state is not None else []
    limits = [
        limit
        for facts in found
        if (facts.path, facts.page_bytes) == (path, page)
        for limit in (facts.limit_bytes, facts.rsvd_limit_bytes)
        if limit is not None
    ]
    return min(limits, default=None)


def _memory(host: Row, asked: Iterable[tuple[Demand, Row]]) -> Iterable[CgroupPlan]:
    """Pools are outside of memory.max, so a limit can be lowered by what moves; unless the host charges them."""
    groups: dict[str, list[tuple[Demand, Row]]] = {}
    for demand, row in asked:
        if row["cgroup_memory_limited_by"] is not None and row["cgroup_memory_limit_bytes"] is not None:
            groups.setdefault(row["cgroup_memory_limited_by"], []).append((demand, row))
    for path, found in groups.items():
        limit = min(row["cgroup_memory_limit_bytes"] for _, row in found)
        rooms = [room for _, row in found if (room := row["cgroup_memory_room_bytes"]) is not None]
        moved, wanted = (sum(getattr(demand, name) for demand, _ in found) for name in ("moved_bytes", "bytes"))
        pids = sorted(pid for demand, _ in found for pid in demand.pids)
        if host["host_hugetlb_in_memcg"]:
            short = wanted - moved - min(rooms, default=wanted)
            if short > 0:
                reason = (
                    f"Pools count in memory limits here (memory_hugetlb_accounting): {show_bytes(wanted)} of pool - "
                    f"{show_bytes(moved)} that moves is more than the room of {show_bytes(min(rooms))}."
                )
                yield CgroupPlan(
                    path, "memory", None, limit, limit + short, True, pids, reason + _pod(path, "memory")
                )
        elif 0 < moved < limit:
            reason = (
                f"Pool pages do not count in it: {show_bytes(limit)} - {show_bytes(moved)} that moves into the pool "
                f"= {show_bytes(limit - moved)} limits the rest as before."
            )
            yield CgroupPlan(path, "memory", None, limit, limit - moved, False, pids, reason + _pod(path, "memory"))


def _pod(path: str, resource: str) -> str:
    """Who really sets the limit: kubelet writes what the pod asks for, and undoes other values."""
    if POD not in path:
        return ""
    return f" Set it in the pod's resources ({resource}), as kubelet writes the cgroup."
