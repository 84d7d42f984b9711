"""One process's decision: what rules propose, less what rules forbid, the gravest and surest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from advisor.recommendation.model import Alternative, Reason, Recommendation
from advisor.recommendation.sizing import SHMEM_RULE, base_bytes, bloat_bytes, page_bytes, pool_pages
from advisor.rules import Confidence, Finding, PageSize, Policy, Scope, Severity, Status

DECIDED_BY_RULES = "rules"
"""`decided_by` where no model took part."""

NOTHING_PROPOSED = "no-rule-proposes"
"""Identifier of the reason that stands where no rule proposes anything; it is no rule."""

WEIGHT_FLOOR = 0.01
"""CPUs. Source: the rules' idle threshold. Reason: the memory of idle processes is ranked by size among
themselves."""

WEIGHT_CEILING = 1.0
"""CPUs. Source: own choice. Reason: beyond one busy CPU memory size says more about the order than CPU use
does."""

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""


class Barrier(NamedTuple):
    """Why a policy is out of the question for a process, and how sure that is."""

    why: str
    confidence: Confidence


def decide(row: Row, findings: Sequence[Finding], unavailable: Mapping[Policy, str] | None = None) -> Recommendation:
    """The recommendation for one process from the findings of its row, both scopes.

    unavailable: policies that the host as a whole has no room for, and why; they count as forbidden.
    Proposals of matched rules are ordered by severity, then confidence; forbidden ones stay as alternatives.
    Without any, the answer is leave: surely if a rule forbade the rest, with low confidence if rules could
    not tell.
    """
    matched = [finding for finding in findings if finding.status is Status.MATCHED]
    unsure = [finding for finding in findings if finding.status is Status.CANNOT_TELL]
    barred_by = _barriers(matched, unavailable or {})
    proposals = sorted((f for f in matched if f.rule.proposes is not None), key=_rank, reverse=True)
    allowed = [finding for finding in proposals if finding.rule.proposes not in barred_by]
    winner = allowed[0] if allowed else None
    policy = winner.rule.proposes if winner is not None and winner.rule.proposes is not None else Policy.LEAVE
    doubts = [finding for finding in unsure if _is_doubt(finding, policy, winner)]
    page = page_bytes(policy, winner.rule.page if winner is not None else None, row)
    sized = pool_pages(row, page) if policy is Policy.HUGETLB else None
    about_shmem = winner is not None and winner.rule.id == SHMEM_RULE
    return Recommendation(
        policy=policy.value,
        page_bytes=page,
        pages=sized.pages if sized is not None else None,
        pages_basis=sized.basis if sized is not None else None,
        expected_gain=None,
        confidence=_confidence(winner, doubts, barred_by).name.lower(),
        decided_by=DECIDED_BY_RULES,
        override_reason=None,
        bloat_bytes=None if about_shmem else bloat_bytes(policy, row, sized),
        reasons=_reasons(winner, matched, doubts),
        alternatives=_alternatives(winner, policy, page, proposals, barred_by, row),
        artefacts=[],
    )


def at_stake_bytes(row: Row, recommendation: Recommendation) -> int:
    """How much a change of policy is about, for sorting, bytes; unknown parts count as nothing.

    thp-off: the growth that it prevents. Otherwise the resident anonymous and shared memory on base pages,
    weighed by the CPUs that the process uses, between WEIGHT_FLOOR and WEIGHT_CEILING (unknown CPU use weighs
    fully).
    """
    if recommendation.policy == Policy.THP_OFF and recommendation.bloat_bytes is not None:
        return recommendation.bloat_bytes
    cores = row["cpu_cores"]
    weight = WEIGHT_CEILING if cores is None else min(max(cores, WEIGHT_FLOOR), WEIGHT_CEILING)
    return int(base_bytes(row) * weight)


def _rank(finding: Finding) -> tuple[int, int, bool]:
    """Severity, then confidence; on a tie gigantic pages, as their rules ask for more."""
    return finding.severity, finding.rule.confidence, finding.rule.page is PageSize.GIGANTIC


def _barriers(matched: Sequence[Finding], unavailable: Mapping[Policy, str]) -> dict[Policy, Barrier]:
    """For each forbidden policy the gravest reason that forbids it; the host's own limits come last."""
    barriers: dict[Policy, Barrier] = {}
    for finding in sorted(matched, key=_rank):
        barrier = Barrier(f"{finding.rule.id}: {finding.message}", finding.rule.confidence)
        barriers.update(dict.fromkeys(finding.rule.forbids, barrier))
    barriers.update({policy: Barrier(why, Confidence.HIGH) for policy, why in unavailable.items()})
    return barriers


def _is_doubt(finding: Finding, policy: Policy, winner: Finding | None) -> bool:
    """If its rule matched, the decision would be another one."""
    if policy in finding.rule.forbids:
        return True
    if finding.rule.proposes in (None, policy):
        return False
    return winner is None or finding.rule.severity > winner.severity


def _confidence(winner: Finding | None, doubts: Sequence[Finding], barred_by: Mapping[Policy, Barrier]) -> Confidence:
    """The deciding rule's own, one step down where a rule that could not tell might have changed it."""
    if winner is not None:
        return Confidence(max(winner.rule.confidence - bool(doubts), Confidence.LOW))
    if doubts:
        return Confidence.LOW
    return max((barrier.confidence for barrier in barred_by.values()), default=Confidence.MEDIUM)


def _reasons(winner: Finding | None, matched: Sequence[Finding], doubts: Sequence[Finding]) -> list[Reason]:
    """The deciding reason, then what else matches by severity, then what could not be told."""
    deciding = [_reason(winner)] if winner is not None else [_nothing_proposed(doubts)]
    others = sorted((f for f in matched if f is not winner and _concerns_process(f)), key=_rank, reverse=True)
    return deciding + [_reason(finding) for finding in (*others, *doubts)]


def _concerns_process(finding: Finding) -> bool:
    return finding.rule.scope is Scope.PROCESS


def _reason(finding: Finding) -> Reason:
    return Reason(
        rule=finding.rule.id,
        status=finding.status.value,
        severity=finding.severity.name.lower(),
        message=finding.message,
        remedy=finding.rule.remedy,
        evidence=dict(finding.evidence),
        sources=list(finding.rule.sources),
    )


def _nothing_proposed(doubts: Sequence[Finding]) -> Reason:
    """Why the answer is leave although no rule says so; evidence names what would tell."""
    missing = sorted({name for finding in doubts for name in finding.missing})
    message = "No rule proposes a change."
    if missing:
        message = f"Too little is known for a change to be proposed. These would tell: {', '.join(missing)}."
    return Reason(
        rule=NOTHING_PROPOSED,
        status=(Status.CANNOT_TELL if missing else Status.MATCHED).value,
        severity=Severity.INFO.name.lower(),
        message=message,
        remedy=None,
        evidence=dict.fromkeys(missing),
        sources=[],
    )


def _alternatives(
    winner: Finding | None,
    policy: Policy,
    page: int | None,
    proposals: Sequence[Finding],
    barred_by: Mapping[Policy, Barrier],
    row: Row,
) -> list[Alternative]:
    """Each other policy and page size that a rule proposed, once, and why it was not chosen."""
    found: dict[tuple[Policy, int | None], Alternative] = {}
    for finding in proposals:
        proposed = finding.rule.proposes
        if proposed is None or proposed is Policy.LEAVE:
            continue
        size = page_bytes(proposed, finding.rule.page, row)
        if (proposed, size) == (policy, page) or (proposed, size) in found:
            continue
        found[proposed, size] = Alternative(proposed.value, size, None, _why_not(finding, winner, barred_by))
    return list(found.values())


def _why_not(finding: Finding, winner: Finding | None, barred_by: Mapping[Policy, Barrier]) -> str:
    proposed = finding.rule.proposes
    if proposed is not None and proposed in barred_by:
        return barred_by[proposed].why
    if winner is None:
        return "not chosen"
    if finding.severity < winner.severity:
        return f"less is at stake for {finding.rule.id} than for {winner.rule.id}"
    if finding.rule.confidence < winner.rule.confidence:
        return f"{finding.rule.id} is less sure than {winner.rule.id}"
    return f"{winner.rule.id} holds as well and comes first"
