"""The model that is shipped is the one that the shipped data gives."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from advisor.predictor import load_predictor, models_folder
from advisor.predictor.predict import as_matrix
from advisor.training.dataset import read_all
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
