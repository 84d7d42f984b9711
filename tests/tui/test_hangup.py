"""The interface on a terminal that goes away."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time

import pytest

PATIENCE_S = 60


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
    seen, until = b"", time.monotonic() + PATIENCE_S
    while b"ADVICE" not in seen and time.monotonic() < until and select.select([master], [], [], PATIENCE_S)[0]:
        seen += os.read(master, 1 << 16)
    assert b"ADVICE" in seen
    os.close(master)
    try:
        assert shown.wait(PATIENCE_S) == 130
    finally:
        shown.kill()
