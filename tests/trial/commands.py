"""Ways and options for tests that start real short commands."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

from advisor.trial.document import Metric, Policy, Run, Way
from advisor.trial.runner import WALL_TIME, Place, RunOptions, run_once

BASE, DEFAULT = Policy("base", "base"), Policy("default", "default")


class Noted:
    """A journal of processes that only remembers."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, int]] = []

    def started(self, pid: int) -> None:
        self.lines.append(("started", pid))

    def ended(self, pid: int) -> None:
        self.lines.append(("ended", pid))


def options(
    metric: Metric = WALL_TIME,
    *,
    timeout_s: float | None = 20.0,
    ready: str | None = None,
    folder: Path | None = None,
) -> RunOptions:
    return RunOptions(
        environment=dict(os.environ),
        metric=metric,
        timeout_s=timeout_s,
        ready=re.compile(ready) if ready else None,
        working_folder=str(folder) if folder else None,
    )


def way(*command: str, policy: Policy = DEFAULT, **fields: object) -> Way:
    return Way(policy, "own", "", command=list(command), **fields)  # type: ignore[arg-type]  # fields of Way by name


def python(program: str, policy: Policy = DEFAULT, **fields: object) -> Way:
    return way(sys.executable, "-S", "-c", program, policy=policy, **fields)


def run(one: Way, settings: RunOptions | None = None, noted: Noted | None = None) -> Run:
    return run_once(one, settings or options(), Place(1, 0, time.monotonic()), noted or Noted())


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
