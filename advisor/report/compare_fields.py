"""What is compared: the values of a host and of a process, each with its title, unit, and why it may be unknown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from advisor.report.comparison import BOTH, NO_GAIN, NO_MTHP, NOT_SEEN, FieldChange, Status, Value
from advisor.report.document import Report
from advisor.report.process import Memory, ProcessEntry, RecommendationEntry
from advisor.rules.text import show_bytes

SMALLEST_BYTES = 1 << 20
"""Bytes below which a difference of memory is none. Source: own choice. Reason: a process at rest moves by less."""

SMALLEST_PART = 0.01
"""Part of the larger value below which a difference of memory is none. Source: own choice. Reason: two looks at a
host at rest differ by about that."""

SMALLEST_SHARE = 0.01
"""Difference of shares below which there is none: one percentage point."""

SMALLEST_RATE_PART = 0.1
"""Part of the larger rate or time below which a difference is none. Source: own choice. Reason: rates of a few
seconds vary so."""

SMALLEST_RATE = 1.0
"""Events per second below which a difference is none. Source: own choice. Reason: costs nobody anything."""

SMALLEST_CORES = 0.01
"""Of one CPU, or seconds, below which a difference is none: 1 %."""

ONE_SAMPLE = "one sample tells no rates"
NO_FAULTS = "no huge page was allocated by fault meanwhile"
NO_SMAPS = "smaps was not read"
NO_STATUS = "status was not read"
NO_SUCH = "there is none"


class Reading(NamedTuple):
    """One value of one side. lacking: why it is null."""

    title: str
    unit: str
    value: Value
    lacking: str = NOT_SEEN


Readings = dict[str, Reading]


def host_readings(report: Report) -> Readings:
    """Values of a host, the most important first: what was set, pools, what is huge, what it costs, the rest."""
    host, totals, rates = report.host, report.totals, _rates_lack(report)
    thp, daemon = host.thp, host.khugepaged
    found = {
        "thp.enabled": Reading("THP mode", "text", thp.enabled),
        "thp.defrag": Reading("THP defrag", "text", thp.defrag),
        "thp.shmem_enabled": Reading("THP for shared memory", "text", thp.shmem_enabled),
    }
    for size in thp.sizes:
        title = f"THP {show_bytes(size.page_bytes)}"
        found[f"thp.sizes.{size.page_bytes}.enabled"] = Reading(title, "text", size.enabled)
    found |= {
        "khugepaged.max_ptes_none": Reading("khugepaged max_ptes_none", "count", daemon.max_ptes_none),
        "khugepaged.pages_to_scan": Reading("khugepaged pages_to_scan", "pages", daemon.pages_to_scan),
        "khugepaged.scan_sleep_ms": Reading("khugepaged sleep", "ms", daemon.scan_sleep_ms),
    }
    found |= dict(_pools(report))
    found |= {
        "thp.in_use_bytes": Reading("THP in use", "bytes", thp.in_use_bytes),
        "pools_in_use_bytes": Reading("pools in use", "bytes", _pools_in_use(report)),
        "totals.page_table_bytes": Reading("page tables", "bytes", _total(report, "page_table_bytes"), NO_STATUS),
        "processes_to_change": Reading(
            "processes that should change", "count", sum(one.recommendation.changes for one in report.processes)
        ),
        "thp.fault_alloc_per_s": Reading("huge pages by fault", "per-second", thp.fault_alloc_per_s, rates),
        "thp.fault_fallback_share": Reading(
            "huge faults that fell back", "share", thp.fault_fallback_share, _share_lacks(report)
        ),
        "thp.fault_fallback_share_since_boot": Reading(
            "the same since boot", "share", thp.fault_fallback_share_since_boot
        ),
        "khugepaged.pages_collapsed_per_s": Reading(
            "khugepaged collapses", "per-second", daemon.pages_collapsed_per_s, rates
        ),
        "khugepaged.full_scans_per_s": Reading("khugepaged scans", "per-second", daemon.full_scans_per_s, rates),
        "khugepaged.cpu_share": Reading("khugepaged CPU", "share", daemon.cpu_share, rates),
        "khugepaged.pass_s": Reading("khugepaged pass", "seconds", daemon.pass_s),
    }
    found |= {
        f"supply.{one.page_bytes}": Reading(f"{show_bytes(one.page_bytes)} to be had", "pages", one.available_now)
        for one in host.supply
        if one.node is None
    }
    return found | {
        "memory_available_bytes": Reading("memory available", "bytes", host.memory_available_bytes),
        "swap_used_bytes": Reading("swap used", "bytes", host.swap_used_bytes),
        "memory_pressure_some_avg10": Reading("memory pressure, %", "count", host.memory_pressure_some_avg10),
        "unusable_index": Reading("free memory in small pieces", "share", host.unusable_index),
        "memory_total_bytes": Reading("memory", "bytes", host.memory_total_bytes),
        "totals.rss_bytes": Reading("resident, summed up", "bytes", _total(report, "rss_bytes"), NO_SMAPS),
        "processes": Reading("processes", "count", totals.processes),
    }


def process_readings(process: ProcessEntry, report: Report) -> Readings:
    """Values of one process, the most important first."""
    memory, rates = process.memory, _rates_lack(report)
    gain = process.recommendation.expected_gain
    return {
        "advice": Reading("advice", "text", advice_words(process.recommendation)),
        "huge_bytes": Reading("on huge pages", "bytes", huge_bytes(memory), NO_SMAPS),
        "huge_coverage": Reading("coverage", "share", memory.huge_coverage, NO_SMAPS),
        "anon_huge_bytes": Reading("anonymous THP", "bytes", memory.anon_huge_bytes, NO_SMAPS),
        "shmem_huge_bytes": Reading("shared THP", "bytes", memory.shmem_huge_bytes, NO_SMAPS),
        "hugetlb_bytes": Reading("hugetlb", "bytes", memory.hugetlb_bytes, NO_SMAPS),
        "mthp_bytes": Reading("smaller THP", "bytes", _mthp_bytes(memory), NO_MTHP),
        "page_table_bytes": Reading("page tables", "bytes", memory.page_table_bytes, NO_STATUS),
        "minor_faults_per_s": Reading("minor faults", "per-second", process.minor_faults_per_s, rates),
        "major_faults_per_s": Reading("major faults", "per-second", process.major_faults_per_s, rates),
        "cpu_cores": Reading("CPU", "cores", process.cpu_cores, rates),
        "thp_disabled": Reading("THP switched off by prctl", "flag", process.thp_disabled),
        "rss_bytes": Reading("resident", "bytes", memory.rss_bytes, NO_SMAPS),
        "anon_bytes": Reading("anonymous", "bytes", memory.anon_bytes, NO_SMAPS),
        "swap_bytes": Reading("swap", "bytes", memory.swap_bytes, NO_SMAPS),
        "expected_gain": Reading("predicted gain", "share", gain.median if gain else None, NO_GAIN),
    }


def compared(before: Mapping[str, Reading], after: Mapping[str, Reading]) -> list[FieldChange]:
    """Every value of either side, in the order of the first that has it."""
    changes = []
    for field in [*before, *(name for name in after if name not in before)]:
        one, other = before.get(field), after.get(field)
        known = one or other
        if known is not None:
            changes.append(_change(field, known, one, other))
    return changes


def advice_words(recommendation: RecommendationEntry) -> str:
    """Policy, page size and number of pages: hugetlb 2 MiB x 537; "keep" where nothing is to be done."""
    words = str(recommendation.policy)
    if recommendation.page_bytes is not None:
        words += f" {show_bytes(recommendation.page_bytes)}"
    if not recommendation.changes and recommendation.policy != "leave":
        return f"keep {words}"
    return words if recommendation.pages is None else f"{words} x {recommendation.pages:,d}"


def huge_bytes(memory: Memory) -> int | None:
    """Memory on huge pages of any kind; None where the largest part, anonymous THP, and hugetlb are unknown."""
    parts = (memory.anon_huge_bytes, memory.shmem_huge_bytes, memory.file_huge_bytes, memory.hugetlb_bytes)
    if memory.anon_huge_bytes is None:
        return None
    return sum(part or 0 for part in parts)


def _change(field: str, known: Reading, before: Reading | None, after: Reading | None) -> FieldChange:
    values = [side.value if side else None for side in (before, after)]
    lacks = {
        name: side.lacking if side else NO_SUCH
        for name, side in (("before", before), ("after", after))
        if side is None or side.value is None
    }
    first, second = values
    difference = None
    if not lacks and known.unit not in ("text", "flag"):
        difference = _number(second) - _number(first)
        difference = round(difference, 6) if isinstance(difference, float) else difference
    status: Status = "unknown" if lacks else "same"
    if not lacks and _is_change(known.unit, first, second):
        status = "changed"
    return FieldChange(field, known.title, known.unit, first, second, difference, status, _why(lacks))


def _why(lacks: Mapping[str, str]) -> str | None:
    """Which side lacks a value, and why; once where both lack it for one reason."""
    reasons = set(lacks.values())
    if len(lacks) > 1 and len(reasons) == 1:
        return f"{BOTH}: {reasons.pop()}"
    return "; ".join(f"{side}: {reason}" for side, reason in lacks.items()) or None


def _is_change(unit: str, before: Value, after: Value) -> bool:
    if before == after or unit in ("text", "flag", "pages", "count", "ms"):
        return before != after
    one, other = _number(before), _number(after)
    difference, larger = abs(one - other), max(abs(one), abs(other))
    if unit == "share":
        return difference >= SMALLEST_SHARE
    if unit == "bytes":
        return difference >= max(SMALLEST_BYTES, SMALLEST_PART * larger)
    if unit == "per-second":
        return difference >= max(SMALLEST_RATE, SMALLEST_RATE_PART * larger)
    return difference >= max(SMALLEST_CORES, SMALLEST_RATE_PART * larger)


def _number(value: Value) -> int | float:
    return value if isinstance(value, int | float) else 0


def _pools(report: Report) -> Iterator[tuple[str, Reading]]:
    """Pools of the whole host; those by node where there are several nodes."""
    for pool in report.host.pools:
        place = f"pools.{pool.page_bytes}" + ("" if pool.node is None else f".node{pool.node}")
        title = f"{show_bytes(pool.page_bytes)} pool" + ("" if pool.node is None else f" of node {pool.node}")
        if pool.node is not None and (report.host.numa_nodes or 1) == 1:
            continue
        yield f"{place}.total", Reading(title, "pages", pool.total)
        yield f"{place}.free", Reading(f"{title}, free", "pages", pool.free)
        if pool.node is None:
            yield f"{place}.reserved", Reading(f"{title}, reserved", "pages", pool.reserved)
            yield f"{place}.surplus", Reading(f"{title}, surplus", "pages", pool.surplus)
            yield f"{place}.overcommit", Reading(f"{title}, overcommit", "pages", pool.overcommit)


def _pools_in_use(report: Report) -> int | None:
    """Bytes of pool pages that are in use or reserved, all sizes."""
    pools = [pool for pool in report.host.pools if pool.node is None]
    if not pools:
        return None
    return sum((pool.total - pool.free + (pool.reserved or 0)) * pool.page_bytes for pool in pools)


def _total(report: Report, name: str) -> int | None:
    """A sum over processes; None where it is unknown of all of them."""
    if not report.processes or report.totals.unknown.get(name, 0) >= report.totals.processes:
        return None
    total: int = getattr(report.totals, name)
    return total


def _mthp_bytes(memory: Memory) -> int | None:
    return None if memory.mthp is None else sum(size.bytes for size in memory.mthp)


def _share_lacks(report: Report) -> str:
    """Of no faults there is no share that fell back."""
    return NO_FAULTS if report.host.thp.fault_alloc_per_s == 0 else _rates_lack(report)


def _rates_lack(report: Report) -> str:
    return ONE_SAMPLE if report.source.samples < 2 else NOT_SEEN
