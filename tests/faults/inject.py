"""Ways in which a file can fail, and the running of a command while one does."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock

import msgspec
import psutil

from advisor.cli.errors import ExitCode
from advisor.collect import host_reader
from advisor.collect.options import SamplerOptions
from advisor.procfs import fs
from advisor.procfs.deadline_fs import DeadlineFs
from advisor.watch.asked import Asked
from advisor.watch.frames import Job, Problem, Tick
from advisor.watch.worker import watch as watch_host
from tests.fake_proc import FakeProc
from tests.in_process import advisor

OPENING = frozenset(("open", "os.listdir", "os.scandir"))
"""Audit events of what a command opens. Source: the table of audit events in Python's documentation."""

GARBAGE = b"\x00\xff\x1b]0;x\x07 not what the kernel prints \xed\xa0\x80 99999999999999999999999 -1 kB\n" * 3

DEADLINE_S = 0.1
"""Of a read, in place of a second: nothing here takes as long unless it hangs."""

Fault = Callable[[Path], None]


def missing(path: Path) -> None:
    """There is none on this kernel."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()


def empty(path: Path) -> None:
    """Nothing in it."""
    is_folder = path.is_dir()
    missing(path)
    _make(path, None if is_folder else b"")


def cut(path: Path) -> None:
    """Ends in the middle of a line."""
    if path.is_file():
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2].rstrip(b"\n"))


def garbage(path: Path) -> None:
    """Bytes that no kernel prints; also where a folder was."""
    missing(path)
    _make(path, GARBAGE)


def folder(path: Path) -> None:
    """A folder in place of the file."""
    missing(path)
    _make(path, None)


def hung(path: Path) -> None:
    """Opening it never returns."""
    if not path.is_dir():
        missing(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)


DAMAGE: tuple[Fault, ...] = (missing, empty, cut, garbage, folder, hung)
REFUSALS = {"denied": errno.EACCES, "not permitted": errno.EPERM, "failing": errno.EIO, "gone": errno.ESRCH}
"""Errors that opening raises, whoever asks; root is denied nothing by modes."""

WAYS = (*(fault.__name__ for fault in DAMAGE), *REFUSALS)


def _make(path: Path, data: bytes | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if data is None:
        path.mkdir()
    else:
        path.write_bytes(data)


class Watch:
    """What is opened below a root; opening one path can be made to fail."""

    def __init__(self) -> None:
        self.root = ""
        self.opened: set[str] = set()
        self.refused: str | None = None
        self.error = 0
        sys.addaudithook(self._on_event)

    def _on_event(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.root or event not in OPENING or not isinstance(arguments[0], str | bytes):
            return
        path = os.fsdecode(arguments[0]).rstrip("/")
        if path.startswith(self.root):
            self.opened.add(path)
            if path == self.refused:
                raise OSError(self.error, os.strerror(self.error), path)

    @contextmanager
    def below(self, root: Path) -> Iterator[None]:
        self.root, self.opened = f"{root}/", set()
        try:
            yield
        finally:
            self.root = ""

    @contextmanager
    def refusing(self, path: Path, error: int) -> Iterator[None]:
        self.refused, self.error = str(path), error
        try:
            yield
        finally:
            self.refused = None


watch = Watch()
"""One for the whole process: an audit hook stays until its end."""


@contextmanager
def standing_on(host: FakeProc, *, live: bool) -> Iterator[tuple[str, str]]:
    """procfs and sysfs root of this host, for a command inside the block: a captured tree, or as if the live one."""
    procfs, sysfs = str(host.procfs), str(host.sysfs)
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(SamplerOptions.__init__, "__defaults__", _impatient()))
        stack.enter_context(mock.patch.object(DeadlineFs.__init__, "__defaults__", (procfs, sysfs, DEADLINE_S)))
        stack.enter_context(mock.patch.object(host_reader, "LOOK_DEADLINE_S", DEADLINE_S))
        if live:
            stack.enter_context(mock.patch.object(fs, "LIVE_PROCFS", procfs))
            stack.enter_context(mock.patch.object(fs, "LIVE_SYSFS", sysfs))
            stack.enter_context(mock.patch.object(psutil, "PROCFS_PATH", procfs))
        yield procfs, sysfs


def run(host: FakeProc, *arguments: str, live: bool) -> CompletedProcess[str]:
    """A command on this host."""
    with standing_on(host, live=live) as (procfs, sysfs):
        return advisor("--procfs", procfs, "--sysfs", sysfs, *arguments)


def watched(host: FakeProc, *, live: bool) -> CompletedProcess[str]:
    """What the interface is sent of this host at first: the report, or what it says instead, as of a command."""
    with standing_on(host, live=live) as (procfs, sysfs), closing(watch_host(Job(procfs, sysfs), Asked())) as frames:
        frame = next(frames)
    if isinstance(frame, Problem):
        return CompletedProcess([], ExitCode.UNUSABLE, "", f"{frame.message}\n")
    assert isinstance(frame, Tick)
    return CompletedProcess([], ExitCode.DONE, msgspec.json.encode(frame.report).decode(), "")


def _impatient() -> tuple[object, ...]:
    """Defaults of the sampler with a short deadline."""
    options = {field.name: field.default for field in dataclasses.fields(SamplerOptions)}
    return tuple((options | {"deadline_s": DEADLINE_S}).values())


@contextmanager
def failing(host: FakeProc, pristine: Path, path: str, way: str) -> Iterator[None]:
    """One file of the host fails in one way; afterwards it is as in the pristine copy of the host's root."""
    root = host.procfs.parent
    here = Path(path)
    if way in REFUSALS:
        with watch.refusing(here, REFUSALS[way]):
            yield
        return
    next(fault for fault in DAMAGE if fault.__name__ == way)(here)
    try:
        yield
    finally:
        shutil.rmtree(root)
        shutil.copytree(pristine, root, symlinks=True)
