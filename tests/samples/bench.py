"""Starts the programs of one recording in a folder of their own and ends exactly those."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.samples import knobs
from tests.samples.scrub import NEUTRAL_FOLDER

PROGRAMS = Path(__file__).with_name("programs")

PLANTED = Path(__file__).resolve().parents[1] / "planted.py"

PYTHON = "/usr/bin/python3"
"""The distribution's own, which is what hosts run."""

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}

NICENESS = 10
"""Others may use the host meanwhile."""

START_S = 180.0
"""Longest wait for a program to be ready: pgbench's data take 60 s on two slow cores."""

END_S = 20.0
"""Longest wait for an ordered end, before a kill."""


class NotReady(Exception):
    """A program ended or did not say that it is ready."""


@dataclass
class Bench:
    """folder: where the programs live, removed afterwards. commands: what was run, for the record of the origin."""

    folder: Path
    pools: ExitStack
    commands: list[str] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    pool_pages: dict[int, int] = field(default_factory=dict)

    def start(
        self, command: Sequence[str], *, user: str | None = None, more_environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """A program that stays until the recording is over. Its output goes to `log_of(it)`."""
        self._note(command, user, more_environment)
        log = self.folder / f"{len(self.processes)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                list(command),
                cwd=self.folder,
                env={**ENVIRONMENT, **(more_environment or {})},
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        psutil.Process(process.pid).nice(NICENESS)
        return process

    def start_until_ready(
        self, command: Sequence[str], *, user: str | None = None, more_environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """As `start`; returns when the program has printed "ready"."""
        process = self.start(command, user=user, more_environment=more_environment)
        self.wait(lambda: "ready" in self.log_of(process).read_text(errors="replace"), process)
        return process

    def run(self, command: Sequence[str], *, user: str | None = None) -> str:
        """A command of the set-up, to its end. Its output; raises CalledProcessError when it fails."""
        self._note(command, user, None)
        return self.ask(command, user=user)

    def ask(self, command: Sequence[str], *, user: str | None = None) -> str:
        """As `run`, for a question that is no part of the set-up."""
        done = subprocess.run(
            list(command),
            cwd=self.folder,
            env=ENVIRONMENT,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=START_S,
            check=True,
        )
        return done.stdout.decode(errors="replace").strip()

    def wait(self, is_ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
        """Until `is_ready`; raises NotReady when `process` ends before or START_S pass."""
        deadline = time.monotonic() + START_S
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotReady(f"{process.args!r}: {self.log_of(process).read_text(errors='replace')[-2000:]}")
            time.sleep(0.2)

    def log_of(self, process: subprocess.Popen[bytes]) -> Path:
        return self.folder / f"{self.processes.index(process)}.log"

    def room(self, name: str, *, user: str) -> Path:
        """A folder below the bench's own that belongs to `user`."""
        path = self.folder / name
        path.mkdir(mode=0o755)
        shutil.chown(path, user)
        return path

    def copy(self, source: Path) -> str:
        """A program file beside the others, so that its path says nothing about this checkout."""
        target = self.folder / source.name
        shutil.copyfile(source, target)
        target.chmod(0o644)
        return str(target)

    def pool(self, page_bytes: int, pages: int) -> None:
        """The pool holds `pages` until the bench is cleared."""
        self.pools.enter_context(knobs.pool_of(page_bytes, pages))
        self.pool_pages = {page_bytes: pages}
        self.commands.append(f"# pool of {page_bytes // 1024} kB pages: {pages}")

    def pids(self) -> list[int]:
        """Everything started and its descendants."""
        found = []
        for process in self.processes:
            with suppress(psutil.NoSuchProcess):
                root = psutil.Process(process.pid)
                found += [process.pid, *(child.pid for child in root.children(recursive=True))]
        return found

    def end_all(self) -> None:
        """The youngest first, so that clients end before their server; children with their parents."""
        for process in reversed(self.processes):
            _end(process)
        self.processes.clear()

    def _note(self, command: Sequence[str], user: str | None, more: Mapping[str, str] | None) -> None:
        words = shlex.join(command).replace(str(self.folder), NEUTRAL_FOLDER)
        settings = "".join(f"{name}={value} " for name, value in (more or {}).items())
        self.commands.append(f"{settings}{words}" + (f"   # as user {user}" if user else ""))


@contextmanager
def bench(thp: str) -> Iterator[Bench]:
    """A bench under the THP mode `thp`. Programs, pools, mode and folder are undone, in this order."""
    with (
        tempfile.TemporaryDirectory(prefix="sample-") as folder,
        knobs.thp_mode(thp),
        ExitStack() as pools,
    ):
        Path(folder).chmod(0o755)
        made = Bench(Path(folder), pools)
        try:
            yield made
        finally:
            made.end_all()


def _end(process: subprocess.Popen[bytes]) -> None:
    """TERM, then KILL, to the program and its descendants; their memory is free when it returns."""
    try:
        root = psutil.Process(process.pid)
        family = [*root.children(recursive=True), root]
    except psutil.NoSuchProcess:
        family = []
    for member in reversed(family):
        with suppress(psutil.NoSuchProcess):
            member.terminate()
    _, alive = psutil.wait_procs(family, timeout=END_S)
    for member in alive:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(alive, timeout=END_S)
    process.communicate()
