"""Processes by pid and start time, and ending those that a killed trial left behind.

A pid alone may be anybody's by now; with the start time it names one process of this boot.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from advisor.trial.pidfd import open_pidfd, send_signal

TERM_WAIT_S = 2.0
"""Seconds for a process to end by itself after SIGTERM: it was a benchmark, its results are lost already."""

KILL_WAIT_S = 10.0
"""Seconds after SIGKILL: to give back tens of GiB takes the kernel some, and so does I/O that nothing interrupts."""

POLL_S = 0.02

PROC = Path("/proc")
BOOT_ID = PROC / "sys/kernel/random/boot_id"

OTHER_PIDS = (
    "/proc is absent or of another PID namespace, so processes cannot be told by their pids; "
    "mount one of this namespace (unshare --mount-proc)"
)


class Running(NamedTuple):
    """Part of `/proc/PID/stat` (proc_pid_stat(5)): fields 1, 3 to 6 and 22; start_ticks in clock ticks since boot."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    start_ticks: int


def sees_itself() -> bool:
    """Whether /proc has the pids by which this process knows others; else it is of another PID namespace
    (`unshare --pid` without `--mount-proc`), and a pid in it names somebody else here. False without any /proc."""
    try:
        return (PROC / "self").readlink().name == str(os.getpid())
    except OSError:
        return False


def look_at(pid: int) -> Running | None:
    """The process, or None where there is none that still runs (a zombie has ended)."""
    try:
        text = (PROC / str(pid) / "stat").read_text("ascii", "replace")
        fields = text.rpartition(")")[2].split()
        parent, group, session = map(int, fields[1:4])
        running = Running(pid, fields[0], parent, group, session, int(fields[19]))
    except (OSError, ValueError, IndexError):
        return None
    return None if running.state in "ZXx" else running


def start_ticks(pid: int) -> int | None:
    """Clock ticks from boot to the start of a process that runs, else None."""
    running = look_at(pid)
    return running.start_ticks if running else None


def has_ended(pid: int, ticks: int) -> bool:
    """Whether the process that began at `ticks` surely runs no more; one that may only be hidden has not
    (/proc mounted with hidepid)."""
    found = start_ticks(pid)
    if found is not None:
        return found != ticks
    try:
        os.kill(pid, 0)
    except PermissionError:
        return False
    except OSError:
        pass
    return True


def boot_id() -> str:
    """Names this boot: start times and settings do not outlive it. Empty where the kernel does not tell."""
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def end_groups(leaders: Mapping[int, int]) -> list[int]:
    """End the processes `leaders` (pid -> start_ticks) with their groups, sessions and descendants.

    A leader whose start time does not match is somebody else and is not touched, nor is anything that this process
    descends from. First SIGTERM, then SIGKILL. Answers the pids that would not end.
    """
    everybody = _everybody()
    spared = _spared(everybody)
    ids = {
        pid
        for pid, ticks in leaders.items()
        if pid in everybody and everybody[pid].start_ticks == ticks and pid not in spared
    }
    if not ids:
        return []
    ours: dict[int, int] = {pid: leaders[pid] for pid in ids}
    for number, wait_s in ((signal.SIGTERM, TERM_WAIT_S), (signal.SIGKILL, KILL_WAIT_S)):
        if not _signal_until_gone(ids, ours, spared, number, wait_s):
            return []
    return [pid for pid, ticks in ours.items() if start_ticks(pid) == ticks]


def _signal_until_gone(
    ids: set[int], ours: dict[int, int], spared: set[int], number: signal.Signals, wait_s: float
) -> bool:
    """Send `number` once to each of ours, those born meanwhile included; True where some still run at the end."""
    told: set[tuple[int, int]] = set()
    deadline = time.monotonic() + wait_s
    while True:
        left = _ours_now(ids, ours, spared)
        for pid, ticks in left.items():
            if (pid, ticks) not in told:
                told.add((pid, ticks))
                _send(pid, ticks, number)
        ours.update(left)
        if not left or time.monotonic() >= deadline:
            return bool(left)
        time.sleep(POLL_S)


def _ours_now(ids: set[int], ours: Mapping[int, int], spared: set[int]) -> dict[int, int]:
    """pid -> start_ticks of all that belong to the groups, by what was known before and what descends from it."""
    everybody = _everybody()
    found = {pid for pid, ticks in ours.items() if pid in everybody and everybody[pid].start_ticks == ticks}
    # A number stays taken while a group or session bears it, so members of a leader that has ended are still ours.
    found |= {one.pid for one in everybody.values() if (one.group in ids or one.session in ids)}
    while more := {one.pid for one in everybody.values() if one.parent in found} - found:
        found |= more
    return {pid: everybody[pid].start_ticks for pid in found - spared}


def _everybody() -> dict[int, Running]:
    names: Iterable[str] = os.listdir(PROC)
    looked = (look_at(int(name)) for name in names if name.isdecimal())
    return {one.pid: one for one in looked if one is not None}


def _spared(everybody: Mapping[int, Running]) -> set[int]:
    """init, this process and all that it descends from: whatever a journal says, these are not what it started."""
    spared, pid = {0, 1}, os.getpid()
    while pid not in spared:
        spared.add(pid)
        pid = everybody[pid].parent if pid in everybody else 0
    return spared


def _send(pid: int, ticks: int, number: signal.Signals) -> None:
    """By pidfd, so that the number cannot pass to another process between the look and the signal."""
    try:
        descriptor = open_pidfd(pid)
    except OSError as error:
        no_pidfds = error.errno in (errno.ENOSYS, errno.EPERM)  # before Linux 5.3, or in a sandbox
        if no_pidfds and start_ticks(pid) == ticks:
            with suppress(OSError):
                os.kill(pid, number)
        return
    try:
        if start_ticks(pid) == ticks:
            with suppress(OSError):
                send_signal(descriptor, number)
    finally:
        os.close(descriptor)
