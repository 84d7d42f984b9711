"""What every command does with the name that it writes to: a file of its owner alone, at once, or nothing."""

from __future__ import annotations

import ast
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from advisor.cli import record
from advisor.cli.errors import CommandError
from advisor.predictor import load_predictor
from advisor.predictor.store import FACTS, FORESTS, save_model
from advisor.profile.codec import ProfileWriter, load_profile
from advisor.profile.model import Sample
from tests.fake_proc import FakeProc
from tests.in_process import advisor
from tests.render.trial_samples import random_access

ROOT = Path(__file__).resolve().parent.parent
PROFILE = ROOT / "sample_profiles" / "postgres-huge-pages-off.jsonl.zst"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("host")
    FakeProc(root).add(100)
    return root


def run(*arguments: str) -> Callable[[Path, Path], int]:
    """A command line; HOST and OUT stand for the captured tree and what is to be written."""

    def write(host: Path, out: Path) -> int:
        words = [word.replace("HOST", str(host)).replace("OUT", str(out)) for word in arguments]
        return advisor(*words).returncode

    return write


def recorded(host: Path, out: Path) -> int:
    try:
        with mock.patch.object(record, "keep_only"):  # of this very process
            record.run((str(host / "proc"), str(host / "sys")), out, 0.0, None, (), redact=True)
    except CommandError as error:
        return error.code
    return 0


def tried(host: Path, out: Path) -> int:
    with (
        mock.patch("advisor.trial.trial.run_trial", return_value=random_access()),
        mock.patch("advisor.trial.journal.Journal"),
    ):
        return advisor("trial", "--policies", "base", "-o", str(out), "--", "true").returncode


COMMANDS = {
    "report.txt": run("report", str(PROFILE), "-o", "OUT"),
    "compare.md": run("compare", "--markdown", str(PROFILE), str(PROFILE), "-o", "OUT"),
    "record.jsonl.zst": recorded,
    "import.jsonl": run("import", "HOST", "-o", "OUT"),
    "rows.csv": run("score", "--jobs", "1", str(PROFILE), "-o", "OUT"),
    "rows.parquet": run("score", "--jobs", "1", str(PROFILE), "-o", "OUT"),
    "summary.html": run("score", "--jobs", "1", str(PROFILE), "-o", "OUT"),
    "trial.txt": tried,
}


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_is_its_owners_alone_and_the_old_one_is_replaced_not_written_over(
    host: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / name
    out.write_text("old")
    os.link(out, tmp_path / "second-name")
    assert COMMANDS[name](host, out) == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert out.stat().st_size > len("old")
    assert (tmp_path / "second-name").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {name, "second-name"}


@pytest.mark.parametrize("name", COMMANDS)
def test_neither_a_link_nor_a_pipe_is_written_through_or_replaced(host: Path, tmp_path: Path, name: str) -> None:
    """`-o /dev/stdout`, as root, must not put a file there."""
    out, precious = tmp_path / name, tmp_path / "precious"
    precious.write_text("mine")
    out.symlink_to(precious)
    assert COMMANDS[name](host, out) == 1
    assert out.is_symlink() and precious.read_text() == "mine"
    out.unlink()
    os.mkfifo(out)
    assert COMMANDS[name](host, out) == 1
    assert stat.S_ISFIFO(out.stat().st_mode)
    assert {path.name for path in tmp_path.iterdir()} == {name, "precious"}


def test_the_table_of_errors_of_score_is_such_a_file(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("{}\n")
    assert advisor("score", "--jobs", "1", str(tmp_path / "bad.jsonl"), "-o", str(tmp_path / "o.csv")).returncode == 5
    assert stat.S_IMODE((tmp_path / "o.csv.errors.jsonl").stat().st_mode) == 0o600


@pytest.mark.parametrize("planted", ["link", "open"])
def test_a_folder_of_parts_that_somebody_else_could_have_made_is_refused(tmp_path: Path, planted: str) -> None:
    parts = tmp_path / "o.csv.parts"
    if planted == "link":
        (tmp_path / "elsewhere").mkdir()
        parts.symlink_to(tmp_path / "elsewhere")
    else:
        parts.mkdir(mode=0o777)
    told = advisor("score", "--jobs", "1", "--resume", str(PROFILE), "-o", str(tmp_path / "o.csv"))
    assert told.returncode == 2
    assert "not a folder of yours alone" in told.stderr
    assert not list(parts.iterdir())


def test_a_model_is_such_a_file_and_no_name_beside_it_is_followed(tmp_path: Path) -> None:
    predictor = load_predictor()
    assert predictor is not None
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / f".{FORESTS}.partial").symlink_to(precious)
    save_model(tmp_path, predictor.facts, {}, np.zeros((1, 1)))
    assert all(stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600 for name in (FORESTS, FACTS))
    assert precious.read_text() == "mine"


def test_a_recording_says_what_it_keeps_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real, lines = tmp_path / "p.jsonl", ProfileWriter.write_sample, []

    def the_third_finds_no_room(writer: ProfileWriter, sample: Sample, *, redact: bool) -> None:
        lines.append(sample)
        if len(lines) == 3:
            os.dup2(os.open("/dev/full", os.O_WRONLY), writer._file.fileno())
        real(writer, sample, redact=redact)

    monkeypatch.setattr(ProfileWriter, "write_sample", the_third_finds_no_room)
    done = advisor("record", "-o", str(path), "--interval", "0.05", "--duration", "120")
    assert done.returncode == 1
    assert done.stderr == f"hugepage-advisor: {path}: No space left on device; 2 samples until then are kept\n"
    assert len(load_profile(path).samples) == 2


def test_a_plan_that_finds_no_room_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fdopen

    def full(descriptor: int, mode: str) -> object:
        os.dup2(os.open("/dev/full", os.O_WRONLY), descriptor)
        return real(descriptor, mode)

    monkeypatch.setattr("advisor.save.plan_folder.os.fchmod", lambda *_: None)  # of /dev/full, else
    monkeypatch.setattr("advisor.save.plan_folder.os.fdopen", full)
    done = advisor("plan", str(PROFILE), "-o", str(tmp_path / "plan"))
    assert (done.returncode, done.stderr) == (
        1,
        f"hugepage-advisor: {tmp_path}/plan/README.md: No space left on device\n",
    )


def test_a_plan_that_is_written_anew_has_no_script_until_all_else_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert advisor("plan", str(PROFILE), "-o", str(tmp_path / "plan")).returncode == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "plan").iterdir()}
    real, moved = os.replace, []

    def killed(source: str, target: str, **folders: int) -> None:
        if len(moved) == 2:
            raise OSError(28, "No space left on device")
        moved.append(target)
        real(source, target, **folders)

    monkeypatch.setattr("advisor.save.plan_folder.os.replace", killed)
    assert advisor("plan", str(PROFILE), "-o", str(tmp_path / "plan")).returncode == 1
    left = {path.name: path.read_bytes() for path in (tmp_path / "plan").iterdir()}
    assert "apply.sh" not in left
    assert left.keys() <= before.keys(), "no unfinished file is left behind"
    monkeypatch.undo()
    assert advisor("plan", str(PROFILE), "-o", str(tmp_path / "plan")).returncode == 0
    assert {path.name for path in (tmp_path / "plan").iterdir()} == before.keys()


WRITERS = {
    "own_file.py": "the one place",
    "save/plan_folder.py": "files of a folder that it has checked, relative to it",
    "trial/state.py": "the journal, likewise",
    "trial/knob.py": "settings of the kernel",
    "collect/probe_clear.py": "settings of the kernel",
    "collect/khugepaged_trace.py": "settings of the kernel",
    "collect/captured/staging.py": "the copy of a capture, in a temporary folder of its own",
    "cli/surroundings.py": "/dev/null, in place of a descriptor that was closed",
    "cli/talk.py": "/dev/null, in place of a terminal that has gone",
    "training/dataset.py": "measurements, appended",
}
"""Who opens files for writing, and why that is right."""


def test_nothing_else_opens_a_file_for_writing() -> None:
    found = {
        str(path.relative_to(ROOT / "advisor"))
        for path in (ROOT / "advisor").rglob("*.py")
        if any(map(opens_for_writing, ast.walk(ast.parse(path.read_text()))))
    }
    assert found - {"report/schema.py", "trial/schema.py"} == set(WRITERS)  # those two write this repository's files


def opens_for_writing(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in {"O_WRONLY", "O_RDWR", "write_text", "write_bytes"}
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        modes = [one.value for one in (*node.args, *(word.value for word in node.keywords))
                 if isinstance(one, ast.Constant) and isinstance(one.value, str)]  # fmt: skip
        return name == "open" and any(mode in {"w", "wb", "a", "ab", "x", "xb", "r+b", "w+b"} for mode in modes)
    return False
