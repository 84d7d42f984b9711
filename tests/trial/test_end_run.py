"""How a run ends: nothing of it is left, what may not be ended is said, and what is not of it is left alone."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.trial.commands import Noted, is_running, options, run, way


def test_what_a_command_leaves_is_ended(tmp_path: Path) -> None:
    script = f"setsid sleep 60 & echo $! > {tmp_path}/pid; (setsid sh -c 'trap \"\" TERM; sleep 60' &) ; sleep 0.1"
    began_s = time.monotonic()
    done = run(way("sh", "-c", script))
    assert done.not_counted is None
    assert done.wall_s < 1, "what is left is not waited for"
    assert time.monotonic() - began_s < 5
    assert not is_running(int((tmp_path / "pid").read_text()))
    assert subprocess.run(["pgrep", "-P", str(os.getpid()), "-x", "sleep"], capture_output=True).stdout == b""


@pytest.mark.parametrize("program", ["exec sleep 60", "sleep 60 &"])
def test_a_process_that_may_not_be_ended_costs_the_run_alone(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """A program that becomes another user: the run says which process, and at once."""

    def refuse(*_: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    noted = Noted()
    began_s = time.monotonic()
    with monkeypatch.context() as patched:
        patched.setattr("advisor.trial.end_run.os.kill", refuse)
        done = run(way("sh", "-c", program), options(timeout_s=0.5), noted)
    assert time.monotonic() - began_s < 5
    found = re.fullmatch(r"process (\d+) of it would not end", done.not_counted or "")
    assert found
    assert [word for word, _ in noted.lines] == ["started"], "who comes after a kill shall try again"
    os.kill(int(found[1]), signal.SIGKILL)
    os.waitpid(int(found[1]), 0)


def test_a_daemon_of_the_command_is_in_the_journal() -> None:
    """What is in the command's own session is found by that."""
    noted = Noted()
    done = run(way("sh", "-c", "(setsid sleep 60 &); (sleep 60 &); sleep 0.4"), noted=noted)
    assert done.not_counted is None
    assert [word for word, _ in noted.lines] == ["started"] * 2 + ["ended"] * 2
    pids = {pid for _, pid in noted.lines}
    assert len(pids) == 2 and not any(map(is_running, pids))


def test_other_children_of_this_process_are_left_alone() -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        short = subprocess.Popen(["true"])
        run(way("sh", "-c", "sleep 60 &"))
        assert other.poll() is None
        assert short.wait() == 0, "its exit code was not taken away"
        other.kill()
