"""The way in: a feature frame of one host becomes advice for each process and one plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import polars as pl
from msgspec.structs import replace

from advisor.profile.model import HostState
from advisor.recommendation.artefacts import Artefacts, make_artefacts
from advisor.recommendation.asked import granted
from advisor.recommendation.decide import at_stake_bytes, decide, permitted
from advisor.recommendation.demands import Demand, new_demands
from advisor.recommendation.gains import Expectation, Predicted, Row, Target, expectations
from advisor.recommendation.limits import Refusal, instead, keeping_thp, refusals
from advisor.recommendation.model import Plan, ProcessAdvice, Recommendation
from advisor.recommendation.page_tables import tables_after
from advisor.recommendation.plan import EMPTY_PLAN, Decided, make_plan
from advisor.recommendation.pool_state import HostNow, host_now
from advisor.recommendation.setup import Setup
from advisor.recommendation.sizing import moved_bytes
from advisor.recommendation.tenants import NO_ROOM
from advisor.recommendation.wishes import NO_WISHES, Wish, Wishes, for_rows
from advisor.rules import Answers, Findings, Policy, evaluate


class _Case(NamedTuple):
    """What one process is decided from, beside the model. barred: policies that it cannot have, and why; can_use:
    pools that it is known to be able to use without a rule that says how."""

    row: Row
    answers: Answers
    wish: Wish | None = None
    barred: Mapping[Policy, str] = MappingProxyType({})
    can_use: frozenset[Target] = frozenset()

    def without(self, refusal: Refusal) -> _Case:
        """The same with one more policy that it cannot have."""
        return self._replace(barred={**self.barred, refusal.policy: refusal.why})


def recommend(
    frame: pl.DataFrame,
    predicted: Predicted | None = None,
    wishes: Wishes = NO_WISHES,
    setup: Setup | None = None,
    state: HostState | None = None,
    findings: Findings | None = None,
) -> tuple[list[ProcessAdvice], Plan]:
    """Advice for every row, in the order of the rows, and the plan for the host they all belong to.

    frame: the feature table of one host. predicted: what a model says of it; None decides by rules alone. Nothing
    unknown is an error: it lowers confidence and is named. wishes: what somebody wants in place of advice. setup:
    what the texts to paste take from elsewhere; None: nothing is known of it. state: the host's files at the frame's
    moment, for what is no column of it: nodes, cgroups, all pool sizes. findings: what rules say of the frame, where
    that is known already.
    """
    findings = evaluate(frame) if findings is None else findings
    rows, found = findings.rows, findings.by_row
    if not rows:
        return [], EMPTY_PLAN
    now = host_now(rows[0], state)
    cases = [_Case(*each) for each in zip(rows, found, for_rows(rows, wishes.policies), strict=True)]
    advice, demands = _within_limits(cases, predicted, now, granted(wishes, rows[0], now))
    tables = tables_after(rows[0], rows, advice)
    plan = make_plan(Decided(rows, advice, demands, tables), findings.host(), state, wishes)
    made = make_artefacts(rows, advice, plan, setup)
    who = [replace(one, artefacts=_texts_for(one.pids, made)) for one in plan.tenants]
    texts = list(made.by_id.values())
    advice = [
        _completed(one, row, after, made.by_pid.get(one.pid, []))
        for row, one, after in zip(rows, advice, tables, strict=True)
    ]
    return advice, replace(plan, artefacts=texts, tenants=who)


def decisions(
    frame: pl.DataFrame,
    predicted: Predicted | None = None,
    can_use: Sequence[frozenset[Target]] | None = None,
) -> list[Recommendation]:
    """What each row is advised as if it had its host to itself: without the host's plan and its artefacts.

    can_use: by row, pools that the program is known to be able to use without a rule that says how; None: none.
    """
    findings = evaluate(frame)
    usable = [frozenset[Target]()] * len(findings) if can_use is None else can_use
    cases = [
        _Case(row, answers, can_use=pools)
        for row, answers, pools in zip(findings.rows, findings.by_row, usable, strict=True)
    ]
    return [one.recommendation for one in _advise_all(cases, predicted)]


def _completed(one: ProcessAdvice, row: Row, tables_after: int | None, artefacts: list[str]) -> ProcessAdvice:
    """With what is known once the plan of the host is. artefacts: ids of the texts for it."""
    advised = replace(one.recommendation, artefacts=artefacts) if artefacts else one.recommendation
    return replace(
        one,
        recommendation=advised,
        page_table_bytes_after=tables_after,
        changes=_is_change(advised, row),
    )


def _is_change(advised: Recommendation, row: Row) -> bool:
    """A process in hugetlb pages that stays there changes only where something is to be done for its pool."""
    if advised.policy == Policy.HUGETLB and row["hugetlb_bytes"]:
        return bool(advised.artefacts)
    return advised.policy != Policy.LEAVE


def _texts_for(pids: Sequence[int], made: Artefacts) -> tuple[str, ...]:
    """Ids of the texts that serve any of these processes, each once, in the order in which to apply them."""
    wanted = {name for pid in pids for name in made.by_pid.get(pid, [])}
    return tuple(name for name in made.by_id if name in wanted)


def _advise_all(cases: Sequence[_Case], predicted: Predicted | None) -> list[ProcessAdvice]:
    """predicted: a row for each case."""
    expected: Sequence[Expectation | None] = [None] * len(cases)
    if predicted is not None:
        may = [permitted(case.answers, case.barred, case.can_use) for case in cases]
        expected = expectations(predicted, [case.row for case in cases], may)
    return [_advise(*each) for each in zip(cases, expected, strict=True)]


def _advise(case: _Case, expectation: Expectation | None) -> ProcessAdvice:
    row = case.row
    recommendation = decide(row, case.answers, case.barred, expectation, case.wish)
    return ProcessAdvice(
        pid=row["pid"],
        start_ticks=row["start_ticks"],
        recommendation=recommendation,
        at_stake_bytes=at_stake_bytes(row, recommendation),
        moved_bytes=moved_bytes(row, recommendation),
    )


def _within_limits(
    cases: list[_Case], predicted: Predicted | None, now: HostNow, wishes: Wishes
) -> tuple[list[ProcessAdvice], list[Demand]]:
    """Advice for every case, and the new pool pages that it asks for; who cannot have what is advised is decided anew
    without it, until the host can give it all.

    Ends, as no process is refused the same policy twice.
    """
    rows = [case.row for case in cases]
    advice = _advise_all(cases, predicted)
    demands = new_demands(rows, advice)
    while refused := refusals(rows, advice, demands, now, wishes):
        for place, refusal in refused.items():
            cases[place] = cases[place].without(refusal)
        of_those = predicted.of(list(refused)) if predicted is not None else None
        anew = _advise_all([cases[place] for place in refused], of_those)
        for (place, refusal), after in zip(refused.items(), anew, strict=True):
            advice[place] = after if refusal.why == NO_ROOM else instead(advice[place], after, refusal.why)
        demands = new_demands(rows, advice)
    kept = [keeping_thp(row, one, wishes.thp_enabled) for row, one in zip(rows, advice, strict=True)]
    return kept, demands
