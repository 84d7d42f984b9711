"""The way in: a feature frame of one host becomes advice for each process and one plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from msgspec.structs import replace

from advisor.recommendation.artefacts import Artefacts, make_artefacts
from advisor.recommendation.decide import at_stake_bytes, decide
from advisor.recommendation.model import Plan, ProcessAdvice
from advisor.recommendation.plan import EMPTY_PLAN, make_plan
from advisor.recommendation.pool_plan import new_demands, shared_object, without_room
from advisor.rules import Finding, Policy, evaluate

NO_ROOM = "the host has no room for this pool beside those with more at stake"
"""Why a pool that suits a process is not advised after all."""


def recommend(frame: pl.DataFrame) -> tuple[list[ProcessAdvice], Plan]:
    """Advice for every row, in the order of the rows, and the plan for the host they all belong to.

    frame: the feature table of one host. Nothing unknown is an error: it lowers confidence and is named.
    """
    findings = evaluate(frame)
    rows, found = frame.to_dicts(), list(findings)
    advice = [_advise(row, one) for row, one in zip(rows, found, strict=True)]
    if not rows:
        return advice, EMPTY_PLAN
    advice = _within_room(rows, found, advice)
    plan = make_plan(rows, advice, findings.host())
    made = make_artefacts(rows, advice, plan)
    return [_with_artefacts(one, made) for one in advice], replace(plan, artefacts=list(made.by_id.values()))


def _with_artefacts(one: ProcessAdvice, made: Artefacts) -> ProcessAdvice:
    ids = made.by_pid.get(one.pid, [])
    return replace(one, recommendation=replace(one.recommendation, artefacts=ids))


def _advise(
    row: Mapping[str, Any], found: Sequence[Finding], unavailable: Mapping[Policy, str] | None = None
) -> ProcessAdvice:
    recommendation = decide(row, found, unavailable)
    return ProcessAdvice(
        pid=row["pid"],
        start_ticks=row["start_ticks"],
        recommendation=recommendation,
        at_stake_bytes=at_stake_bytes(row, recommendation),
    )


def _within_room(
    rows: Sequence[Mapping[str, Any]], found: Sequence[Sequence[Finding]], advice: Sequence[ProcessAdvice]
) -> list[ProcessAdvice]:
    """The same advice, decided anew without pools where the host has no room for the pool that was asked for.

    Processes that share an object stand or fall together.
    """
    refused = {demand.pid for demand in without_room(rows[0], new_demands(rows, advice))}
    objects = {shared_object(row) for row in rows if row["pid"] in refused and row["sharing_leader"]}
    return [
        _advise(row, one, {Policy.HUGETLB: NO_ROOM})
        if row["pid"] in refused or (row["sharing_leader"] is False and shared_object(row) in objects)
        else given
        for row, one, given in zip(rows, found, advice, strict=True)
    ]
