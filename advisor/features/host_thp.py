"""The host's THP policy for the PMD size, what faults got out of it, and khugepaged's progress."""

from __future__ import annotations

from advisor.features.declare import NO_RATE, Value, byte_count, count, flag, number, share, text
from advisor.features.window import change, elapsed_s, khugepaged, part_of, per_second, vmstat
from advisor.procfs.facts import Thp
from advisor.profile.timeline import Timeline

NO_THP = "this kernel or CPU has no THP, or its sysfs folder could not be read"
NO_KHUGEPAGED = "no sysfs folder khugepaged"
NO_WINDOW = f"{NO_RATE}, or no such fault in the observed time"
MILLISECONDS = 1000
INHERIT = "inherit"
ENABLING = frozenset({"always", "madvise"})
"""Choices of a size's `enabled` that let somebody have it (transhuge.rst)."""

FEATURES = (
    byte_count("host_pmd_bytes", "THP's page size: what one PMD entry maps.", "sysfs: hpage_pmd_size (4.5)",
               "no THP here, or before 4.5", "host"),
    text(
        "host_thp_enabled",
        "Effective mode for anonymous memory at the PMD size: always, madvise or never. Its own switch decides "
        "unless it says inherit or is absent.",
        "sysfs: hugepages-<PMD>kB/enabled, else enabled",
        NO_THP,
        "host",
    ),
    text("host_thp_defrag", "What a fault may do to get a huge page.", "sysfs: defrag", NO_THP, "host"),
    text(
        "host_shmem_enabled",
        "Effective mode for shared anonymous memory, memfd and SysV at the PMD size; mounted tmpfs follows its huge= "
        "option instead. deny at the top overrules a size; force works through inherit only.",
        "sysfs: hugepages-<PMD>kB/shmem_enabled, else shmem_enabled",
        NO_THP,
        "host",
    ),
    flag(
        "host_mthp_enabled",
        "A THP size other than the PMD's is on for somebody. False where the kernel has no such sizes (before 6.8).",
        "sysfs: hugepages-*kB/enabled",
        NO_THP,
        "host",
    ),
    number("host_thp_fault_alloc_per_s", "faults/s", "Faults that got a PMD-size THP.", "vmstat: thp_fault_alloc",
           NO_RATE, "host"),
    number(
        "host_thp_fault_fallback_per_s",
        "faults/s",
        "Faults that could not get their THP. Misaligned or half used slots are no fallback and counted nowhere.",
        "vmstat: thp_fault_fallback",
        NO_RATE,
        "host",
    ),
    share(
        "host_thp_fault_fallback_share",
        "Part of the faults in the observed time that tried for a THP and did not get it.",
        "vmstat: thp_fault_fallback / (thp_fault_alloc + thp_fault_fallback)",
        NO_WINDOW,
        "host",
    ),
    share(
        "host_thp_fault_fallback_share_since_boot",
        "The same since boot.",
        "vmstat: thp_fault_fallback / (thp_fault_alloc + thp_fault_fallback)",
        "the counters are absent, or no such fault since boot",
        "host",
    ),
    number("host_thp_splits_per_s", "splits/s", "Huge pages split into base pages.",
           "vmstat: thp_split_page (thp_split before 4.5)", NO_RATE, "host"),
    number("host_khugepaged_collapsed_per_s", "pages/s", "Huge pages that khugepaged made.",
           "sysfs: khugepaged/pages_collapsed, two samples", NO_RATE, "host"),
    number("host_khugepaged_full_scans_per_s", "scans/s", "Passes of khugepaged over all memory.",
           "sysfs: khugepaged/full_scans, two samples", NO_RATE, "host"),
    number("host_khugepaged_cpu_share", "share of one CPU", "CPU that khugepaged uses.",
           "stat of the thread khugepaged: utime + stime, two samples", f"{NO_RATE}, or no such thread", "host"),
    count("host_khugepaged_pages_to_scan", "Base pages that it looks at before it sleeps.",
          "sysfs: khugepaged/pages_to_scan", NO_KHUGEPAGED, "host"),
    number("host_khugepaged_scan_sleep_ms", "ms", "How long it sleeps in between.",
           "sysfs: khugepaged/scan_sleep_millisecs", NO_KHUGEPAGED, "host"),
    count("host_khugepaged_max_ptes_none", "Empty base pages that a slot may have to be collapsed all the same.",
          "sysfs: khugepaged/max_ptes_none", NO_KHUGEPAGED, "host"),
    number("host_khugepaged_scan_bytes_per_s", "bytes/s", "Address space that it can look at, at most.",
           "pages_to_scan x base page / scan_sleep", "its settings are unknown, or it never sleeps", "host"),
    number(
        "host_khugepaged_pass_s",
        "s",
        "Shortest time of one khugepaged pass over the eligible anonymous slots of all processes in this table: a "
        "slot costs its whole size whatever is in it. Processes whose smaps is unknown are not in the sum.",
        "sum of eligible anonymous slots / host_khugepaged_scan_bytes_per_s",
        "the rate or all eligible memory is unknown",
        "host",
    ),
    byte_count(
        "host_collapsible_bytes",
        "Anonymous memory on base pages in eligible VMAs of all processes in this table: what khugepaged could still "
        "collapse, at most.",
        "sum of max(thp_eligible_anon_rss_bytes - anon_huge_bytes, 0)",
        "no process's eligible memory is known",
        "host",
    ),
)  # fmt: skip


def host_values(timeline: Timeline) -> dict[str, Value]:
    """This theme's columns but host_khugepaged_pass_s and host_collapsible_bytes, which need the processes."""
    thp = timeline.host_last.thp
    return {
        "host_pmd_bytes": pmd_bytes(timeline),
        "host_thp_enabled": effective_enabled(thp) if thp is not None else None,
        "host_thp_defrag": thp.defrag if thp is not None else None,
        "host_shmem_enabled": effective_shmem_enabled(thp) if thp is not None else None,
        "host_mthp_enabled": is_mthp_enabled(thp) if thp is not None else None,
        **_faults(timeline),
        **_khugepaged(timeline),
    }


def pmd_bytes(timeline: Timeline) -> int | None:
    """THP's page size on this host; None where there is no THP or its size is not printed."""
    thp = timeline.host_last.thp
    return thp.pmd_bytes if thp is not None else None


def effective_enabled(thp: Thp) -> str | None:
    """The mode that holds for anonymous memory at the PMD size (transhuge.rst, "hugepages-<size>kB/enabled")."""
    own = next((size.enabled for size in thp.sizes if size.page_bytes == thp.pmd_bytes), None)
    return thp.enabled if own in (None, INHERIT) else own


def effective_shmem_enabled(thp: Thp) -> str | None:
    """The mode that holds for internal shmem at the PMD size (shmem_allowable_huge_orders in mm/shmem.c)."""
    own = next((size.shmem_enabled for size in thp.sizes if size.page_bytes == thp.pmd_bytes), None)
    if own in (None, INHERIT) or thp.shmem_enabled == "deny":
        return thp.shmem_enabled
    return "never" if thp.shmem_enabled == "force" else own


def is_mthp_enabled(thp: Thp) -> bool:
    """Whether a size other than the PMD's may be used by somebody for anonymous memory."""
    modes = (size.enabled for size in thp.sizes if size.page_bytes != thp.pmd_bytes)
    return any((thp.enabled if mode == INHERIT else mode) in ENABLING for mode in modes)


def pass_s(eligible_bytes: int | None, scan_bytes_per_s: Value) -> float | None:
    """Seconds for khugepaged to look at that many bytes once; None where either is unknown."""
    if eligible_bytes is None or not isinstance(scan_bytes_per_s, float) or scan_bytes_per_s == 0:
        return None
    return eligible_bytes / scan_bytes_per_s


def _faults(timeline: Timeline) -> dict[str, Value]:
    seconds = elapsed_s(timeline, "vmstat")
    got = change(timeline, vmstat, "thp_fault_alloc")
    fell_back = change(timeline, vmstat, "thp_fault_fallback")
    since_boot = timeline.host_last.vmstat or {}
    return {
        "host_thp_fault_alloc_per_s": per_second(got, seconds),
        "host_thp_fault_fallback_per_s": per_second(fell_back, seconds),
        "host_thp_fault_fallback_share": part_of(fell_back, got),
        "host_thp_fault_fallback_share_since_boot": part_of(
            since_boot.get("thp_fault_fallback"), since_boot.get("thp_fault_alloc")
        ),
        "host_thp_splits_per_s": per_second(change(timeline, vmstat, "thp_split_page", "thp_split"), seconds),
    }


def _khugepaged(timeline: Timeline) -> dict[str, Value]:
    seconds = elapsed_s(timeline, "thp")
    settings = khugepaged(timeline.host_last) or {}
    pages, sleep_ms = settings.get("pages_to_scan"), settings.get("scan_sleep_millisecs")
    base_page = timeline.header.host.base_page_bytes
    scanned = pages * base_page if pages is not None and base_page is not None else None
    return {
        "host_khugepaged_collapsed_per_s": per_second(change(timeline, khugepaged, "pages_collapsed"), seconds),
        "host_khugepaged_full_scans_per_s": per_second(change(timeline, khugepaged, "full_scans"), seconds),
        "host_khugepaged_cpu_share": _khugepaged_cpu_share(timeline),
        "host_khugepaged_pages_to_scan": pages,
        "host_khugepaged_scan_sleep_ms": sleep_ms,
        "host_khugepaged_max_ptes_none": settings.get("max_ptes_none"),
        "host_khugepaged_scan_bytes_per_s": per_second(scanned, (sleep_ms or 0) / MILLISECONDS),
    }


def _khugepaged_cpu_share(timeline: Timeline) -> float | None:
    first, last = timeline.host_first.khugepaged_ticks, timeline.host_last.khugepaged_ticks
    if first is None or last is None or last < first:
        return None
    return per_second(
        (last - first) / timeline.header.host.clock_ticks_per_s, elapsed_s(timeline, "khugepaged_ticks")
    )
