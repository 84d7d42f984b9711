"""The whole model from a table of rows: forests, intervals, thresholds, domain; and how it is written down."""

from __future__ import annotations

import importlib.metadata
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from advisor import __version__
from advisor.predictor.choice import Thresholds
from advisor.predictor.facts import LEVEL, MODEL_SCHEMA, Calibration, Domain, ModelFacts, TrainedOn
from advisor.predictor.inputs import INPUTS_VERSION
from advisor.predictor.predict import Predictor, gain_frame, with_intervals
from advisor.predictor.store import feature_types
from advisor.training.advice import Outlook
from advisor.training.fit import Forests, Settings, Unseen, calibrate, domain_of, fit_forests, predict_unseen
from advisor.training.rows import Table
from advisor.training.scores import Measurements, Score

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST_FAMILIES = 4
"""Families below which nothing is learnt: each must be predictable from others, and those from others again."""

MOST_WASTED = 0.08
"""Share of intrusive advice for nothing that thresholds may lead to on the families they are learnt from. Source: own
choice. Reason: the aim is 10 % on families not seen, where it turns out higher."""

WASTED_WEIGHT = 0.1
"""What advice for nothing beyond that costs, log ratio for all of it. Source: own choice. Reason: where the aim is
out of reach, ten points more of it must buy 1 % of time. At 2.5 % the thresholds swing with single programs, and at
6 % hardly any advice is left."""

COST_WEIGHT = 0.01
"""What reserving or adding as much memory as the programs hold is worth in time, log ratio: 1 %. Source: own choice.
Reason: memory that nobody else can use must buy a gain that can be measured."""

WORST_WEIGHT = 0.05
"""What the worst loss counts beside the mean. Source: own choice. Reason: one program among seventy counts 0.014 in
the mean; one that loses much shall count some times as much, and not more than all others together."""

MOST_LOST = 1.15
"""Regret of a single configuration from which it counts once more. Source: the project's aim."""

LEAST_GAINS = (0.1, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02)
CAUTIONS = (0.75, 0.5, 0.25, 0.0)
MARGINS = (0.05, 0.03, 0.02)
"""Thresholds that are tried, the most careful first, which win a tie. None is below what the project calls a gain:
neither for a change, nor for pinned memory over memory that others may use as well."""

UNLEARNT = Thresholds(least_gain=0.02, caution=0.0, pool_margin=0.0, gigantic_margin=0.0)
"""Thresholds where none can be learnt: what the project calls a gain at all."""


class TrainingError(Exception):
    """A data set that no model can be learnt from. The message says what is missing."""


@dataclass(frozen=True)
class Learnt:
    """A model in memory. unseen: predictions for each row without its family, which the rest was learnt from."""

    settings: Settings
    forests: Forests
    calibrations: Mapping[str, Calibration]
    thresholds: Thresholds
    domain: Domain
    reference: NDArray[np.float64]
    unseen: Unseen

    def facts(self, trained_on: TrainedOn) -> ModelFacts:
        """What is written beside the forests; the hash of their file is filled in when it is written."""
        return ModelFacts(
            schema=MODEL_SCHEMA,
            tool_version=__version__,
            versions={name: importlib.metadata.version(name) for name in ("scikit-learn", "skops", "numpy")},
            sha256="",
            inputs_version=INPUTS_VERSION,
            inputs=[one.name for one in self.settings.inputs],
            features=feature_types(self.settings.inputs),
            level=LEVEL,
            heads=dict(self.forests.heads),
            calibrations=dict(self.calibrations),
            thresholds=self.thresholds,
            domain=self.domain,
            trained_on=trained_on,
            settings={"groups": " ".join(self.settings.groups), "layout": self.settings.layout},
        )

    def predictor(self, trained_on: TrainedOn) -> Predictor:
        """The model as it answers, without going through files."""
        return Predictor(self.facts(trained_on), self.forests.forests, self.reference)


def learn(table: Table, settings: Settings) -> Learnt:
    """The model of these rows. Raises TrainingError where there are too few families or nothing was measured often
    enough."""
    if len(table.families) < FEWEST_FAMILIES:
        raise TrainingError(f"{len(table.families)} families with rows, at least {FEWEST_FAMILIES} are needed")
    forests = fit_forests(table, settings)
    unseen = predict_unseen(table, settings)
    calibrations = calibrate(table, unseen)
    if not calibrations:
        raise TrainingError("no policy was measured on enough configurations")
    domain, reference = domain_of(table, settings)
    thresholds = learn_thresholds(table, unseen_gains(table, unseen, calibrations))
    return Learnt(settings, forests, calibrations, thresholds, domain, reference, unseen)


def unseen_gains(table: Table, unseen: Unseen, calibrations: Mapping[str, Calibration]) -> pl.DataFrame:
    """Gains with intervals, as the predictor would state them for a family that it does not know."""
    return gain_frame(with_intervals(unseen.answers, calibrations), [None] * len(table))


def learn_thresholds(table: Table, gains: pl.DataFrame) -> Thresholds:
    """Those that lose the least time and memory among those that touch few programs for nothing, over the programs as
    they would be found on a host.

    Advice is the product's, once as it is and once with the pools that the trial could use, in equal parts: the one
    is what most programs get, and only the other says what a pool must give more than THP.
    """
    found = table.found_rows()
    part, gains = table.where(found), gains.filter(pl.Series(found))
    measurements = Measurements(part)
    outlooks = [Outlook(part, as_in_trial=as_in_trial) for as_in_trial in (False, True)]
    best, best_loss = UNLEARNT, math.inf
    for values in itertools.product(LEAST_GAINS, CAUTIONS, MARGINS, MARGINS):
        thresholds = Thresholds(*values)
        loss = sum(_loss(measurements.score("", outlook.advice(gains, thresholds))) for outlook in outlooks)
        if loss < best_loss - ROUNDING:
            best, best_loss = thresholds, loss
    return best


ROUNDING = 1e-9
"""Losses that differ by less are equal, on whatever machine they were added up."""


def _loss(score: Score) -> float:
    loss = math.log(score.regret) + COST_WEIGHT * score.cost_share
    loss += WORST_WEIGHT * max(math.log(score.worst / MOST_LOST), 0.0)
    return loss + WASTED_WEIGHT * max(score.wasted_share - MOST_WASTED, 0.0)


def trained_on(table: Table, files: Sequence[str], sha256: str) -> TrainedOn:
    """What the facts say of the data. files: names as they were given."""
    configurations = {one.configuration for one in table.examples}
    labels: dict[str, set[str]] = {}
    for one in table.examples:
        for output in one.measured.effects:
            labels.setdefault(output, set()).add(one.configuration)
    return TrainedOn(
        files=list(files),
        sha256=sha256,
        newest=max((one.newest for one in table.examples), default=""),
        families=len(table.families),
        configurations=len(configurations),
        rows=len(table),
        labels={output: len(found) for output, found in sorted(labels.items())},
    )
