"""Rules: named three-valued questions about a process or its host, and what each answer permits.

In: a feature frame (one row a process, missing = null). Out: `Findings`, for each row the rules that match
and those that cannot tell, with the evidence columns' values. A rule knows nothing of the predictor, reads no
file and renders nothing beyond its one-line message. Rules live in theme files; `RULES` lists them
explicitly; a rule's docstring is its documentation page.
"""

from advisor.rules.engine import (
    Answer,
    Answers,
    Confidence,
    Finding,
    Findings,
    PageSize,
    Policy,
    Rule,
    Scope,
    Severity,
    Status,
)
from advisor.rules.registry import RULES, evaluate, explain_rule

__all__ = [
    "RULES",
    "Answer",
    "Answers",
    "Confidence",
    "Finding",
    "Findings",
    "PageSize",
    "Policy",
    "Rule",
    "Scope",
    "Severity",
    "Status",
    "evaluate",
    "explain_rule",
]
