"""All rules by id, in the order in which their findings are listed."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from advisor.rules import (
    anonymous,
    application_pools,
    applications,
    eligibility,
    gigantic,
    host,
    limits,
    pools,
    process,
    shared_memory,
    virtual_machines,
)
from advisor.rules.engine import Findings, Rule, evaluate_rules

THEMES: tuple[tuple[Rule, ...], ...] = (
    process.RULES,
    anonymous.RULES,
    eligibility.RULES,
    applications.RULES,
    application_pools.RULES,
    shared_memory.RULES,
    pools.RULES,
    virtual_machines.RULES,
    gigantic.RULES,
    host.RULES,
    limits.RULES,
)
"""The rules of each theme file."""

RULES: dict[str, Rule] = {rule.id: rule for theme in THEMES for rule in theme}
"""Every rule by its id."""


def evaluate(frame: pl.DataFrame, rules: Sequence[Rule] | None = None) -> Findings:
    """Ask all rules, or those given, of all rows of the feature table (see `engine.evaluate_rules`)."""
    return evaluate_rules(frame, list(RULES.values()) if rules is None else rules)


def explain_rule(rule_id: str) -> str:
    """The documentation page of one rule as plain text. Raises KeyError for an id that no rule has."""
    rule = RULES[rule_id]
    effects = [f"proposes {rule.proposes}"] if rule.proposes else []
    effects += [f"forbids {policy}" for policy in sorted(rule.forbids)]
    return "\n\n".join(
        [
            f"{rule.id}: {rule.title}",
            f"Theme: {rule.theme}. Scope: {rule.scope}. Severity: {rule.severity.name.lower()}. "
            f"Confidence: {rule.confidence.name.lower()}. Effect: {', '.join(effects) or 'none'}.",
            rule.doc,
            f"Message: {rule.message}",
            f"Remedy: {rule.remedy}",
            f"Known problems: {rule.known_problems}",
            f"Evidence: {', '.join(rule.evidence)}",
            "Sources:\n" + "\n".join(f"- {source}" for source in rule.sources),
        ]
    )
