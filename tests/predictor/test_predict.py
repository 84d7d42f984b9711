"""Answers for a feature table: gains, intervals and abstentions."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.features import SCHEMA
from advisor.predictor import OUTPUTS, Predictor
from advisor.predictor.predict import gain_of, nearest
from advisor.units import GIB, MIB
from tests.training import synthetic
from tests.training.synthetic import features, law


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return synthetic.learnt().predictor(synthetic.DATA)


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA)


def test_gains_are_near_the_law_and_inside_their_interval(predictor: Predictor) -> None:
    (row,) = predictor.predict(frame(features(GIB, 0.0, "base"))).to_dicts()
    assert row["abstained"] is None
    for output in OUTPUTS:
        assert row[f"{output}_gain_low"] <= row[f"{output}_gain"] <= row[f"{output}_gain_high"]
    expected = float(gain_of(np.array([law(GIB, 0.0)["pool"]]))[0])
    assert row["pool_gain"] == pytest.approx(expected, abs=0.06)


def test_every_row_is_answered_by_itself(predictor: Predictor) -> None:
    rows = [features(64 * MIB, 0.3, "thp"), features(2 * GIB, 0.0, "base"), features(512 * MIB, 0.6, "pool")]
    together = predictor.predict(frame(*rows))
    alone = pl.concat([predictor.predict(frame(row)) for row in rows])
    assert together.equals(alone)


def test_no_rows_give_no_answers(predictor: Predictor) -> None:
    empty = predictor.predict(frame())
    assert empty.height == 0
    assert empty.columns[-1] == "abstained"


def test_it_abstains_far_from_everything_measured_and_names_what_differs(predictor: Predictor) -> None:
    far = features(GIB, 0.0, "base", anon_vma_count=1_000_000)
    (row,) = predictor.predict(frame(far)).to_dicts()
    assert row["abstained"] == "unlike every program measured so far, in anon_vmas"
    assert all(row[f"{output}_gain"] is None for output in OUTPUTS)


def test_it_abstains_where_a_needed_input_is_unknown(predictor: Predictor) -> None:
    (row,) = predictor.predict(frame(features(GIB, 0.0, "base", cpu_cores=None))).to_dicts()
    assert row["abstained"] == "unknown for this process: cores, churn"


def test_an_output_that_was_not_learnt_is_null() -> None:
    learnt = synthetic.learnt()
    facts = learnt.facts(synthetic.DATA)
    del facts.heads["further"], facts.calibrations["further"], facts.calibrations["gigantic"]
    predictor = Predictor(facts, learnt.forests.forests, learnt.reference)
    (row,) = predictor.predict(frame(features(GIB, 0.0, "base"))).to_dicts()
    assert predictor.outputs == ("thp", "pool")
    assert (row["thp_gain"] is None, row["gigantic_gain"]) == (False, None)


def test_distance_is_over_what_both_know() -> None:
    reference = np.array([[0.0, np.nan], [3.0, 4.0]])
    distance, offset = nearest(np.array([[0.0, 4.0], [3.0, 4.0], [np.nan, np.nan]]), reference)
    assert distance.tolist() == [0.0, 0.0, np.inf]
    assert offset[0, 0] == 0.0


def test_gain_is_time_saved() -> None:
    assert gain_of(np.log([2.0, 1.0, 0.5])).tolist() == pytest.approx([0.5, 0.0, -1.0])


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 30))
def test_the_nearest_is_what_a_look_at_every_pair_finds_however_many_rows_there_are(
    seed: int, rows: int, references: int
) -> None:
    chance = np.random.default_rng(seed)
    here, there = chance.normal(size=(rows, 5)), chance.normal(size=(references, 5))
    for matrix in (here, there):
        matrix[chance.random(matrix.shape) < 0.2] = np.nan
    there[:: max(references // 2, 1)] = there[0]  # some programs are alike
    distance, offset = nearest(here, there)
    for row in range(rows):
        squares = (here[row] - there) ** 2
        shared = (~np.isnan(squares)).sum(axis=1)
        each = np.full(references, np.inf)
        np.sqrt(np.nansum(squares, axis=1) / np.maximum(shared, 1), out=each, where=shared > 0)
        assert distance[row] == pytest.approx(each.min())
        alone = nearest(here[row : row + 1], there)
        assert alone[0][0] == distance[row]
        assert np.array_equal(alone[1][0], offset[row], equal_nan=True)
