"""What host, process and plan share: the words of the contract, and a rule's answer."""

from __future__ import annotations

import math
from typing import Any, Literal

from msgspec import Struct

PolicyName = Literal["leave", "thp", "thp-off", "hugetlb"]
Level = Literal["high", "medium", "low"]
Severity = Literal["high", "medium", "low", "info"]
DecidedBy = Literal["rules", "model", "both", "user"]
RuleStatus = Literal["matched", "cannot-tell"]
Evidence = int | float | str | bool | None


class Reason(Struct, frozen=True):
    """One rule's answer, with the values that it was given and where the claim comes from."""

    rule: str
    status: RuleStatus
    severity: Severity
    message: str
    evidence: dict[str, Evidence]
    sources: list[str]
    title: str | None
    confidence: Level | None
    remedy: str | None


def evidence_value(value: Any) -> Evidence:
    """A feature's value as JSON can hold it: not a number and infinity are unknown."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
