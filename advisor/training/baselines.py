"""Advisers to compare with: simple habits, the rules alone, and the rules together with the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import polars as pl

from advisor.predictor.choice import Thresholds, preferred
from advisor.recommendation.decide import decide
from advisor.rules import Finding, Policy, Status, evaluate
from advisor.training.labels import Role
from advisor.training.rows import Table

OURS = "model and rules"
Adviser = Callable[[Table], list[Role]]


def always_thp(table: Table) -> list[Role]:
    """THP for everybody, as with `enabled` on always."""
    return ["thp"] * len(table)


def never_thp(table: Table) -> list[Role]:
    """Base pages for everybody."""
    return ["base"] * len(table)


def kernel_default(table: Table) -> list[Role]:
    """What the kernel does by itself: THP where the program got it on the host as it is, else base pages."""
    default = {
        example.configuration: role
        for example, role in zip(table.examples, table.found_on(), strict=True)
        if example.state == "default"
    }
    return [default.get(example.configuration, "base") for example in table.examples]


def pool_else_thp(table: Table) -> list[Role]:
    """A 2M pool wherever the program can use one, else THP: fast, and it pins memory everywhere."""
    return ["pool" if "pool" in example.measured.outcomes else "thp" for example in table.examples]


def tlb_reach(table: Table) -> list[Role]:
    """THP where the memory is larger than what the TLB reaches with base pages."""
    ratios = table.frame["memory_to_base_reach"].to_list()
    return ["thp" if ratio is not None and ratio > 1 else "base" for ratio in ratios]


def rules_alone(table: Table) -> list[Role]:
    """What the rules say without a model. Leave means: as it was when it was seen."""
    frame = _as_found(table)
    size = frame["host_pmd_bytes"].to_list()
    advice: list[Role] = []
    for found, row, findings, pmd in zip(table.found_on(), frame.to_dicts(), evaluate(frame), size, strict=True):
        said = decide(row, findings)
        if said.policy == Policy.LEAVE:
            advice.append(found)
        elif said.policy == Policy.THP:
            advice.append("thp")
        elif said.policy == Policy.THP_OFF:
            advice.append("base")
        else:
            larger = said.page_bytes is not None and pmd is not None and said.page_bytes > pmd
            advice.append("gigantic" if larger else "pool")
    return advice


def model_and_rules(table: Table, prediction: pl.DataFrame, thresholds: Thresholds) -> list[Role]:
    """What the model prefers among what rules permit and the program can use; the rules where it abstains."""
    chosen = preferred(prediction, thresholds, permitted(table), pl.Series(table.found_on())).to_list()
    return [
        rule if role is None else cast("Role", role) for role, rule in zip(chosen, rules_alone(table), strict=True)
    ]


def permitted(table: Table) -> Mapping[str, pl.Series]:
    """By policy: whether no matching rule forbids it and, for a pool, whether the program can use one at all."""
    forbidden = [_forbidden(findings) for findings in evaluate(_as_found(table))]
    return {
        role: pl.Series(
            role,
            [
                policy not in barred and (role == "thp" or role in example.measured.usable)
                for barred, example in zip(forbidden, table.examples, strict=True)
            ],
            pl.Boolean,
        )
        for role, policy in (("thp", Policy.THP), ("pool", Policy.HUGETLB), ("gigantic", Policy.HUGETLB))
    }


def _forbidden(findings: Sequence[Finding]) -> set[Policy]:
    return {policy for finding in findings if finding.status is Status.MATCHED for policy in finding.rule.forbids}


def _as_found(table: Table) -> pl.DataFrame:
    """The rows without what the trial did to keep a program on base pages: prctl is then no trait of the program."""
    was_kept = pl.Series([example.state == "base" for example in table.examples], dtype=pl.Boolean)
    own = pl.when(was_kept).then(False).otherwise("thp_disabled_by_process")
    return table.frame.with_columns(thp_disabled_by_process=own)


BASELINES: Mapping[str, Adviser] = {
    "rules alone": rules_alone,
    "always THP": always_thp,
    "never THP": never_thp,
    "kernel default": kernel_default,
    "2M pool, else THP": pool_else_thp,
    "TLB reach alone": tlb_reach,
}
