"""One process's decision: what rules propose, less what rules forbid, the gravest and surest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

from msgspec.structs import replace

from advisor.recommendation.gains import (
    NAMES,
    Choice,
    Expectation,
    Proposal,
    Target,
    gain_from_now,
    meet,
    target_of,
)
from advisor.recommendation.model import Alternative, Alternatives, Gain, Reason, Recommendation, Words
from advisor.recommendation.model_words import ModelWords
from advisor.recommendation.page_tables import Pool, own_tables
from advisor.recommendation.sizing import SHMEM_RULE, base_bytes, bloat_basis, bloat_bytes, page_bytes, pool_pages
from advisor.recommendation.wishes import ASKED_FOR, Wish
from advisor.rules import Answer, Answers, Confidence, Finding, PageSize, Policy, Rule, Scope, Severity, Status

GAIN_MODEL = "gain-model"
"""Identifier of the reasons that the model gives; it is no rule."""

KNOWN_ANSWERS = 1024
"""Sets of answers of which is kept what follows from them. Source: own choice. Reason: processes of a fleet answer
all rules in some hundred ways; each takes a few KiB."""

IN_WORDS = {severity: severity.name.lower() for severity in Severity}
"""Severities as the report writes them."""

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
    """What puts a policy out of the question for a process: a rule's answer, or else a limit of the host."""

    answer: Answer | None
    limit: str = ""

    def why(self, row: Row) -> str:
        """In words."""
        if self.answer is None:
            return self.limit
        return f"{self.answer.rule.id}: {Finding(*self.answer, row).message}"

    @property
    def confidence(self) -> Confidence:
        """How sure it is."""
        return self.answer.rule.confidence if self.answer is not None else Confidence.HIGH


def permitted(
    answers: Answers,
    unavailable: Mapping[Policy, str] | None = None,
    can_use: frozenset[Target] = frozenset(),
) -> frozenset[Target]:
    """What the model may prefer: nothing that is forbidden, and only pools that a rule knows how to fill.

    can_use: pools that the program is known to be able to use without a rule that says how.
    """
    said = _said(answers, unavailable)
    if Policy.HUGETLB in said.barred_by or not can_use:
        return said.permitted
    return said.permitted | can_use.intersection(POOLS)


def proposal_of(answers: Answers, unavailable: Mapping[Policy, str] | None = None) -> Proposal:
    """What the rules alone advise."""
    return _said(answers, unavailable).proposal


class _Grounds(NamedTuple):
    """What rules say of a decision for one policy.

    told: the answers that are its reasons, with status and severity in words: the deciding one, then what else
    matches by severity, then rules that cannot tell and would have changed the decision. would_tell: evidence of the
    latter. confidence: of the rules, had they the last word.
    """

    told: list[tuple[Answer, str, str]]
    would_tell: list[str]
    confidence: Confidence


class _Said:
    """What rules say of every process that answers them alike, whatever its numbers are.

    proposals: the gravest and surest first; allowed: those that nothing bars, the first of which wins; others: what
    else matches and concerns a process, by rank; permitted: what the model may prefer.
    """

    def __init__(self, answers: Iterable[Answer], unavailable: Mapping[Policy, str]) -> None:
        told = list(answers)
        matched = [one for one in told if one.status is Status.MATCHED]
        self.unsure = [one for one in told if one.status is Status.CANNOT_TELL]
        self.barred_by = _barriers(matched, unavailable)
        self.barred = frozenset(self.barred_by)
        self.proposals = sorted((one for one in matched if one.rule.proposes is not None), key=_rank, reverse=True)
        self.allowed = [one for one in self.proposals if one.rule.proposes not in self.barred_by]
        self.winner = self.allowed[0] if self.allowed else None
        concerned = (one for one in matched if one is not self.winner and one.rule.scope is Scope.PROCESS)
        self.others = sorted(concerned, key=_rank, reverse=True)
        self.proposal = _proposal_of(self.winner)
        self.permitted = self._permitted(matched)
        self._grounds: dict[Policy, _Grounds] = {}

    def grounds(self, policy: Policy) -> _Grounds:
        """What stands behind this policy, if it is chosen."""
        if policy not in self._grounds:
            doubts = [one for one in self.unsure if _is_doubt(one, policy, self.winner, self.barred_by)]
            winner = [self.winner] if self.winner is not None else []
            told = [(one, one.status.value, IN_WORDS[one.severity]) for one in (*winner, *self.others, *doubts)]
            would_tell = sorted({name for one in doubts for name in one.rule.evidence})
            confidence = _confidence(self.winner, doubts, self.barred_by)
            self._grounds[policy] = _Grounds(told, would_tell, confidence)
        return self._grounds[policy]

    def _permitted(self, matched: Sequence[Answer]) -> frozenset[Target]:
        may: set[Target] = {"thp"} if Policy.THP not in self.barred_by else set()
        if Policy.HUGETLB not in self.barred_by:
            proposed = {
                target_of(one.rule.proposes, one.rule.page) for one in matched if one.rule.proposes is not None
            }
            may |= {target for target in POOLS if target in proposed}
        return frozenset(may)


def _proposal_of(winner: Answer | None) -> Proposal:
    if winner is None or winner.rule.proposes is None:
        return Proposal(Policy.LEAVE, None, None)
    return Proposal(winner.rule.proposes, winner.rule.page, winner.rule)


def _said(answers: Answers, unavailable: Mapping[Policy, str] | None) -> _Said:
    return _Said(answers, unavailable) if unavailable else _said_alike(answers)


@lru_cache(maxsize=KNOWN_ANSWERS)
def _said_alike(answers: Answers) -> _Said:
    """Made once for all rows with these answers."""
    return _Said(answers, {})


def decide(
    row: Row,
    answers: Answers,
    unavailable: Mapping[Policy, str] | None = None,
    expectation: Expectation | None = None,
    wish: Wish | None = None,
) -> Recommendation:
    """The recommendation for one process from the rules' answers for its row and what the model expects.

    unavailable: policies that the host as a whole has no room for, and why; they count as forbidden. wish: what
    somebody wants for this process; it is granted unless it is forbidden.
    Proposals of matched rules are ordered by severity, then confidence; forbidden ones stay as alternatives.
    Without any, the answer is leave: surely if a rule forbade the rest, with low confidence if rules could
    not tell. Where model and rules meet is said in `gains`.
    """
    said = _said(answers, unavailable)
    winner, proposal = said.winner, said.proposal
    met = meet(proposal, expectation, row, said.barred)
    choice, asked = _granted(wish, met, said.barred_by, row)
    policy = choice.policy
    by_wish = choice.by == "user"
    grounds = said.grounds(policy)
    page = page_bytes(policy, choice.page, row)
    sized = pool_pages(row, page) if policy is Policy.HUGETLB else None
    gain = gain_from_now(expectation, target_of(policy, choice.page), row)
    by_model = choice.by == "model"
    about_shmem = choice.by in ("rules", "both") and winner is not None and winner.rule.id == SHMEM_RULE
    confidence = _confidence_of_model(gain) if by_model else grounds.confidence
    confidence = Confidence.HIGH if by_wish else confidence
    heard = _said_by_model(choice, expectation, gain, proposal, row)
    reasons = _reasons(grounds, row)
    reasons = reasons if winner is not None else [_nothing_proposed(grounds.would_tell, row), *reasons]
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
        alternatives=Alternatives(partial(_alternatives, choice, page, said, row, expectation)),
        limited=bool(unavailable),
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
        refused = barred_by[wish.policy].why(row) if wish.policy in barred_by else None
    except LookupError as error:
        page, refused = None, str(error)
    if refused is not None:
        message = f"Not advised, although {wish.in_words()} was asked for: {refused}."
        return choice, [_reason_in_words(ASKED_FOR, Severity.MEDIUM, message)]
    unasked = f"unasked, the advice is {_in_words(choice.policy, choice.page)}"
    same = (choice.policy, choice.page) == (wish.policy, page)
    message = f"Asked for: {wish.in_words()}; " + ("it is the advice as well." if same else f"{unasked}.")
    reason = _reason_in_words(ASKED_FOR, Severity.INFO, message)
    return Choice(wish.policy, page, "user", None if same else unasked), [reason]


def _reason_in_words(rule: str, severity: Severity, message: str) -> Reason:
    return Reason(rule, Status.MATCHED.value, IN_WORDS[severity], Words(message))


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


def _rank(answer: Answer) -> tuple[int, int, bool, bool]:
    """Severity, then confidence; on a tie the word of a program's own makers, then gigantic pages, as their rules ask
    for more."""
    rule = answer.rule
    return answer.severity, rule.confidence, rule.cites is not None, rule.page is PageSize.GIGANTIC


def _barriers(matched: Sequence[Answer], unavailable: Mapping[Policy, str]) -> dict[Policy, Barrier]:
    """For each forbidden policy the gravest reason that forbids it; the host's own limits come last."""
    barriers: dict[Policy, Barrier] = {}
    for answer in sorted((one for one in matched if one.rule.forbids), key=_rank):
        barriers.update(dict.fromkeys(answer.rule.forbids, Barrier(answer)))
    barriers.update({policy: Barrier(None, why) for policy, why in unavailable.items()})
    return barriers


def _is_doubt(answer: Answer, policy: Policy, winner: Answer | None, barred_by: Mapping[Policy, Barrier]) -> bool:
    """If its rule matched, the decision would be another one; not where what it proposes is out of the question."""
    if policy in answer.rule.forbids:
        return True
    if answer.rule.proposes in (None, policy) or answer.rule.proposes in barred_by:
        return False
    return winner is None or answer.rule.severity > winner.severity


def _confidence(winner: Answer | None, doubts: Sequence[Answer], barred_by: Mapping[Policy, Barrier]) -> Confidence:
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
    status = Status.MATCHED if expectation.abstains is None else Status.CANNOT_TELL
    told = ModelWords(expectation, choice, proposal, gain, row)
    return [Reason(GAIN_MODEL, status.value, IN_WORDS[Severity.INFO], told)]


def _reasons(grounds: _Grounds, row: Row) -> list[Reason]:
    return [
        Reason(answer.rule.id, status, severity, Finding(answer.rule, answer.status, answer.severity, row))
        for answer, status, severity in grounds.told
    ]


def _nothing_proposed(would_tell: Sequence[str], row: Row) -> Reason:
    """Why the answer is leave although no rule says so; evidence names what would tell."""
    missing = [name for name in would_tell if row[name] is None]
    message = "No rule proposes a change."
    if missing:
        message = f"Too little is known for a change to be proposed. These would tell: {', '.join(missing)}."
    status = Status.CANNOT_TELL if missing else Status.MATCHED
    words = Words(message, evidence=dict.fromkeys(missing))
    return Reason(NOTHING_PROPOSED, status.value, IN_WORDS[Severity.INFO], words)


def _alternatives(
    choice: Choice,
    page: int | None,
    said: _Said,
    row: Row,
    expectation: Expectation | None,
) -> list[Alternative]:
    """Each other policy and page size that a rule proposed, once, and why it was not chosen."""
    found: dict[tuple[Policy, int | None], Alternative] = {}
    for answer in said.proposals:
        proposed = answer.rule.proposes
        if proposed is None or proposed is Policy.LEAVE:
            continue
        size = page_bytes(proposed, answer.rule.page, row)
        if (proposed, size) == (choice.policy, page) or (proposed, size) in found:
            continue
        gain = gain_from_now(expectation, target_of(proposed, answer.rule.page), row)
        overruled = _overruled(choice) if proposed not in said.barred_by else None
        why_not = overruled or _why_not(answer, said.winner, said.barred_by, row)
        found[proposed, size] = _costed(Alternative(proposed.value, size, gain, why_not), answer.rule, row)
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


def _why_not(answer: Answer, winner: Answer | None, barred_by: Mapping[Policy, Barrier], row: Row) -> str:
    proposed = answer.rule.proposes
    if proposed is not None and proposed in barred_by:
        return barred_by[proposed].why(row)
    if winner is None:
        return "not chosen"
    if answer.severity < winner.severity:
        return f"less is at stake for {answer.rule.id} than for {winner.rule.id}"
    if answer.rule.confidence < winner.rule.confidence:
        return f"{answer.rule.id} is less sure than {winner.rule.id}"
    return f"{winner.rule.id} holds as well and comes first"
