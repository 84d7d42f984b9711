"""The sampler: one `tick` reads what changed on the host and answers a Sample.

Order within a tick: who is there (psutil), `stat` of everybody (one cheap file that tells whether memory moved),
status of those whose memory moved, page-table walks of those that matter as far as the budget goes, programs of
newcomers, and the host's own files. Every read runs guarded (see `guard.py`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import msgspec

from advisor.collect.budget import Budget
from advisor.collect.fold import Folder
from advisor.collect.folios import FolioReader, choose_folio_plans
from advisor.collect.guard import GuardedRun, Outcome, Reader, run_guarded
from advisor.collect.host_reader import HostReader
from advisor.collect.options import SamplerOptions
from advisor.collect.page_scan import PageReader
from advisor.collect.page_slots import Shape
from advisor.collect.page_watch import PageWatch
from advisor.collect.priority import (
    IMPORTANT_BYTES,
    Candidate,
    choose,
    memory_key,
    predicted_cost_s,
    wanted_walk,
)
from advisor.collect.process_reader import (
    UNKNOWN_START,
    ElfReader,
    ProcessReader,
    ProcessReading,
    ProgramPlan,
    ReadPlan,
    StatReader,
    UserNames,
    all_pids,
)
from advisor.collect.programs import ProgramReader, libraries_of_interest
from advisor.collect.smaps_batch import SmapsBatch
from advisor.collect.smaps_result import align_fields, smallest_page_bytes
from advisor.collect.tick import Tick
from advisor.collect.tracking import Identity, Quarantine, Sections, Tracked, changed_sections
from advisor.procfs.errors import MissingError
from advisor.procfs.facts import Stat
from advisor.procfs.fs import KernelFs
from advisor.procfs.smaps import SmapsParser
from advisor.profile.model import Cost, HostState, Mapping, ProcessRecord, Sample

FIRST_LOOK_S = 0.1
"""CPU seconds of walks that a budgeted sampler allows itself at once, ahead of earning them: the largest
processes are in the first sample, the others follow as the budget pays for them."""

REPORT_SCANS_S = 1.0
"""Seconds of page scans in the one tick that is to be complete, over all processes, the fullest first. Reason: enough
for 300 GiB of base pages."""

COLLAPSE_COUNTERS = ("thp_collapse_alloc", "thp_split_page", "thp_split_pmd", "thp_split")
"""vmstat events that change a process's huge coverage without a fault or a mapping call of its own."""

LASTING_PROBLEMS = ("denied", "malformed")
"""Why smaps could not be read, where trying again at every tick would only cost."""

NO_STAT = Stat("", "", 0, 0, 0, 0, 0, 0, 0, UNKNOWN_START, 0, 0)
"""Stands for the stat that a captured tree lacks while a tick decides what to read; never stored."""

MUCH_FAULTED_BYTES = 256 << 20
"""Faulted in over a process's life, bytes, from which its program is looked into however little it holds. Source: own
choice. Reason: a tenth of a second of the kernel's time; most small processes end before."""

USUAL_BASE_PAGE_BYTES = 4096
"""Only to weigh processes of a captured tree that does not state its page size; never stored."""


class Sampler:
    """Keeps what it must know of each process between ticks; memory is bounded by the number of processes."""

    def __init__(
        self, fs: KernelFs, options: SamplerOptions | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.fs = fs
        self.options = options or SamplerOptions()
        self.clock = clock
        self.near: int | None = None
        """Pid that somebody looks at from near: its mappings are kept current, one by one, before those of others."""
        self.began_s = clock()
        self.budget = Budget(self.options.budget_share, clock, self.began_s, self.options.spent_before_s)
        self._tracked: dict[int, Tracked] = {}
        self._quarantine = Quarantine()
        self._programs = ProgramReader(fs)
        self._parser = SmapsParser()
        self._users = UserNames()
        self._host = HostReader(fs, self.options.deadline_s)
        self._ticks = 0
        self._khugepaged_pid: int | None = None
        self._collapses: tuple[int | None, ...] = ()
        self._collapses_moved = False
        self.host_facts = self._host.facts()
        self.privileged = self._host.privileged() if fs.is_live else None
        self._folder = Folder(self._host.pmd_bytes(), self.host_facts.base_page_bytes)

    @property
    def base_page_bytes(self) -> int:
        return self.host_facts.base_page_bytes or USUAL_BASE_PAGE_BYTES

    @property
    def pmd_bytes(self) -> int | None:
        return self._folder.pmd_bytes

    def newest_maps(self) -> dict[Identity, list[Mapping]]:
        """Of each process that the last tick saw and whose smaps was read."""
        return {tracked.identity: tracked.maps for tracked in self._tracked.values() if tracked.maps is not None}

    def delay_s(self) -> float:
        """Seconds to wait until the next tick."""
        return self.budget.delay_s(self.options.interval_s)

    def tick(self) -> Sample:
        """Read once. What processes and files do never raises; a vanished procfs root gives an empty sample."""
        wall, cpu, host_cpu = time.perf_counter(), time.thread_time(), self._host.cpu_s
        tick = Tick(t_s=self.clock() - self.began_s)
        self._read_stats(tick)
        self._forget_ended(tick)
        self._read_processes(tick, self._plan(tick))
        self._read_programs(tick)
        self._scan_pages(tick)
        records = self._records(tick)
        host = self._read_host()
        self._ticks += 1
        cpu_s = time.thread_time() - cpu + tick.reader_cpu_s + self._host.cpu_s - host_cpu
        self.budget.charge_tick(cpu_s, tick.walk_cpu_s)
        return Sample(
            t_s=round(tick.t_s, 6),
            wall_time=round(time.time(), 3),
            host=host,
            cost=Cost(
                cpu_s=round(cpu_s, 6),
                wall_s=round(time.perf_counter() - wall, 6),
                smaps_reads=tick.smaps_reads,
                rollup_reads=tick.rollup_reads,
                deferred=tick.deferred,
            ),
            smaps_fields=tick.smaps_fields,
            processes=records,
            gone=tick.gone,
            skipped=tick.skipped,
        )

    def _run(self, tick: Tick, reader: Reader[Any, Any], items: list[Any]) -> GuardedRun[Any, Any]:
        run = run_guarded(reader, items, self.options.deadline_s)
        tick.reader_cpu_s += run.cpu_s
        return run

    def _read_stats(self, tick: Tick) -> None:
        """`stat` of every process but kernel threads and those without memory (zombies)."""
        for outcome in self._run(tick, StatReader(self.fs), self._watched_pids(tick)).outcomes:
            stat: Stat | None = outcome.result
            if stat is None and self._is_statless(outcome):
                tick.stats[outcome.item] = NO_STAT
            elif stat is None:
                self._note_failure(tick, outcome, None)
            elif stat.is_kernel_thread:
                if stat.comm == "khugepaged":
                    self._khugepaged_pid = outcome.item
            elif stat.vsize_bytes and self._is_wanted(outcome.item):
                tick.stats[outcome.item] = stat

    def _is_statless(self, outcome: Outcome[Any, Any]) -> bool:
        """Captured trees often hold smaps of a process but not its stat; on a live host that means it is gone."""
        return not self.fs.is_live and self._is_wanted(outcome.item) and isinstance(outcome.error, MissingError)

    def _is_wanted(self, pid: int) -> bool:
        """Everybody but who is there only because somebody looks: this process, its front end; or those named."""
        if self.options.pids is not None:
            return pid in self.options.pids
        return not (self.fs.is_live and (pid == os.getpid() or pid == self.options.front_end))

    def _watched_pids(self, tick: Tick) -> list[int]:
        watched = []
        for pid in all_pids(self.fs):
            if self._ticks > 0 and not self._is_wanted(pid):
                continue  # the first tick looks at everybody once, to find khugepaged
            if self._quarantine.holds(pid):
                tracked = self._tracked.get(pid)
                tick.skip(pid, tracked.stat.comm if tracked and tracked.stat else None, "quarantined")
                if tracked and tracked.stat:
                    tick.stats[pid] = tracked.stat
                continue
            watched.append(pid)
        return watched

    def _note_failure(self, tick: Tick, outcome: Outcome[Any, Any], name: str | None) -> None:
        error = outcome.error
        if error is None:
            return
        pid = outcome.item if isinstance(outcome.item, int) else outcome.item.pid
        if outcome.stuck is not None:
            self._quarantine.add(pid, outcome.stuck)
        tick.skip(pid, name, error.reason, str(error))

    def _forget_ended(self, tick: Tick) -> None:
        for pid, tracked in list(self._tracked.items()):
            stat = tick.stats.get(pid)
            if stat is None or stat.start_ticks != tracked.start_ticks:
                tick.gone.append(tracked.identity)
                del self._tracked[pid]

    def _plan(self, tick: Tick) -> list[ReadPlan]:
        """What to read of each process: nothing where its stat shows that its memory did not move."""
        candidates = [c for pid, stat in tick.stats.items() if (c := self._candidate(tick, pid, stat))]
        walks, tick.deferred = choose(candidates, self._walk_allowance_s())
        plans = []
        for pid, stat in tick.stats.items():
            tracked = self._tracked.get(pid)
            with_facts = tracked is None or tracked.stat is None or tracked.stat.comm != stat.comm
            moved = tracked is None or tracked.stat is None or memory_key(tracked.stat) != memory_key(stat)
            walk = walks.get(pid)
            if (with_facts or moved or walk) and not self._quarantine.holds(pid):
                plans.append(
                    ReadPlan(pid, stat.start_ticks, stat.ppid, stat.comm, with_facts, moved or with_facts, walk)
                )
        return plans

    def _candidate(self, tick: Tick, pid: int, stat: Stat) -> Candidate | None:
        tracked = self._tracked.get(pid) or Tracked(pid, stat.start_ticks)
        if tracked.problems.get("smaps") in LASTING_PROBLEMS or self._quarantine.holds(pid):
            return None
        resident = tracked.resident_bytes(stat, self.base_page_bytes)
        longest_s = self.options.longest_walk_s
        near = pid == self.near and predicted_cost_s(resident, tracked.walks, "smaps") <= longest_s
        walk = wanted_walk(stat, tracked.walks, resident, collapses_moved=self._collapses_moved, near=near)
        if walk is None:
            return None
        cost_s = predicted_cost_s(resident, tracked.walks, walk)
        if cost_s > longest_s:
            tick.skip(pid, stat.comm, "walk-too-long", f"{cost_s:.1f} s of page-table walk predicted")
            return None
        walked = tracked.walks.walked_t_s
        return Candidate(pid, walk, resident, cost_s, None if walked is None else tick.t_s - walked, near)

    def _walk_allowance_s(self) -> float | None:
        """CPU seconds for walks in this tick; None is no limit."""
        if self._ticks == 0:
            return None if self.options.complete_first else FIRST_LOOK_S
        return self.budget.available_s()

    def _read_processes(self, tick: Tick, plans: list[ReadPlan]) -> None:
        several = len(self.host_facts.nodes or ()) > 1
        reader = ProcessReader(self.fs, SmapsBatch(self._folder, self._parser), self._users, with_numa=several)
        run = self._run(tick, reader, plans)
        batch: SmapsBatch = run.reader.batch  # type: ignore[attr-defined]  # a ProcessReader or its successor
        self._parser = batch.parser
        tick.smaps_fields = align_fields(batch.results)
        self._learn_base_page(batch)
        for outcome in run.outcomes:
            plan: ReadPlan = outcome.item
            if outcome.result is not None:
                self._take(tick, plan, outcome.result, batch)
                continue
            self._note_failure(tick, outcome, plan.name)
            if outcome.stuck is None:
                tick.stats.pop(plan.pid, None)
            else:
                tick.sections[plan.pid] = Sections(problems={"smaps" if plan.walk else "status": "hung"})

    def _take(self, tick: Tick, plan: ReadPlan, reading: ProcessReading, batch: SmapsBatch) -> None:
        sections = tick.sections[plan.pid] = Sections(
            facts=reading.facts,
            status=reading.status,
            rollup=reading.rollup,
            pinned=reading.pinned,
            problems=reading.problems,
        )
        tracked = self._tracked.setdefault(plan.pid, Tracked(plan.pid, plan.start_ticks))
        kept = {name: why for name, why in tracked.problems.items() if name not in plan.files}
        sections.problems = {**kept, **reading.problems}
        facts = sections.facts or tracked.facts
        if reading.numa is not None and facts is not None:
            sections.facts = msgspec.structs.replace(facts, numa=reading.numa)
        if plan.walk is None:
            return
        key = memory_key(tick.stats[plan.pid])
        tick.walk_cpu_s += reading.cost_s or 0.0
        tracked.walks.latest_key = key
        tracked.walks.walked_t_s = tick.t_s
        maps = batch.results.get(plan.pid)
        if maps is None:
            tick.rollup_reads += reading.rollup is not None
            return
        tick.smaps_reads += 1
        tracked.walks.cost_s = reading.cost_s
        tracked.walks.smaps_key = key
        if maps.error is not None:
            sections.problems["smaps"] = maps.error.reason
        else:
            sections.maps = maps.mappings
            sections.program_paths = tuple(sorted(maps.paths))

    def _learn_base_page(self, batch: SmapsBatch) -> None:
        """A captured tree may state its page size only in smaps."""
        if self.host_facts.base_page_bytes is None and (page := smallest_page_bytes(batch.results.values())):
            self.host_facts = msgspec.structs.replace(self.host_facts, base_page_bytes=page)
            self._folder.base_page_bytes = page

    def _matters(self, tracked: Tracked, stat: Stat) -> bool:
        """It holds much, or has taken much in its life: small programs that churn may gain most."""
        churned = stat.minor_faults * self.base_page_bytes
        resident = tracked.resident_bytes(stat, self.base_page_bytes)
        return resident >= IMPORTANT_BYTES or churned >= MUCH_FAULTED_BYTES

    def _read_programs(self, tick: Tick) -> None:
        """Look into the ELF files of processes that matter and were not looked into before."""
        plans = []
        for pid, sections in tick.sections.items():
            tracked = self._tracked.get(pid)
            if tracked is None or tracked.programs_read or sections.maps is None or pid not in tick.stats:
                continue
            facts = sections.facts or tracked.facts
            if facts and facts.executable and self._matters(tracked, tick.stats[pid]):
                tracked.programs_read = True
                plans.append(ProgramPlan(pid, facts.executable, sections.program_paths))
            elif facts and not self.fs.is_live:
                libraries = libraries_of_interest(sections.program_paths)
                sections.facts = msgspec.structs.replace(facts, libraries=libraries)
        for outcome in self._run(tick, ElfReader(self.fs, self._programs), plans).outcomes:
            if outcome.result is None:
                self._note_failure(tick, outcome, None)
                continue
            sections = tick.sections[outcome.item.pid]
            facts = sections.facts or self._tracked[outcome.item.pid].facts
            if facts is not None:
                sections.facts = msgspec.structs.replace(
                    facts, libraries=outcome.result.libraries, program=outcome.result.program
                )

    def _scan_pages(self, tick: Tick) -> None:
        """How full the huge page slots of those are that hold much anonymous memory, as far as the time allows."""
        if self.pmd_bytes is None or not self.fs.is_live:
            return
        shape = Shape(self.pmd_bytes, self.base_page_bytes)
        watch = PageWatch(self._tracked, tick.sections, shape)
        available_s = self._scan_allowance_s(tick)
        plans = watch.due(tick.smaps_fields, available_s)
        for outcome in self._run(tick, PageReader(self.fs, shape), plans).outcomes:
            watch.take(outcome)
            if outcome.stuck is not None:
                self._quarantine.add(outcome.item.pid, outcome.stuck)
        if not plans or not self._host.has_mthp():
            return
        plans = choose_folio_plans([plan for plan in plans if not self._quarantine.holds(plan.pid)], available_s)
        for outcome in self._run(tick, FolioReader(self.fs, shape), plans).outcomes:
            watch.take_folios(outcome)
            if outcome.stuck is not None:
                self._quarantine.add(outcome.item.pid, outcome.stuck)

    def _scan_allowance_s(self, tick: Tick) -> float:
        """Seconds for scans of pages in this tick."""
        if self._ticks == 0 and self.options.complete_first:
            return REPORT_SCANS_S
        return max(0.0, self.budget.available_s() - tick.walk_cpu_s) if self._ticks else FIRST_LOOK_S

    def _records(self, tick: Tick) -> list[ProcessRecord]:
        records = []
        for pid, stat in tick.stats.items():
            tracked = self._tracked.setdefault(pid, Tracked(pid, stat.start_ticks))
            sections = tick.sections.get(pid) or Sections(problems=tracked.problems)
            if stat is NO_STAT and sections.without_memory:
                continue
            sections.stat = None if stat is NO_STAT else stat
            if record := changed_sections(tracked, sections):
                records.append(record)
        return sorted(records, key=lambda record: record.pid)

    def _read_host(self) -> HostState:
        memberships = {
            tuple((m.hierarchy, m.path) for m in tracked.facts.cgroup): tracked.facts.cgroup
            for tracked in self._tracked.values()
            if tracked.facts and tracked.facts.cgroup
        }
        state = self._host.state(
            with_pagetypes=self._ticks == 0,
            cgroups=list(memberships.values()),
            khugepaged_pid=self._khugepaged_pid,
        )
        if self._ticks == 0 and self.options.look_at_memory:
            state = self._host.contiguity(state, self.host_facts.base_page_bytes)
        collapses = tuple((state.vmstat or {}).get(name) for name in COLLAPSE_COUNTERS)
        self._collapses_moved = self._ticks > 0 and collapses != self._collapses
        self._collapses = collapses
        return state
