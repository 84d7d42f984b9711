"""The plan as configuration text: which artefacts it takes, and which process each of them is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from msgspec import Struct, field
from msgspec.structs import replace

from advisor import artefacts as texts
from advisor.artefacts import Artefact, PoolChange, ThpChange
from advisor.procfs.configuration import HostConfiguration
from advisor.recommendation.cgroup_plan import POD
from advisor.recommendation.model import CgroupPlan, Plan, PoolPlan, ProcessAdvice, ThpPlan
from advisor.recommendation.process_artefacts import with_huge_pages, without_thp
from advisor.recommendation.setup import Row, Setup
from advisor.recommendation.tenants import SWITCHED_OFF_BY, Need
from advisor.rules import Policy

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

    def add_all(self, artefacts: Sequence[Artefact], pid: int) -> None:
        """Keep the texts for one process."""
        for artefact in artefacts:
            self.add(artefact, [pid])


def make_artefacts(
    rows: Sequence[Row], advice: Sequence[ProcessAdvice], plan: Plan, setup: Setup | None = None
) -> Artefacts:
    """Texts for everything that the plan changes: pools, then processes that must be kept from THP, then the host's
    switches, which may give it to all, then the other processes."""
    setup = setup or Setup()
    made = Artefacts()
    off = [one for one in plan.tenants if one.needs == Need.BASE_PAGES and one.gets_by in SWITCHED_OFF_BY]
    kept_off = {pid: one.gets_by for one in off for pid in one.pids}
    _add_pools(made, plan.pools, advice, setup)
    _add_limits(made, plan.cgroups)
    for row, one in zip(rows, advice, strict=True):
        if one.pid in kept_off:
            made.add_all(without_thp(row, kept_off[one.pid], setup), one.pid)
    _add_switches(made, rows[0], plan, advice, setup)
    for row, one in zip(rows, advice, strict=True):
        if one.pid not in kept_off:
            made.add_all(with_huge_pages(row, one.recommendation, rows, setup), one.pid)
    return made


def _add_pools(made: Artefacts, pools: Sequence[PoolPlan], advice: Sequence[ProcessAdvice], setup: Setup) -> None:
    wanting = {one.pid for one in advice if one.recommendation.policy == Policy.HUGETLB}
    changed = [pool for pool in pools if pool.pages != pool.current_pages]
    for pool in changed:
        if pool.when == "runtime":
            pids = [pid for pid in pool.for_pids if pid in wanting]
            made.add(texts.pool_now(_change(pool, setup)), pids)
            made.add(texts.pool_at_boot(_change(pool, setup), setup.configuration), pids)
    at_boot = [pool for pool in changed if pool.when == "boot"]
    if at_boot:
        pids = sorted({pid for pool in at_boot for pid in pool.for_pids if pid in wanting})
        for artefact in _reserved_at_boot([_change(pool, setup) for pool in at_boot], setup.configuration):
            made.add(artefact, pids)


def _add_limits(made: Artefacts, limits: Sequence[CgroupPlan]) -> None:
    """Limits without which a pool is of no use. Those of pods are the kubelet's, by the pod's own resources."""
    for limit in limits:
        if not limit.required or POD in limit.path:
            continue
        # A cgroup's name that cannot be shown safely gets no text: the plan's risks name it.
        with suppress(ValueError):
            made.add(_limit(limit), limit.for_pids)


def _limit(limit: CgroupPlan) -> Artefact:
    if limit.controller == "hugetlb" and limit.page_bytes is not None:
        return texts.cgroup_limit(limit.path, limit.page_bytes, limit.needed_bytes, limit.limit_bytes)
    return texts.memory_limit(limit.path.rpartition("/")[2], limit.needed_bytes)


def _change(pool: PoolPlan, setup: Setup) -> PoolChange:
    """What was there before is what to write to have it again: surplus pages come and go by themselves."""
    previous = None if pool.current_pages is None else pool.current_pages - pool.surplus_pages
    return PoolChange(pool.page_bytes, pool.pages, previous, pool.node, setup.default_page_bytes, pool.compact_first)


def _reserved_at_boot(changes: Sequence[PoolChange], configuration: HostConfiguration | None) -> list[Artefact]:
    """The kernel command line, set the way this host sets it.

    grubby can hold one page size there: the largest, which needs it most; smaller pages are taken early at boot.
    """
    known = configuration or HostConfiguration()
    line = None if known.boot_parameters is None else " ".join(known.boot_parameters)
    tools, files = known.boot_tools or (), known.boot_files or ()
    if "grubby" in tools:
        largest = max(change.page_bytes for change in changes)
        early = [change for change in changes if change.page_bytes < largest]
        made = [texts.pool_with_grubby([one for one in changes if one not in early], line)]
        return made + [replace(texts.pool_at_boot(one, configuration), needs_reboot=True) for one in early]
    if "update-grub" in tools and "/etc/default/grub" in files:
        return [texts.pool_in_grub(changes, line, known.values)]
    if "/etc/default/grub" in files:
        return [texts.pool_in_default_grub(changes, line)]
    if "kernel-install" in tools and "/etc/kernel/cmdline" in files:
        return [texts.pool_in_kernel_cmdline(changes, line)]
    return [texts.pool_on_command_line(changes, line)]


def _add_switches(made: Artefacts, host: Row, plan: Plan, advice: Sequence[ProcessAdvice], setup: Setup) -> None:
    wanting = [one.pid for one in advice if one.recommendation.policy == Policy.THP]
    changes = _switch_changes(host, plan.thp)
    if changes:
        made.add(texts.thp_now(changes), wanting)
        made.add(_switches_at_boot(changes, setup), wanting)
    if plan.thp.khugepaged:
        previous = _khugepaged_before(host, plan.thp.khugepaged)
        made.add(texts.khugepaged_now(plan.thp.khugepaged, previous), [])
        made.add(texts.khugepaged_at_boot(plan.thp.khugepaged, previous, setup.configuration), [])


def _switch_changes(host: Row, plan: ThpPlan) -> list[ThpChange]:
    before = {
        "enabled": host["host_thp_enabled"],
        "defrag": host["host_thp_defrag"],
        "shmem_enabled": host["host_shmem_enabled"],
    }
    after = {"enabled": plan.enabled, "defrag": plan.defrag, "shmem_enabled": plan.shmem_enabled}
    return [
        ThpChange(switch, value, before[switch], plan.enabled_page_bytes if switch == "enabled" else None)
        for switch in SWITCHES
        if switch in plan.changed and (value := after[switch]) is not None
    ]


def _switches_at_boot(changes: Sequence[ThpChange], setup: Setup) -> Artefact:
    """A profile of tuned where that runs and would set its own at every start, else a file for every boot."""
    configuration = setup.configuration
    if configuration is None or texts.tuned_is_silenced(configuration):
        return texts.thp_at_boot(changes, configuration)
    if configuration.tuned_profile and configuration.tuned_folder:
        try:
            return texts.tuned_profile(configuration.tuned_profile, configuration.tuned_folder, changes)
        except ValueError:
            pass  # a profile of this name cannot be included: the file says that tuned wins
    return texts.thp_at_boot(changes, configuration)


def _khugepaged_before(host: Row, changes: Mapping[str, int]) -> dict[str, int]:
    """Today's values of what changes, where known."""
    columns = {
        "pages_to_scan": "host_khugepaged_pages_to_scan",
        "scan_sleep_millisecs": "host_khugepaged_scan_sleep_ms",
        "max_ptes_none": "host_khugepaged_max_ptes_none",
    }
    return {name: int(host[columns[name]]) for name in changes if host[columns[name]] is not None}
