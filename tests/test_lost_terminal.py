"""A terminal that is stopped (Ctrl-S), or that has gone away, does not keep a command from ending as it should."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ENDS_S = 30.0
"""Longest wait on a busy machine."""

TRIAL = ["trial", "--policies", "base", "--rounds", "99", "--", "sleep", "0.2"]


@contextmanager
def on_a_terminal(*arguments: str, stdout: int | None = None) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command with nothing but this terminal, or with another stdout; the other end is the caller's to close."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "advisor", *arguments]
    streams = {"stdin": theirs, "stdout": theirs if stdout is None else stdout, "stderr": theirs}
    process = subprocess.Popen(command, start_new_session=True, **streams)
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()


def read_until(terminal: int, words: bytes) -> None:
    """Within ENDS_S, or the reader of a terminal that has ended fails."""
    seen = b""
    while words not in seen:
        seen += os.read(terminal, 4096)


def code_of_losing(process: subprocess.Popen[bytes], terminal: int, *, is_stopped: bool) -> int:
    """Exit code after SIGTERM with the terminal stopped (Ctrl-S), or gone."""
    if is_stopped:
        os.write(terminal, b"\x13")
        time.sleep(0.7)
    else:
        os.close(terminal)
    process.send_signal(signal.SIGTERM)
    code = process.wait(ENDS_S)
    if is_stopped:
        os.close(terminal)
    return code


@pytest.mark.parametrize("is_stopped", [True, False])
def test_a_trial_ends_with_its_code(is_stopped: bool) -> None:
    with on_a_terminal(*TRIAL, stdout=subprocess.DEVNULL if is_stopped else None) as (process, terminal):
        read_until(terminal, b"warm-up")
        assert code_of_losing(process, terminal, is_stopped=is_stopped) == 130


@pytest.mark.parametrize("is_stopped", [True, False])
def test_a_recording_ends_with_its_code(tmp_path: Path, is_stopped: bool) -> None:
    arguments = ["record", "-o", str(tmp_path / "x.jsonl"), "--interval", "0.2"]
    with on_a_terminal(*arguments) as (process, terminal):
        read_until(terminal, b"samples")
        assert code_of_losing(process, terminal, is_stopped=is_stopped) == 0
