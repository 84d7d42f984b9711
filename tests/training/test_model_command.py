"""`model train`, `evaluate` and `show`, from a data set on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from advisor.cli import model
from advisor.cli.errors import CommandError, ExitCode
from advisor.predictor import load_predictor
from advisor.predictor.store import FACTS, FORESTS
from advisor.training import fit, learn
from tests.in_process import advisor
from tests.training import synthetic
from tests.training.documents import write_data


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "TREES", 8)
    monkeypatch.setattr(learn, "MARGINS", (0.0,))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data") / "measurements.jsonl.zst")


def test_training_twice_gives_the_same_model(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("first", "second"):
        model.train([data], tmp_path / name)
    said = capsys.readouterr().out
    assert "6 families, 24 configurations, 48 rows" in said
    assert "newest 2026-01-02T00:00:00Z" in said
    first = load_predictor(tmp_path / "first")
    assert first is not None
    for name in (FACTS, FORESTS):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    assert first.facts.trained_on.labels == {"further": 24, "gigantic": 24, "pool": 24, "thp": 24}
    model.show(tmp_path / "first")
    assert "base_reach" in capsys.readouterr().out


def test_evaluation_prints_tables_and_writes_card_and_chart(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.evaluate([data], tmp_path / "CARD.md", tmp_path / "chart.svg", folds=3)
    said = capsys.readouterr().out
    assert "## Against each baseline" in said
    assert said.strip() in (tmp_path / "CARD.md").read_text()
    assert (tmp_path / "chart.svg").read_text().startswith("<svg")


def refused(call: object, *arguments: object) -> str:
    with pytest.raises(CommandError) as caught:
        call(*arguments)  # type: ignore[operator]
    assert caught.value.code is ExitCode.UNUSABLE
    return caught.value.message


def test_no_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "models_folder", lambda: tmp_path)
    assert "name a data set with --data" in refused(model.train, [], None)
    assert "model train" in refused(model.show, None)


def test_a_damaged_data_set(tmp_path: Path) -> None:
    broken = tmp_path / "measurements.jsonl.zst"
    broken.write_bytes(b"{}\n")
    assert str(broken) in refused(model.train, [broken], tmp_path)


def test_too_little_data(tmp_path: Path) -> None:
    little = write_data(tmp_path / "measurements.jsonl.zst", families=2)
    assert "2 families" in refused(model.train, [little], tmp_path)
    assert "2 families" in refused(model.evaluate, [little], None, None, 0)
    assert "would be left" in refused(model.evaluate, [write_data(little, families=4)], None, None, 0)


def test_a_model_that_cannot_be_used(data: Path, tmp_path: Path) -> None:
    model.train([data], tmp_path)
    (tmp_path / FORESTS).write_bytes(b"")
    assert FACTS in refused(model.show, tmp_path)


TRAIN_FEW_TREES = """
import sys
from advisor.cli.main import main
from advisor.training import fit, learn
fit.TREES, learn.MARGINS = 8, (0.0,)
sys.argv[1:] = ["model", "train", "--data", sys.argv[1], "-o", sys.argv[2]]
main()
"""


def test_another_interpreter_makes_the_same_model(tmp_path: Path) -> None:
    data = write_data(tmp_path / "measurements.jsonl.zst", families=4, each=4)
    for name in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", TRAIN_FEW_TREES, str(data), str(tmp_path / name)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONHASHSEED": name, "OMP_NUM_THREADS": name},
        )
        assert done.returncode == 0, done.stderr
        assert "16 configurations" in done.stdout
    first, second = (load_predictor(tmp_path / name) for name in ("1", "2"))
    assert first is not None
    assert second is not None
    frame = synthetic.table().frame
    one, other = (made.log_ratios(made.inputs_of(frame).to_numpy()) for made in (first, second))
    assert set(one) == {"thp", "pool", "further", "gigantic"}
    for output, answers in one.items():
        assert np.abs(answers - other[output]).max() < 1e-9
    assert first.predict(frame)["abstained"].equals(second.predict(frame)["abstained"])


@pytest.mark.parametrize("command", [[], ["train"], ["evaluate"], ["show"]])
def test_every_command_has_help(command: list[str]) -> None:
    done = advisor("model", *command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage:" in done.stdout


def test_exit_codes(tmp_path: Path) -> None:
    assert advisor("model", "show", str(tmp_path)).returncode == ExitCode.UNUSABLE
    missing = advisor("model", "train", "--data", str(tmp_path / "none.jsonl.zst"), "-o", str(tmp_path))
    assert (missing.returncode, missing.stdout) == (ExitCode.UNUSABLE, "")
    assert missing.stderr.startswith("hugepage-advisor: ")
    assert advisor("model", "evaluate", "--folds", "-1").returncode == ExitCode.USAGE
    assert advisor("model", "polish").returncode == ExitCode.USAGE
