"""Counters of a running process that may tell how much work it does: its I/O, its voluntary context switches, and the
request counters that known programs hand out themselves.

A source answers counts that only grow; the live trial divides their growth by the CPU time that it took.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from advisor.procfs.errors import KernelTextError, MalformedError
from advisor.procfs.fs import KernelFs
from advisor.procfs.text import parse_number
from advisor.trial.live_requests import request_source

CPUCLOCK_SCHED = 2
"""Kind of a per-process CPU clock: nanoseconds that its threads ran, ended ones included (clock_getcpuclockid(3),
include/linux/posix-timers.h). Finer than utime + stime, which count in ticks of 10 ms."""

MOST_THREADS = 256
"""Threads up to which context switches are summed up. Reason: one file a thread, twice a window; 256 take 5 ms."""

REQUESTS, IO, WAITS = 0, 1, 2
"""Ranks of proxies: requests served are the work itself; I/O goes with it; waiting may go with the clock instead."""


@dataclass(frozen=True)
class Proxy:
    """A count that may stand for work. rank: lower is nearer to it, and is preferred where it is steady."""

    id: str
    description: str
    unit: str
    rank: int


PROXIES = (
    Proxy("redis-commands", "commands processed (INFO total_commands_processed)", "commands/CPU s", REQUESTS),
    Proxy("memcached-requests", "gets and sets (stats cmd_get, cmd_set)", "requests/CPU s", REQUESTS),
    Proxy("io-bytes", "bytes read and written (/proc/PID/io rchar, wchar)", "bytes/CPU s", IO),
    Proxy("io-calls", "read and write calls (/proc/PID/io syscr, syscw)", "calls/CPU s", IO),
    Proxy("waits", "voluntary context switches (/proc/PID/task/*/status)", "switches/CPU s", WAITS),
)


class CounterSource(Protocol):
    """Hands out counts by proxy id; a source that stopped answering hands out none."""

    def read(self) -> dict[str, int]:
        """The counts as they are now."""

    def close(self) -> None:
        """Let go of what is held."""


def cpu_seconds(pid: int) -> float:
    """CPU time of the whole process. Raises OSError (EINVAL) where it is gone."""
    return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)


def sources_of(fs: KernelFs, pid: int) -> list[CounterSource]:
    """Everything that counts for this process; to be closed by the caller."""
    sources: list[CounterSource] = [KernelSource(fs, pid)]
    if (requests := request_source(fs, pid)) is not None:
        sources.append(requests)
    return sources


class KernelSource:
    """What the kernel counts for every process."""

    def __init__(self, fs: KernelFs, pid: int) -> None:
        self._fs = fs
        self._pid = pid

    def read(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        with suppress(KernelTextError):
            counts.update(self._fs.parse_process(self._pid, "io", parse_io))
        with suppress(KernelTextError):
            threads = self._fs.list_proc(f"{self._pid}/task")
            if len(threads) <= MOST_THREADS:
                counts["waits"] = sum(map(self._waits, threads))
        return counts

    def close(self) -> None:
        """Nothing is held."""

    def _waits(self, thread: str) -> int:
        return self._fs.parse_process(self._pid, f"task/{thread}/status", parse_waits)


def parse_io(data: bytes) -> dict[str, int]:
    """`/proc/PID/io` (proc_pid_io(5)) as bytes and calls of reading and writing. Raises MalformedError."""
    values = _numbers(data)
    try:
        return {"io-bytes": values["rchar"] + values["wchar"], "io-calls": values["syscr"] + values["syscw"]}
    except KeyError as error:
        raise MalformedError(f"no {error} line") from error


def parse_waits(data: bytes) -> int:
    """voluntary_ctxt_switches of `/proc/PID/task/TID/status` (proc_pid_status(5)). Raises MalformedError."""
    values = _numbers(data)
    if "voluntary_ctxt_switches" not in values:
        raise MalformedError("no voluntary_ctxt_switches line")
    return values["voluntary_ctxt_switches"]


def _numbers(data: bytes) -> dict[str, int]:
    """Lines of a name, a colon and one number; other lines are passed over."""
    lines = (line.partition(b":") for line in data.splitlines())
    return {
        name.decode("ascii", "replace"): parse_number(value.strip())
        for name, _, value in lines
        if value.strip().isdigit()
    }
