"""Watches the memory of a command's processes while it runs, and how much of it is really on huge pages.

In: the process tree. Out: `Seen`. `/proc/PID/status` says often and cheaply how large each process is; smaps and
smaps_rollup say what is huge, but the kernel walks every page table for them and holds up the target's own mapping
of memory meanwhile, so they are read at doubling times, and only while they have cost about a hundredth of the time.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from advisor.procfs.errors import GoneError, KernelTextError, MissingError
from advisor.procfs.fs import KernelFs
from advisor.procfs.process import parse_status
from advisor.procfs.smaps import SmapsParser, VmaTable
from advisor.trial.document import MemorySeen
from advisor.trial.tree import ProcessTree

TICK_S = 0.02
TICK_SHARE = 0.002
"""Time between two rounds of status: at least this, and this share of the time that the run has taken so far. A time
to set up is told to about as much."""

LONGEST_PAUSE_S = 2.0
"""Most time between two rounds, however many processes there are."""

BUDGET_SHARE = 0.01
"""Of the run's time that rounds of status, and looks at smaps, may each take."""

FREE_LOOKS_S = (0.02, 0.1)
"""The first looks at smaps come at these times whatever they cost: short programs must be seen as well."""

GROWTH = 1.25
"""A look is due before its doubled time when memory has grown by this since the last one."""

UNSEEN_GROWTH = 2.0
UNSEEN_BUDGET_SHARE = 0.05
"""When memory has grown by this since the last look, most of it was never seen, and looks may have taken this share:
a program of a quarter of a second must not count as not applied because it was only seen while it started."""

WALK_S_PER_BYTE = 0.010 / (1 << 30)
"""What a look at memory never seen is expected to cost: measured on base pages (kernel 6.18, EPYC), 10 ms per GiB;
huge pages cost next to nothing."""

OTHER_SHARE = 0.1
MOST_OTHERS = 8
"""Besides the largest process those are looked at that hold this share of all memory, at most so many."""

SAME_SHARE = 0.98
"""A process that has this much of its largest memory is at its largest: of several looks then the last one counts."""

SETTLED_SHARE = 0.95
"""Set-up is over when this share of the peak was first reached."""


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """Of one process at one moment, bytes; rss is anon, shmem and file, without hugetlb."""

    pid: int
    anon: int
    shmem: int
    file: int
    hugetlb: int

    @property
    def footprint(self) -> int:
        """What a page policy is about: anonymous and shared memory."""
        return self.anon + self.shmem + self.hugetlb


@dataclass(frozen=True, slots=True)
class HugeMemory:
    """What of one process is on huge pages, bytes: THP, and pool pages by their size, private and shared."""

    anon_thp: int = 0
    shmem_thp: int = 0
    hugetlb_private: dict[int, int] = field(default_factory=dict)
    hugetlb_shared: dict[int, int] = field(default_factory=dict)

    def hugetlb(self, page_bytes: int) -> int:
        """Bytes on pool pages of one size. A lone process's pages may count as shared ones."""
        return self.hugetlb_private.get(page_bytes, 0) + self.hugetlb_shared.get(page_bytes, 0)

    @property
    def thp(self) -> int:
        return self.anon_thp + self.shmem_thp

    @property
    def page_sizes(self) -> set[int]:
        """Pool page sizes in use."""
        return self.hugetlb_private.keys() | self.hugetlb_shared.keys()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a watch has seen.

    thp_share, hugetlb_share: of the largest process's memory at its largest, None where no look succeeded, or none
    while most of it was there; problem then says why. settled_s: when 95 % of the peak was first reached, None: no
    memory seen.
    """

    memory: MemorySeen
    thp_share: float | None
    hugetlb_share: dict[int, float]
    settled_s: float | None
    cpu_s: float
    problem: str | None


class Watch:
    """Watches in a thread of its own from `start` to `finish`."""

    def __init__(
        self,
        fs: KernelFs,
        tree: ProcessTree,
        main_pid: int,
        clock: Callable[[], float],
        on_round: Callable[[], None] = lambda: None,
    ) -> None:
        """clock: seconds since the command was started. on_round: called with each look at what runs; what it raises
        ends the watch."""
        self._fs, self._tree, self._main_pid, self._clock = fs, tree, main_pid, clock
        self._on_round = on_round
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trial-watch", daemon=True)
        self._record = Record()
        self._looks = LookTimes()
        self._parser = SmapsParser()
        self._cpu_s = 0.0
        self._error: Exception | None = None

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> Seen:
        """Ends the watch and tells what it saw. Raises what went wrong in it."""
        self.stop()
        if self._error is not None:
            raise self._error
        return self._record.seen(self._cpu_s)

    def stop(self) -> None:
        """Ends the watch; again does nothing."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        pause_s = 0.0
        try:
            while not self._stop.wait(pause_s):
                began_s, began_cpu_s = self._clock(), time.thread_time()
                processes = self._read_processes()
                self._record.add_round(began_s, processes)
                took_s = time.thread_time() - began_cpu_s  # waiting for a CPU or a lock disturbs nobody
                self._look_if_due(processes)
                pause_s = min(max(TICK_S, TICK_SHARE * began_s, took_s / BUDGET_SHARE), LONGEST_PAUSE_S)
        except Exception as error:  # told by finish, in the thread that can do something about it
            self._error = error
        self._cpu_s = time.thread_time()

    def _read_processes(self) -> list[ProcessMemory]:
        """Every living process of the run; those that end meanwhile are left out."""
        pids = self._tree.pids()
        self._collect_orphans(pids)
        self._on_round()
        found = (read_memory(self._fs, pid) for pid in pids)
        return [memory for memory in found if memory is not None]

    def _collect_orphans(self, pids: list[int]) -> None:
        """Ended processes whose parent ended before them are ours to collect; their resources count as the run's."""
        for pid in pids:
            if pid != self._main_pid:
                with suppress(ChildProcessError):  # its parent still lives
                    os.waitpid(pid, os.WNOHANG)

    def _look_if_due(self, processes: list[ProcessMemory]) -> None:
        footprint = sum(process.footprint for process in processes)
        began_s, began_cpu_s = self._clock(), time.thread_time()
        if not footprint or not self._looks.is_due(began_s, footprint):
            return
        looked: list[tuple[ProcessMemory, HugeMemory]] = []
        for process in worth_a_look(processes):
            try:
                looked.append(look_at(self._fs, process, self._parser))
            except GoneError:
                continue
            except KernelTextError as error:
                self._record.problem = str(error)
        all_gone = not looked and self._record.problem is None  # what has ended meanwhile was not seen
        seen = self._looks.last_footprint if all_gone else footprint
        self._looks.took(began_s, time.thread_time() - began_cpu_s, seen)
        self._record.add_look(looked)


@dataclass(slots=True)
class LookTimes:
    """When smaps is read next: at doubling times and after growth, within the budget.

    now_s, next_s: seconds of the run; cost_s, spent_s: CPU seconds of the looks.
    """

    count: int = 0
    next_s: float = FREE_LOOKS_S[0]
    spent_s: float = 0.0
    last_cost_s: float = 0.0
    last_footprint: int = 0

    def is_due(self, now_s: float, footprint: int) -> bool:
        if self.count < len(FREE_LOOKS_S):
            return now_s >= self.next_s
        if now_s < self.next_s and footprint < GROWTH * self.last_footprint:
            return False
        if footprint >= UNSEEN_GROWTH * self.last_footprint:
            cost_s = max(self.last_cost_s, footprint * WALK_S_PER_BYTE)
            return self.spent_s + cost_s <= UNSEEN_BUDGET_SHARE * now_s
        cost_s = self.last_cost_s * max(1.0, footprint / self.last_footprint)
        return self.spent_s + cost_s <= BUDGET_SHARE * now_s

    def took(self, now_s: float, cost_s: float, footprint: int) -> None:
        self.count += 1
        self.spent_s += cost_s
        self.last_cost_s, self.last_footprint = cost_s, footprint
        self.next_s = FREE_LOOKS_S[self.count] if self.count < len(FREE_LOOKS_S) else 2 * now_s


class Record:
    """Peaks and the curve of memory, from rounds and looks. Pure.

    Of all processes together private memory is added up and shared memory counts once, by the process that has most
    of it mapped: the sum would count a segment once for each process. Pages that a fork still shares count twice.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        self._curve: list[tuple[float, int]] = []
        self._rss = self._anon = self._shmem = self._thp = 0
        self._hugetlb: dict[int, int] = {}
        self._looks = 0
        self._peak = self._largest = 0
        self._best: tuple[ProcessMemory, HugeMemory] | None = None

    def add_round(self, now_s: float, processes: Iterable[ProcessMemory]) -> None:
        """One round of status at `now_s`."""
        processes = list(processes)
        anon = sum(process.anon for process in processes)
        shmem = max((process.shmem for process in processes), default=0)
        rss = anon + shmem + max((process.file for process in processes), default=0)
        size = rss + max((process.hugetlb for process in processes), default=0)
        self._anon, self._shmem, self._rss = max(self._anon, anon), max(self._shmem, shmem), max(self._rss, rss)
        self._peak = max([self._peak, *(process.footprint for process in processes)])
        if size > (self._curve[-1][1] if self._curve else 0):
            self._curve.append((now_s, size))

    def add_look(self, looked: list[tuple[ProcessMemory, HugeMemory]]) -> None:
        """One look at the largest processes."""
        if not looked:
            return
        self._looks += 1
        huge = [memory for _, memory in looked]
        thp = sum(memory.anon_thp for memory in huge) + max(memory.shmem_thp for memory in huge)
        self._thp = max(self._thp, thp)
        for size in set().union(*(memory.page_sizes for memory in huge)):
            private = sum(memory.hugetlb_private.get(size, 0) for memory in huge)
            shared = max(memory.hugetlb_shared.get(size, 0) for memory in huge)
            self._hugetlb[size] = max(self._hugetlb.get(size, 0), private + shared)
        main = max(looked, key=lambda pair: pair[0].footprint)
        self._largest = max(self._largest, main[0].footprint)
        if main[0].footprint >= SAME_SHARE * self._largest:
            self._best = main

    def seen(self, cpu_s: float) -> Seen:
        """Everything, at the end."""
        shares = self._shares()
        return Seen(
            memory=MemorySeen(
                peak_rss_bytes=self._rss if self._curve else None,
                peak_anon_bytes=self._anon if self._curve else None,
                peak_shmem_bytes=self._shmem if self._curve else None,
                peak_thp_bytes=self._thp if self._looks else None,
                peak_hugetlb_bytes={str(size): count for size, count in sorted(self._hugetlb.items())},
                coverage=min(shares[0] + sum(shares[1].values()), 1.0) if shares else None,
                smaps_reads=self._looks,
            ),
            thp_share=shares[0] if shares else None,
            hugetlb_share=shares[1] if shares else {},
            settled_s=self._settled_s(),
            cpu_s=cpu_s,
            problem=self.problem or self._blind_spot(),
        )

    def _blind_spot(self) -> str | None:
        """Where no process was looked at near its largest: what is huge of a tenth of it says nothing of the rest."""
        if self._looks and self._peak >= UNSEEN_GROWTH * self._largest:
            return "most of it was there too shortly to be looked at"
        return None

    def _shares(self) -> tuple[float, dict[int, float]] | None:
        if self._best is None or self._blind_spot():
            return None
        memory, huge = self._best
        return huge.thp / memory.footprint, {
            size: huge.hugetlb(size) / memory.footprint for size in sorted(huge.page_sizes)
        }

    def _settled_s(self) -> float | None:
        if not self._curve:
            return None
        return next(now_s for now_s, size in self._curve if size >= SETTLED_SHARE * self._curve[-1][1])


def read_memory(fs: KernelFs, pid: int) -> ProcessMemory | None:
    """From `/proc/PID/status` (RssAnon: 4.5+; before that all of RSS counts as anonymous). None: ended."""
    try:
        status = fs.parse_process(pid, "status", parse_status)
    except KernelTextError:
        return None
    if status.vm_rss_bytes is None:
        return None
    return ProcessMemory(
        pid=pid,
        anon=status.vm_rss_bytes if status.rss_anon_bytes is None else status.rss_anon_bytes,
        shmem=status.rss_shmem_bytes or 0,
        file=status.rss_file_bytes or 0,
        hugetlb=status.hugetlb_bytes or 0,
    )


def worth_a_look(processes: list[ProcessMemory]) -> list[ProcessMemory]:
    """The largest process, and others that hold a relevant share of all memory, largest first."""
    ranked = sorted(processes, key=lambda process: process.footprint, reverse=True)
    total = sum(process.footprint for process in ranked)
    others = [process for process in ranked[1 : MOST_OTHERS + 1] if process.footprint >= OTHER_SHARE * total]
    return [*ranked[:1], *others]


def look_at(fs: KernelFs, process: ProcessMemory, parser: SmapsParser) -> tuple[ProcessMemory, HugeMemory]:
    """What the process holds and what of that is huge, by one reading: a program that maps and unmaps its memory all
    the time has another size than its status had a moment ago.

    smaps_rollup (4.14+) is the shorter text, but only smaps has pool page sizes. Raises GoneError, DeniedError,
    KernelTextError.
    """
    table = _smaps(fs, process, parser)
    if not len(table):
        raise GoneError("empty: the process has ended", path=fs.proc_path(f"{process.pid}/smaps"))
    anon = table.total("Anonymous")
    held = replace(process, anon=process.anon if anon is None else anon, hugetlb=_hugetlb(table))
    return held, HugeMemory(
        anon_thp=table.total("AnonHugePages") or 0,
        shmem_thp=table.total("ShmemPmdMapped") or 0,
        hugetlb_private=_by_page_size(table, "Private_Hugetlb"),
        hugetlb_shared=_by_page_size(table, "Shared_Hugetlb"),
    )


def _smaps(fs: KernelFs, process: ProcessMemory, parser: SmapsParser) -> VmaTable:
    if not process.hugetlb:
        with suppress(MissingError):
            rollup = fs.parse_process(process.pid, "smaps_rollup", parser.parse)
            if not _hugetlb(rollup):
                return rollup
    return fs.parse_process(process.pid, "smaps", parser.parse)


def _hugetlb(table: VmaTable) -> int:
    return (table.total("Private_Hugetlb") or 0) + (table.total("Shared_Hugetlb") or 0)


def _by_page_size(table: VmaTable, name: str) -> dict[int, int]:
    """Bytes of one hugetlb field by the page size of the mappings that have them."""
    column, sizes = table.column(name), table.column("KernelPageSize")
    found: dict[int, int] = {}
    if column is None or sizes is None:
        return found
    for row in (column > 0).nonzero()[0].tolist():
        found[int(sizes[row])] = found.get(int(sizes[row]), 0) + int(column[row])
    return found
