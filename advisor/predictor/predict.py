"""Gains with intervals for every row of a feature table, all rows at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from advisor.predictor.facts import OUTPUTS, Calibration, Head, ModelFacts, Output
from advisor.predictor.faulting import faulting_log_ratio
from advisor.predictor.inputs import INPUTS, Input, input_frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

ROWS_AT_ONCE = 512
"""Rows whose distances to all known programs are held at the same time: 3 MiB, which a cache holds. With eight times
as many it takes 1.6 times as long."""

ROUNDING = 1e-9
"""Of the size of what is multiplied: more than products of matrices can be off by, less than programs differ by."""

NAMED_INPUTS = 3
"""How many inputs a reason for abstaining names at most: those that lie farthest outside."""

NOTABLE_SHARE = 0.15
"""Share of the squared distance from which an input is named. Source: own choice."""

SUM_OF: Mapping[str, tuple[Output, Output]] = {"gigantic": ("pool", "further")}
"""Outputs that no forest answers for alone: the log ratios of these two add up."""


SQUASH = 0.1
"""Log ratio from which gains are squashed: forests learn and intervals are laid out in SQUASH x asinh(x / SQUASH),
which is x itself for small gains. Source: own choice. Reason: a few programs are twice or five times as fast (faults,
fork); as they are, one of them would pull the answers for all that look a little like it and widen every interval."""

LARGEST = 0.45
"""Squashed log ratio beyond which nothing is stated: ninety times as fast or as slow, twice the largest measured."""


class Predictor:
    """The model, ready to be asked. forests: scikit-learn regressors by name; reference: known programs as rows of
    `facts.domain.columns`, standardised, NaN = unknown."""

    def __init__(self, facts: ModelFacts, forests: Mapping[str, Any], reference: Matrix) -> None:
        self.facts = facts
        self.forests = forests
        self.reference = reference
        by_name = {one.name: one for one in INPUTS}
        self.inputs: tuple[Input, ...] = tuple(by_name[name] for name in facts.inputs)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What it answers; an output that too few measurements speak of is missing."""
        return tuple(output for output in OUTPUTS if output in self.facts.calibrations)

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """One row for each row of the feature table, in order.

        For each output O of `OUTPUTS`: `O_gain`, `O_gain_low`, `O_gain_high` (0.12 = 12 % less time for the same
        work), null where it abstains or the model has no such output; `abstained`: why, null where it answers.
        """
        inputs = self.inputs_of(frame)
        reasons = self._abstentions(inputs)
        answering = pl.Series([reason is None for reason in reasons], dtype=pl.Boolean)
        return gain_frame(self.log_ratios(as_matrix(inputs.filter(answering))), reasons)

    def inputs_of(self, frame: pl.DataFrame) -> pl.DataFrame:
        """What the forests see of each row of the feature table."""
        return input_frame(frame, self.inputs)

    def log_ratios(self, matrix: Matrix) -> dict[str, Matrix]:
        """By output: median, low and high of ln(time before / time after), one row each, abstentions not regarded."""
        apart = {output: self._spread_answer(output, matrix) for output in self.facts.heads}
        for output, parts in SUM_OF.items():
            if set(parts) <= set(apart):
                apart[output] = added(apart, parts)
        return with_intervals(apart, self.facts.calibrations)

    def _spread_answer(self, output: str, matrix: Matrix) -> tuple[Matrix, Matrix]:
        head = self.facts.heads[output]
        return head_answer(head, self.forests[head.forest], matrix, self.facts.inputs)

    def _abstentions(self, inputs: pl.DataFrame) -> list[str | None]:
        domain = self.facts.domain
        needed = [name for name in domain.columns if name not in domain.may_be_unknown]
        unknown = inputs.select(pl.col(name).is_null() for name in needed).to_numpy()
        complete = ~unknown.any(axis=1)
        standard = (as_matrix(inputs.select(domain.columns)) - np.array(domain.centre)) / np.array(domain.spread)
        distance, offset = nearest(standard[complete], self.reference)
        far = distance > domain.farthest
        reasons: list[str | None] = [None] * len(standard)
        for row, named in zip(np.flatnonzero(~complete), _names(needed, unknown[~complete]), strict=True):
            reasons[row] = f"unknown for this process: {named}"
        outside = _names(domain.columns, *_farthest(offset[far]))
        for row, named in zip(np.flatnonzero(complete)[far], outside, strict=True):
            reasons[row] = f"unlike every program measured so far, in {named}"
        return reasons


def _farthest(offset: Matrix) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """By row, which inputs lie notably far outside (NAMED_INPUTS at most, one at least), and all, farthest first."""
    squares = np.nan_to_num(offset) ** 2
    order = np.argsort(-squares, axis=1, kind="stable")
    notable = squares >= NOTABLE_SHARE * squares.sum(axis=1, keepdims=True)
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(order.shape[1])[None, :], axis=1)
    return (place == 0) | (notable & (place < NAMED_INPUTS)), order


def _names(
    columns: Sequence[str], chosen: NDArray[np.bool_], order: NDArray[np.int64] | None = None
) -> Iterator[str]:
    """The chosen columns of each row as a list in words; order: of the columns, by row, where it is not their own."""
    places = range(len(columns))
    for row, is_chosen in enumerate(chosen.tolist()):
        yield ", ".join(columns[n] for n in (places if order is None else order[row].tolist()) if is_chosen[n])


def with_intervals(
    apart: Mapping[str, tuple[Matrix, Matrix]], calibrations: Mapping[str, Calibration]
) -> dict[str, Matrix]:
    """Median, low and high by output as log ratios, from squashed mean and spread; an output without calibration is
    left out."""
    return {
        output: unsquashed(
            np.column_stack([median, median + calibration.low * scale, median + calibration.high * scale])
        )
        for output, calibration in calibrations.items()
        if output in apart
        for median, spread in [apart[output]]
        for scale in [calibration.floor + spread]
    }


def gain_frame(answers: Mapping[str, Matrix], abstained: Sequence[str | None]) -> pl.DataFrame:
    """The columns of `Predictor.predict`, null where it abstains or there is no such answer.

    answers: log ratios of the rows for which there is no reason to abstain, in their order.
    """
    reasons = pl.Series("abstained", abstained, pl.String)
    answering = reasons.is_null().to_numpy()
    columns: dict[str, pl.Series] = {}
    for output in OUTPUTS:
        for part, name in enumerate(("_gain", "_gain_low", "_gain_high")):
            gains = np.full(len(answering), np.nan)
            if output in answers:
                gains[answering] = gain_of(answers[output][:, part])
            columns[output + name] = pl.Series(gains, dtype=pl.Float64).fill_nan(None)
    return pl.DataFrame(columns).with_columns(reasons)


def squashed(log_ratio: Matrix) -> Matrix:
    """What forests learn of a log ratio, see SQUASH."""
    result: Matrix = SQUASH * np.arcsinh(log_ratio / SQUASH)
    return result


def unsquashed(answer: Matrix) -> Matrix:
    """The log ratio of what a forest answers; beyond LARGEST no forest has learnt anything."""
    result: Matrix = SQUASH * np.sinh(np.clip(answer, -LARGEST, LARGEST) / SQUASH)
    return result


def gain_of(log_ratio: Matrix) -> Matrix:
    """Share of time saved for the same work: 0.12 is 12 % less."""
    result: Matrix = -np.expm1(-log_ratio)
    return result


def as_matrix(inputs: pl.DataFrame) -> Matrix:
    """Rows as float64, null = NaN."""
    return inputs.select(pl.all().cast(pl.Float64).fill_null(np.nan)).to_numpy().reshape(inputs.height, inputs.width)


def marked(matrix: Matrix, mark: float | None) -> Matrix:
    """The matrix, with the mark as its last column where there is one."""
    return matrix if mark is None else np.column_stack([matrix, np.full(len(matrix), mark)])


def head_answer(head: Head, forest: Any, matrix: Matrix, names: Sequence[str]) -> tuple[Matrix, Matrix]:
    """Squashed mean and spread of one output by row: the forest's, and what faulting alone explains."""
    mean, spread = forest_answer(forest, marked(matrix, head.mark))
    return mean + squashed(faulting_log_ratio(matrix, names, head.fill_s_per_gib)), spread


def forest_answer(forest: Any, matrix: Matrix) -> tuple[Matrix, Matrix]:
    """Mean and standard deviation over the trees, squashed, by row."""
    if not len(matrix):
        return np.empty(0), np.empty(0)
    single = matrix.astype(np.float32)
    # Trees lie side by side in memory, so that each row is summed alike whatever other rows there are.
    trees = np.stack([tree.tree_.predict(single).ravel() for tree in forest.estimators_], axis=1)
    return trees.mean(axis=1), trees.std(axis=1)


def added(apart: Mapping[str, tuple[Matrix, Matrix]], outputs: Iterable[str]) -> tuple[Matrix, Matrix]:
    """Squashed mean and spread of a sum of outputs, whose spreads add up as if independent."""
    parts = [apart[output] for output in outputs]
    mean: Matrix = np.sum([unsquashed(part[0]) for part in parts], axis=0)
    return squashed(mean), np.sqrt(np.sum([part[1] ** 2 for part in parts], axis=0))


def nearest(rows: Matrix, reference: Matrix) -> tuple[Matrix, Matrix]:
    """Distance to the nearest reference row and the offset from it, by row.

    Root mean square over the columns that both know; a pair that shares none is infinitely far.
    """
    distance, offset = np.full(len(rows), np.inf), np.full(rows.shape, np.nan)
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        block = rows[begin : begin + ROWS_AT_ONCE]
        best, unsure = _likely_nearest(block, reference)
        best[unsure] = _distances(block[unsure], reference).argmin(axis=1)
        distance[begin : begin + len(block)] = _distances(block, reference[best], paired=True)
        offset[begin : begin + len(block)] = block - reference[best]
    return distance, offset


def _likely_nearest(rows: Matrix, reference: Matrix) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The nearest reference row of each row by products of matrices, which is quick, and where that is not sure.

    That is where another one is as near, but for rounding, which hangs on the machine and on how many rows there are.
    """
    known, known_there = (~np.isnan(one) for one in (rows, reference))
    here, there = np.nan_to_num(rows), np.nan_to_num(reference)
    # a² + b² - 2ab where both are known, in one product
    squares = np.hstack([here**2, known, -2.0 * here]) @ np.hstack([known_there, there**2, there]).T
    shared = known.astype(np.float64) @ known_there.T
    mean = np.divide(squares, shared, out=squares, where=shared > 0)
    mean[shared == 0] = np.inf
    rounding = ROUNDING * ((here**2).sum(axis=1) + (there**2).sum(axis=1).max())
    best: NDArray[np.int64] = mean.argmin(axis=1)
    as_near = mean <= (mean[np.arange(len(rows)), best] + rounding)[:, None]
    return best, (np.count_nonzero(as_near, axis=1) > 1) | ~np.isfinite(rounding)


def _distances(rows: Matrix, reference: Matrix, *, paired: bool = False) -> Matrix:
    """From each row to each reference row; paired: to the one beside it. The same bits for a pair either way."""
    others = reference if paired else reference[None, :, :]
    rows = rows if paired else rows[:, None, :]
    shape = np.broadcast_shapes(rows.shape, others.shape)[:-1]
    squares, shared = np.zeros(shape), np.zeros(shape)
    for column in range(rows.shape[-1]):
        difference = rows[..., column] - others[..., column]
        shared += ~np.isnan(difference)
        np.nan_to_num(difference, copy=False, nan=0.0)
        squares += difference * difference
    result: Matrix = np.sqrt(np.divide(squares, shared, out=np.full(shape, np.inf), where=shared > 0))
    return result
