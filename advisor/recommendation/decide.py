"""One process's decision: what rules propose, less what rules forbid, the gravest and surest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from advisor.recommendation.gains import (
    NAMES,
    Choice,
    Expectation,
    Proposal,
    Target,
    expected,
    gain_from_now,
    in_words,
    is_worth_measuring,
    meet,
    present,
    target_of,
)
from advisor.recommendation.model import Alternative, Gain, Reason, Recommendation
from advisor.recommendation.page_tables import Pool, own_tables
from advisor.recommendation.sizing import SHMEM_RULE, base_bytes, bloat_basis, bloat_bytes, page_bytes, pool_pages
from advisor.recommendation.wishes import ASKED_FOR, Wish
from advisor.rules import Confidence, Finding, PageSize, Policy, Rule, Scope, Severity, Status

GAIN_MODEL = "gain-model"
"""Identifier of the reasons that the model gives; it is no rule."""

MODEL_SOURCE = "models/CARD.md: what the model was trained on and how good it is"

AT_STAKE_BYTES = 64 << 20
"""Memory on base pages from which it is worth asking for a measurement. Source: the rules' own for large memory."""

NOTHING_PROPOSED = "no-rule-proposes"
"""Identifier of the reason that stands where no rule proposes anything; it is no rule."""

WEIGHT_FLOOR = 0.01
"""CPUs. Source: the rules' idle threshold. Reason: the memory of idle processes is ranked by size among
themselves."""

WEIGHT_CEILING = 1.0
"""CPUs. Source: own choice. Reason: beyond one busy CPU memory size says more about the order than CPU use
does."""

POOLS: tuple[Target, ...] = ("pool", "gigantic")

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""


class Barrier(NamedTuple):
    """What puts a policy out of the question for a process: a rule's finding, or else a limit of the host."""

    finding: Finding | None
    limit: str = ""

    @property
    def why(self) -> str:
        """In words; made when they are wanted, as most never are."""
        return f"{self.finding.rule.id}: {self.finding.message}" if self.finding is not None else self.limit

    @property
    def confidence(self) -> Confidence:
        """How sure it is."""
        return self.finding.rule.confidence if self.finding is not None else Confidence.HIGH


def permitted(
    findings: Sequence[Finding],
    unavailable: Mapping[Policy, str] | None = None,
    can_use: frozenset[Target] = frozenset(),
) -> frozenset[Target]:
    """What the model may prefer: nothing that is forbidden, and only pools that a rule knows how to fill.

    can_use: pools that the program is known to be able to use without a rule that says how.
    """
    matched = [finding for finding in findings if finding.status is Status.MATCHED]
    barred_by = _barriers(matched, unavailable or {})
    may: set[Target] = {"thp"} if Policy.THP not in barred_by else set()
    if Policy.HUGETLB not in barred_by:
        proposed = {target_of(f.rule.proposes, f.rule.page) for f in matched if f.rule.proposes is not None}
        may |= {target for target in POOLS if target in proposed or target in can_use}
    return frozenset(may)


def proposal_of(findings: Sequence[Finding], unavailable: Mapping[Policy, str] | None = None) -> Proposal:
    """What the rules alone advise."""
    return _Said.of(findings, unavailable).proposal


class _Said(NamedTuple):
    """What rules say of one process. proposals: the gravest and surest first; allowed: those that nothing bars."""

    matched: list[Finding]
    barred_by: dict[Policy, Barrier]
    proposals: list[Finding]
    allowed: list[Finding]

    @classmethod
    def of(cls, findings: Sequence[Finding], unavailable: Mapping[Policy, str] | None) -> _Said:
        matched = [finding for finding in findings if finding.status is Status.MATCHED]
        barred_by = _barriers(matched, unavailable or {})
        proposals = sorted((f for f in matched if f.rule.proposes is not None), key=_rank, reverse=True)
        return cls(matched, barred_by, proposals, [f for f in proposals if f.rule.proposes not in barred_by])

    @property
    def winner(self) -> Finding | None:
        return self.allowed[0] if self.allowed else None

    @property
    def proposal(self) -> Proposal:
        rule = self.allowed[0].rule if self.allowed else None
        if rule is None or rule.proposes is None:
            return Proposal(Policy.LEAVE, None, None)
        return Proposal(rule.proposes, rule.page, rule)


def decide(
    row: Row,
    findings: Sequence[Finding],
    unavailable: Mapping[Policy, str] | None = None,
    expectation: Expectation | None = None,
    wish: Wish | None = None,
) -> Recommendation:
    """The recommendation for one process from the findings of its row, both scopes, and the model's expectation.

    unavailable: policies that the host as a whole has no room for, and why; they count as forbidden. wish: what
    somebody wants for this process; it is granted unless it is forbidden.
    Proposals of matched rules are ordered by severity, then confidence; forbidden ones stay as alternatives.
    Without any, the answer is leave: surely if a rule forbade the rest, with low confidence if rules could
    not tell. Where model and rules meet is said in `gains`.
    """
    said = _Said.of(findings, unavailable)
    winner, proposal = said.winner, said.proposal
    met = meet(proposal, expectation, row, frozenset(said.barred_by))
    choice, asked = _granted(wish, met, said.barred_by, row)
    policy = choice.policy
    by_wish = choice.by == "user"
    unsure = [finding for finding in findings if finding.status is Status.CANNOT_TELL]
    doubts = [finding for finding in unsure if _is_doubt(finding, policy, winner, said.barred_by)]
    page = page_bytes(policy, choice.page, row)
    sized = pool_pages(row, page) if policy is Policy.HUGETLB else None
    gain = gain_from_now(expectation, target_of(policy, choice.page), row)
    by_model = choice.by == "model"
    about_shmem = choice.by in ("rules", "both") and winner is not None and winner.rule.id == SHMEM_RULE
    confidence = _confidence_of_model(gain) if by_model else _confidence(winner, doubts, said.barred_by)
    confidence = Confidence.HIGH if by_wish else confidence
    heard = _said_by_model(choice, expectation, gain, proposal, row)
    reasons = _reasons(winner, said.matched, doubts)
    reasons = heard + reasons if by_model else reasons[:1] + heard + reasons[1:]
    return Recommendation(
        policy=policy.value,
        page_bytes=page,
        pages=sized.pages if sized is not None else None,
        pages_basis=sized.basis if sized is not None else None,
        expected_gain=gain,
        confidence=confidence.name.lower(),
        decided_by=choice.by,
        override_reason=choice.why,
        bloat_bytes=None if about_shmem else bloat_bytes(policy, row, sized),
        reasons=asked + reasons if by_wish else reasons[:1] + asked + reasons[1:],
        alternatives=_alternatives(winner, choice, page, said, row, expectation),
        artefacts=[],
        bloat_basis=None if about_shmem else bloat_basis(policy, row),
    )


def _granted(
    wish: Wish | None, choice: Choice, barred_by: Mapping[Policy, Barrier], row: Row
) -> tuple[Choice, list[Reason]]:
    """The choice with the wish granted where nothing forbids it, and what is to be said of the wish."""
    if wish is None:
        return choice, []
    try:
        page = wish.page(row)
        refused = barred_by[wish.policy].why if wish.policy in barred_by else None
    except LookupError as error:
        page, refused = None, str(error)
    if refused is not None:
        message = f"Not advised, although {wish.in_words()} was asked for: {refused}."
        return choice, [Reason(ASKED_FOR, Status.MATCHED.value, Severity.MEDIUM.name.lower(), message, None, {}, [])]
    unasked = f"unasked, the advice is {_in_words(choice.policy, choice.page)}"
    same = (choice.policy, choice.page) == (wish.policy, page)
    message = f"Asked for: {wish.in_words()}; " + ("it is the advice as well." if same else f"{unasked}.")
    reason = Reason(ASKED_FOR, Status.MATCHED.value, Severity.INFO.name.lower(), message, None, {}, [])
    return Choice(wish.policy, page, "user", None if same else unasked), [reason]


def _in_words(policy: Policy, page: PageSize | None) -> str:
    target = target_of(policy, page)
    return policy.value if target is None else NAMES[target]


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


def _rank(finding: Finding) -> tuple[int, int, bool, bool]:
    """Severity, then confidence; on a tie the word of a program's own makers, then gigantic pages, as their rules ask
    for more."""
    rule = finding.rule
    return finding.severity, rule.confidence, rule.cites is not None, rule.page is PageSize.GIGANTIC


def _barriers(matched: Sequence[Finding], unavailable: Mapping[Policy, str]) -> dict[Policy, Barrier]:
    """For each forbidden policy the gravest reason that forbids it; the host's own limits come last."""
    barriers: dict[Policy, Barrier] = {}
    for finding in sorted(matched, key=_rank):
        barriers.update(dict.fromkeys(finding.rule.forbids, Barrier(finding)))
    barriers.update({policy: Barrier(None, why) for policy, why in unavailable.items()})
    return barriers


def _is_doubt(finding: Finding, policy: Policy, winner: Finding | None, barred_by: Mapping[Policy, Barrier]) -> bool:
    """If its rule matched, the decision would be another one; not where what it proposes is out of the question."""
    if policy in finding.rule.forbids:
        return True
    if finding.rule.proposes in (None, policy) or finding.rule.proposes in barred_by:
        return False
    return winner is None or finding.rule.severity > winner.severity


def _confidence(winner: Finding | None, doubts: Sequence[Finding], barred_by: Mapping[Policy, Barrier]) -> Confidence:
    """The deciding rule's own, one step down where a rule that could not tell might have changed it."""
    if winner is not None:
        return Confidence(max(winner.rule.confidence - bool(doubts), Confidence.LOW))
    if doubts:
        return Confidence.LOW
    return max((barrier.confidence for barrier in barred_by.values()), default=Confidence.MEDIUM)


def _confidence_of_model(gain: Gain | None) -> Confidence:
    """Never high, as the model knows other programs only; low where its interval leaves the sign open."""
    return Confidence.LOW if gain is not None and gain.low < 0.0 < gain.high else Confidence.MEDIUM


def _said_by_model(
    choice: Choice,
    expectation: Expectation | None,
    gain: Gain | None,
    proposal: Proposal,
    row: Row,
) -> list[Reason]:
    """What the model says of this process, and whether it should be measured instead."""
    if expectation is None:
        return []
    if expectation.abstains is not None:
        return [_model_reason(Status.CANNOT_TELL, f"No gain can be predicted: {expectation.abstains}.", None, {})]
    now = present(row)
    target = target_of(choice.policy, choice.page) or target_of(proposal.policy, proposal.page)
    target = target if target not in (None, "base") else now if now != "base" else "thp"
    message = f"From its measurements of other programs {expected(expectation, target)}."
    about = gain or gain_from_now(expectation, target, row)
    if about is None:
        return [_model_reason(Status.MATCHED, message, None, {})]
    if row["huge_coverage"]:
        to = "Base pages" if choice.policy is Policy.THP_OFF else "That"
        message += f" {to}, against its pages of today: {in_words(about)}."
    remedy = None
    if base_bytes(row) >= AT_STAKE_BYTES and is_worth_measuring(about, expectation.least_gain):
        remedy = (
            f"Measure it: `hugepage-advisor trial --pid {row['pid']} --metric-cmd COMMAND`, where COMMAND prints its "
            "work so far, or `hugepage-advisor trial -- COMMAND` with the program itself."
        )
    evidence = {"median": about.median, "low": about.low, "high": about.high, "level": about.level}
    return [_model_reason(Status.MATCHED, message, remedy, evidence)]


def _model_reason(status: Status, message: str, remedy: str | None, evidence: dict[str, Any]) -> Reason:
    return Reason(GAIN_MODEL, status.value, Severity.INFO.name.lower(), message, remedy, evidence, [MODEL_SOURCE])


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
        sources=list(finding.sources),
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
    choice: Choice,
    page: int | None,
    said: _Said,
    row: Row,
    expectation: Expectation | None,
) -> list[Alternative]:
    """Each other policy and page size that a rule proposed, once, and why it was not chosen."""
    found: dict[tuple[Policy, int | None], Alternative] = {}
    for finding in said.proposals:
        proposed = finding.rule.proposes
        if proposed is None or proposed is Policy.LEAVE:
            continue
        size = page_bytes(proposed, finding.rule.page, row)
        if (proposed, size) == (choice.policy, page) or (proposed, size) in found:
            continue
        gain = gain_from_now(expectation, target_of(proposed, finding.rule.page), row)
        overruled = _overruled(choice) if proposed not in said.barred_by else None
        why_not = overruled or _why_not(finding, winner, said.barred_by)
        found[proposed, size] = _costed(Alternative(proposed.value, size, gain, why_not), finding.rule, row)
    return list(found.values())


def _costed(other: Alternative, rule: Rule, row: Row) -> Alternative:
    """With what it would cost. A switch for shared memory makes nothing grow that could be counted."""
    policy = Policy(other.policy)
    sized = pool_pages(row, other.page_bytes) if policy is Policy.HUGETLB else None
    into = None if sized is None else Pool(sized.page_bytes, sized.pages)
    about_shmem = rule.id == SHMEM_RULE
    return replace(
        other,
        pages=sized.pages if sized is not None else None,
        bloat_bytes=None if about_shmem else bloat_bytes(policy, row, sized),
        bloat_basis=None if about_shmem else bloat_basis(policy, row),
        page_table_bytes_after=None if policy is Policy.HUGETLB and into is None else own_tables(row, row, into),
    )


def _overruled(choice: Choice) -> str | None:
    """Why a choice went over the rules' heads; None where it did not."""
    return {"model": choice.why, "user": "another policy was asked for"}.get(choice.by)


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
