"""How good the model is on families that it has not seen: nested, so that nothing it states was tuned on them.

For each family held out, everything (forests, interval widths, thresholds, the limit of the domain) is learnt on the
other families alone, in which it is again calibrated on families left out there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from advisor.predictor.facts import LEVEL, OUTPUTS, TrainedOn
from advisor.predictor.inputs import GROUPS, Group
from advisor.predictor.predict import as_matrix, unsquashed, with_intervals
from advisor.recommendation import Predicted
from advisor.training.advice import advice
from advisor.training.baselines import BASELINES, OURS, OURS_AS_IN_TRIAL
from advisor.training.fit import Settings, calibrate, predict_unseen, shares, splits, target_of
from advisor.training.labels import Role
from advisor.training.learn import FEWEST_FAMILIES, TrainingError, learn
from advisor.training.rows import Table
from advisor.training.scores import ADVISABLE, Measurements, Score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

Progress = Callable[[int, int], None]
"""(done, of): called after each family."""


MEASURED_WELL = "found, measured well"
"""Rows as found, without configurations that have an effect whose spread is too large to tell."""


@dataclass(frozen=True)
class Coverage:
    """One output's intervals on unseen families; effects too vague to judge by are left out.

    rows: (configuration, state); inside: share of them whose measured gain lies in the interval, all and those not
    abstained on; width: median, as log ratio; error: median distance of the median from what was measured, and of
    zero from it; apart: median range of the answers for one program over its states.
    """

    output: str
    configurations: int
    rows: int
    inside: float
    answered: int
    inside_answered: float
    width: float
    error: float
    zero_error: float
    apart: float


@dataclass(frozen=True)
class Variant:
    """One way to build the model: mean absolute error and median interval width by output, log ratios, on unseen
    families."""

    name: str
    error: Mapping[str, float]
    width: Mapping[str, float]


@dataclass(frozen=True)
class Abstention:
    """Rows of one configuration that the model did not answer."""

    configuration: str
    states: str
    reason: str


@dataclass(frozen=True)
class Case:
    """One configuration: what was advised, what was best, both as gains over base pages."""

    configuration: str
    advised: Role
    advised_gain: float
    best: Role
    best_gain: float


@dataclass(frozen=True)
class Evaluation:
    """Everything that `model evaluate` prints and the model card is made from."""

    data: TrainedOn
    left_out: Sequence[str]
    vague: int
    level: float
    scores: Sequence[Score]
    states: Mapping[str, Sequence[Score]]
    coverages: Sequence[Coverage]
    groups: Sequence[Variant]
    layouts: Sequence[Variant]
    abstentions: Sequence[Abstention]
    rows: int
    cases: Sequence[Case]

    @property
    def ours(self) -> Score:
        return next(score for score in self.scores if score.adviser == OURS)


@dataclass(frozen=True)
class Nested:
    """Answers for every row by a model that was learnt without its family. answers: NaN where there is none. advice:
    by adviser, the product as it is and with the pools that the trial could use."""

    answers: Mapping[str, Matrix]
    prediction: pl.DataFrame
    advice: Mapping[str, Sequence[Role]]


def evaluate(
    table: Table, data: TrainedOn, settings: Settings, progress: Progress | None = None, folds: int = 0
) -> Evaluation:
    """The whole evaluation. folds: groups of families that are held out together, 0 = each family alone.

    Raises TrainingError where too few families are left to learn from.
    """
    left = len(table.families) - -(-len(table.families) // (folds or max(len(table.families), 1)))
    if left < FEWEST_FAMILIES:
        raise TrainingError(
            f"{len(table.families)} families, and {left} would be left to learn from; {FEWEST_FAMILIES} are needed"
        )
    nested = hold_out(table, data, settings, folds or len(table.families), progress)
    found = table.found_rows()
    return Evaluation(
        data=data,
        left_out=table.left_out,
        vague=_vague(table),
        level=LEVEL,
        scores=_scores(table, nested.advice, found),
        states={
            name: _scores(table, nested.advice, rows) for name, rows in _parts(table, found).items() if any(rows)
        },
        coverages=[one for output in nested.answers if (one := _coverage(table, nested, output)).answered],
        groups=[_variant(table, Settings(groups, settings.layout), " + ".join(groups)) for groups in _growing(table)],
        layouts=[
            _variant(table, Settings(settings.groups, "separate"), "a forest each"),
            _variant(table, Settings(settings.groups, "joint"), "one forest, told the policy"),
        ],
        abstentions=_abstentions(table, nested),
        rows=len(table),
        cases=_cases(table.where(found), list(itertools.compress(nested.advice[OURS], found))),
    )


def hold_out(table: Table, data: TrainedOn, settings: Settings, folds: int, progress: Progress | None) -> Nested:
    """Learn without each group of families in turn, and ask for it."""
    answers: dict[str, Matrix] = {}
    given: dict[str, list[Role]] = {name: ["base"] * len(table) for name in (OURS, OURS_AS_IN_TRIAL)}
    predictions: list[pl.DataFrame] = []
    for done, (rest, held_out, held) in enumerate(splits(table, folds), 1):
        learnt = learn(rest, settings)
        predictor = learnt.predictor(data)
        prediction = predictor.predict(held_out.frame)
        rows = np.flatnonzero(held)
        predicted = Predicted(prediction, learnt.thresholds, LEVEL)
        for name, roles in given.items():
            for row, role in zip(rows, advice(held_out, predicted, as_in_trial=name != OURS), strict=True):
                roles[row] = role
        predictions.append(prediction.with_columns(row=pl.Series(rows)))
        for output, values in predictor.log_ratios(as_matrix(predictor.inputs_of(held_out.frame))).items():
            answers.setdefault(output, np.full((len(table), 3), np.nan))[rows] = values
        if progress is not None:
            progress(done, folds)
    answers = {output: answers[output] for output in OUTPUTS if output in answers}
    return Nested(answers, pl.concat(predictions).sort("row").drop("row"), given)


def _parts(table: Table, found: Sequence[bool]) -> dict[str, list[bool]]:
    """Rows by the state that they were seen in, and those that were found so and measured well."""
    parts = {str(state): [one.state == state for one in table.examples] for state in ADVISABLE}
    well = [is_found and not one.measured.is_vague for is_found, one in zip(found, table.examples, strict=True)]
    return {**parts, MEASURED_WELL: well}


def _scores(table: Table, given: Mapping[str, Sequence[Role]], rows: Sequence[bool]) -> list[Score]:
    """Our advice and every baseline's on some of the rows."""
    part = table.where(rows)
    measurements = Measurements(part)
    ours = [measurements.score(name, list(itertools.compress(roles, rows))) for name, roles in given.items()]
    return [*ours, *(measurements.score(name, adviser(part)) for name, adviser in BASELINES.items())]


def _coverage(table: Table, nested: Nested, output: str) -> Coverage:
    effects = [one.measured.effects.get(output) for one in table.examples]
    values = np.array([np.nan if effect is None or effect.is_vague else effect.log_ratio for effect in effects])
    median, low, high = nested.answers[output].T
    known = ~np.isnan(values) & ~np.isnan(median)
    answered = known & nested.prediction["abstained"].is_null().to_numpy()
    inside = (low <= values) & (values <= high)
    return Coverage(
        output=output,
        configurations=len(
            {one.configuration for one, is_known in zip(table.examples, known, strict=True) if is_known}
        ),
        rows=int(known.sum()),
        inside=_mean(inside[known]),
        answered=int(answered.sum()),
        inside_answered=_mean(inside[answered]),
        width=_middle((high - low)[known]),
        error=_middle(np.abs(values - median)[known]),
        zero_error=_middle(np.abs(values)[known]),
        apart=_apart(table, np.where(known, median, np.nan)),
    )


def _apart(table: Table, median: Matrix) -> float:
    """Median range of the answers for one configuration over the states that it was seen in."""
    by_configuration: dict[str, list[float]] = {}
    for example, value in zip(table.examples, median, strict=True):
        if not math.isnan(value):
            by_configuration.setdefault(example.configuration, []).append(float(value))
    ranges = [max(values) - min(values) for values in by_configuration.values() if len(values) > 1]
    return _middle(np.array(ranges))


def _growing(table: Table) -> list[tuple[Group, ...]]:
    """Passive inputs, and each probe group that any row has on top of the ones before."""
    found: list[tuple[Group, ...]] = [("passive",)]
    for group in GROUPS[1:]:
        names = {name for one in Settings((group,)).inputs for name in one.features if name.startswith("probe_")}
        if any(table.frame[name].null_count() < len(table) for name in names):
            found.append((*found[-1], group))
    return found


def _variant(table: Table, settings: Settings, name: str) -> Variant:
    unseen = predict_unseen(table, settings)
    calibrations = calibrate(table, unseen)
    error: dict[str, float] = {}
    width: dict[str, float] = {}
    for output, (_, low, high) in {
        output: answer.T for output, answer in with_intervals(unseen.answers, calibrations).items()
    }.items():
        values, _ = target_of(table, output)
        mean = unsquashed(unseen.answers[output][0])
        known = ~np.isnan(values) & ~np.isnan(mean)
        error[output] = float(np.average(np.abs(values - mean)[known], weights=shares(table)[known]))
        width[output] = _middle((high - low)[known])
    return Variant(name, error, width)


def _abstentions(table: Table, nested: Nested) -> list[Abstention]:
    found: dict[tuple[str, str], list[str]] = {}
    for example, reason in zip(table.examples, nested.prediction["abstained"], strict=True):
        if reason is not None:
            found.setdefault((example.configuration, reason), []).append(example.state)
    return [Abstention(name, ", ".join(states), reason) for (name, reason), states in sorted(found.items())]


def _cases(table: Table, given: Sequence[Role]) -> list[Case]:
    """Those that lost most first."""
    cases = []
    for example, advised in zip(table.examples, given, strict=True):
        measured = example.measured
        tried: list[Role] = [role for role in ADVISABLE if role in measured.outcomes]
        best: Role = min(tried, key=measured.log_time, default="base")
        gains = [-math.expm1(measured.log_time(role)) for role in (advised, best)]
        cases.append(Case(example.configuration, advised, gains[0], best, gains[1]))
    return sorted(cases, key=lambda case: (round(case.advised_gain - case.best_gain, 9), case.configuration))


def _vague(table: Table) -> int:
    """Configurations with an effect whose spread is too large to tell."""
    return len({one.configuration for one in table.examples if one.measured.is_vague})


def _mean(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else math.nan


def _middle(values: Matrix) -> float:
    return float(np.median(values)) if len(values) else math.nan
