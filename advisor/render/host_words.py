"""The host in words: machine, memory, THP, pools, what it could hand out, TLB. All from the report, unescaped."""

from __future__ import annotations

from advisor.render.numbers import UNKNOWN, count, duration, human_bytes, percent, plural, rate
from advisor.report.host import Host, Pool

BARE_METAL = "none"
"""How `host.virtualization` says that the host is no guest."""


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
    if pass_s := khugepaged_pass(host):
        parts.append(f"khugepaged {pass_s}")
    if khugepaged.pages_collapsed_per_s is not None:
        parts.append(f"{rate(khugepaged.pages_collapsed_per_s)} collapsed")
    return parts


def khugepaged_pass(host: Host) -> str:
    """How long khugepaged takes to look at everything once; empty where that is unknown."""
    return "" if host.khugepaged.pass_s is None else f"pass {duration(host.khugepaged.pass_s)}"


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
