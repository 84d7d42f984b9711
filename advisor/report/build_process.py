"""The process blocks of a report, one for each row of the feature table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from advisor.features.applications import Known, known
from advisor.features.bloat import Forecast
from advisor.features.probes import FEATURES as PROBE_FEATURES
from advisor.profile.model import ProcessFacts
from advisor.profile.pages import FolioScan, PageScan
from advisor.profile.probes import ProcessProbes
from advisor.profile.redact import redact_command_line
from advisor.recommendation import Alternative as AdvisedAlternative
from advisor.recommendation import Gain, ProcessAdvice, gigantic_verdict
from advisor.recommendation import Reason as AdvisedReason
from advisor.report.process import (
    Alternative,
    Application,
    BloatAt,
    BloatForecast,
    Component,
    ExpectedGain,
    Memory,
    MthpSize,
    ProbeCost,
    Probed,
    ProcessEntry,
    RecommendationEntry,
    Totals,
    WhyNotHuge,
)
from advisor.report.reasons import Reason, evidence_value
from advisor.rules import RULES
from advisor.rules.conditions import THP_OFF_STANCES

SUMMED = (
    "rss_bytes",
    "anon_bytes",
    "anon_huge_bytes",
    "shmem_huge_bytes",
    "file_huge_bytes",
    "hugetlb_bytes",
    "swap_bytes",
    "page_table_bytes",
)
"""Fields of `Memory` that `Totals` sums."""

UNDONE_BY_ADVICE = frozenset({"prctl", "prctl-except-advised", "advised-against", "not-advised", "host-mode-never"})
"""Reasons why memory is not huge whose remedy is to let it be huge (advisor.features.why_reasons)."""

ON_PURPOSE = "On purpose: its makers want transparent huge pages off for it. Nothing to do."
"""What is said there instead, of a program whose makers want just that."""

Row = Mapping[str, Any]


class WhyReason(Protocol):
    """What features say about memory on base pages (advisor.features.why_not_huge.Reason)."""

    @property
    def id(self) -> str: ...
    @property
    def bytes(self) -> int: ...
    @property
    def vmas(self) -> int: ...
    @property
    def remedy(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def beside_bytes(self) -> int | None: ...
    @property
    def wait_s(self) -> float | None: ...
    @property
    def note(self) -> str | None: ...


def build_process(
    row: Row,
    facts: ProcessFacts | None,
    probes: ProcessProbes | None,
    advice: ProcessAdvice,
    why: Sequence[WhyReason],
    *,
    pages: PageScan | None = None,
    growth: Forecast | None = None,
    folios: FolioScan | None = None,
    start_time: int | None,
    redact: bool,
) -> ProcessEntry:
    """One process. facts: None where only its counters were read; probes: None where none was asked for. pages and
    growth: its page scan and what follows from it. folios: its large folios. redact: secrets out of the command line.
    """
    command_line = facts.command_line if facts is not None else None
    who = known(row["name"], facts)
    return ProcessEntry(
        pid=row["pid"],
        start_time=start_time,
        name=row["name"] or "",
        user=row["user"],
        cgroup=row["cgroup"],
        application=_application(row, who),
        memory=_memory(row, folios),
        recommendation=_recommendation(advice, row),
        why_not_huge=[
            WhyNotHuge(
                reason=reason.id,
                bytes=reason.bytes,
                vmas=reason.vmas,
                remedy=_remedy(reason, row),
                title=reason.title,
                beside_bytes=reason.beside_bytes,
                wait_s=reason.wait_s,
                note=reason.note,
            )
            for reason in sorted(why, key=lambda reason: (-reason.bytes, -(reason.beside_bytes or 0)))
        ],
        start_ticks=row["start_ticks"],
        executable=facts.executable if facts is not None else None,
        command_line=redact_command_line(command_line) if command_line is not None and redact else command_line,
        allocator=row["allocator"],
        runtime=row["runtime"],
        thp_disabled=row["thp_disabled_by_process"],
        cpu_cores=row["cpu_cores"],
        at_stake_bytes=advice.at_stake_bytes,
        probes=None if probes is None else _probed(row, probes),
        bloat_forecast=None if pages is None or growth is None else _bloat_forecast(row, pages, growth),
        components=_components(who),
        minor_faults_per_s=row["minor_faults_per_s"],
        major_faults_per_s=row["major_faults_per_s"],
    )


def order_of(process: ProcessEntry) -> tuple[int, int, int, int]:
    """Sort key: what is at stake, then resident memory, the most first; then pid and start time."""
    memory = process.memory
    resident = (memory.rss_bytes or 0) + (memory.hugetlb_bytes or 0)
    return -(process.at_stake_bytes or 0), -resident, process.pid, process.start_ticks


def build_totals(processes: Sequence[ProcessEntry]) -> Totals:
    """Sums of what is known, and in how many processes each field is not."""
    values = {name: [getattr(process.memory, name) for process in processes] for name in SUMMED}
    return Totals(
        processes=len(processes),
        **{name: _sum(column) for name, column in values.items()},
        unknown={name: column.count(None) for name, column in values.items() if None in column},
    )


def _sum(values: Iterable[int | None]) -> int:
    return sum(value for value in values if value is not None)


def _remedy(reason: WhyReason, row: Row) -> str:
    """Nobody is told to undo what a program's makers did on purpose."""
    return (
        ON_PURPOSE
        if reason.id in UNDONE_BY_ADVICE and row["application_stance"] in THP_OFF_STANCES
        else reason.remedy
    )


def _application(row: Row, who: Known) -> Application | None:
    found, confidence = who.identity.application, who.identity.confidence
    if found is None or confidence is None:
        return None
    return Application(found.id, found.name, confidence, row["application_version"], row["application_stance"])


def _components(who: Known) -> list[Component]:
    return [Component(entry.id, entry.name, who.versions.get(entry.id)) for entry in who.identity.components]


def _memory(row: Row, folios: FolioScan | None) -> Memory:
    return Memory(
        rss_bytes=row["rss_bytes"],
        anon_bytes=row["anon_bytes"],
        anon_huge_bytes=row["anon_huge_bytes"],
        shmem_huge_bytes=row["shmem_huge_bytes"],
        file_huge_bytes=row["file_huge_bytes"],
        hugetlb_bytes=row["hugetlb_bytes"],
        swap_bytes=row["swap_bytes"],
        page_table_bytes=row["page_table_bytes"],
        thp_eligible_bytes=row["thp_eligible_bytes"],
        pss_bytes=row["pss_bytes"],
        shmem_rss_bytes=row["shmem_rss_bytes"],
        file_rss_bytes=row["file_rss_bytes"],
        locked_bytes=row["locked_bytes"],
        huge_coverage=row["huge_coverage"],
        measured_by=row["memory_source"],
        mthp=None if folios is None else _mthp(folios),
        mthp_partial_bytes=None if folios is None else folios.total.anon_partial,
        mthp_complete=None if folios is None else folios.complete,
    )


def _mthp(folios: FolioScan) -> list[MthpSize]:
    """Sizes of which whole folios are mapped; `cont` blocks of a size say nothing of folios of that size."""
    return [
        MthpSize(size.page_bytes, size.anon_aligned + size.anon_unaligned, size.anon_aligned, file_bytes)
        for size in folios.total.sizes
        if (file_bytes := size.file_aligned + size.file_unaligned) or size.anon_aligned or size.anon_unaligned
    ]


def _probed(row: Row, probes: ProcessProbes) -> Probed:
    known = [feature.name for feature in PROBE_FEATURES if row[feature.name] is not None]
    return Probed(
        features={name: evidence_value(row[name]) for name in known},
        costs={name: ProbeCost(cost.wall_s, cost.cpu_s, cost.lock_s) for name, cost in probes.costs.items()},
        problems=dict(probes.problems),
    )


def _bloat_forecast(row: Row, pages: PageScan, growth: Forecast) -> BloatForecast:
    return BloatForecast(
        fault_bytes=growth.fault,
        khugepaged_bytes=growth.khugepaged,
        max_ptes_none=row["host_khugepaged_max_ptes_none"],
        basis=pages.method,
        complete=not growth.unscanned_bytes,
        by_max_ptes_none=[BloatAt(none, added) for none, added in sorted(growth.by_max_ptes_none.items())],
        reclaimable_bytes=growth.reclaimable,
        unscanned_bytes=growth.unscanned_bytes,
        fault_most_bytes=growth.fault_most,
    )


def _recommendation(advice: ProcessAdvice, row: Row) -> RecommendationEntry:
    """The words of policy, confidence and decision are the contract's; `decode_report` checks them."""
    advised = advice.recommendation
    return RecommendationEntry(
        policy=advised.policy,  # type: ignore[arg-type]
        page_bytes=advised.page_bytes,
        pages=advised.pages,
        expected_gain=_gain(advised.expected_gain),
        confidence=advised.confidence,  # type: ignore[arg-type]
        decided_by=advised.decided_by,  # type: ignore[arg-type]
        override_reason=advised.override_reason,
        bloat_bytes=advised.bloat_bytes,
        reasons=[_reason(reason) for reason in advised.reasons],
        alternatives=[_alternative(alternative) for alternative in advised.alternatives],
        artefacts=list(advised.artefacts),
        pages_basis=advised.pages_basis,
        changes=advice.changes,
        bloat_basis=advised.bloat_basis,
        page_table_bytes_after=advice.page_table_bytes_after,
        gigantic_verdict=gigantic_verdict(row),
    )


def _reason(reason: AdvisedReason) -> Reason:
    """With title and confidence of its rule; a reason that is no rule has none of them."""
    rule = RULES.get(reason.rule)
    return Reason(
        rule=reason.rule,
        status=reason.status,  # type: ignore[arg-type]
        severity=reason.severity,  # type: ignore[arg-type]
        message=reason.message,
        evidence={name: evidence_value(value) for name, value in reason.evidence.items()},
        sources=list(reason.sources),
        title=rule.title if rule is not None else None,
        confidence=rule.confidence.name.lower() if rule is not None else None,  # type: ignore[arg-type]
        remedy=reason.remedy or None,
    )


def _alternative(alternative: AdvisedAlternative) -> Alternative:
    return Alternative(
        policy=alternative.policy,  # type: ignore[arg-type]
        page_bytes=alternative.page_bytes,
        expected_gain=_gain(alternative.expected_gain),
        why_not=alternative.why_not,
        pages=alternative.pages,
        bloat_bytes=alternative.bloat_bytes,
        bloat_basis=alternative.bloat_basis,
        page_table_bytes_after=alternative.page_table_bytes_after,
    )


def _gain(gain: Gain | None) -> ExpectedGain | None:
    return None if gain is None else ExpectedGain(gain.median, gain.low, gain.high, gain.level)
