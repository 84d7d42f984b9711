"""Listens to khugepaged: a trace instance of its own with its few events, removed whatever happens.

Writes below tracefs alone, and there only what it made itself. Nothing that others trace is touched: an instance has
its own buffers and its own switches (Documentation/trace/ftrace.rst, "Instances").
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from advisor.procfs.errors import KernelTextError, MissingError
from advisor.procfs.fs import KernelFs, list_folder, read_file, translate_os_error
from advisor.procfs.khugepaged_trace import EVENTS, Look, parse_overruns, parse_trace, tracefs_of
from advisor.procfs.process import parse_stat

PREFIX = "hugepage-advisor-"
"""Instances are called PREFIX, pid, "-" and start time of the process that made them."""

BUFFER_KIB = 512
"""Of each CPU: some 5,000 looks of about 100 bytes. khugepaged looks at 8 slots in 10 s as the kernel sets it."""

REMOVAL_TRIES = 20
REMOVAL_PAUSE_S = 0.05
"""An instance is busy for a moment after its events are switched off."""

COST = (
    "makes a trace instance of its own, switches on khugepaged's events in it and removes it at the end: less than a "
    "microsecond for each slot that khugepaged looks at"
)
"""What it costs: to be said before it runs."""


@dataclass(slots=True)
class KhugepagedTrace:
    """A context manager; `finish` gives what was heard. Raises MissingError, DeniedError where it cannot listen."""

    fs: KernelFs
    began_s: float = 0.0
    _instance: str = ""
    _events: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        root = _tracefs(self.fs)
        remove_left_over(self.fs, root)
        self._instance = f"{root}/instances/{PREFIX}{os.getpid()}-{_start_ticks(self.fs, os.getpid())}"
        try:
            os.mkdir(self._instance)
        except FileExistsError:
            raise KernelTextError("this process traces already", path=self._instance) from None
        except OSError as error:
            raise translate_os_error(error, self._instance, of_process=False) from error
        try:
            self._switch_on()
        except BaseException:
            remove_instance(self._instance)
            raise
        self.began_s = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(KernelTextError):  # its events are off, and the next run removes it
            remove_instance(self._instance)

    def _switch_on(self) -> None:
        events = f"{self._instance}/events/huge_memory"
        self._events = [name for name in list_folder(events) if name in EVENTS]
        if not self._events:
            raise MissingError("this kernel has no tracepoints of khugepaged (before 4.5)", path=events)
        _write(f"{self._instance}/buffer_size_kb", str(BUFFER_KIB))
        for name in self._events:
            _write(f"{events}/{name}/enable", "1")

    def finish(self) -> tuple[list[Look], int, float]:
        """(looks, events lost, seconds listened). Events are switched off first."""
        for name in self._events:
            _write(f"{self._instance}/events/huge_memory/{name}/enable", "0")
        seconds = time.monotonic() - self.began_s
        lost = sum(parse_overruns(read_file(path)) for path in self._stats())
        return parse_trace(read_file(f"{self._instance}/trace")), lost, seconds

    def _stats(self) -> Iterator[str]:
        folder = f"{self._instance}/per_cpu"
        return (f"{folder}/{name}/stats" for name in list_folder(folder))


def _tracefs(fs: KernelFs) -> str:
    if not fs.is_live:
        raise MissingError("a captured tree cannot be traced")
    root = fs.parse_proc("mounts", tracefs_of)
    if root is None:
        raise MissingError("tracefs is not mounted")
    return root


def _start_ticks(fs: KernelFs, pid: int) -> int | None:
    try:
        return fs.parse_process(pid, "stat", parse_stat).start_ticks
    except KernelTextError:
        return None


def remove_left_over(fs: KernelFs, root: str) -> Sequence[str]:
    """Remove instances whose maker is gone (killed before it could), and only those; their names."""
    removed = []
    for name in list_folder(f"{root}/instances"):
        pid, _, start = name.removeprefix(PREFIX).partition("-")
        ours = name.startswith(PREFIX) and pid.isdecimal() and start.isdecimal()
        if ours and _start_ticks(fs, int(pid)) != int(start):
            remove_instance(f"{root}/instances/{name}")
            removed.append(name)
    return removed


def remove_instance(path: str) -> None:
    """Switch its events off and remove it. Raises KernelTextError where the kernel keeps it."""
    with contextlib.suppress(KernelTextError):
        _write(f"{path}/events/enable", "0")
    for attempt in range(REMOVAL_TRIES):
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return
        except OSError as error:
            if attempt == REMOVAL_TRIES - 1:
                raise translate_os_error(error, path, of_process=False) from error
            time.sleep(REMOVAL_PAUSE_S)
        else:
            return


def _write(path: str, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise translate_os_error(error, path, of_process=False) from error
