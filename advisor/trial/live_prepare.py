"""Before a live trial: may and can it be done, what would be collapsed, and what would that cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from advisor.procfs.errors import KernelTextError, MissingError
from advisor.procfs.facts import CgroupMembership
from advisor.procfs.fs import KernelFs
from advisor.procfs.meminfo import parse_meminfo
from advisor.procfs.process import parse_cgroup, parse_status
from advisor.procfs.smaps import parse_smaps
from advisor.procfs.text import parse_number, parse_value
from advisor.trial.collapse import Target
from advisor.trial.dose import MIN_POPULATED_SHARE, Choice, choose
from advisor.trial.live_document import Eligible, Memory
from advisor.trial.text import percent

T = TypeVar("T")

MIB = 1 << 20

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
    """What a trial would do. missing_bytes: what the last step's slots lack in all, the growth to expect."""

    pid: int
    name: str
    choice: Choice
    steps: tuple[float, ...]
    before: Memory

    @property
    def asked_bytes(self) -> int:
        """Bytes on huge pages after the last step."""
        return len(self.choice.starts[self.choice.step(0.0, self.steps[-1])]) * self.choice.eligible.slot_bytes

    @property
    def missing_bytes(self) -> int:
        """Memory that the last step adds in all."""
        return int(self.choice.missing[self.choice.step(0.0, self.steps[-1])].sum())


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
    prepared = Prepared(target.pid, status.name, choice, steps, memory_of(fs, target.pid))
    if prepared.asked_bytes == 0:
        raise LiveRefusedError(f"process {target.pid}: {why_nothing(choice.eligible)}")
    check_room(fs, target.pid, prepared.missing_bytes)
    return prepared


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
    available = _attempt(lambda: fs.parse_proc("meminfo", parse_meminfo).get("MemAvailable"))
    return Memory(rollup.total("Rss"), sum(known) if known else None, available)


def check_room(fs: KernelFs, pid: int, missing_bytes: int) -> None:
    """Raises LiveRefusedError where the host or a control group of the process would get tight."""
    meminfo = fs.parse_proc("meminfo", parse_meminfo)
    available = meminfo.get("MemAvailable")
    floor = max(FLOOR_BYTES, int(FLOOR_SHARE * meminfo.get("MemTotal", 0)))
    if available is not None and available - missing_bytes < floor:
        raise LiveRefusedError(
            f"memory would get tight: {available // MIB} MiB available, the process would grow by"
            f" {missing_bytes // MIB} MiB, {floor // MIB} MiB must be left; take smaller steps"
        )
    for folder, limit, room in cgroup_rooms(fs, pid):
        if room - missing_bytes < CGROUP_FLOOR_SHARE * limit:
            raise LiveRefusedError(
                f"memory would get tight in {folder}: {room // MIB} MiB left of {limit // MIB} MiB, the process"
                f" would grow by {missing_bytes // MIB} MiB; take smaller steps"
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
