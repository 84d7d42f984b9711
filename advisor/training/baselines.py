"""Advisers to compare with: simple habits, one number, and the rules without a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from advisor.training.advice import advice
from advisor.training.labels import Role
from advisor.training.rows import Table

OURS = "model and rules"
OURS_AS_IN_TRIAL = "the same, pools as in the trial"
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
    """What the product says without a model. Leave means: as it was when it was seen."""
    return advice(table, None)


BASELINES: Mapping[str, Adviser] = {
    "rules alone": rules_alone,
    "always THP": always_thp,
    "never THP": never_thp,
    "kernel default": kernel_default,
    "2M pool, else THP": pool_else_thp,
    "TLB reach alone": tlb_reach,
}
