"""The way in: a feature frame of one host becomes advice for each process and one plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from msgspec.structs import replace

from advisor.profile.model import HostState
from advisor.recommendation.artefacts import Artefacts, make_artefacts
from advisor.recommendation.asked import granted
from advisor.recommendation.decide import at_stake_bytes, decide, permitted
from advisor.recommendation.gains import Expectation, Predicted, Row, Target, expectations
from advisor.recommendation.gigantic import gigantic_verdict
from advisor.recommendation.limits import instead, keeping_thp, refusals
from advisor.recommendation.model import Plan, ProcessAdvice, Recommendation
from advisor.recommendation.page_tables import tables_after
from advisor.recommendation.plan import EMPTY_PLAN, make_plan
from advisor.recommendation.pool_state import HostNow, host_now
from advisor.recommendation.setup import Setup
from advisor.recommendation.tenants import NO_ROOM
from advisor.recommendation.wishes import NO_WISHES, Wish, Wishes, for_rows
from advisor.rules import Answers, Findings, Policy, evaluate


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
    asked = for_rows(rows, wishes.policies)
    advice = _within_limits(rows, found, predicted, asked, now, granted(wishes, rows[0], now))
    plan = make_plan(rows, advice, findings.host(), state, wishes)
    made = make_artefacts(rows, advice, plan, setup)
    who = [replace(one, artefacts=_texts_for(one.pids, made)) for one in plan.tenants]
    texts = list(made.by_id.values())
    after = tables_after(rows[0], rows, advice)
    advice = [
        _completed(one, row, tables, made.by_pid.get(one.pid, []))
        for row, one, tables in zip(rows, advice, after, strict=True)
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
    advice = _advise_all(findings.rows, findings.by_row, predicted, can_use=can_use)
    return [one.recommendation for one in advice]


def _completed(one: ProcessAdvice, row: Row, tables_after: int | None, artefacts: list[str]) -> ProcessAdvice:
    """With what is known once the plan of the host is. artefacts: ids of the texts for it."""
    advised = replace(one.recommendation, artefacts=artefacts) if artefacts else one.recommendation
    return replace(
        one,
        recommendation=advised,
        page_table_bytes_after=tables_after,
        gigantic_verdict=gigantic_verdict(row),
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


def _advise_all(
    rows: Sequence[Row],
    found: Sequence[Answers],
    predicted: Predicted | None,
    unavailable: Sequence[Mapping[Policy, str]] | None = None,
    can_use: Sequence[frozenset[Target]] | None = None,
    wishes: Sequence[Wish | None] | None = None,
) -> list[ProcessAdvice]:
    asked = wishes if wishes is not None else [None] * len(rows)
    barred = unavailable if unavailable is not None else [{}] * len(rows)
    expected: Sequence[Expectation | None] = [None] * len(rows)
    if predicted is not None:
        pools = can_use if can_use is not None else [frozenset[Target]()] * len(rows)
        may = [permitted(*each) for each in zip(found, barred, pools, strict=True)]
        expected = expectations(predicted, rows, may)
    return [_advise(*each) for each in zip(rows, found, expected, asked, barred, strict=True)]


def _advise(
    row: Row,
    found: Answers,
    expectation: Expectation | None,
    wish: Wish | None,
    unavailable: Mapping[Policy, str],
) -> ProcessAdvice:
    recommendation = decide(row, found, unavailable, expectation, wish)
    return ProcessAdvice(
        pid=row["pid"],
        start_ticks=row["start_ticks"],
        recommendation=recommendation,
        at_stake_bytes=at_stake_bytes(row, recommendation),
    )


def _within_limits(
    rows: Sequence[Row],
    found: Sequence[Answers],
    predicted: Predicted | None,
    asked: Sequence[Wish | None],
    now: HostNow,
    wishes: Wishes,
) -> list[ProcessAdvice]:
    """Advice for every row, decided anew without what it cannot have until the host can give what is advised.

    Ends, as no process is refused the same policy twice.
    """
    advice = _advise_all(rows, found, predicted, wishes=asked)
    barred: list[dict[Policy, str]] = [{} for _ in rows]
    while refused := refusals(rows, advice, now, wishes):
        for place, refusal in refused.items():
            barred[place][refusal.policy] = refusal.why
        anew = _advise_all(rows, found, predicted, barred, wishes=asked)
        for place, refusal in refused.items():
            by_wish = refusal.why != NO_ROOM
            advice[place] = instead(advice[place], anew[place], refusal.why) if by_wish else anew[place]
    return [keeping_thp(row, one, wishes.thp_enabled) for row, one in zip(rows, advice, strict=True)]
