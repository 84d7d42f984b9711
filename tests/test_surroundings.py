"""Commands that start with closed descriptors, a full disk behind stderr, odd terminals, a strange umask."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from advisor.cli.errors import NO_PROC
from advisor.cli.record import DISPLACED

SAMPLES = Path(__file__).resolve().parents[1] / "sample_profiles"
PROFILE = SAMPLES / "redis-madvise.jsonl.zst"
ADVISOR = f"{sys.executable} -m advisor"


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    "command", ["explain leave", f"report {PROFILE}", f"report {PROFILE} -o {{folder}}/r", f"score {PROFILE}"]
)
def test_closed_descriptors_are_as_dev_null(command: str, closed: str, tmp_path: Path) -> None:
    done = shell(f"{ADVISOR} {command.format(folder=tmp_path)} {closed}")
    assert (done.returncode, done.stderr) == (0, "")
    if "-o" in command:
        assert "redis-server" in (tmp_path / "r").read_text()


def test_a_folder_that_is_gone_is_what_the_message_names(tmp_path: Path) -> None:
    done = shell(f"mkdir {tmp_path}/here; cd {tmp_path}/here; rmdir ../here; {ADVISOR} score {PROFILE}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "hugepage-advisor: the current folder: No such file or directory\n"


def test_a_recording_goes_on_without_stderr(tmp_path: Path) -> None:
    recording = tmp_path / "r.jsonl"
    assert shell(f"{ADVISOR} record -o {recording} --duration 0.5 --interval 0.1 2>&-").returncode == 0
    assert len(recording.read_text().splitlines()) > 2


def test_where_nobody_can_be_told_the_exit_code_still_says_it() -> None:
    assert shell(f"{ADVISOR} no-such-command >/dev/full 2>&1").returncode == 2


@pytest.mark.parametrize("columns", ["²", "9" * 5000, "99999999", "0", "-1", ""])
def test_sizes_that_no_terminal_has_are_as_none(columns: str) -> None:
    usual = shell(f"env -u COLUMNS {ADVISOR} report {PROFILE}").stdout
    assert shell(f"{ADVISOR} report {PROFILE}", COLUMNS=columns).stdout == usual


def test_what_the_encoding_of_stdout_has_not_is_spelt_out() -> None:
    done = shell(f"{ADVISOR} report --markdown {PROFILE}", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()


def test_whoever_makes_a_folder_may_enter_it(tmp_path: Path) -> None:
    done = shell(f"umask 0777; {ADVISOR} plan {SAMPLES}/jvm.jsonl.zst -o {tmp_path}/plan")
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE((tmp_path / "plan").stat().st_mode) == 0o700


@pytest.mark.parametrize("command", ["report", "plan", f"compare {PROFILE}", "import -o {folder}/x.jsonl"])
def test_a_pipe_is_no_profile_and_is_not_waited_for(command: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.jsonl")
    done = shell(f"{ADVISOR} {command.format(folder=tmp_path)} {tmp_path}/p.jsonl")
    assert done.returncode == 4
    assert done.stderr == f"hugepage-advisor: {tmp_path}/p.jsonl: not a regular file\n"


def test_a_recording_whose_name_another_file_takes_says_so(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    command = [sys.executable, "-m", "advisor", "record", "-o", path, "--interval", "0.2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as recording:
        while not path.exists():
            assert recording.poll() is None
            time.sleep(0.05)
        path.unlink()
        _, said = recording.communicate(timeout=60)
    assert recording.returncode == 1
    assert said == f"hugepage-advisor: {path}: {DISPLACED}\n"


def test_a_recording_of_no_proc_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    done = shell(f"{ADVISOR} --procfs {tmp_path} record -o {tmp_path}/r.jsonl --duration 1")
    assert (done.returncode, done.stderr) == (4, f"hugepage-advisor: {tmp_path}: {NO_PROC}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_name_of_two_lines_is_one_line_on_stderr(tmp_path: Path) -> None:
    path = tmp_path / "a\nhugepage-advisor: all is well.jsonl"
    path.write_text("junk")
    done = subprocess.run(
        [sys.executable, "-m", "advisor", "report", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert len(done.stderr.splitlines()) == 1 and r"a\nhugepage-advisor: all is well" in done.stderr
