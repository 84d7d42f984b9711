"""From rows to a model: forests, the intervals that hold outside of the families seen, and where it must abstain.

Everything that is not learnt by a forest itself (interval widths, thresholds, the limit of the domain) is learnt on
predictions for families that the forest had not seen. Single-threaded, seeded and in canonical order: the same data
give the same model.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from advisor.predictor.facts import LEVEL, OUTPUTS, Calibration, Domain, Head, Output
from advisor.predictor.faulting import faulting_log_ratio
from advisor.predictor.inputs import Group, Input, input_frame, inputs_of
from advisor.predictor.predict import SUM_OF, added, as_matrix, head_answer, marked, nearest, squashed
from advisor.training.rows import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

TREES = 60
"""Trees of one forest. Source: own choice. Reason: more change predictions by less than a tenth of the interval, and
a fleet is scored at some hundred thousand rows a second."""

LEAST_LEAF = 3
"""Rows of a leaf at least. Reason: a configuration has about that many rows, one a state."""

INPUTS_TRIED = 0.5
"""Share of the inputs that each split looks at."""

SEED = 0

TAU = 0.05
"""Spread of gains among programs that look alike, log ratio. An effect's weight is 1 / (TAU^2 + error^2): a noisy
measurement counts less, a precise one not boundlessly more."""

FLOOR = 0.02
"""Least scale of an interval, squashed log ratio: where all trees agree, measurements still differ by about this."""

FOLDS = 8
"""Groups of families that predictions for unseen families are made with."""

FEWEST_CONFIGURATIONS = 10
"""Configurations below which an output is not learnt: no interval could be calibrated on so few."""

SPLITS = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8)
"""How much of what an interval leaves out may lie below it; the even split first, which wins a tie. Source: own
choice. Reason: beyond them one end would be the largest error seen."""

PASSING = ("coverage", "growth", "turnover")
"""Inputs that say how a program was found at a moment, and no trait of it: no distance is measured in them."""

FARTHEST_QUANTILE = 0.975
"""Of the distances between each known program and the nearest of another family, what still counts as known."""

LEAST_SPREAD = 0.05
"""Least spread of an input for measuring distance, in its own unit: one that hardly varies must not decide alone."""

FILL_RATES = tuple(step / 50 for step in range(51))
"""CPU seconds per GiB that are tried: up to four microseconds a base page, which is slower than any seen."""

GRID = float(1 << 20)
"""Inputs, targets and weights are learnt in steps of 1 / GRID. Reason: far below what a measurement tells, far above
where processors differ; a power of two, so that shares of pages do not lie between two steps."""

MISSED_DIGITS = 6
"""Decimals of what a fill rate leaves unexplained: below, two rates are as good."""

JOINT = "two-m"
TOGETHER: Mapping[Output, float] = {"thp": 0.0, "pool": 1.0}
"""Outputs that one forest answers for in the joint layout, and what tells it which is asked."""

Layout = Literal["separate", "joint"]


@dataclass(frozen=True)
class Settings:
    """What is learnt from and how. layout joint: one forest answers for THP and pool, told which by a column."""

    groups: tuple[Group, ...] = ("passive",)
    layout: Layout = "separate"

    @property
    def inputs(self) -> tuple[Input, ...]:
        return inputs_of(self.groups)


@dataclass(frozen=True)
class Forests:
    """heads: which forest answers for an output. forests: scikit-learn regressors by name. names: their inputs."""

    heads: Mapping[str, Head]
    forests: Mapping[str, Any]
    names: Sequence[str]

    def answers(self, matrix: Matrix) -> dict[str, tuple[Matrix, Matrix]]:
        """By output, sums included: mean over the trees and how far they stand apart."""
        apart = {
            output: head_answer(head, self.forests[head.forest], matrix, self.names)
            for output, head in self.heads.items()
        }
        sums = {output: added(apart, parts) for output, parts in SUM_OF.items() if set(parts) <= set(apart)}
        return {**apart, **sums}


@dataclass(frozen=True)
class Unseen:
    """Predictions for each row by a forest that had not seen its family: squashed mean and spread by output."""

    answers: Mapping[str, tuple[Matrix, Matrix]]


def matrix_of(table: Table, settings: Settings) -> Matrix:
    """Inputs of every row, NaN = unknown."""
    return canonical(as_matrix(input_frame(table.frame, settings.inputs)))


def target_of(table: Table, output: str) -> tuple[Matrix, Matrix]:
    """Log ratio (NaN where not measured) and weight, by row.

    A configuration weighs the same however many states it was watched in, and a family grows in weight only with the
    square root of its configurations.
    """
    effects = table.effects(output)
    values = np.array([np.nan if effect is None else effect.log_ratio for effect in effects])
    errors = np.array([np.inf if effect is None else effect.error for effect in effects])
    return values, shares(table) / (TAU**2 + errors**2)


def shares(table: Table) -> Matrix:
    """What each row counts among its configuration's and family's, so that neither counts for its number of rows."""
    rows: dict[str, int] = {}
    members: dict[str, set[str]] = {}
    for example in table.examples:
        rows[example.configuration] = rows.get(example.configuration, 0) + 1
        members.setdefault(example.family, set()).add(example.configuration)
    return np.array(
        [1.0 / rows[one.configuration] / len(members[one.family]) ** 0.5 for one in table.examples], dtype=np.float64
    )


def learnable(table: Table) -> list[Output]:
    """Outputs of which enough configurations were measured."""
    return [
        output
        for output in OUTPUTS
        if len({one.configuration for one in table.examples if output in one.measured.effects})
        >= FEWEST_CONFIGURATIONS
    ]


def fit_forests(table: Table, settings: Settings) -> Forests:
    """One forest for each output that stands alone, or one for THP and pool together."""
    matrix, outputs = matrix_of(table, settings), [one for one in learnable(table) if one not in SUM_OF]
    names = [one.name for one in settings.inputs]
    rates = {output: fill_rate(matrix, names, *target_of(table, output)) for output in outputs}
    joint = settings.layout == "joint" and set(TOGETHER) <= set(outputs)
    heads: dict[str, Head] = {
        output: Head(JOINT, mark, rates[output]) if joint and mark is not None else Head(output, None, rates[output])
        for output in outputs
        for mark in [TOGETHER.get(output)]
    }
    forests: dict[str, Any] = {}
    for name in sorted({head.forest for head in heads.values()}):
        parts = [
            _to_learn(settings, marked(matrix, head.mark), *target_of(table, output), names, head.fill_s_per_gib)
            for output in outputs
            for head in [heads[output]]
            if head.forest == name
        ]
        forests[name] = _forest(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    return Forests(heads, forests, names)


def fill_rate(matrix: Matrix, names: Sequence[str], values: Matrix, weights: Matrix) -> float:
    """CPU seconds that base pages cost more for each GiB faulted in: what explains most by itself."""
    known = ~np.isnan(values)

    def missed(rate: float) -> float:
        explained = squashed(faulting_log_ratio(matrix[known], names, rate))
        return float(np.sum(weights[known] * np.abs(squashed(values[known]) - explained)))

    return min(FILL_RATES, key=lambda rate: round(missed(rate), MISSED_DIGITS)) if known.any() else 0.0


def _to_learn(
    settings: Settings, matrix: Matrix, values: Matrix, weights: Matrix, names: Sequence[str], rate: float
) -> tuple[Matrix, Matrix, Matrix]:
    """Rows, what faulting does not explain of their gains, and weights."""
    known = ~np.isnan(values)
    rest = squashed(values) - squashed(faulting_log_ratio(matrix, names, rate))
    return _with_unprobed(settings, matrix[known], canonical(rest[known]), canonical(weights[known]))


def canonical(values: Matrix) -> Matrix:
    """The same numbers on every machine. Logarithms differ in their last bit between processors (numpy has versions
    for AVX-512 and for others), and that bit decides which of two equally good splits a tree takes."""
    return np.round(values * GRID) / GRID


def _forest(matrix: Matrix, values: Matrix, weights: Matrix) -> Any:
    from sklearn.ensemble import ExtraTreesRegressor

    forest = ExtraTreesRegressor(
        n_estimators=TREES,
        min_samples_leaf=LEAST_LEAF,
        max_features=INPUTS_TRIED,
        random_state=SEED,
        n_jobs=1,
    )
    return forest.fit(matrix, values, sample_weight=canonical(weights * len(weights) / math.fsum(weights)))


def _with_unprobed(settings: Settings, *rows: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """The rows, and where probes are among the inputs each row once more without them: on most hosts nobody asked for
    a probe, and the forest must know what to say then."""
    matrix, values, weights = rows
    probed = [place for place, one in enumerate(settings.inputs) if one.group != "passive"]
    if not probed:
        return matrix, values, weights
    bare = matrix.copy()
    bare[:, probed] = np.nan
    return np.concatenate([matrix, bare]), np.tile(values, 2), np.tile(weights, 2)


def folds(families: Sequence[str], sizes: Mapping[str, int], count: int = FOLDS) -> list[list[str]]:
    """Families in groups of about equal numbers of rows, always the same for the same families."""
    groups: list[list[str]] = [[] for _ in range(min(count, len(families)))]
    filled = [0] * len(groups)
    for family in sorted(families, key=lambda name: (-sizes[name], name)):
        least = filled.index(min(filled))
        groups[least].append(family)
        filled[least] += sizes[family]
    return groups


def splits(table: Table, count: int = FOLDS) -> Iterator[tuple[Table, Table, list[bool]]]:
    """(rows to learn from, rows held out, which are held out) for each group of families."""
    sizes: dict[str, int] = {}
    for example in table.examples:
        sizes[example.family] = sizes.get(example.family, 0) + 1
    for group in folds(table.families, sizes, count):
        held = [example.family in group for example in table.examples]
        yield table.where([not one for one in held]), table.where(held), held


def predict_unseen(table: Table, settings: Settings, count: int = FOLDS) -> Unseen:
    """Each row predicted without its family. Outputs that no group could learn are absent."""
    found: dict[str, tuple[Matrix, Matrix]] = {}
    for rest, held_out, held in splits(table, count):
        for output, answer in fit_forests(rest, settings).answers(matrix_of(held_out, settings)).items():
            columns = found.setdefault(output, (np.full(len(table), np.nan), np.full(len(table), np.nan)))
            for column, values in zip(columns, answer, strict=True):
                column[held] = values
    return Unseen(found)


def calibrate(table: Table, unseen: Unseen, level: float = LEVEL) -> dict[str, Calibration]:
    """Interval ends by output: quantiles of scaled errors on unseen families (split conformal over groups).

    Of all pairs of quantiles that hold `level` between them the narrowest, since gains have a long tail on one side.
    Families are what a new program is drawn from: they weigh about alike, and what is left out is a share of n + 1
    families of which n are known. Effects too vague to judge by are left out, as long as enough others are there.
    """
    found: dict[str, Calibration] = {}
    for output in learnable(table):
        if output not in unseen.answers:
            continue
        mean, spread = unseen.answers[output]
        values, _ = target_of(table, output)
        known = ~np.isnan(values) & ~np.isnan(mean)
        clear = known & np.array([effect is not None and not effect.is_vague for effect in table.effects(output)])
        known = clear if len(_named(table, clear)) >= FEWEST_CONFIGURATIONS else known
        if len(_named(table, known)) < FEWEST_CONFIGURATIONS:
            continue
        scaled, weights = ((squashed(values) - mean) / (FLOOR + spread))[known], shares(table)[known]
        families = len({one.family for one in itertools.compress(table.examples, known)})
        outside = 1.0 - min(level * (families + 1) / families, 1.0)
        low, high = _narrowest(scaled, weights, outside)
        found[output] = Calibration(low, high, FLOOR, len(_named(table, known)))
    return found


def _narrowest(values: Matrix, weights: Matrix, outside: float) -> tuple[float, float]:
    """The narrowest pair of ends around 0 that leave this share of the weight outside, by how it is split."""
    pairs = [
        (
            min(-weighted_quantile(-values, weights, 1.0 - outside * share), 0.0),
            max(weighted_quantile(values, weights, 1.0 - outside * (1.0 - share)), 0.0),
        )
        for share in SPLITS
    ]
    return min(pairs, key=lambda pair: round(pair[1] - pair[0], 9))


def _named(table: Table, rows: NDArray[np.bool_]) -> set[str]:
    return {one.configuration for one in itertools.compress(table.examples, rows)}


def weighted_quantile(values: Matrix, weights: Matrix, level: float) -> float:
    """The smallest value that at least `level` of the weight lies at or below."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    place = int(np.searchsorted(reached, level - ROUNDING))
    return float(values[order][min(place, len(values) - 1)])


ROUNDING = 1e-12
"""What sums of weights may fall short of 1 by."""


def domain_of(table: Table, settings: Settings) -> tuple[Domain, Matrix]:
    """Where programs were seen, and each of them standardised. Distance regards passive inputs but those of the
    moment, and none that is unknown of all of them."""
    inputs = input_frame(table.frame, settings.inputs)
    columns = [
        one
        for one in settings.inputs
        if one.group == "passive" and one.name not in PASSING and inputs[one.name].count()
    ]
    matrix = as_matrix(inputs.select(one.name for one in columns))
    centre = np.nanmedian(matrix, axis=0)
    spread = np.maximum(np.nanstd(matrix, axis=0), LEAST_SPREAD)
    standard = (matrix - centre) / spread
    family = np.array([example.family for example in table.examples])
    distances = np.concatenate(
        [nearest(standard[family == name], standard[family != name])[0] for name in table.families]
    )
    farthest = float(np.quantile(distances[np.isfinite(distances)], FARTHEST_QUANTILE))
    unknown = [one.name for one, column in zip(columns, matrix.T, strict=True) if np.isnan(column).any()]
    domain = Domain([one.name for one in columns], centre.tolist(), spread.tolist(), farthest, unknown)
    return domain, standard
