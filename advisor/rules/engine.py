"""The rule object and its evaluation: a rule is one Polars expression, all run in one pass over the frame."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Any, NamedTuple, overload

import polars as pl
from msgspec import Struct

from advisor.rules.rows import FrameRow, rows_of
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

PLACE = "place_of_row"
"""Column beside the answers of rules, none of which is called so."""


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


class Answer(NamedTuple):
    """What one rule says of every row that answers it alike; without the values of any of them."""

    rule: Rule
    status: Status
    severity: Severity


class Answers(Sequence[Answer]):
    """The answers of one row, in the order of the rules.

    Rows that answer all rules alike share one object, whose hash is its identity: what follows from answers alone is
    worked out once for all of them.
    """

    __slots__ = ("_answers",)

    def __init__(self, answers: Iterable[Answer]) -> None:
        self._answers = tuple(answers)

    @overload
    def __getitem__(self, place: int) -> Answer: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Answer, ...]: ...
    def __getitem__(self, place: int | slice) -> Answer | tuple[Answer, ...]:
        return self._answers[place]

    def __len__(self) -> int:
        return len(self._answers)

    def __iter__(self) -> Iterator[Answer]:
        return iter(self._answers)


class Finding(Struct, frozen=True):
    """One rule's answer for one row. Words are made when somebody reads them: in a batch hardly any are."""

    rule: Rule
    status: Status
    severity: Severity
    row: Mapping[str, Any]
    """The row of the feature frame, by column name."""

    @property
    def evidence(self) -> dict[str, Any]:
        """Every column that the rule reads, null included."""
        return {name: self.row[name] for name in self.rule.evidence}

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return self.rule.remedy

    @property
    def missing(self) -> tuple[str, ...]:
        """Evidence columns that are unknown for this row."""
        return tuple(name for name in self.rule.evidence if self.row[name] is None)

    @property
    def sources(self) -> tuple[str, ...]:
        """The row's own source, where the rule cites one, then those of the rule."""
        own = self.row[self.rule.cites] if self.rule.cites is not None else None
        return (*((own,) if own else ()), *self.rule.sources)

    @property
    def message(self) -> str:
        """The rule's message with this row's values, or which features are missing to tell."""
        if self.status is Status.CANNOT_TELL:
            return f"Cannot tell whether this holds: {self.rule.title}. Unknown: {', '.join(self.missing)}."
        return fill(self.rule.message, self.row)


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
    def rows(self) -> list[FrameRow]:
        """The rows of the feature frame, by column name."""
        return rows_of(self.features)

    @cached_property
    def by_row(self) -> list[Answers]:
        """The answers of each row."""
        idle = (self.features[IDLE_COLUMN] < IDLE_CPU_CORES).fill_null(value=False)
        alike = self.answers.with_columns(idle).with_row_index(PLACE).group_by(pl.exclude(PLACE)).agg(PLACE)
        by_place: dict[int, Answers] = {}
        for *told, is_idle, places in alike.iter_rows():
            by_place |= dict.fromkeys(places, self._answers_of(told, idle=is_idle))
        return [by_place[place] for place in range(len(self))]

    def part(self, offset: int, length: int) -> Findings:
        """Those of so many rows from `offset` on, as of one of many hosts that were asked together."""
        part = Findings(self.rules, self.features.slice(offset, length), self.answers.slice(offset, length))
        part.rows = self.rows[offset : offset + length]
        part.by_row = self.by_row[offset : offset + length]
        return part

    def of(self, row: int, scope: Scope | None = None) -> list[Finding]:
        """Findings of one row, in the order of the rules; scope None keeps both scopes."""
        values = self.rows[row]
        return [Finding(*one, values) for one in self.by_row[row] if scope in (None, one.rule.scope)]

    def host(self) -> list[Finding]:
        """Host-scope findings, from the first row: all rows of one host agree. Empty for an empty frame."""
        return self.of(0, Scope.HOST) if len(self) else []

    def __iter__(self) -> Iterator[list[Finding]]:
        return (self.of(row) for row in range(len(self)))

    def _answers_of(self, told: Iterable[bool | None], *, idle: bool) -> Answers:
        """idle: so that no time can be gained."""
        return Answers(
            Answer(
                rule=rule,
                status=Status.CANNOT_TELL if answer is None else Status.MATCHED,
                severity=Severity.INFO if idle and rule.gains_time else rule.severity,
            )
            for rule, answer in zip(self.rules, told, strict=True)
            if answer is not False
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
