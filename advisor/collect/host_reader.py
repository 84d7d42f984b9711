"""Host-wide files, guarded: a file that hangs is avoided from then on and the rest is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from advisor.collect.contiguity import look_at_memory
from advisor.collect.guard import run_guarded
from advisor.collect.host import read_host_facts, read_host_state
from advisor.procfs.errors import KernelTextError
from advisor.procfs.facts import CgroupMembership
from advisor.procfs.fs import KernelFs
from advisor.procfs.thp import has_mthp, read_thp
from advisor.profile.model import HostFacts, HostState

T = TypeVar("T")

MAX_HUNG_FILES = 16
"""Host files that may hang before the host is given up: each costs one deadline."""


CAP_SYS_PTRACE = 19
"""include/uapi/linux/capability.h: what reading other users' smaps needs."""

_EFFECTIVE = re.compile(rb"^CapEff:\t([0-9a-f]{16})$", re.MULTILINE)
"""fs/proc/array.c: render_cap_t."""

LOOK_DEADLINE_S = 30.0
"""Seconds. Source: own choice. Reason: two seconds of CPU (see `contiguity`) on a host that is much too
busy."""


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

    def privileged(self) -> bool | None:
        """Whether this process holds CAP_SYS_PTRACE, by CapEff of its own status; None where that cannot be read."""

        def read() -> bool | None:
            found = _EFFECTIVE.search(self.fs.read_proc("self/status"))
            return bool(int(found[1], 16) >> CAP_SYS_PTRACE & 1) if found is not None else None

        return self._guarded(read, None)

    def pmd_bytes(self) -> int | None:
        """The THP size of this host; None without THP."""
        thp = self._guarded(lambda: read_thp(self.fs), None)
        return thp.pmd_bytes if thp else None

    def has_mthp(self) -> bool:
        """Whether somebody has, or may get, mTHP; False also where it is unknown."""
        thp = self._guarded(lambda: read_thp(self.fs, {}), None)
        return bool(thp and has_mthp(thp))

    def state(
        self, *, with_pagetypes: bool, cgroups: list[list[CgroupMembership]], khugepaged_pid: int | None
    ) -> HostState:
        """What could be read; `problems` also names the files that hung, now or before."""

        def read() -> HostState:
            return read_host_state(
                self.fs, with_pagetypes=with_pagetypes, cgroups=cgroups, khugepaged_pid=khugepaged_pid
            )

        return self._guarded(read, HostState(problems={"host files": "hung"}))

    def contiguity(self, state: HostState, base_page_bytes: int | None) -> HostState:
        """The state with a look at the flags of physical pages; `problems` says why where it could not be had.

        It takes about as long as its own limits allow. A host without huge pages has nothing to look for.
        """
        if state.thp is None or state.thp.pmd_bytes is None or not base_page_bytes or not state.buddyinfo:
            return state
        block, largest = state.thp.pmd_bytes, base_page_bytes << (len(state.buddyinfo[0].free_blocks) - 1)
        gigantic = {pool.page_bytes for pool in state.pools or () if pool.page_bytes > largest}

        def look() -> HostState:
            try:
                return replace(state, contiguity=look_at_memory(self.fs, base_page_bytes, block, gigantic))
            except KernelTextError as error:
                return replace(state, problems={**state.problems, "kpageflags": error.reason})

        return self._guarded(look, state, deadline_s=LOOK_DEADLINE_S)

    def _guarded(self, call: Callable[[], T], otherwise: T, deadline_s: float | None = None) -> T:
        """The call's answer, made again without each file that hangs; `otherwise` where too many do."""
        for _ in range(MAX_HUNG_FILES):
            result: list[T] = []
            calls = [lambda result=result: result.append(call())]
            run = run_guarded(_Calls(self.fs), calls, deadline_s or self.deadline_s)
            self.cpu_s += run.cpu_s
            if result:
                return result[0]
            error = run.outcomes[0].error
            if error is None or error.reason != "hung":
                return otherwise
            self.fs.avoided.add(error.path or "")
        return otherwise
