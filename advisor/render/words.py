"""What text and Markdown say in the same words: states, advice, pools, changes. All from the report, unescaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from advisor.render.numbers import (
    UNKNOWN,
    UNKNOWN_SHORT,
    count,
    duration,
    human_bytes,
    percent,
    plural,
    rate,
)
from advisor.report.document import Report, SkippedProcess
from advisor.report.host import Host, Pool
from advisor.report.plan import HostPlan, PlanCgroup, PlanGuest, PlanTenant
from advisor.report.process import (
    Application,
    BloatForecast,
    Component,
    ExpectedGain,
    Memory,
    ProcessEntry,
    RecommendationEntry,
)
from advisor.report.reasons import Evidence, Reason

MOSTLY = 0.5
"""Share of a process's memory from which a kind of page names its state. Source: own choice: more than half."""

LEAVE = "leave"

LONG_TEXT = 30
"""Characters from which a text is not repeated beside a message that holds it. Source: own choice. Reason: names and
numbers are evidence, sentences are what was said."""

POLICY_WORDS = {"leave": "leave", "thp": "THP", "thp-off": "THP off", "hugetlb": "hugetlb"}
"""How a policy reads."""

BARE_METAL = "none"
"""How `host.virtualization` says that the host is no guest."""


def resident_bytes(process: ProcessEntry) -> int | None:
    """Resident memory with hugetlb, which RSS does not count; null only where RSS is unknown."""
    memory = process.memory
    return None if memory.rss_bytes is None else memory.rss_bytes + (memory.hugetlb_bytes or 0)


def state(process: ProcessEntry) -> str:
    """The pages that a process's memory is on now: base, THP, hugetlb, mixed, THP off, unknown."""
    memory = process.memory
    thp = (memory.anon_huge_bytes or 0) + (memory.shmem_huge_bytes or 0)
    pool = memory.hugetlb_bytes or 0
    known = memory.anon_huge_bytes is not None or memory.huge_coverage is not None
    if pool and (pool >= thp or not known):
        return "hugetlb" if memory.huge_coverage is None or memory.huge_coverage >= MOSTLY else "mixed"
    if process.thp_disabled:
        return "THP off"
    if not known:
        return UNKNOWN
    if not thp:
        return "base"
    return "THP" if (memory.huge_coverage or 0) >= MOSTLY else "mixed"


def advice(recommendation: RecommendationEntry) -> str:
    """A recommendation in a few words: THP 2 MiB, hugetlb 1 GiB x 24."""
    words = POLICY_WORDS[recommendation.policy]
    if not recommendation.changes and recommendation.policy != LEAVE:
        return f"keep {words} {human_bytes(recommendation.page_bytes, '')}".rstrip()
    if recommendation.page_bytes is not None:
        words += f" {human_bytes(recommendation.page_bytes)}"
    return words if recommendation.pages is None else f"{words} x {count(recommendation.pages)}"


def gain(expected: ExpectedGain | None) -> str:
    """A predicted gain with its interval: 12 % less time (5 % to 19 %, 90 % sure)."""
    if expected is None:
        return "not predicted"
    sign = "less" if expected.median >= 0 else "more"
    low, high = _signed_percent(expected.low), _signed_percent(expected.high)
    return f"{percent(abs(expected.median))} {sign} time ({low} to {high}, {percent(expected.level)} sure)"


def _signed_percent(share: float) -> str:
    return f"-{percent(-share)}" if share < 0 else percent(share)


def bloat(recommendation: RecommendationEntry) -> str:
    """What the policy may cost or save in memory: memory may grow by up to 1.5 GiB (by smaps, a bound)."""
    size = recommendation.bloat_bytes
    if size == 0:
        return "no growth of memory"
    if size is None:
        return "growth of memory unknown" if recommendation.policy != LEAVE else "no growth of memory"
    words = {
        "thp": f"memory may grow by up to {human_bytes(size)}",
        "thp-off": f"prevents growth of up to {human_bytes(size)}",
        "hugetlb": f"whole pages cost {human_bytes(size)}",
    }
    basis = {"pages": " (counted page by page)", "smaps": " (a bound by smaps)"}
    said = words.get(recommendation.policy, f"up to {human_bytes(size)} of growth")
    return said + basis.get(recommendation.bloat_basis or "", "")


def bloat_forecast(forecast: BloatForecast) -> str:
    """What THP would add, by way and by khugepaged's limit, in one sentence."""
    ways = [f"{human_bytes(forecast.fault_bytes)} if it were started under it"]
    if forecast.fault_most_bytes > forecast.fault_bytes:
        ways[0] += f" (at most {human_bytes(forecast.fault_most_bytes)}: it gave back memory that it once had)"
    if forecast.khugepaged_bytes is not None:
        ways.append(
            f"{human_bytes(forecast.khugepaged_bytes)} by khugepaged at max_ptes_none {forecast.max_ptes_none}"
        )
    if forecast.khugepaged_bytes:
        steps: dict[int, int] = {}
        for at in forecast.by_max_ptes_none:
            steps.setdefault(at.bytes, at.max_ptes_none)
        ways.append("by limit " + ", ".join(f"{human_bytes(size)} from {at} on" for size, at in steps.items()))
    said = f"THP would add {'; '.join(ways)}"
    if forecast.fault_bytes and forecast.reclaimable_bytes:
        said += f"; {human_bytes(forecast.reclaimable_bytes)} comes back under memory pressure (shrink_underused)"
    if not forecast.complete:
        said += f"; nothing is said of {human_bytes(forecast.unscanned_bytes)} that was not looked at"
    return said


def _application(application: Application) -> str:
    version = f" {application.version}" if application.version else ""
    return f"{application.name}{version} ({application.confidence} confidence)"


def _component(component: Component) -> str:
    return f"{component.name} {component.version}" if component.version else component.name


def mthp(memory: Memory) -> str:
    """Memory in large folios that no PMD maps, by size: mTHP 96 MiB of 64 KiB, 12 MiB of 128 KiB; 3 MiB in parts."""
    found = memory.mthp or []
    sizes = [f"{human_bytes(size.bytes)} in pages of {human_bytes(size.page_bytes)}" for size in found if size.bytes]
    words = [f"mTHP: {', '.join(sizes)}" if sizes else "no mTHP"]
    if memory.mthp_partial_bytes:
        words.append(f"{human_bytes(memory.mthp_partial_bytes)} in larger folios mapped in part")
    if file_bytes := sum(size.file_bytes for size in found):
        words.append(f"{human_bytes(file_bytes)} in large folios of page cache or shmem")
    if not memory.mthp_complete:
        words.append("not all was looked at")
    return "; ".join(words)


def identity(process: ProcessEntry) -> str:
    """What is known of a process beside its name: user, application, what is in it, allocator, CPU use, cgroup."""
    application = process.application
    known = (
        ("user", process.user),
        ("application", application and _application(application)),
        ("with", ", ".join(filter(None, (_component(one) for one in process.components)))),
        ("allocator", process.allocator),
        ("runtime", process.runtime),
        ("CPUs", process.cpu_cores is not None and f"{process.cpu_cores:.2f}"),
        ("cgroup", process.cgroup),
    )
    return ", ".join(f"{name} {value}" for name, value in known if value)


def evidence_line(reason: Reason) -> str:
    """What a rule read, in one line; texts that its message holds already are left out."""
    told = ((name, evidence(name, value)) for name, value in reason.evidence.items())
    return ", ".join(f"{name} {said}" for name, said in told if len(said) < LONG_TEXT or said not in reason.message)


def evidence(name: str, value: Evidence) -> str:
    """A feature's value in words; the unit is in the feature's name."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool | str):
        return str(value).lower() if isinstance(value, bool) else value
    if name.endswith("_bytes") and isinstance(value, int):
        return human_bytes(value)
    return count(value) if isinstance(value, int) else f"{value:.3g}"


def is_change(process: ProcessEntry) -> bool:
    """Whether something should be done for this process."""
    return process.recommendation.changes


def machine_parts(host: Host) -> list[str]:
    """Kernel, processor and whether it is a guest; the most important first."""
    parts = [f"Linux {host.kernel or UNKNOWN} {host.arch or ''}".strip(), host.cpu_model or "CPU unknown"]
    if host.cpus is not None:
        parts.append(plural(host.cpus, "CPU"))
    if host.virtualization is None:
        parts.append("virtualization unknown")
    else:
        parts.append("bare metal" if host.virtualization == BARE_METAL else f"{host.virtualization} guest")
    if host.numa_nodes is not None and host.numa_nodes > 1:
        parts.append(f"{host.numa_nodes} NUMA nodes")
    return parts


def memory_parts(host: Host) -> list[str]:
    """Total and available memory, swap, pressure."""
    parts = [human_bytes(host.memory_total_bytes), f"{human_bytes(host.memory_available_bytes)} available"]
    if host.swap_total_bytes == 0:
        parts.append("no swap")
    elif host.swap_total_bytes is not None:
        parts.append(f"swap {human_bytes(host.swap_used_bytes)} of {human_bytes(host.swap_total_bytes)} used")
    pressure = host.memory_pressure_some_avg10
    parts.append("pressure unknown" if pressure is None else f"pressure {pressure:.1f} %")
    if host.base_page_bytes is not None:
        parts.append(f"base page {human_bytes(host.base_page_bytes)}")
    return parts


def thp_parts(host: Host) -> list[str]:
    """The switches of THP, what it gives now, and how far khugepaged comes."""
    thp, khugepaged = host.thp, host.khugepaged
    if thp.enabled is None and thp.pmd_bytes is None:
        return ["none in this kernel, or its switches cannot be read"]
    parts = [f"enabled {thp.effective_enabled or thp.enabled or UNKNOWN}", f"defrag {thp.defrag or UNKNOWN}"]
    parts.append(f"{human_bytes(thp.in_use_bytes)} in use")
    parts.append(f"page {human_bytes(thp.pmd_bytes)}")
    parts.append(f"shmem {thp.effective_shmem_enabled or thp.shmem_enabled or UNKNOWN}")
    if thp.fault_fallback_share is not None:
        parts.append(f"{percent(thp.fault_fallback_share)} of faults fell back")
    elif thp.fault_fallback_share_since_boot is not None:
        parts.append(f"{percent(thp.fault_fallback_share_since_boot)} of faults fell back since boot")
    if khugepaged.pass_s is not None:
        parts.append(f"khugepaged pass {duration(khugepaged.pass_s)}")
    if khugepaged.pages_collapsed_per_s is not None:
        parts.append(f"{rate(khugepaged.pages_collapsed_per_s)} collapsed")
    return parts


def pool_parts(host: Host) -> list[str]:
    """Each hugetlb pool of the whole host, then what could be handed out now."""
    pools = [pool for pool in host.pools if pool.node is None]
    if not pools:
        return ["no hugetlb pools in this kernel, or they cannot be read"]
    parts = [_pool(pool) for pool in pools if pool.total]
    empty = [human_bytes(pool.page_bytes) for pool in pools if not pool.total]
    if empty:
        parts.append(f"{' and '.join(empty)} empty")
    return parts + supply_parts(host)


def _pool(pool: Pool) -> str:
    unused = pool.free - (pool.reserved or 0)
    size = human_bytes(pool.page_bytes * pool.total)
    return f"{human_bytes(pool.page_bytes)}: {plural(pool.total, 'page')} ({size}), {count(unused)} unused"


def page_tables(process: ProcessEntry) -> str:
    """Its page tables now, and as estimated with the plan carried out where that differs."""
    now, after = process.memory.page_table_bytes, process.recommendation.page_table_bytes_after
    return human_bytes(now) if after in (None, now) else f"{human_bytes(now)} (with the plan {human_bytes(after)})"


def supply_parts(host: Host) -> list[str]:
    """Huge pages to be had over all nodes, by size: now, and at boot where that is all that is known."""
    now, at_boot = [], []
    for size in sorted({supply.page_bytes for supply in host.supply}):
        of_size = [supply for supply in host.supply if supply.page_bytes == size]
        boot = sum(supply.at_boot or 0 for supply in of_size)
        if all(supply.available_now is not None for supply in of_size):
            now.append(f"{count(sum(supply.available_now or 0 for supply in of_size))} of {human_bytes(size)}")
        elif boot:
            at_boot.append(f"{count(boot)} of {human_bytes(size)}")
    parts = [f"{' or '.join(now)} to be had now"] if now else []
    return parts + ([f"{' or '.join(at_boot)} at boot"] if at_boot else [])


def tlb_parts(host: Host) -> list[str]:
    """What the last-level data TLB of one core reaches with each page size."""
    last: dict[int, tuple[int, int]] = {}
    for tlb in host.tlb:
        last[tlb.page_bytes] = max(last.get(tlb.page_bytes, (0, 0)), (tlb.level, tlb.reach_bytes))
    if not last:
        return ["geometry of this CPU unknown"]
    reaches = [f"{human_bytes(reach)} with {human_bytes(size)}" for size, (_, reach) in sorted(last.items())]
    return [f"one core reaches {reaches[0]}", *reaches[1:]]


def source_words(report: Report) -> str:
    """Where the observations come from: live, 2 s, 3 samples."""
    source = report.source
    kinds = {"live": "live", "profile": "saved profile", "tree": "captured tree"}
    return f"{kinds[source.kind]}, {plural(source.samples, 'sample')} over {duration(source.duration_s)}"


def cost_words(report: Report) -> str:
    """What observing cost, in one sentence."""
    cost = report.source.cost
    words = f"{cost.cpu_s:.3f} s of CPU in {cost.wall_s:.2f} s of reading"
    if cost.share_of_one_cpu is not None:
        words += f", {cost.share_of_one_cpu * 100:.2f} % of one CPU"
        if cost.budget_share is not None:
            words += f" (budget {cost.budget_share * 100:.2g} %)"
    if cost.deferred:
        words += f"; {plural(cost.deferred, 'read')} put off"
    return words


def skipped_words(skipped: Sequence[SkippedProcess]) -> str:
    """How many processes were not observed, by reason, the most frequent first."""
    reasons = Counter(process.reason for process in skipped).most_common()
    return ", ".join(f"{count(number)} {reason}" for reason, number in reasons)


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


def tenant(one: PlanTenant) -> str:
    """Who it is: redis-server (pid 812, redis.service), python3 (4 processes, pid 1, 2, 3, ...)."""
    pids = ", ".join(map(str, one.pids[:NAMED_PIDS]))
    many = "" if len(one.pids) == 1 else f"{count(len(one.pids))} processes, "
    more = ", ..." if len(one.pids) > NAMED_PIDS else ""
    service = f", {one.service}" if one.service else ""
    return f"{one.name} ({many}pid {pids}{more}{service})"


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
