"""The host block of a report, from the profile's facts, the last state of the host, and the host's features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from advisor.features.supply import supply
from advisor.features.why_reasons import TITLES
from advisor.features.why_slots import REFUSALS
from advisor.procfs.facts import HugetlbPool, Thp
from advisor.profile.model import HostState
from advisor.profile.pages import KhugepagedLooks
from advisor.profile.timeline import Timeline
from advisor.report.host import Host, Khugepaged, Listened, Pool, SlotLooks, Supply, ThpSizeState, ThpState, Tlb
from advisor.report.reasons import Reason, evidence_value
from advisor.rules import RULES, Finding, Scope, Status, evaluate
from advisor.rules.limits import THEME as LIMITS

Row = Mapping[str, Any]


def build_host(timeline: Timeline, row: Row, findings: Sequence[Finding]) -> Host:
    """row: the feature table's host columns by name; findings: those of host scope."""
    facts, state = timeline.header.host, timeline.host_last
    cpu = facts.cpu
    return Host(
        hostname=facts.hostname,
        kernel=facts.kernel,
        arch=facts.arch,
        cpu_model=cpu.model_name if cpu is not None else None,
        virtualization=facts.virtualization,
        base_page_bytes=facts.base_page_bytes,
        memory_total_bytes=row["host_memory_total_bytes"],
        memory_available_bytes=row["host_memory_available_bytes"],
        thp=_thp(state, row),
        khugepaged=_khugepaged(row, state.khugepaged_looks),
        pools=_pools(state.pools or []),
        supply=[Supply(**entry._asdict()) for entry in supply(state, facts.base_page_bytes)],
        tlb=[
            Tlb(entry.level, entry.page_bytes, entry.entries, entry.entries * entry.page_bytes, entry.source)
            for entry in sorted(facts.tlb, key=lambda entry: (entry.level, entry.page_bytes))
        ],
        cpus=cpu.processors if cpu is not None else None,
        numa_nodes=row["host_numa_nodes"],
        swap_total_bytes=row["host_swap_total_bytes"],
        swap_used_bytes=row["host_swap_used_bytes"],
        memory_pressure_some_avg10=row["host_memory_pressure_some_avg10"],
        unusable_index=row["host_pmd_unusable_index"],
        findings=[rule_reason(finding) for finding in findings if not is_limitation(finding)],
        boot_id=facts.boot_id,
    )


def host_findings(frame: pl.DataFrame, row: Mapping[str, Any]) -> list[Finding]:
    """Matched findings of host scope, the gravest first; all rows of a host agree, so the first is asked.

    row: the host columns, which are asked where no process was seen.
    """
    rules = [rule for rule in RULES.values() if rule.scope is Scope.HOST]
    asked = frame.head(1) if frame.height else pl.DataFrame([row], frame.schema)
    matched = (finding for finding in evaluate(asked, rules).host() if finding.status is Status.MATCHED)
    return sorted(matched, key=lambda finding: -finding.severity)


def is_limitation(finding: Finding) -> bool:
    """Whether it speaks about the observation, not about the host; those are the report's limitations."""
    return finding.rule.theme == LIMITS


def rule_reason(finding: Finding) -> Reason:
    """A finding as the document's reason."""
    return Reason(
        rule=finding.rule.id,
        status=finding.status.value,
        severity=finding.severity.name.lower(),  # type: ignore[arg-type]  # the contract's words are the enum's names
        message=finding.message,
        evidence={name: evidence_value(value) for name, value in finding.evidence.items()},
        sources=list(finding.sources),
        title=finding.rule.title,
        confidence=finding.rule.confidence.name.lower(),  # type: ignore[arg-type]
        remedy=finding.rule.remedy or None,
    )


def _thp(state: HostState, row: Row) -> ThpState:
    thp = state.thp or Thp()
    return ThpState(
        enabled=thp.enabled,
        defrag=thp.defrag,
        shmem_enabled=thp.shmem_enabled,
        pmd_bytes=thp.pmd_bytes,
        sizes=[
            ThpSizeState(size.page_bytes, size.enabled, size.shmem_enabled)
            for size in sorted(thp.sizes, key=lambda size: size.page_bytes)
        ],
        effective_enabled=row["host_thp_enabled"],
        effective_shmem_enabled=row["host_shmem_enabled"],
        in_use_bytes=_thp_in_use(state.meminfo),
        fault_alloc_per_s=row["host_thp_fault_alloc_per_s"],
        fault_fallback_share=row["host_thp_fault_fallback_share"],
        fault_fallback_share_since_boot=row["host_thp_fault_fallback_share_since_boot"],
    )


def _thp_in_use(meminfo: Mapping[str, int] | None) -> int | None:
    """AnonHugePages + ShmemHugePages of meminfo; kernels before 4.8 neither print nor have the latter."""
    anon = (meminfo or {}).get("AnonHugePages")
    return None if anon is None or meminfo is None else anon + meminfo.get("ShmemHugePages", 0)


def _khugepaged(row: Row, looks: KhugepagedLooks | None) -> Khugepaged:
    return Khugepaged(
        pages_collapsed_per_s=row["host_khugepaged_collapsed_per_s"],
        full_scans_per_s=row["host_khugepaged_full_scans_per_s"],
        cpu_share=row["host_khugepaged_cpu_share"],
        pages_to_scan=row["host_khugepaged_pages_to_scan"],
        scan_sleep_ms=row["host_khugepaged_scan_sleep_ms"],
        max_ptes_none=row["host_khugepaged_max_ptes_none"],
        scan_bytes_per_s=row["host_khugepaged_scan_bytes_per_s"],
        pass_s=row["host_khugepaged_pass_s"],
        listened=_listened(looks) if looks is not None else None,
    )


def _listened(heard: KhugepagedLooks) -> Listened:
    """Its results, the most frequent first."""
    looks = [
        SlotLooks(result, times, reason := REFUSALS.get(result), None if reason is None else TITLES[reason])
        for result, times in sorted(heard.looks.items(), key=lambda look: (-look[1], look[0]))
    ]
    return Listened(heard.seconds, looks, heard.attributed, heard.lost)


def _pools(pools: Sequence[HugetlbPool]) -> list[Pool]:
    """By page size, the whole host before its nodes."""
    ordered = sorted(pools, key=lambda pool: (pool.page_bytes, -1 if pool.node is None else pool.node))
    return [
        Pool(
            page_bytes=pool.page_bytes,
            node=pool.node,
            total=pool.total,
            free=pool.free,
            reserved=pool.reserved,
            surplus=pool.surplus,
            overcommit=pool.overcommit,
        )
        for pool in ordered
    ]
