"""What the product would advise the programs of a table: its own functions, put in terms of what was measured."""

from __future__ import annotations

import polars as pl

from advisor.predictor.choice import Thresholds, preferred
from advisor.recommendation import Predicted, Recommendation, decisions
from advisor.recommendation.decide import POOLS, permitted, proposal_of
from advisor.recommendation.gains import Choice, Expectation, Target, circumstances, meet, target_of
from advisor.rules import Policy, evaluate
from advisor.training.labels import Role
from advisor.training.rows import Table

TARGETS: tuple[Target | None, ...] = ("base", "thp", "pool", "gigantic", None)
"""What the model may prefer; None: it abstains."""


def advice(table: Table, predicted: Predicted | None, *, as_in_trial: bool = False) -> list[Role]:
    """One policy a row, as the product decides for a process that has its host to itself. Leave: as it was found.

    as_in_trial: the pools that the trial could bring to each program may be advised, too; else only those that a rule
    knows how to fill, which is what the product does.
    """
    said = decisions(table.frame, predicted, usable_pools(table) if as_in_trial else None)
    pmd = table.frame["host_pmd_bytes"].to_list()
    return [_role(*one) for one in zip(said, table.found_on(), pmd, strict=True)]


def usable_pools(table: Table) -> list[frozenset[Target]]:
    """By row, the pools that the trial could bring to the program."""
    return [frozenset(pool for pool in POOLS if pool in one.measured.usable) for one in table.examples]


def _role(said: Recommendation, found: Role, pmd_bytes: int | None) -> Role:
    if said.policy == Policy.LEAVE:
        return found
    if said.policy == Policy.HUGETLB:
        is_larger = said.page_bytes is not None and pmd_bytes is not None and said.page_bytes > pmd_bytes
        return "gigantic" if is_larger else "pool"
    return "thp" if said.policy == Policy.THP else "base"


class Outlook:
    """The same for many thresholds: what each row would be advised for each answer of the model, worked out once."""

    def __init__(self, table: Table, *, as_in_trial: bool) -> None:
        findings = evaluate(table.frame)
        rows, found = findings.rows, findings.by_row
        pools = usable_pools(table) if as_in_trial else [frozenset[Target]()] * len(rows)
        may = [permitted(answers, None, usable) for answers, usable in zip(found, pools, strict=True)]
        self._circumstances = circumstances(rows, may)
        self._roles = [
            [_met(meet(proposal_of(answers), _preferring(target), row), on) for target in TARGETS]
            for row, answers, on in zip(rows, found, table.found_on(), strict=True)
        ]

    def advice(self, gains: pl.DataFrame, thresholds: Thresholds) -> list[Role]:
        """One policy a row, where the model says `gains` (see `Predictor.predict`)."""
        chosen = preferred(gains, thresholds, **self._circumstances).to_list()
        return [roles[TARGETS.index(target)] for roles, target in zip(self._roles, chosen, strict=True)]


def _met(choice: Choice, found: Role) -> Role:
    return target_of(choice.policy, choice.page) or found


def _preferring(target: Target | None) -> Expectation:
    return Expectation({}, target, None, 0.0)
