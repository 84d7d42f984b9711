"""The plan as configuration text: which artefacts it takes, and which process each of them is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct, field

from advisor import artefacts as texts
from advisor.artefacts import Artefact
from advisor.recommendation.model import Plan, PoolPlan, ProcessAdvice, Recommendation, ThpPlan
from advisor.recommendation.sizing import concerns_shmem
from advisor.recommendation.tenants import SWITCHED_OFF_BY, Means, service_of
from advisor.rules import Policy

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""

GLIBC = "glibc"
"""The allocator whose page size an environment variable sets."""

JVM = "jvm"
"""The runtime whose page size its own flags set."""

SWITCHES = ("enabled", "defrag", "shmem_enabled")
"""The host-wide THP switches of a plan."""


class Artefacts(Struct):
    """Artefacts by id in the order in which to apply them, and by pid the ids of those that serve a process."""

    by_id: dict[str, Artefact] = field(default_factory=dict)
    by_pid: dict[int, list[str]] = field(default_factory=dict)

    def add(self, artefact: Artefact, pids: Sequence[int]) -> None:
        """Keep an artefact once by its id, and note whom it serves."""
        self.by_id.setdefault(artefact.id, artefact)
        for pid in pids:
            self.by_pid.setdefault(pid, []).append(artefact.id)


def make_artefacts(rows: Sequence[Row], advice: Sequence[ProcessAdvice], plan: Plan) -> Artefacts:
    """Texts for everything that the plan changes: pools, then processes that must be kept from THP, then the host's
    switches, which may give it to all, then the other processes."""
    made = Artefacts()
    kept_off = {pid: one.gets_by for one in plan.tenants if one.gets_by in SWITCHED_OFF_BY for pid in one.pids}
    _add_pools(made, plan.pools, advice)
    for row in rows:
        if row["pid"] in kept_off:
            _add_for_process(made, row, partial(_thp_off, means=kept_off[row["pid"]]))
    _add_switches(made, rows[0], plan.thp, advice)
    for row, one in zip(rows, advice, strict=True):
        if row["pid"] not in kept_off:
            _add_for_process(made, row, partial(_for_process, recommendation=one.recommendation))
    return made


def _add_for_process(made: Artefacts, row: Row, text: Callable[[Row], Artefact | None]) -> None:
    """The text that changes one process, where there is one; none for names that cannot be shown safely."""
    try:
        artefact = text(row)
    except ValueError:
        return
    if artefact is not None:
        made.add(artefact, [row["pid"]])


def _add_pools(made: Artefacts, pools: Sequence[PoolPlan], advice: Sequence[ProcessAdvice]) -> None:
    wanting = {one.pid for one in advice if one.recommendation.policy == Policy.HUGETLB}
    changed = [pool for pool in pools if pool.pages != pool.current_pages]
    for pool in changed:
        if pool.when == "runtime":
            pids = [pid for pid in pool.for_pids if pid in wanting]
            made.add(texts.pool_now(_change(pool)), pids)
            made.add(texts.pool_at_boot(_change(pool)), pids)
    at_boot = [pool for pool in changed if pool.when == "boot"]
    if at_boot:
        pids = sorted({pid for pool in at_boot for pid in pool.for_pids if pid in wanting})
        changes = [_change(pool) for pool in at_boot]
        made.add(texts.pool_on_command_line(changes, None), pids)
        made.add(texts.pool_in_grub(changes, None), pids)


def _change(pool: PoolPlan) -> texts.PoolChange:
    return texts.PoolChange(pool.page_bytes, pool.pages, pool.current_pages, pool.node)


def _add_switches(made: Artefacts, host: Row, plan: ThpPlan, advice: Sequence[ProcessAdvice]) -> None:
    wanting = [one.pid for one in advice if one.recommendation.policy == Policy.THP]
    before = {
        "enabled": host["host_thp_enabled"],
        "defrag": host["host_thp_defrag"],
        "shmem_enabled": host["host_shmem_enabled"],
    }
    after = {"enabled": plan.enabled, "defrag": plan.defrag, "shmem_enabled": plan.shmem_enabled}
    changes = [
        texts.ThpChange(switch, value, before[switch])
        for switch in SWITCHES
        if switch in plan.changed and (value := after[switch]) is not None
    ]
    if changes:
        made.add(texts.thp_now(changes), wanting)
        made.add(texts.thp_at_boot(changes), wanting)
    if plan.khugepaged:
        previous = _khugepaged_before(host, plan.khugepaged)
        made.add(texts.khugepaged_now(plan.khugepaged, previous), [])
        made.add(texts.khugepaged_at_boot(plan.khugepaged, previous), [])


def _khugepaged_before(host: Row, changes: Mapping[str, int]) -> dict[str, int]:
    """Today's values of what changes, where known."""
    columns = {
        "pages_to_scan": "host_khugepaged_pages_to_scan",
        "scan_sleep_millisecs": "host_khugepaged_scan_sleep_ms",
        "max_ptes_none": "host_khugepaged_max_ptes_none",
    }
    return {name: int(host[columns[name]]) for name in changes if host[columns[name]] is not None}


def _for_process(row: Row, recommendation: Recommendation) -> Artefact | None:
    """The text that gives one process huge pages. Raises ValueError for names that cannot be shown safely."""
    if recommendation.policy == Policy.THP and not concerns_shmem(recommendation):
        return _thp(row)
    if recommendation.policy == Policy.HUGETLB and not row["hugetlb_bytes"] and recommendation.page_bytes:
        return _hugetlb(row, recommendation.page_bytes)
    return None


def _thp_off(row: Row, means: str | None) -> Artefact:
    service = service_of(row)
    if service is not None and means == Means.MEMORY_THP:
        return texts.memory_thp(service, "disable")
    return texts.thp_off_command(_label(row), [_program(row)])


def _thp(row: Row) -> Artefact | None:
    if row["advised_bytes"]:
        return None
    if row["runtime"] == JVM:
        return texts.jvm_flags(_label(row), None, default_page_bytes=None)
    return _malloc(row, None)


def _hugetlb(row: Row, page_bytes: int) -> Artefact | None:
    """An option of the application; the main process of an instance speaks for those that share its memory."""
    if row["runtime"] == JVM:
        return texts.jvm_flags(_label(row), page_bytes, default_page_bytes=None)
    if row["application_id"] == "postgresql" and row["sharing_leader"]:
        return texts.postgresql_huge_pages(_label(row), page_bytes, default_page_bytes=None)
    if row["application_id"] == "qemu" and row["guest_ram_bytes"]:
        shared = bool(row["shmem_mapped_bytes"] and row["shmem_mapped_bytes"] >= row["guest_ram_bytes"])
        return texts.qemu_memory(_label(row), page_bytes, row["guest_ram_bytes"], host_node=None, shared=shared)
    return _malloc(row, page_bytes) if row["application_id"] is None else None


def _malloc(row: Row, page_bytes: int | None) -> Artefact | None:
    """glibc's own setting, of a service or of a command; page_bytes None: THP."""
    if row["allocator"] != GLIBC:
        return None
    service = service_of(row)
    if service is not None:
        return texts.malloc_drop_in(service, page_bytes)
    return texts.malloc_command(_label(row), [_program(row)], page_bytes)


def _label(row: Row) -> str:
    """What tells this process from others in the id of a text."""
    return f"{_program(row)}-{row['pid']}"


def _program(row: Row) -> str:
    """The command to show, without arguments: the feature table has none. Raises ValueError without a name."""
    program = row["executable"] or row["name"]
    if not program:
        raise ValueError("the program has no name")
    return str(program)
