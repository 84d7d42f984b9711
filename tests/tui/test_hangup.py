"""The interface on a terminal that goes away."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import sys
import time

import pytest

PATIENCE_S = 60


def until_seen(master: int, words: bytes) -> None:
    seen, until = b"", time.monotonic() + PATIENCE_S
    while words not in seen and time.monotonic() < until and select.select([master], [], [], PATIENCE_S)[0]:
        seen += os.read(master, 1 << 16)
    assert words in seen


def test_a_key_that_is_no_utf_8_ends_nothing() -> None:
    master, slave = pty.openpty()
    shown = subprocess.Popen(
        [sys.executable, "-m", "advisor", "tui"],
        stdin=slave, stdout=slave, stderr=slave, env=os.environ | {"TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(slave)
    try:
        until_seen(master, b"ADVICE")
        os.write(master, b"\xe9?")
        until_seen(master, b"everything of one process")
        os.write(master, b"\x1b[27uq")
        with contextlib.suppress(OSError):  # what it draws at the end has to be read
            while os.read(master, 1 << 16):
                pass
        assert shown.wait(PATIENCE_S) == 0
    finally:
        shown.kill()
        os.close(master)


@pytest.mark.parametrize("has_session", [True, False])
def test_it_ends_with_its_terminal(has_session: bool) -> None:
    """Without a session of its own it gets no SIGHUP."""
    master, slave = pty.openpty()
    start = "import fcntl, os, sys, termios\nos.setsid()\n"
    start += "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n" if has_session else ""
    start += "os.execv(sys.executable, [sys.executable, '-m', 'advisor', 'tui'])"
    environment = os.environ | {"TERM": "xterm-256color"}
    shown = subprocess.Popen([sys.executable, "-c", start], stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    until_seen(master, b"ADVICE")
    os.close(master)
    try:
        assert shown.wait(PATIENCE_S) == 130
    finally:
        shown.kill()
