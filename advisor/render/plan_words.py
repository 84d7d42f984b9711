"""The plan in words: what changes, who gets what and how, guests, limits. All from the report, unescaped."""

from __future__ import annotations

from advisor.render.numbers import UNKNOWN, UNKNOWN_SHORT, count, human_bytes
from advisor.report.host import Host
from advisor.report.plan import HostPlan, PlanCgroup, PlanGuest, PlanTenant


def thp_changes(host: Host, plan: HostPlan) -> list[tuple[str, str, str]]:
    """(switch, now, planned) for each switch of THP that the plan changes."""
    now = {
        "enabled": host.thp.effective_enabled or host.thp.enabled,
        "defrag": host.thp.defrag,
        "shmem_enabled": host.thp.effective_shmem_enabled or host.thp.shmem_enabled,
    }
    settings = {
        "max_ptes_none": host.khugepaged.max_ptes_none,
        "pages_to_scan": host.khugepaged.pages_to_scan,
        "scan_sleep_millisecs": host.khugepaged.scan_sleep_ms,
    }
    planned = {"enabled": plan.thp.enabled, "defrag": plan.thp.defrag, "shmem_enabled": plan.thp.shmem_enabled}
    rows = [(name, _shown(now[name]), _shown(planned[name])) for name in now if name in plan.thp.changed]
    khugepaged = sorted(plan.thp.khugepaged.items())
    return rows + [(f"khugepaged/{name}", _shown(settings.get(name)), _shown(value)) for name, value in khugepaged]


def _shown(value: str | float | None) -> str:
    if value is None:
        return UNKNOWN_SHORT
    return value if isinstance(value, str) else f"{value:g}"


def memory_changes(plan: HostPlan) -> list[tuple[str, int | None, int | None]]:
    """(what, before, after) in bytes, for what the plan moves."""
    before, after = plan.memory.before, plan.memory.after
    rows = [
        ("available", before.available_bytes, after.available_bytes),
        ("in hugetlb pools", before.pool_bytes, after.pool_bytes),
        ("on huge pages", before.huge_bytes, after.huge_bytes),
        ("on base pages", before.base_bytes, after.base_bytes),
        ("page tables", plan.page_table_bytes.before, plan.page_table_bytes.after),
    ]
    return [row for row in rows if row[1] != row[2]]


NEED_WORDS = {
    "thp": "huge pages",
    "shmem-thp": "huge pages for shared memory",
    "base-pages": "base pages",
    "pool": "a pool",
}
"""What a tenant needs."""

MEANS_WORDS = {
    "already": "has it already",
    "host-mode": "by the host's mode",
    "own-advice": "by its own madvise",
    "shmem-mode": "by shmem_enabled",
    "allocator": "by its allocator",
    "application": "by its own option",
    "program": "by a change of the program",
    "prctl": "by prctl",
    "memory-thp": "by MemoryTHP=",
    None: "not met",
}
"""By what it gets that."""

NAMED_PIDS = 3
"""Pids of one tenant that are named. Source: own choice. Reason: the first of 300 backends say enough."""


def is_told(tenant: PlanTenant) -> bool:
    """Whether a reader has to know of it: something changes for it, or it loses something."""
    return tenant.gets_by != "already" or tenant.loses is not None


def losers(plan: HostPlan) -> list[PlanTenant]:
    """Who does not get what it needs, or not all of it; most at stake first."""
    return [one for one in plan.tenants if one.loses is not None]


def tenant(one: PlanTenant) -> str:
    """Who it is: redis-server (pid 812, redis.service), python3 (4 processes, pid 1, 2, 3, ...)."""
    many = "" if len(one.pids) == 1 else f"{count(len(one.pids))} processes, "
    service = f", {one.service}" if one.service else ""
    return f"{one.name} ({many}pid {named_pids(one)}{service})"


def named_pids(one: PlanTenant) -> str:
    """The first of its pids."""
    return ", ".join(map(str, one.pids[:NAMED_PIDS])) + (", ..." if len(one.pids) > NAMED_PIDS else "")


def gets(one: PlanTenant) -> str:
    """What it needs and by what it gets that: base pages by prctl, a pool of 2 MiB pages by its own option."""
    size = f" of {human_bytes(one.page_bytes)} pages" if one.needs == "pool" and one.page_bytes else ""
    link = ", " if one.gets_by in (None, "already") else " "
    return f"{NEED_WORDS[one.needs]}{size}{link}{MEANS_WORDS[one.gets_by]}"


BACKING_WORDS = {"hugetlb": "a hugetlb pool", "thp": "THP", "base": "base pages", "mixed": "mixed pages"}
"""What backs a guest's RAM."""


def guest(one: PlanGuest) -> str:
    """A virtual machine, what backs it now and with the plan: qemu (pid 7), 4 GiB: base pages -> a hugetlb pool of
    2 MiB pages."""
    now, planned = (BACKING_WORDS.get(kind, UNKNOWN) for kind in (one.backing, one.planned_backing))
    size = f" of {human_bytes(one.page_bytes)} pages" if one.planned_backing == "hugetlb" and one.page_bytes else ""
    change = f"{now} -> {planned}{size}" if one.backing != one.planned_backing else f"{now}{size}, no change"
    return f"{one.name} (pid {one.pid}), {human_bytes(one.ram_bytes)}: {change}"


def cgroup_limit(limit: PlanCgroup) -> str:
    """A limit, as it is and as it should be: memory limit of /system.slice/a.service: 4 GiB -> 1 GiB."""
    of = "memory limit" if limit.page_bytes is None else f"limit of {human_bytes(limit.page_bytes)} pages"
    return f"{of} of {limit.path}: {human_bytes(limit.limit_bytes)} -> {human_bytes(limit.needed_bytes)}"
