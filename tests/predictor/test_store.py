"""The model's files: what was written is read back, and nothing else is."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io

from advisor.predictor import ModelError, Predictor, load_predictor
from advisor.predictor.store import FACTS, FORESTS, save_model
from tests.training import synthetic


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    learnt = synthetic.learnt()
    save_model(folder, learnt.facts(synthetic.DATA), learnt.forests.forests, learnt.reference)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    for name in (FACTS, FORESTS):
        shutil.copy(written / name, tmp_path)
    return tmp_path


def change_facts(folder: Path, **changes: Any) -> None:
    facts = json.loads((folder / FACTS).read_bytes())
    (folder / FACTS).write_text(json.dumps({**facts, **changes}))


def replace_forests(folder: Path, content: bytes) -> None:
    """Other forests, with the hash that says they are right."""
    (folder / FORESTS).write_bytes(content)
    change_facts(folder, sha256=hashlib.sha256(content).hexdigest())


def refused(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_predictor(folder)
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_what_was_written_answers_the_same(folder: Path) -> None:
    loaded = load_predictor(folder)
    assert isinstance(loaded, Predictor)
    frame = synthetic.table().frame
    before = synthetic.learnt().predictor(synthetic.DATA).predict(frame)
    after = loaded.predict(frame)
    numbers = [name for name in before.columns if name != "abstained"]
    assert np.nanmax(np.abs(before.select(numbers).to_numpy() - after.select(numbers).to_numpy())) < 1e-9
    assert before["abstained"].equals(after["abstained"])


def test_the_files_are_small(folder: Path) -> None:
    assert (folder / FORESTS).stat().st_size < 1 << 20


def test_the_same_model_is_the_same_file(written: Path, tmp_path: Path) -> None:
    learnt = synthetic.learnt()
    save_model(tmp_path, learnt.facts(synthetic.DATA), learnt.forests.forests, learnt.reference)
    for name in (FACTS, FORESTS):
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes()


def test_without_a_file_there_is_no_model(tmp_path: Path) -> None:
    assert load_predictor(tmp_path) is None


def test_facts_without_forests(folder: Path) -> None:
    (folder / FORESTS).unlink()
    assert "No such file" in refused(folder)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_facts_that_are_none(folder: Path, text: bytes) -> None:
    (folder / FACTS).write_bytes(text)
    assert "not the facts of a model" in refused(folder)


def test_another_schema(folder: Path) -> None:
    change_facts(folder, schema="hugepage-advisor/model/99")
    assert "hugepage-advisor/model/99" in refused(folder)


def test_facts_with_a_wrong_type(folder: Path) -> None:
    change_facts(folder, level="high")
    assert "level" in refused(folder)


def test_forests_of_another_training(folder: Path) -> None:
    (folder / FORESTS).write_bytes(b"other")
    assert "is not the file" in refused(folder)


def test_a_changed_feature(folder: Path) -> None:
    facts = json.loads((folder / FACTS).read_bytes())
    change_facts(folder, features={**facts["features"], "anon_bytes": "String"})
    message = refused(folder)
    assert "the feature table has changed since in anon_bytes" in message
    assert "model train" in message


def test_a_changed_input(folder: Path) -> None:
    change_facts(folder, inputs=["luck"])
    assert "no longer has luck" in refused(folder)


def test_changed_formulas(folder: Path) -> None:
    change_facts(folder, inputs_version=0)
    assert "version 0 of the inputs" in refused(folder)


def test_unknown_types_are_refused_before_they_are_made(folder: Path) -> None:
    replace_forests(folder, skops.io.dumps({"forests": {"thp": Path("/")}, "reference": np.zeros((1, 1))}))
    assert "types that none of our models has (pathlib.PosixPath)" in refused(folder)


def test_no_model_file_at_all(folder: Path) -> None:
    replace_forests(folder, b"PK\x03\x04 not really")
    assert "not a model file" in refused(folder)


def test_trusted_types_of_another_shape(folder: Path) -> None:
    replace_forests(folder, skops.io.dumps({"reference": np.zeros((1, 1))}))
    assert "does not hold forests" in refused(folder)


def test_too_few_known_columns(folder: Path) -> None:
    forests = synthetic.learnt().forests.forests
    replace_forests(folder, skops.io.dumps({"forests": dict(forests), "reference": np.zeros((3, 1))}))
    assert "do not fit" in refused(folder)


def test_a_tree_for_other_inputs(folder: Path) -> None:
    facts = json.loads((folder / FACTS).read_bytes())
    change_facts(folder, heads={**facts["heads"], "thp": {"forest": "thp", "mark": 1.0}})
    assert "points outside of itself" in refused(folder)


def test_importing_the_room_needs_no_sklearn() -> None:
    program = "import sys, advisor.predictor; print(*{m.partition('.')[0] for m in sys.modules})"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"sklearn", "skops", "scipy", "click"}.isdisjoint(run.stdout.split())
