"""Which processes belong to a run: everything that descends from it, also what has made itself a daemon.

While a run is on, this process is the subreaper of its descendants (PR_SET_CHILD_SUBREAPER): a process whose
parent has ended becomes our child and is found again.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection

from advisor.procfs.errors import GoneError, KernelTextError, MissingError
from advisor.procfs.fs import KernelFs
from advisor.procfs.process import parse_stat


class ProcessTree:
    """Descendants of this process, without the children that it had before (`ignored`) and theirs."""

    def __init__(self, fs: KernelFs, ignored: Collection[int] = ()) -> None:
        self._fs = fs
        self._own_pid = os.getpid()
        self._ignored = frozenset(ignored)
        self._has_children_files = self._can_read_children()

    def roots(self) -> list[int]:
        """Our children that belong to the run, zombies included."""
        return [pid for pid in self._lister()(self._own_pid) if pid not in self._ignored]

    def pids(self) -> list[int]:
        """Every process of the run, parents before their children, zombies included."""
        children_of = self._lister()
        found = [pid for pid in children_of(self._own_pid) if pid not in self._ignored]
        known = set(found)
        for pid in found:  # grows while it is walked
            for child in children_of(pid):
                if child not in known:
                    known.add(child)
                    found.append(child)
        return found

    def _lister(self) -> Callable[[int], list[int]]:
        """Function from a pid to its children."""
        return self._children if self._has_children_files else self._children_by_parent().__getitem__

    def _children(self, pid: int) -> list[int]:
        try:
            return self._read_children(pid)
        except KernelTextError:
            return []  # it has ended

    def _can_read_children(self) -> bool:
        """False on a kernel without CONFIG_PROC_CHILDREN, where every process must be looked at instead."""
        try:
            self._read_children(self._own_pid)
        except MissingError:
            return False
        return True

    def _read_children(self, pid: int) -> list[int]:
        """`/proc/PID/task/TID/children` of every thread: a child belongs to the thread that forked it."""
        children: list[int] = []
        for thread in self._fs.list_proc(f"{pid}/task"):
            try:
                children += map(int, self._fs.read_process(pid, f"task/{thread}/children").split())
            except GoneError:
                continue
        return children

    def _children_by_parent(self) -> defaultdict[int, list[int]]:
        children: defaultdict[int, list[int]] = defaultdict(list)
        for name in self._fs.list_proc():
            if name.isdigit():
                try:
                    stat = self._fs.parse_process(int(name), "stat", parse_stat)
                except KernelTextError:
                    continue
                children[stat.ppid].append(int(name))
        return children
