"""The host's THP switches: one mode for all, decided from what single processes need and what others would
pay."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from advisor.recommendation.model import ProcessAdvice, ThpPlan
from advisor.recommendation.sizing import concerns_shmem
from advisor.rules import Policy
from advisor.rules.text import show_bytes

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""

SPARSE_COLLAPSE_RULE = "khugepaged-fills-sparse-memory"
"""The rule that asks for a lower max_ptes_none."""

ADVISABLE_ALLOCATORS = ("glibc", "jemalloc")
"""Allocators that advise their memory when told by the environment. Source: glibc manual,
glibc.malloc.hugetlb=1 (2.35+); jemalloc TUNING, thp:always."""

ADVISABLE_RUNTIMES = ("jvm",)
"""Runtimes with a switch that advises the heap. Source: java(1), -XX:+UseTransparentHugePages."""

EXPOSED_GROWTH_SHARE = 0.1
"""Share of MemTotal. Source: own choice. Reason: mode always makes everybody pay; above a tenth of the host's
memory that is worse than changing the few programs that need it."""

PASS_TARGET_S = 3600.0
"""Seconds. Source: the threshold of the rule khugepaged-starved. Reason: one pass an hour ends the
starvation."""

SCAN_FACTOR_LIMIT = 16
"""Factor. Source: own choice. Reason: sixteen times khugepaged's default pace costs about one percent of a
CPU when it finds nothing to do, and more when it does; beyond that an operator should decide."""

DEFAULT_SCAN_SLEEP_MS = 10_000
"""Milliseconds. Source: mm/khugepaged.c, khugepaged_scan_sleep_millisecs. Reason: the kernel's own pace."""

NONE_PTES_DIVISOR = 8
"""Divisor of the entries of a PMD. Source: own choice. Reason: a collapse may then add at most one seventh to
what is resident in its range; the default lets it add everything."""


def plan_thp(host: Row, rows: Sequence[Row], advice: Sequence[ProcessAdvice], host_rules: Collection[str]) -> ThpPlan:
    """The switches as they should be. host: any row; host_rules: ids of the host-scope rules that match."""
    wanting = _rows_with(Policy.THP, rows, advice, shmem=False)
    wanting_shmem = _rows_with(Policy.THP, rows, advice, shmem=True)
    spared = _rows_with(Policy.THP_OFF, rows, advice, shmem=False)
    enabled, reason = _mode(host, rows, wanting, spared)
    defrag = _defrag(host["host_thp_defrag"], bool(wanting), "defrag-stalls" in host_rules)
    shmem_enabled = _shmem_mode(host["host_shmem_enabled"], wanting_shmem)
    khugepaged = _khugepaged(host, enabled, advice, host_rules)
    switches = {
        "enabled": (host["host_thp_enabled"], enabled),
        "defrag": (host["host_thp_defrag"], defrag),
        "shmem_enabled": (host["host_shmem_enabled"], shmem_enabled),
    }
    changed = [name for name, (now, then) in switches.items() if now != then]
    changed += [f"khugepaged/{name}" for name in khugepaged]
    return ThpPlan(enabled, defrag, shmem_enabled, khugepaged, changed, reason)


def can_be_advised(row: Row) -> bool:
    """The process advises memory already, or an environment variable or option makes it do so."""
    return bool(
        row["advised_bytes"]
        or row["is_vmm"]
        or row["allocator"] in ADVISABLE_ALLOCATORS
        or row["runtime"] in ADVISABLE_RUNTIMES
    )


def _rows_with(policy: Policy, rows: Sequence[Row], advice: Sequence[ProcessAdvice], *, shmem: bool) -> list[Row]:
    """Rows whose advice is this policy, decided by the rule on shmem or by another one."""
    return [
        row
        for row, one in zip(rows, advice, strict=True)
        if one.recommendation.policy == policy and concerns_shmem(one.recommendation) is shmem
    ]


def _mode(host: Row, rows: Sequence[Row], wanting: Sequence[Row], spared: Sequence[Row]) -> tuple[str | None, str]:
    """The mode and the reason for it. Prefers madvise with advice process by process over always."""
    now: str | None = host["host_thp_enabled"]
    if now is None:
        return None, "The host's THP mode is unknown."
    if not wanting:
        return now, f"No process needs another mode than {now}."
    if now == "always":
        return now, f"It serves {_processes(wanting)}; {len(spared)} get it switched off each on its own."
    unadvisable = [row for row in wanting if not can_be_advised(row)]
    if not unadvisable:
        return "madvise", f"It suits {_processes(wanting)}, as who wants huge pages can ask; nobody else is affected."
    exposed = _exposed_growth(rows, wanting)
    limit = EXPOSED_GROWTH_SHARE * (host["host_memory_total_bytes"] or 0)
    if spared or exposed is None or exposed > limit:
        cost = "an unknown amount" if exposed is None else f"up to {show_bytes(exposed)}"
        return "madvise", (
            f"Huge pages for {_processes(unadvisable)} need a change of the program: "
            f"always would let others grow by {cost}."
        )
    return "always", (
        f"It is the only way for {_processes(unadvisable)}; others grow by at most {show_bytes(exposed)}."
    )


def _processes(rows: Sequence[Row]) -> str:
    """How many, and the first pids."""
    shown = ", ".join(str(row["pid"]) for row in rows[:5])
    return f"{len(rows)} process{'es' if len(rows) > 1 else ''} (pid {shown}{', ...' if len(rows) > 5 else ''})"


def _exposed_growth(rows: Sequence[Row], wanting: Sequence[Row]) -> int | None:
    """Growth bound, bytes, of all who do not want huge pages; None where it is unknown for one of them."""
    wanted = {row["pid"] for row in wanting}
    bounds = [row["huge_page_growth_bound_bytes"] for row in rows if row["pid"] not in wanted]
    return None if None in bounds else sum(bounds)


def _defrag(now: str | None, wanted: bool, stalls: bool) -> str | None:
    if stalls and now == "always":
        return "defer+madvise"
    if wanted and now == "never":
        return "madvise"
    return now


def _shmem_mode(now: str | None, wanting: Sequence[Row]) -> str | None:
    """Monitors advise their guests' RAM by themselves (QEMU, Cloud Hypervisor); for others no setting does."""
    if not wanting:
        return now
    return "advise" if all(row["is_vmm"] for row in wanting) else "within_size"


def _khugepaged(
    host: Row, enabled: str | None, advice: Sequence[ProcessAdvice], host_rules: Collection[str]
) -> dict[str, int]:
    """What changes below khugepaged/."""
    changes: dict[str, int] = {}
    if "khugepaged-too-eager" in host_rules:
        changes["scan_sleep_millisecs"] = max(2 * int(host["host_khugepaged_scan_sleep_ms"]), DEFAULT_SCAN_SLEEP_MS)
    elif "khugepaged-starved" in host_rules and enabled != "never" and host["host_khugepaged_pages_to_scan"]:
        factor = min(-(-host["host_khugepaged_pass_s"] // PASS_TARGET_S), SCAN_FACTOR_LIMIT)
        changes["pages_to_scan"] = int(host["host_khugepaged_pages_to_scan"] * factor)
    sizes_known = host["host_pmd_bytes"] and host["host_base_page_bytes"]
    if sizes_known and any(
        reason.rule == SPARSE_COLLAPSE_RULE
        for one in advice
        for reason in one.recommendation.reasons
        if reason.status == "matched"
    ):
        entries = host["host_pmd_bytes"] // host["host_base_page_bytes"]
        changes["max_ptes_none"] = entries // NONE_PTES_DIVISOR
    return changes
