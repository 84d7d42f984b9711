"""What advice was worth, by what was measured: time lost against the best policy, and what was taken for nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advisor.training.labels import NORMAL_95, Role
from advisor.training.rows import Table

ADVISABLE: tuple[Role, ...] = ("base", "thp", "pool", "gigantic", "default")
"""What a program may end up on. default: as the host has it, for programs that were found so and are left alone."""

WORTH_IT = 0.02
"""Gain below which touching a program was for nothing. Source: the project's own aim; ties are no smaller."""


@dataclass(frozen=True)
class Score:
    """One adviser over many rows.

    regret: time under its advice / time under the best policy measured, as geometric mean; worst: the largest, and of
    which configuration. told: regret and worst where a loss counts only if the measurement can tell it from none.
    cost_share: bytes that its advice reserves or adds, as a share of what the programs hold on base pages. intrusive:
    rows told to change to THP or to a pool, which they were not on; wasted: of these, rows whose measured gain over
    the pages that they were on was below WORTH_IT; surely_wasted: those where the measurement rules out more.
    """

    adviser: str
    rows: int
    regret: float
    worst: float
    worst_configuration: str
    told: float
    told_worst: float
    cost_bytes: float
    cost_share: float
    intrusive: int
    wasted: int
    surely_wasted: int

    @property
    def wasted_share(self) -> float:
        """Of the intrusive advice; 0 where there was none."""
        return self.wasted / self.intrusive if self.intrusive else 0.0


class Measurements:
    """Log times and costs of examples as arrays, so that many advisers can be scored quickly."""

    def __init__(self, table: Table) -> None:
        self.examples = examples = table.examples
        self.found = np.array([ADVISABLE.index(role) for role in table.found_on()], dtype=np.intp)
        self.pages = np.array([ADVISABLE.index(role) for role in table.pages_found()], dtype=np.intp)
        self.log_times = np.array([[one.measured.log_time(role) for role in ADVISABLE] for one in examples])
        self.costs = np.array([[one.measured.cost_bytes(role) for role in ADVISABLE] for one in examples])
        self.errors = np.array([[one.measured.error(role) for role in ADVISABLE] for one in examples])
        measured = np.array([[role in one.measured.outcomes for role in ADVISABLE] for one in examples])
        self.best = np.where(measured, self.log_times, np.inf).argmin(axis=1)
        self.footprint = float(sum(one.measured.footprint_bytes for one in examples))

    def score(self, adviser: str, advice: Sequence[Role]) -> Score:
        """How this advice, one policy a row, did."""
        chosen = np.array([ADVISABLE.index(role) for role in advice], dtype=np.intp)
        rows = np.arange(len(chosen))
        regret = self.log_times[rows, chosen] - self.log_times[rows, self.best]
        told = np.where(
            regret > NORMAL_95 * np.hypot(self.errors[rows, chosen], self.errors[rows, self.best]), regret, 0.0
        )
        saved = self.log_times[rows, self.found] - self.log_times[rows, chosen]
        error_saved = np.hypot(self.errors[rows, chosen], self.errors[rows, self.found])
        gained, most = -np.expm1(-saved), -np.expm1(-saved - NORMAL_95 * error_saved)
        stays = (chosen == self.found) | (chosen == self.pages)
        intrusive = (chosen != ADVISABLE.index("base")) & (chosen != ADVISABLE.index("default")) & ~stays
        wasted = intrusive & (gained < WORTH_IT)
        worst = int(regret.argmax())
        cost = float(self.costs[rows, chosen].sum())
        return Score(
            adviser=adviser,
            rows=len(chosen),
            regret=math.exp(float(regret.mean())),
            worst=math.exp(float(regret[worst])),
            worst_configuration=self.examples[worst].configuration,
            told=math.exp(float(told.mean())),
            told_worst=math.exp(float(told.max())),
            cost_bytes=cost,
            cost_share=cost / self.footprint if self.footprint else 0.0,
            intrusive=int(intrusive.sum()),
            wasted=int(wasted.sum()),
            surely_wasted=int((intrusive & (most < WORTH_IT)).sum()),
        )
