"""Host-wide files, guarded: a file that hangs is avoided from then on and the rest is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from advisor.collect.guard import run_guarded
from advisor.collect.host import read_host_facts, read_host_state
from advisor.procfs.facts import CgroupMembership
from advisor.procfs.fs import KernelFs
from advisor.procfs.thp import read_thp
from advisor.profile.model import HostFacts, HostState

T = TypeVar("T")

MAX_HUNG_FILES = 16
"""Host files that may hang before the host is given up: each costs one deadline."""


class _Calls:
    """A Reader whose items are functions without arguments."""

    def __init__(self, fs: KernelFs) -> None:
        self.fs = fs

    @property
    def place(self) -> str:
        return self.fs.reading

    def read(self, item: Callable[[], object]) -> object:
        return item()

    def finish(self) -> None:
        """Nothing is put off."""

    def successor(self) -> _Calls:
        return self


class HostReader:
    """Reads facts and state of the host; cpu_s is the CPU time its threads have used so far."""

    def __init__(self, fs: KernelFs, deadline_s: float) -> None:
        self.fs = fs
        self.deadline_s = deadline_s
        self.cpu_s = 0.0

    def facts(self) -> HostFacts:
        return self._guarded(lambda: read_host_facts(self.fs), HostFacts())

    def pmd_bytes(self) -> int | None:
        """The THP size of this host; None without THP."""
        thp = self._guarded(lambda: read_thp(self.fs), None)
        return thp.pmd_bytes if thp else None

    def state(
        self, *, with_pagetypes: bool, cgroups: list[list[CgroupMembership]], khugepaged_pid: int | None
    ) -> HostState:
        """What could be read; `problems` also names the files that hung, now or before."""

        def read() -> HostState:
            return read_host_state(
                self.fs, with_pagetypes=with_pagetypes, cgroups=cgroups, khugepaged_pid=khugepaged_pid
            )

        return self._guarded(read, HostState(problems={"host files": "hung"}))

    def _guarded(self, call: Callable[[], T], otherwise: T) -> T:
        """The call's answer, made again without each file that hangs; `otherwise` where too many do."""
        for _ in range(MAX_HUNG_FILES):
            result: list[T] = []
            run = run_guarded(_Calls(self.fs), [lambda result=result: result.append(call())], self.deadline_s)
            self.cpu_s += run.cpu_s
            if result:
                return result[0]
            error = run.outcomes[0].error
            if error is None or error.reason != "hung":
                return otherwise
            self.fs.avoided.add(error.path or "")
        return otherwise
