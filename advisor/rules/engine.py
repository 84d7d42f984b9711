"""The rule object and its evaluation: a rule is one Polars expression, all run in one pass over the frame."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Any

import polars as pl

from advisor.rules.text import fill, placeholders


class Policy(StrEnum):
    """What can be done for one process's memory."""

    LEAVE = "leave"
    THP = "thp"
    THP_OFF = "thp-off"
    HUGETLB = "hugetlb"


class PageSize(StrEnum):
    """Which of the host's huge page sizes a proposal means; the bytes come from the host's own columns."""

    PMD = "pmd"
    GIGANTIC = "gigantic"


class Severity(IntEnum):
    """What is at stake, lowest first. Says nothing about how sure the rule is."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3


class Confidence(IntEnum):
    """How sure the rule is when it matches. Says nothing about what is at stake."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2


class Scope(StrEnum):
    """Whether a rule speaks about one process or about the host (then all rows of a host agree)."""

    PROCESS = "process"
    HOST = "host"


class Status(StrEnum):
    """How a rule answered. "Does not match" is not kept: it is the absence of a finding."""

    MATCHED = "matched"
    CANNOT_TELL = "cannot-tell"


IDLE_CPU_CORES = 0.01
"""CPU seconds per second below which a process counts as idle. Source: own choice. Reason: even a gain of a
third of this much CPU is a third of one percent of one processor, which nobody can measure or use."""

IDLE_COLUMN = "cpu_cores"
"""The feature that says how much CPU a process uses."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One named question, its answer's meaning and its documentation.

    when: Boolean expression over feature columns; true = matches, false = does not, null = cannot tell.
    message: template with {feature} placeholders, which are shown by the feature's unit. page: for a hugetlb
    proposal, None means the page size that the process uses already. gains_time: what is at stake is CPU
    time, so an idle process (below IDLE_CPU_CORES) has at most INFO at stake. seen_by_model: false where the gain
    comes from something that no input of the gain model shows, so that its answer says nothing against the rule.
    cites: the feature that holds a source of its own for each row.
    """

    id: str
    title: str
    theme: str
    scope: Scope
    when: pl.Expr
    severity: Severity
    confidence: Confidence
    message: str
    remedy: str
    sources: tuple[str, ...]
    known_problems: str
    doc: str
    proposes: Policy | None = None
    page: PageSize | None = None
    forbids: frozenset[Policy] = frozenset()
    gains_time: bool = False
    seen_by_model: bool = True
    cites: str | None = None
    evidence: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = set(self.when.meta.root_names())
        unknown = (placeholders(self.message) | ({self.cites} if self.cites else set())) - names
        if unknown:
            raise ValueError(f"rule {self.id}: message names {sorted(unknown)}, which its expression does not")
        object.__setattr__(self, "evidence", tuple(sorted(names)))


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's answer for one row. evidence: every column that the rule reads, null included."""

    rule: Rule
    status: Status
    severity: Severity
    evidence: Mapping[str, Any]

    @property
    def missing(self) -> tuple[str, ...]:
        """Evidence columns that are unknown for this row."""
        return tuple(name for name, value in self.evidence.items() if value is None)

    @property
    def sources(self) -> tuple[str, ...]:
        """The row's own source, where the rule cites one, then those of the rule."""
        own = self.evidence[self.rule.cites] if self.rule.cites is not None else None
        return (*((own,) if own else ()), *self.rule.sources)

    @property
    def message(self) -> str:
        """The rule's message with this row's values, or which features are missing to tell."""
        if self.status is Status.CANNOT_TELL:
            return f"Cannot tell whether this holds: {self.rule.title}. Unknown: {', '.join(self.missing)}."
        return fill(self.rule.message, self.evidence)


class Findings:
    """The answers of all rules for all rows, kept columnar; single rows are put together on demand."""

    def __init__(self, rules: Sequence[Rule], features: pl.DataFrame, answers: pl.DataFrame) -> None:
        self.rules = tuple(rules)
        self.features = features
        self.answers = answers
        """Boolean frame: one column a rule (its id), one row a process; null = cannot tell."""

    def __len__(self) -> int:
        return self.answers.height

    @cached_property
    def _needed(self) -> pl.DataFrame:
        names = {name for rule in self.rules for name in rule.evidence} | {IDLE_COLUMN}
        return self.features.select(sorted(names))

    def part(self, offset: int, length: int) -> Findings:
        """Those of so many rows from `offset` on, as of one of many hosts that were asked together."""
        return Findings(self.rules, self.features.slice(offset, length), self.answers.slice(offset, length))

    def of(self, row: int, scope: Scope | None = None) -> list[Finding]:
        """Findings of one row, in the order of the rules; scope None keeps both scopes."""
        values = self._needed.row(row, named=True)
        return [
            self._finding(rule, answer, values)
            for rule, answer in zip(self.rules, self.answers.row(row), strict=True)
            if answer is not False and scope in (None, rule.scope)
        ]

    def host(self) -> list[Finding]:
        """Host-scope findings, from the first row: all rows of one host agree. Empty for an empty frame."""
        return self.of(0, Scope.HOST) if len(self) else []

    def __iter__(self) -> Iterator[list[Finding]]:
        return (self.of(row) for row in range(len(self)))

    @staticmethod
    def _finding(rule: Rule, answer: bool | None, values: Mapping[str, Any]) -> Finding:
        cpu = values[IDLE_COLUMN]
        idle = rule.gains_time and cpu is not None and cpu < IDLE_CPU_CORES
        return Finding(
            rule=rule,
            status=Status.CANNOT_TELL if answer is None else Status.MATCHED,
            severity=Severity.INFO if idle else rule.severity,
            evidence={name: values[name] for name in rule.evidence},
        )


def rule(
    *,
    id: str,
    title: str,
    theme: str,
    severity: Severity,
    confidence: Confidence,
    message: str,
    remedy: str,
    sources: Sequence[str],
    known_problems: str,
    scope: Scope = Scope.PROCESS,
    proposes: Policy | None = None,
    page: PageSize | None = None,
    forbids: frozenset[Policy] = frozenset(),
    gains_time: bool = False,
    seen_by_model: bool = True,
    cites: str | None = None,
) -> Callable[[Callable[[], pl.Expr]], Rule]:
    """Turn a function that returns the expression into a `Rule`; its docstring becomes the rule's page."""

    def make(expression: Callable[[], pl.Expr]) -> Rule:
        return Rule(
            id=id,
            title=title,
            theme=theme,
            scope=scope,
            when=expression(),
            severity=severity,
            confidence=confidence,
            message=message,
            remedy=remedy,
            sources=tuple(sources),
            known_problems=known_problems,
            doc=inspect.cleandoc(expression.__doc__ or ""),
            proposes=proposes,
            page=page,
            forbids=forbids,
            gains_time=gains_time,
            seen_by_model=seen_by_model,
            cites=cites,
        )

    return make


def evaluate_rules(frame: pl.DataFrame, rules: Sequence[Rule]) -> Findings:
    """Ask these rules of all rows in one pass.

    frame: the feature table (any number of rows, also of many hosts). A column that a rule names must be
    there; polars.exceptions.ColumnNotFoundError says which is not. Null values are an answer ("cannot tell"),
    never an error.
    """
    answers = frame.lazy().select(rule.when.alias(rule.id) for rule in rules).collect()
    return Findings(rules, frame, answers)
