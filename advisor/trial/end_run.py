"""Ending what a command of ours has started, down to the last process that descends from it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

from advisor.trial.groups import look_at
from advisor.trial.tree import ProcessTree

GRACE_S = 1.0
"""From SIGTERM to SIGKILL for what a command leaves behind."""

LONGEST_END_S = 10.0
"""From then on a process that SIGKILL does not end (in uninterruptible sleep) is left to the kernel."""


def end_all(
    process: subprocess.Popen[bytes],
    tree: ProcessTree,
    meanwhile: Callable[[], object],
    grace_s: float = GRACE_S,
) -> list[int]:
    """SIGTERM, then SIGKILL to whatever is still there of `process` and its `tree`; all that end are collected.

    Needs `subreaper`. meanwhile: called again and again. Answers the pids that would not end: after LONGEST_END_S, or
    at once where what is left may not be sent a signal (a set-user-ID program is another user's).
    """
    began_s = time.monotonic()
    pause_s = 0.001
    told: set[int] = set()
    refused: set[int] = set()
    # One that ends while it is looked at hides its children, which by the second look are children of this process.
    while living := _collect(process, tree) or _collect(process, tree):
        passed_s = time.monotonic() - began_s
        if passed_s > LONGEST_END_S:
            return living
        number = signal.SIGKILL if passed_s > grace_s else signal.SIGTERM
        for pid in living:
            if (passed_s > grace_s or pid not in told) and not _send(pid, number):
                refused.add(pid)
        told.update(living)
        if refused and all(pid in refused or look_at(pid) is None for pid in living):
            return [pid for pid in living if pid in refused]
        meanwhile()
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.05)
    return []


def _collect(process: subprocess.Popen[bytes], tree: ProcessTree) -> list[int]:
    """Collects our children of the run that have ended; answers all processes of the run that have not."""
    process.poll()
    for pid in tree.roots():
        if pid != process.pid:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
    return tree.pids()


def _send(pid: int, number: signal.Signals) -> bool:
    """False where a process that runs may not be sent signals."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
    except PermissionError:
        return look_at(pid) is None
    return True
