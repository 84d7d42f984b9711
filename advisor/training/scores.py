"""What advice was worth, by what was measured: time lost against the best policy, and what was taken for nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advisor.training.labels import Role
from advisor.training.rows import Table

ADVISABLE: tuple[Role, ...] = ("base", "thp", "pool", "gigantic")

WORTH_IT = 0.02
"""Gain below which touching a program was for nothing. Source: the project's own aim; ties are no smaller."""


@dataclass(frozen=True)
class Score:
    """One adviser over many rows.

    regret: time under its advice / time under the best policy measured, as geometric mean; worst: the largest, and of
    which configuration. cost_share: bytes that its advice reserves or adds, as a share of what the programs hold on
    base pages. intrusive: rows told to change to THP or to a pool, which they were not on; wasted: of these, rows
    whose measured gain over base pages was below WORTH_IT.
    """

    adviser: str
    rows: int
    regret: float
    worst: float
    worst_configuration: str
    cost_bytes: float
    cost_share: float
    intrusive: int
    wasted: int

    @property
    def wasted_share(self) -> float:
        """Of the intrusive advice; 0 where there was none."""
        return self.wasted / self.intrusive if self.intrusive else 0.0


class Measurements:
    """Log times and costs of examples as arrays, so that many advisers can be scored quickly."""

    def __init__(self, table: Table) -> None:
        self.examples = examples = table.examples
        self.found = np.array([ADVISABLE.index(role) for role in table.found_on()], dtype=np.intp)
        self.log_times = np.array([[one.measured.log_time(role) for role in ADVISABLE] for one in examples])
        self.costs = np.array([[one.measured.cost_bytes(role) for role in ADVISABLE] for one in examples])
        self.best = np.array([one.measured.best_log_time() for one in examples])
        self.footprint = float(sum(one.measured.footprint_bytes for one in examples))

    def score(self, adviser: str, advice: Sequence[Role]) -> Score:
        """How this advice, one policy a row, did."""
        chosen = np.array([ADVISABLE.index(role) for role in advice], dtype=np.intp)
        rows = np.arange(len(chosen))
        regret = self.log_times[rows, chosen] - self.best
        intrusive = (chosen != ADVISABLE.index("base")) & (chosen != self.found)
        wasted = intrusive & (-np.expm1(self.log_times[rows, chosen]) < WORTH_IT)
        worst = int(regret.argmax())
        cost = float(self.costs[rows, chosen].sum())
        return Score(
            adviser=adviser,
            rows=len(chosen),
            regret=math.exp(float(regret.mean())),
            worst=math.exp(float(regret[worst])),
            worst_configuration=self.examples[worst].configuration,
            cost_bytes=cost,
            cost_share=cost / self.footprint if self.footprint else 0.0,
            intrusive=int(intrusive.sum()),
            wasted=int(wasted.sum()),
        )
