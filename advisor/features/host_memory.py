"""The host: its pages, its memory, the pressure on it, and whether huge pages can still be made."""

from __future__ import annotations

from advisor.features.declare import (
    NO_RATE,
    HostValues,
    Value,
    byte_count,
    count,
    flag,
    number,
    share,
)
from advisor.features.supply import at_boot, available, supply
from advisor.features.window import change, elapsed_s, part_of, per_second, vmstat
from advisor.procfs.buddyinfo import free_blocks_of_order, unusable_index
from advisor.profile.model import HostFacts, HostState
from advisor.profile.timeline import Timeline

BARE_METAL = "none"
"""What the reader of virtualization says where it is sure that there is no hypervisor."""
MICROSECONDS = 1_000_000
NO_MEMINFO = "meminfo could not be read or has no such line"
NO_PSI = "no /proc/pressure/memory: before 4.20, or CONFIG_PSI off, or psi=0"
NO_BUDDY = "buddyinfo could not be read, or a page size is unknown"
NO_LOOK = "kpageflags was not looked at: that needs CAP_DAC_READ_SEARCH, and a recording does not"

FEATURES = (
    byte_count("host_base_page_bytes", "Base page size.", "getpagesize()", "not recorded", "host"),
    byte_count("host_memory_total_bytes", "Usable RAM.", "meminfo: MemTotal", NO_MEMINFO, "host"),
    byte_count(
        "host_memory_available_bytes",
        "Memory that can be had without swapping; free pool pages are not in it.",
        "meminfo: MemAvailable (3.14)",
        NO_MEMINFO,
        "host",
    ),
    share("host_memory_available_share", "Available part of RAM.", "MemAvailable / MemTotal", NO_MEMINFO, "host"),
    byte_count("host_swap_total_bytes", "Swap space.", "meminfo: SwapTotal", NO_MEMINFO, "host"),
    byte_count("host_swap_used_bytes", "Swap in use.", "meminfo: SwapTotal - SwapFree", NO_MEMINFO, "host"),
    byte_count(
        "host_huge_anon_total_bytes",
        "Anonymous memory of all processes that PMD-size THP maps.",
        "meminfo: AnonHugePages (2.6.38)",
        NO_MEMINFO,
        "host",
    ),
    number(
        "host_memory_pressure_some_avg10",
        "percent",
        "Share of the last 10 s in which at least one task waited for memory.",
        "/proc/pressure/memory: some avg10",
        NO_PSI,
        "host",
    ),
    share(
        "host_memory_pressure_some_rate",
        "Share of the observed time in which at least one task waited for memory. Direct compaction counts.",
        "/proc/pressure/memory: some total, two samples",
        f"{NO_PSI}, or one sample only",
        "host",
    ),
    number(
        "host_compact_stalls_per_s",
        "stalls/s",
        "Direct compactions: tasks that stopped to make a large page.",
        "vmstat: compact_stall, two samples",
        NO_RATE,
        "host",
    ),
    share(
        "host_compact_success_share",
        "Part of the direct compactions in the observed time that made their page.",
        "vmstat: compact_success / (compact_success + compact_fail), two samples",
        f"{NO_RATE}, or none ran",
        "host",
    ),
    share(
        "host_pmd_unusable_index",
        "Share of free memory that cannot serve a PMD-size allocation without compaction: 0 good, 1 bad.",
        "buddyinfo, all zones together: unusable_free_index of mm/vmstat.c at the PMD order",
        NO_BUDDY,
        "host",
    ),
    count(
        "host_pmd_supply_pages",
        "PMD-size pages that could be handed out now without compaction; larger free blocks count as several.",
        "buddyinfo, all zones",
        NO_BUDDY,
        "host",
    ),
    count(
        "host_pmd_supply_compacted_pages",
        "PMD-size pages that could be had now with compaction, beyond the pools.",
        "zoneinfo, and blocks of /proc/kpageflags that hold only what is free or can be moved",
        NO_LOOK,
        "host",
    ),
    count(
        "host_gigantic_supply_pages",
        "Gigantic pages that could be had now, beyond the pool.",
        "/proc/kpageflags: aligned ranges that hold only what is free or can be moved",
        f"no larger size here, or {NO_LOOK}",
        "host",
    ),
    count(
        "host_gigantic_boot_pages",
        "Gigantic pages that could be reserved at boot and leave what is in use today its memory, an estimate.",
        "zoneinfo: free memory, page cache and pools, in whole pages",
        "no larger size here, or zoneinfo could not be read",
        "host",
    ),
    count("host_numa_nodes", "NUMA nodes.", "/sys/devices/system/node", "not recorded", "host"),
    count("host_systemd_version", "Major version of systemd.", "/proc/1/maps: libsystemd-shared",
          "process 1 is another program, or its maps could not be read", "host"),
    flag("host_virtualized", "The host is itself a guest.", "sysfs, cpuinfo", "cannot be told", "host"),
    flag("host_privileged", "The profile was made with the capabilities to see all processes.", "profile header",
         "not recorded", "host"),
    flag("host_hidepid", "/proc hides processes from those who may not trace them.",
         "/proc/mounts: proc with hidepid", "a captured tree, or not recorded", "host"),
    flag("host_in_pid_namespace", "Only processes of one container could be seen.", "/proc/self/ns/pid",
         "a captured tree, or not recorded", "host"),
    count("host_processes", "Processes in this table.", "profile", "never null", "host"),
    count("host_samples", "Samples of the profile.", "profile", "never null", "host"),
    number("host_duration_s", "s", "Time from the first to the last sample.", "profile", "never null", "host"),
)  # fmt: skip


def host_values(timeline: Timeline) -> dict[str, Value]:
    """This theme's columns but those of contiguity, which need the PMD size."""
    facts, state = timeline.header.host, timeline.host_last
    meminfo = state.meminfo or {}
    total, available = meminfo.get("MemTotal"), meminfo.get("MemAvailable")
    swap, swap_free = meminfo.get("SwapTotal"), meminfo.get("SwapFree")
    return {
        "host_base_page_bytes": facts.base_page_bytes,
        "host_memory_total_bytes": total,
        "host_memory_available_bytes": available,
        "host_memory_available_share": available / total if available is not None and total else None,
        "host_swap_total_bytes": swap,
        "host_swap_used_bytes": swap - swap_free if swap is not None and swap_free is not None else None,
        "host_huge_anon_total_bytes": meminfo.get("AnonHugePages"),
        "host_numa_nodes": len(facts.nodes) if facts.nodes is not None else None,
        "host_systemd_version": facts.systemd_version,
        "host_virtualized": is_virtualized(facts),
        "host_privileged": timeline.header.privileged,
        "host_hidepid": facts.hidepid,
        "host_in_pid_namespace": facts.in_pid_namespace,
        "host_processes": len(timeline.processes),
        "host_samples": timeline.samples,
        "host_duration_s": timeline.duration_s,
        **_pressure(timeline),
        **_compaction(timeline),
    }


def contiguity(state: HostState, base_page: int | None, pmd_bytes: int | None) -> dict[str, Value]:
    """Supply of PMD-size pages as they lie. All zones together, as an allocation falls back from one to another."""
    index = whole = None
    if state.buddyinfo and base_page and pmd_bytes and pmd_bytes >= base_page:
        order = (pmd_bytes // base_page).bit_length() - 1
        by_order = [sum(counts) for counts in zip(*(zone.free_blocks for zone in state.buddyinfo), strict=True)]
        index = unusable_index(by_order, order)
        whole = free_blocks_of_order(by_order, order)
    return {
        "host_pmd_unusable_index": index,
        "host_pmd_supply_pages": whole,
    }


def supply_values(state: HostState, host: HostValues) -> dict[str, Value]:
    """How many huge pages could be had now and at boot; `host` has the page sizes."""
    base = host["host_base_page_bytes"]
    entries = supply(state, int(base) if isinstance(base, int) else None)
    gigantic = host["host_pool_gigantic_page_bytes"]
    return {
        "host_pmd_supply_compacted_pages": available(entries, host["host_pmd_bytes"]) if state.contiguity else None,
        "host_gigantic_supply_pages": available(entries, gigantic),
        "host_gigantic_boot_pages": at_boot(entries, gigantic),
    }


def is_virtualized(facts: HostFacts) -> bool | None:
    """From the recorded hypervisor, else from x86's CPUID flag; None where neither tells."""
    if facts.virtualization is not None:
        return facts.virtualization != BARE_METAL
    return facts.cpu.hypervisor_flag if facts.cpu is not None else None


def _some_total_us(state: HostState) -> int | None:
    memory = state.pressure.get("memory")
    return memory.some.total_us if memory is not None and memory.some is not None else None


def _pressure(timeline: Timeline) -> dict[str, Value]:
    memory = timeline.host_last.pressure.get("memory")
    first, last = _some_total_us(timeline.host_first), _some_total_us(timeline.host_last)
    stalled = (last - first) / MICROSECONDS if first is not None and last is not None and last >= first else None
    rate = per_second(stalled, elapsed_s(timeline, "pressure"))
    return {
        "host_memory_pressure_some_avg10": memory.some.avg10 if memory is not None and memory.some else None,
        "host_memory_pressure_some_rate": min(rate, 1.0) if rate is not None else None,
    }


def _compaction(timeline: Timeline) -> dict[str, Value]:
    stalls = change(timeline, vmstat, "compact_stall")
    success = change(timeline, vmstat, "compact_success")
    return {
        "host_compact_stalls_per_s": per_second(stalls, elapsed_s(timeline, "vmstat")),
        "host_compact_success_share": part_of(success, change(timeline, vmstat, "compact_fail")),
    }
