"""A real Dask cluster on this machine: a scheduler and workers as processes of their own, ended by pid."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_S = 60.0
DASK = [sys.executable, "-m", "dask"]


WITHOUT_PACKAGE = """
import sys

class Hides:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "advisor":
            raise ModuleNotFoundError("No module named 'advisor'", name="advisor")

sys.meta_path.insert(0, Hides())
"""
"""What Python runs at its start where the package is not installed."""


class Cluster:
    """address: of the scheduler. Workers have one thread each, and a current folder that is not the tests'."""

    def __init__(self, folder: Path, workers: int, *, has_package: bool) -> None:
        told = folder / "scheduler.json"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        common = ["--no-dashboard", "--scheduler-file", str(told)]
        here = ["--host", "127.0.0.1"]
        modules = Path(__file__).resolve().parents[2] if has_package else folder
        if not has_package:
            (folder / "sitecustomize.py").write_text(WITHOUT_PACKAGE)
        environment = os.environ | {"PYTHONPATH": str(modules)}
        self.scheduler = subprocess.Popen(
            [*DASK, "scheduler", *here, "--port", "0", *common], env=environment, cwd=folder, **quiet
        )
        self.workers = [
            subprocess.Popen(
                [*DASK, "worker", *here, *common, "--no-nanny", "--nthreads", "1"],
                env=environment,
                cwd=folder,
                **quiet,
            )
            for _ in range(workers)
        ]
        until = time.monotonic() + START_S
        while time.monotonic() < until and not (told.exists() and told.read_text().endswith("}")):
            time.sleep(0.02)
        self.address: str = json.loads(told.read_text())["address"]

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@contextmanager
def cluster(folder: Path, workers: int = 2, *, has_package: bool = True) -> Iterator[Cluster]:
    folder.mkdir()
    made = Cluster(folder, workers, has_package=has_package)
    try:
        yield made
    finally:
        made.end()


def kill(process: subprocess.Popen[bytes]) -> None:
    """Without a last word."""
    process.send_signal(signal.SIGKILL)
    process.wait()
