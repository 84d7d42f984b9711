"""The user's own command that prints a number of a running process: run, bounded, ended with all that it started."""

from __future__ import annotations

import math
import os
import re
import select
import subprocess
import time
from collections.abc import Sequence

from advisor.procfs.fs import KernelFs
from advisor.trial.command import subreaper
from advisor.trial.end_run import end_all
from advisor.trial.output import Output
from advisor.trial.pidfd import open_pidfd
from advisor.trial.tree import ProcessTree

METRIC_TIMEOUT_S = 10.0
"""Seconds that one call of the metric command may take. Reason: longer than a window of any use."""

KEPT_BYTES = 1 << 20
"""The end of what it prints that is kept: the last number counts."""

LAST_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
"""Of the numbers that a metric command prints, the last counts."""


class MetricError(Exception):
    """The metric command cannot be used: it failed, took too long, or printed no number."""


def read_metric(command: str, pid: int, timeout_s: float = METRIC_TIMEOUT_S) -> float:
    """The last number that a shell command prints. It finds the process in HUGEPAGE_ADVISOR_PID.

    It runs in a session of its own: Ctrl-C is for the trial. What it started, daemons too, ends with it, whatever
    happens here. Raises MetricError, and OSError where it cannot be started or waited for.
    """
    fs = KernelFs()
    tree = ProcessTree(fs, ignored=ProcessTree(fs).roots())
    with (
        subreaper(),
        subprocess.Popen(  # noqa: S602  # the user's own command line, as the user gave it
            command,
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "HUGEPAGE_ADVISOR_PID": str(pid)},
            start_new_session=True,
        ) as process,
    ):
        out, err = _outputs(process)
        try:
            in_time = _wait(process.pid, (out, err), timeout_s)
        finally:
            end_all(process, tree, lambda: (out.read(), err.read()), grace_s=0)
        out.read_rest()
        err.read_rest()
    if not in_time:
        raise MetricError(f"took longer than {timeout_s:g} s")
    if process.returncode:
        raise MetricError(f"exit code {process.returncode}: {err.text.strip()[-200:]}")
    return last_number(out.text)


def _outputs(process: subprocess.Popen[bytes]) -> tuple[Output, Output]:
    """Of stdout and stderr."""
    assert process.stdout is not None and process.stderr is not None  # noqa: S101  # for the type checker
    descriptors = process.stdout.fileno(), process.stderr.fileno()
    for descriptor in descriptors:
        os.set_blocking(descriptor, False)
    out, err = (Output(descriptor, None, time.monotonic, KEPT_BYTES) for descriptor in descriptors)
    return out, err


def _wait(pid: int, outputs: Sequence[Output], timeout_s: float) -> bool:
    """Until the shell itself ends: True; False where the time is over first. What it prints is taken meanwhile."""
    until_s = time.monotonic() + timeout_s
    pidfd = open_pidfd(pid)
    try:
        waited: list[int | Output] = [pidfd, *outputs]
        while (left_s := until_s - time.monotonic()) > 0:
            ready = select.select(waited, [], [], left_s)[0]
            if pidfd in ready:
                return True
            for one in ready:
                if isinstance(one, Output) and not one.read():
                    waited.remove(one)
        return False
    finally:
        os.close(pidfd)


def last_number(text: str) -> float:
    """Raises MetricError where there is none, or one too large to be a number."""
    found = LAST_NUMBER.findall(text)
    if not found:
        raise MetricError(f"printed no number: {text[:80]!r}")
    number = float(found[-1])
    if not math.isfinite(number):
        raise MetricError(f"printed a number without bound: {found[-1][:80]}")
    return number
