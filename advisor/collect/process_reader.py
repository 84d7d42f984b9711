"""Reads the files of one process. Runs in the guarded thread; changes nothing but its own batch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import psutil

from advisor.collect.priority import Walk
from advisor.collect.programs import ProgramReader, libraries_of_interest
from advisor.collect.smaps_batch import SmapsBatch
from advisor.procfs.errors import GoneError, KernelTextError, MissingError
from advisor.procfs.facts import NumaPlacement, PinnedRange, ProgramFacts, Stat, Status
from advisor.procfs.fs import KernelFs
from advisor.procfs.io_uring import read_pinned_buffers
from advisor.procfs.numa_maps import parse_numa_maps
from advisor.procfs.process import parse_cgroup, parse_cmdline, parse_limits, parse_stat, parse_status
from advisor.procfs.smaps_lines import parse_smaps_rollup
from advisor.profile.model import ProcessFacts

T = TypeVar("T")

UNKNOWN_START = 0
"""Start time of a process whose stat a captured tree lacks; no process but init starts at tick 0."""


FACT_FILES = ("cgroup", "limits", "exe", "cmdline")
WALK_FILES = ("smaps", "smaps_rollup", "numa_maps")


def all_pids(fs: KernelFs) -> list[int]:
    """Everybody, in order; nobody where there is no such folder. psutil looks at this host alone."""
    try:
        if fs.is_live:
            return sorted(psutil.pids())
        return sorted(int(name) for name in fs.list_proc() if name.isascii() and name.isdigit())
    except (KernelTextError, OSError, IndexError):  # the last is psutil's where no process is to be seen
        return []


class StatReader:
    """pid -> Stat: the one cheap file that is read for everybody at every tick."""

    def __init__(self, fs: KernelFs) -> None:
        self.fs = fs

    @property
    def place(self) -> str:
        return self.fs.reading

    def read(self, item: int) -> Stat:
        return self.fs.parse_process(item, "stat", parse_stat)

    def finish(self) -> None:
        """Nothing is put off."""

    def successor(self) -> StatReader:
        return self


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What to read of one process at this tick."""

    pid: int
    start_ticks: int
    ppid: int
    name: str
    with_facts: bool
    with_status: bool
    walk: Walk | None

    @property
    def files(self) -> frozenset[str]:
        """Files that are tried: what was wrong with them before says nothing any more."""
        facts = FACT_FILES if self.with_facts else ()
        status = ("status", "fd") if self.with_status else ()
        return frozenset((*facts, *status, *(WALK_FILES if self.walk else ())))


@dataclass(slots=True)
class ProcessReading:
    """Sections that were read. problems: file -> reason. cost_s: CPU seconds of the walk alone."""

    facts: ProcessFacts | None = None
    status: Status | None = None
    rollup: dict[str, int] | None = None
    pinned: list[PinnedRange] | None = None
    numa: NumaPlacement | None = None
    problems: dict[str, str] = field(default_factory=dict)
    cost_s: float | None = None


class UserNames:
    """Names of users, asked of psutil once a uid: a directory service behind it may be slow."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    def name_of(self, pid: int, uid: int | None) -> str | None:
        """Name of the owner of a live process; its uid as text where it has none; None where the process is gone."""
        if uid is not None and uid in self._names:
            return self._names[uid]
        try:
            name = psutil.Process(pid).username()
        except (psutil.Error, OSError, IndexError):  # the last is psutil's where status is not as it knows it
            return None
        if uid is not None:
            self._names[uid] = name
        return name


class ProcessReader:
    """ReadPlan -> ProcessReading; smaps go to the batch and are there under the pid after `finish`.

    with_numa: read numa_maps beside smaps, which costs as much again; worth it where there are several nodes.
    """

    def __init__(self, fs: KernelFs, batch: SmapsBatch, users: UserNames, *, with_numa: bool = False) -> None:
        self.fs = fs
        self.batch = batch
        self.users = users
        self.with_numa = with_numa

    @property
    def place(self) -> str:
        return self.fs.reading

    def finish(self) -> None:
        self.batch.finish()

    def successor(self) -> ProcessReader:
        return ProcessReader(self.fs, self.batch.successor(), self.users, with_numa=self.with_numa)

    def read(self, item: ReadPlan) -> ProcessReading:
        """Raises GoneError where the process ended, or where its pid now belongs to another one."""
        reading = ProcessReading()
        if item.with_status:
            reading.status = self._try(reading, "status", lambda: self._status(item.pid))
            if reading.status is not None and reading.status.vm_pinned_bytes:
                reading.pinned = self._try(reading, "fd", lambda: read_pinned_buffers(self.fs, item.pid))
        if item.with_facts:
            reading.facts = self._facts(item, reading)
        if item.walk is not None:
            began = time.thread_time()
            self._walk(item, reading)
            reading.cost_s = time.thread_time() - began
            if item.start_ticks != UNKNOWN_START:
                self._confirm(item)
        return reading

    def _status(self, pid: int) -> Status:
        return self.fs.parse_process(pid, "status", parse_status)

    def _walk(self, plan: ReadPlan, reading: ProcessReading) -> None:
        if plan.walk == "rollup":
            try:
                reading.rollup = self.fs.parse_process(plan.pid, "smaps_rollup", parse_smaps_rollup)
                return
            except MissingError:
                pass  # before 4.14: the whole of smaps is the only source
            except GoneError:
                raise
            except KernelTextError as error:
                reading.problems["smaps_rollup"] = error.reason
                return
        path = self.fs.mark(self.fs.proc_path(f"{plan.pid}/smaps"))
        self._try(reading, "smaps", lambda: self.batch.read(plan.pid, path))
        if self.with_numa:
            reading.numa = self._try(reading, "numa_maps", lambda: self._numa(plan.pid))

    def _numa(self, pid: int) -> NumaPlacement:
        return self.fs.parse_process(pid, "numa_maps", parse_numa_maps)

    def _confirm(self, plan: ReadPlan) -> None:
        """A pid may be given to a new process between two reads; its start time then differs."""
        if self.fs.parse_process(plan.pid, "stat", parse_stat).start_ticks != plan.start_ticks:
            raise GoneError("the pid was given to another process", path=self.fs.proc_path(str(plan.pid)))

    def _facts(self, plan: ReadPlan, reading: ProcessReading) -> ProcessFacts:
        pid = plan.pid
        uid = reading.status.uid if reading.status else None
        cgroup = self._try(reading, "cgroup", lambda: self.fs.parse_process(pid, "cgroup", parse_cgroup))
        limits = self._try(reading, "limits", lambda: self.fs.parse_process(pid, "limits", parse_limits))
        return ProcessFacts(
            name=plan.name or (reading.status.name if reading.status else ""),
            uid=uid,
            user=self.users.name_of(pid, uid) if self.fs.is_live else None,
            ppid=plan.ppid,
            executable=self._try(reading, "exe", lambda: self.fs.link_of_process(pid, "exe")),
            command_line=self._try(reading, "cmdline", lambda: parse_cmdline(self.fs.read_command_line(pid))),
            cgroup=cgroup,
            limits=limits,
        )

    def _try(self, reading: ProcessReading, name: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except GoneError:
            raise
        except KernelTextError as error:
            reading.problems[name] = error.reason
            return None


@dataclass(frozen=True, slots=True)
class ProgramPlan:
    """An executable and the paths of its mapped libraries, to be looked into."""

    pid: int
    executable: str
    paths: tuple[str, ...]


@dataclass(slots=True)
class ProgramReading:
    libraries: list[str]
    program: ProgramFacts


class ElfReader:
    """ProgramPlan -> what the program and its libraries can do. Opens files, so it is guarded as well."""

    def __init__(self, fs: KernelFs, programs: ProgramReader) -> None:
        self.fs = fs
        self.programs = programs

    @property
    def place(self) -> str:
        return self.fs.reading

    def read(self, item: ProgramPlan) -> ProgramReading:
        self.fs.mark(self.fs.proc_path(f"{item.pid}/exe"), opens=False)
        program = self.programs.read(item.pid, item.executable, item.paths)
        return ProgramReading(libraries_of_interest(item.paths), program)

    def finish(self) -> None:
        """Nothing is put off."""

    def successor(self) -> ElfReader:
        return ElfReader(self.fs, ProgramReader(self.fs))
