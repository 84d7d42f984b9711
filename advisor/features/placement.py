"""What bounds a process's use of pools and memory: NUMA nodes, cgroups, and mappings without a reservation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from advisor.features.declare import NO_SMAPS, NO_VMFLAGS, HostValues, byte_count, flag, frame_of_rows, text
from advisor.features.mappings import HUGETLB_RESIDENT, IS_HUGETLB
from advisor.procfs.cgroup import ancestors, hierarchy_version
from advisor.procfs.facts import CgroupHugetlb
from advisor.procfs.text import node_list
from advisor.profile.model import HostState
from advisor.profile.timeline import ProcessState, Timeline

NO_LIMIT = "no cgroup above it has a limit, or its cgroups could not be read"

FEATURES = (
    text(
        "numa_nodes",
        "NUMA nodes that its memory must come from, in ascending order (0,1), where they are not all nodes of the "
        "host: by cpuset, or by mbind or set_mempolicy for most of its memory.",
        "status: Mems_allowed_list; numa_maps: bind",
        "it may use every node, the host has one only, or neither file was read",
    ),
    byte_count(
        "hugetlb_noreserve_bytes",
        "Virtual size of its hugetlb VMAs without a reservation (MAP_NORESERVE): a touch finds a page or ends in "
        "SIGBUS.",
        "smaps: VmFlags ht, nr",
        NO_VMFLAGS,
    ),
    byte_count(
        "hugetlb_noreserve_resident_bytes",
        "Resident part of hugetlb_noreserve_bytes.",
        "smaps: Shared_Hugetlb + Private_Hugetlb where VmFlags has nr",
        NO_VMFLAGS,
    ),
    byte_count(
        "hugetlb_copied_on_write_bytes",
        "Resident hugetlb pages in its private, writable VMAs that another process maps as well, after a fork: "
        "whoever writes first needs a page that nobody reserved.",
        "smaps: Shared_Hugetlb of private writable VMAs",
        NO_SMAPS,
    ),
    byte_count(
        "cgroup_pmd_pool_room_bytes",
        "What its cgroup and those above it let it take of the pool of the PMD page size: the smallest of limit - "
        "usage and reservation limit - reservations.",
        "cgroup: hugetlb.<size>.max, rsvd.max (limit_in_bytes of v1)",
        NO_LIMIT,
    ),
    byte_count(
        "cgroup_gigantic_pool_room_bytes",
        "The same for the pool of host_pool_gigantic_page_bytes.",
        "cgroup: hugetlb.<size>.max, rsvd.max (limit_in_bytes of v1)",
        NO_LIMIT,
    ),
    text("cgroup_pool_limited_by", "The cgroup whose limit leaves the least room in a pool.",
         "cgroup: hugetlb.<size>.max, rsvd.max", NO_LIMIT),
    byte_count("cgroup_memory_limit_bytes", "The lowest memory limit of its cgroup and those above it.",
               "cgroup: memory.max (memory.limit_in_bytes of v1)", NO_LIMIT),
    byte_count(
        "cgroup_memory_room_bytes",
        "What that limit leaves: limit - usage. Page cache counts as usage and can be reclaimed.",
        "cgroup: memory.max - memory.current",
        NO_LIMIT,
    ),
    text("cgroup_memory_limited_by", "The cgroup with that limit.", "cgroup: memory.max", NO_LIMIT),
    flag(
        "host_hugetlb_in_memcg",
        "Hugetlb pages count in the memory limits of cgroups.",
        "/proc/mounts: cgroup2 with memory_hugetlb_accounting (6.7)",
        "no cgroup v2 hierarchy, or not read",
        "host",
    ),
)  # fmt: skip

COLUMNS = {
    feature.name: feature.dtype
    for feature in FEATURES
    if feature.scope == "process" and not feature.name.startswith("hugetlb_")
}


def measures() -> dict[str, pl.Expr]:
    """What one mapping adds to each total of its process; null is unknown."""
    without = IS_HUGETLB & pl.col("noreserve")
    private = IS_HUGETLB & ~pl.col("shared") & pl.col("writable")
    return {
        "hugetlb_noreserve_bytes": _where(without, pl.col("size")),
        "hugetlb_noreserve_resident_bytes": _where(without, HUGETLB_RESIDENT),
        "hugetlb_copied_on_write_bytes": pl.when(private).then(pl.col("shared_hugetlb")).otherwise(0),
    }


def _where(condition: pl.Expr, value: pl.Expr) -> pl.Expr:
    """value where the condition holds, 0 for other VMAs; null for a hugetlb VMA of which it is unknown."""
    return pl.when(condition).then(value).when(~condition).then(0).when(~IS_HUGETLB).then(0)


def host_values(timeline: Timeline) -> dict[str, bool | None]:
    """This theme's host column."""
    return {"host_hugetlb_in_memcg": timeline.host_last.hugetlb_in_memcg}


def rows(timeline: Timeline, processes: Sequence[ProcessState], host: HostValues) -> pl.DataFrame:
    """The columns in `COLUMNS`, one row a process in the given order."""
    state = timeline.host_last
    sizes = (host["host_pmd_bytes"], host["host_pool_gigantic_page_bytes"])
    limits, nodes = _Limits(state), timeline.header.host.nodes
    made = [(nodes_of(process, nodes), *limits.of(process, sizes)) for process in processes]
    return frame_of_rows(made, COLUMNS)


def nodes_of(process: ProcessState, nodes: Sequence[int] | None) -> str | None:
    """The nodes that it is bound to, fewer than the host has; None where it is free or nothing is known."""
    if nodes is None or len(nodes) < 2:
        return None
    allowed = set(nodes)
    status, numa = process.status, process.facts.numa if process.facts is not None else None
    for told in (status.mems_allowed if status is not None else None, numa.bound_to if numa is not None else None):
        if told is not None:
            allowed &= _nodes(told, allowed)
    return ",".join(map(str, sorted(allowed))) if 0 < len(allowed) < len(nodes) else None


def _nodes(told: str, otherwise: set[int]) -> set[int]:
    """Numbers of a list; a profile may hold any text, and what is no list forbids nothing."""
    try:
        return set(node_list(told))
    except ValueError:
        return otherwise


NO_LIMITS = (None,) * 6
"""Of a process whose host has none."""


class _Limits:
    """Limits of all cgroups, asked for one process at a time; those of one cgroup are answered once."""

    def __init__(self, state: HostState) -> None:
        self.hugetlb: dict[tuple[int, str], list[CgroupHugetlb]] = {}
        for facts in state.cgroup_hugetlb:
            self.hugetlb.setdefault((facts.version, facts.path), []).append(facts)
        self.memory = {(facts.version, facts.path): facts for facts in state.cgroup_memory or ()}
        self._answered: dict[tuple[object, ...], tuple[int | str | None, ...]] = {}

    def of(self, process: ProcessState, sizes: Sequence[object]) -> tuple[int | str | None, ...]:
        """What holds for the pools, then for memory."""
        if not self.hugetlb and not self.memory:
            return NO_LIMITS
        memberships = process.facts.cgroup if process.facts is not None else None
        key = tuple((one.hierarchy, *one.controllers, one.path) for one in memberships or ())
        if key not in self._answered:
            self._answered[key] = (*self.of_pools(process, sizes), *self.of_memory(process))
        return self._answered[key]

    def of_pools(self, process: ProcessState, sizes: Sequence[object]) -> tuple[int | None, int | None, str | None]:
        """Room in the pool of each size, and the cgroup that leaves least of any."""
        found = [
            (room, facts.page_bytes, facts.path)
            for version, path in _cgroups(process, "hugetlb")
            for facts in self.hugetlb.get((version, path), ())
            for room in _rooms(facts)
        ]
        pmd, gigantic = (min((room for room, page, _ in found if page == size), default=None) for size in sizes)
        return pmd, gigantic, min(found)[2] if found else None

    def of_memory(self, process: ProcessState) -> tuple[int | None, int | None, str | None]:
        """The limit that leaves least, its room, and its cgroup."""
        found = [self.memory[key] for key in _cgroups(process, "memory") if key in self.memory]
        if not found:
            return None, None, None
        known = [one for one in found if one.usage_bytes is not None]
        lowest = min(known or found, key=lambda one: one.limit_bytes - (one.usage_bytes or 0))
        room = None if lowest.usage_bytes is None else max(lowest.limit_bytes - lowest.usage_bytes, 0)
        return lowest.limit_bytes, room, lowest.path


def _rooms(facts: CgroupHugetlb) -> Iterable[int]:
    """What each limit of one cgroup leaves; usage that is unknown counts as none."""
    for limit, usage in (
        (facts.limit_bytes, facts.usage_bytes),
        (facts.rsvd_limit_bytes, facts.rsvd_usage_bytes),
    ):
        if limit is not None:
            yield max(limit - (usage or 0), 0)


def _cgroups(process: ProcessState, controller: str) -> Iterable[tuple[int, str]]:
    """(version, path) of its cgroup and all above it, in the hierarchies that can have the controller."""
    memberships = process.facts.cgroup if process.facts is not None else None
    for entry in memberships or ():
        version = hierarchy_version(entry, controller)
        if version is not None:
            yield from ((version, step) for step in ancestors(entry.path))
