"""Before a live trial: may and can it be done, what would be collapsed, and what would that cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from advisor.procfs.errors import KernelTextError, MissingError
from advisor.procfs.facts import CgroupMembership
from advisor.procfs.fs import KernelFs
from advisor.procfs.meminfo import parse_meminfo
from advisor.procfs.process import parse_cgroup, parse_stat, parse_status
from advisor.procfs.smaps import parse_smaps
from advisor.procfs.text import parse_number, parse_value
from advisor.trial.collapse import Target
from advisor.trial.dose import MIN_POPULATED_SHARE, Choice, choose
from advisor.trial.environment import memory_available_bytes
from advisor.trial.live_document import Eligible, LivePlan, Memory
from advisor.trial.text import percent
from advisor.units import MIB

T = TypeVar("T")


FLOOR_SHARE = 0.05
FLOOR_BYTES = 256 * MIB
"""MemAvailable that must be left once all is collapsed: this share of MemTotal, at least these bytes. Source: own
choice. Reason: below, reclaim begins to work against the service that is measured, and others with it."""

CGROUP_FLOOR_SHARE = 0.05
"""Of a control group's memory limit that must be left. Reason: as above; beyond it the group's own OOM killer."""


class LiveRefusedError(Exception):
    """Why this process is not tried, in one line with the numbers; nothing was changed."""


@dataclass(frozen=True)
class Prepared:
    """What a trial would do. children: processes that it has started and that run."""

    pid: int
    name: str
    choice: Choice
    steps: tuple[float, ...]
    before: Memory
    children: int

    @property
    def asked_bytes(self) -> int:
        """Bytes on huge pages after the last step."""
        return len(self.choice.starts[self.choice.step(0.0, self.steps[-1])]) * self.choice.eligible.slot_bytes

    def missing_bytes(self, before: float = 0.0, dose: float | None = None) -> int:
        """What the slots between two doses (none: the last) lack: the growth to expect."""
        return int(self.choice.missing[self.choice.step(before, dose or self.steps[-1])].sum())

    def copied_bytes(self, before: float = 0.0, dose: float | None = None) -> int:
        """What is shared since a fork and copied between two doses, about and at most."""
        return round(((dose or self.steps[-1]) - before) * self.choice.eligible.forked_bytes)

    def plan(self, window_s: float, windows: int) -> LivePlan:
        """What is to be agreed to."""
        return LivePlan(
            pid=self.pid,
            name=self.name,
            eligible=self.choice.eligible,
            steps=self.steps,
            window_s=window_s,
            windows=windows,
            asked_bytes=self.asked_bytes,
            missing_bytes=self.missing_bytes(),
            copied_bytes=self.copied_bytes(),
            children=self.children,
        )


def prepare(fs: KernelFs, target: Target, steps: tuple[float, ...]) -> Prepared:
    """Look, and decide whether it can be done. Changes nothing.

    Raises LiveRefusedError, CollapseError, GoneError, DeniedError and other KernelTextErrors.
    """
    slot_bytes = _slot_bytes(fs)
    target.check()
    status = fs.parse_process(target.pid, "status", parse_status)
    if status.thp_enabled == 0:
        raise LiveRefusedError(
            f"process {target.pid} has THP disabled by prctl(PR_SET_THP_DISABLE), its own or inherited; the kernel"
            " refuses to collapse its memory"
        )
    choice = choose(fs, target.pid, slot_bytes)
    before = memory_of(fs, target.pid)
    prepared = Prepared(target.pid, status.name, choice, steps, before, children_of(fs, target.pid))
    if prepared.asked_bytes == 0:
        raise LiveRefusedError(f"process {target.pid}: {why_nothing(choice.eligible)}")
    check_room(fs, target.pid, prepared.missing_bytes() + prepared.copied_bytes())
    return prepared


def children_of(fs: KernelFs, pid: int) -> int:
    """How many processes have this one as their parent."""
    stats = (_attempt(lambda name=name: fs.parse_process(int(name), "stat", parse_stat)) for name in _pids(fs))  # type: ignore[misc]
    return sum(stat is not None and stat.ppid == pid for stat in stats)


def _pids(fs: KernelFs) -> list[str]:
    return [name for name in fs.list_proc() if name.isdecimal()]


def _slot_bytes(fs: KernelFs) -> int:
    try:
        return fs.parse_sys("kernel/mm/transparent_hugepage/hpage_pmd_size", parse_value)
    except MissingError as error:
        raise LiveRefusedError("this kernel or CPU has no transparent huge pages") from error


def why_nothing(eligible: Eligible) -> str:
    """Where its memory is, when none of it can be collapsed."""
    parts = [
        f"{size // MIB} MiB {what}"
        for size, what in (
            (eligible.huge_bytes, "are on huge pages already"),
            (eligible.refused_bytes, "refuse huge pages (MADV_NOHUGEPAGE)"),
            (
                eligible.sparse_slots * eligible.slot_bytes,
                f"are populated below {percent(MIN_POPULATED_SHARE)}",
            ),
        )
        if size
    ]
    return "nothing to collapse: " + (", ".join(parts) or "no writable memory as large as a huge page")


def memory_of(fs: KernelFs, pid: int) -> Memory:
    """The process' memory now. Raises GoneError; a file that cannot be read otherwise gives None."""
    rollup = fs.parse_process(pid, "smaps_rollup", parse_smaps)
    huge = [rollup.total(name) for name in ("AnonHugePages", "ShmemPmdMapped")]
    known = [size for size in huge if size is not None]
    return Memory(
        rss_bytes=rollup.total("Rss"),
        huge_bytes=sum(known) if known else None,
        available_bytes=memory_available_bytes(fs),
        pss_bytes=rollup.total("Pss"),
    )


def check_room(fs: KernelFs, pid: int, growth_bytes: int) -> None:
    """Raises LiveRefusedError where the host or a control group of the process would get tight."""
    meminfo = fs.parse_proc("meminfo", parse_meminfo)
    available = meminfo.get("MemAvailable")
    floor = max(FLOOR_BYTES, int(FLOOR_SHARE * meminfo.get("MemTotal", 0)))
    if available is not None and available - growth_bytes < floor:
        raise LiveRefusedError(
            f"memory would get tight: {available // MIB} MiB available, the process would grow by"
            f" {growth_bytes // MIB} MiB, {floor // MIB} MiB must be left; take smaller steps"
        )
    for folder, limit, room in cgroup_rooms(fs, pid):
        if room - growth_bytes < CGROUP_FLOOR_SHARE * limit:
            raise LiveRefusedError(
                f"memory would get tight in {folder}: {room // MIB} MiB left of {limit // MIB} MiB, the process"
                f" would grow by {growth_bytes // MIB} MiB; take smaller steps"
            )


def cgroup_rooms(fs: KernelFs, pid: int) -> list[tuple[str, int, int]]:
    """(folder, limit, bytes left) of the control groups above a process that limit memory.

    Left counts inactive page cache as free, as kubelet's working set does. v2 and v1 at their usual mounts.
    """
    rooms = []
    for entry in _attempt(lambda: fs.parse_process(pid, "cgroup", parse_cgroup)) or []:
        for folder in _folders(entry):
            v2 = entry.hierarchy == 0
            limit = _number(fs, f"{folder}/{'memory.max' if v2 else 'memory.limit_in_bytes'}")
            used = _number(fs, f"{folder}/{'memory.current' if v2 else 'memory.usage_in_bytes'}")
            if limit is None or used is None or limit >= 1 << 60:
                continue
            cache = _inactive_cache(fs, f"{folder}/memory.stat", "inactive_file" if v2 else "total_inactive_file")
            rooms.append((folder, limit, limit - used + cache))
    return rooms


def _folders(entry: CgroupMembership) -> Sequence[str]:
    """The group and all above it, below sysfs; nothing for hierarchies without memory."""
    if entry.hierarchy == 0:
        root = "fs/cgroup"
    elif "memory" in entry.controllers:
        root = "fs/cgroup/memory"
    else:
        return []
    parts = [part for part in entry.path.split("/") if part]
    if ".." in parts:
        return [root]
    return [root + "".join(f"/{part}" for part in parts[:depth]) for depth in range(len(parts) + 1)]


def _number(fs: KernelFs, name: str) -> int | None:
    """None where absent, unlimited ("max") or unreadable."""
    return _attempt(lambda: fs.parse_sys(name, parse_value))


def _inactive_cache(fs: KernelFs, name: str, key: str) -> int:
    text = _attempt(lambda: fs.read_sys(name)) or b""
    for line in text.splitlines():
        word, _, value = line.partition(b" ")
        if word == key.encode():
            return _attempt(lambda value=value: parse_number(value)) or 0  # type: ignore[misc]
    return 0


def _attempt(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except KernelTextError:
        return None
