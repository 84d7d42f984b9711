"""The model that is shipped is the one that the shipped data gives."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from numpy.typing import NDArray

from advisor.predictor import load_predictor, models_folder
from advisor.predictor.inputs import input_frame
from advisor.predictor.predict import as_matrix
from advisor.training import fit
from advisor.training.dataset import read_all
from advisor.training.fit import fit_forests
from advisor.training.learn import learn
from advisor.training.rows import Table, table_of
from advisor.training.settings import SHIPPED

DATA = sorted(models_folder().glob("measurements*.jsonl.zst"))

SAME = 1e-9
"""Largest difference of two predictions that are the same."""


@pytest.fixture(scope="module")
def table() -> Table:
    return table_of(read_all(DATA))


def test_training_again_gives_the_same_predictions(table: Table) -> None:
    shipped = load_predictor()
    assert shipped is not None
    matrix = as_matrix(shipped.inputs_of(table.frame))
    again = learn(table, SHIPPED).predictor(shipped.facts.trained_on).log_ratios(matrix)
    for output, answers in shipped.log_ratios(matrix).items():
        assert np.max(np.abs(again[output] - answers)) <= SAME


def test_the_last_bit_of_a_logarithm_changes_nothing(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processors differ in it: every number that is learnt from goes up or down by one step of float64, at random."""
    inputs = as_matrix(input_frame(table.frame, SHIPPED.inputs))
    plain = fit_forests(table, SHIPPED).answers(inputs)
    random = np.random.default_rng(1)

    def shaken(values: NDArray[np.float64]) -> NDArray[np.float64]:
        towards = np.where(random.random(values.shape) < 0.5, np.inf, -np.inf)
        return np.where(np.isfinite(values) & (values != 0.0), np.nextafter(values, towards), values)

    for name in ("as_matrix", "squashed"):
        whole = getattr(fit, name)
        monkeypatch.setattr(fit, name, lambda values, whole=whole: shaken(whole(values)))
    for output, (mean, spread) in fit_forests(table, SHIPPED).answers(inputs).items():
        assert np.max(np.abs(mean - plain[output][0])) <= SAME
        assert np.max(np.abs(spread - plain[output][1])) <= SAME


def test_model_and_card_are_of_this_data() -> None:
    shipped = load_predictor()
    assert shipped is not None
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in DATA)).hexdigest()
    assert shipped.facts.trained_on.sha256 == digest
    assert digest[:12] in (models_folder() / "CARD.md").read_text()


def test_the_data_set_holds_no_host(table: Table) -> None:
    for measurement in read_all(DATA):
        for state in measurement.profiles:
            assert state.header.host.hostname is None
            assert state.header.host.boot_id is None
    assert len(table.families) >= 30
