"""Every command clears up after a killed trial, or says who can; `--help` does neither."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import click
import pytest
from click.testing import CliRunner, Result

from advisor.cli.left_over import RestoringGroup
from advisor.cli.main import cli
from advisor.trial import state
from advisor.trial.groups import boot_id
from advisor.trial.journal import Journal
from advisor.trial.record import Owner, header, line_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "state"
    monkeypatch.setattr(state, "STATE_DIRECTORY", path)
    return path


@pytest.fixture
def killed(folder: Path) -> Path:
    """The journal of a trial that runs no more; it names a file that no journal may name, so nothing is written."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    folder.mkdir(mode=0o755)
    path = folder / state.journal_name(ended.pid, 1)
    path.touch(mode=0o600)
    change = {"change": str(folder.parent / "elsewhere"), "before": "1", "during": "2"}
    path.write_bytes(line_of(header(Owner(ended.pid, 1, boot_id()))) + line_of(change))
    return path


def explain(*options: str) -> Result:
    result = CliRunner().invoke(cli, [*options, "explain", "thp"])
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("policy thp")
    return result


def as_user(monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)


@pytest.mark.skipif(os.geteuid() != 0, reason="restoring needs root")
def test_root_restores_and_says_each_thing_in_one_line(killed: Path) -> None:
    said = explain().stderr
    assert said.count("\n") == 1
    assert said.startswith("hugepage-advisor: left by a trial that was killed: ")
    assert "elsewhere" in said
    assert not killed.exists()
    assert explain().stderr == ""


def test_others_are_told_who_can(killed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 1000)
    said = explain().stderr
    assert said.count("\n") == 1
    assert "root" in said
    assert killed.exists()


def test_a_captured_tree_is_no_reason_to_write(killed: Path, tmp_path: Path) -> None:
    assert "root" in explain("--procfs", str(tmp_path)).stderr
    assert killed.exists()


def test_a_folder_that_cannot_be_trusted_is_said(killed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 0)
    killed.parent.chmod(0o777)
    assert "others could have written" in explain().stderr
    assert killed.exists()


def test_a_trial_that_runs_is_not_mentioned(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = folder.parent / "setting"
    setting.write_text("1\n")
    with Journal(folder, roots=(folder.parent,)) as journal:
        journal.change(setting, "2")
        assert explain().stderr == ""
        as_user(monkeypatch, 1000)
        assert explain().stderr == ""
        monkeypatch.undo()
        assert setting.read_text() == "2\n"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["report", "--help"], ["explain", "-h"]])
def test_asking_for_help_changes_nothing(killed: Path, arguments: list[str]) -> None:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert killed.exists()


def test_commands_of_a_group_below_restore_too(killed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.group(cls=RestoringGroup)
    @click.option("--procfs", default="/proc")
    @click.option("--sysfs", default="/sys")
    def top(procfs: str, sysfs: str) -> None: ...

    @top.group()
    def model() -> None: ...

    @model.command()
    def train() -> None: ...

    as_user(monkeypatch, 1000)
    assert "root" in CliRunner().invoke(top, ["model", "train"]).stderr
    assert CliRunner().invoke(top, ["model", "--help"]).stderr == ""


def test_so_does_the_program_without_a_command(killed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 1000)
    monkeypatch.setattr("sys.stdin", Mock(isatty=lambda: True))
    monkeypatch.setattr("sys.stdout", Mock(isatty=lambda: True))
    shown: list[object] = []
    monkeypatch.setattr("advisor.cli.tui.run", lambda *arguments, **_: shown.append(arguments))
    said: list[str] = []
    monkeypatch.setattr("advisor.cli.left_over.say", said.append)
    cli.main([], standalone_mode=False)
    assert len(shown) == 1
    assert "root" in said[0]


def test_the_usual_look_imports_nothing_heavy() -> None:
    program = (
        "import sys; from pathlib import Path; from advisor.cli import left_over; from advisor.trial import state;"
        "state.STATE_DIRECTORY = Path('/nonexistent'); left_over.clear_up('/proc', '/sys');"
        "print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"msgspec", "numpy", "advisor.trial.journal"}.isdisjoint(run.stdout.split())
