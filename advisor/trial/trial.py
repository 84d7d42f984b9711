"""A whole trial: the policies take turns, round after round, and what was measured becomes the document."""

from __future__ import annotations

import datetime
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from msgspec import structs

from advisor import __version__
from advisor.interrupts import handling, heeded
from advisor.procfs.fs import KernelFs
from advisor.trial.command import StartError, StoppedError, StopSignal, thp_disabled
from advisor.trial.document import (
    CONTESTED,
    TRIAL_SCHEMA,
    Caveat,
    Change,
    MemorySeen,
    Metric,
    Policy,
    Run,
    Trial,
    Way,
)
from advisor.trial.environment import read_environment
from advisor.trial.errors import BusyError, ContestedError, SettingError
from advisor.trial.hold import MemoryHold
from advisor.trial.journal import Journal
from advisor.trial.pools import NeededMemory, growth_order, reserve, shortage
from advisor.trial.runner import WALL_TIME, Place, RunOptions, run_once
from advisor.trial.schedule import Slot, schedule
from advisor.trial.settings import HostSettings
from advisor.trial.verdict import MIN_COVERAGE
from advisor.trial.way_model import CustomWay
from advisor.trial.ways import host_facts, ways_for

MOST_FAILURES = 2
"""Runs of one policy that may fail in a row; after that it is not tried again."""


@dataclass(frozen=True)
class TrialRequest:
    """What is asked for.

    environment: the caller's. rounds: counted runs of each policy. warm_up: rounds before them that are not compared;
    without any, a pool whose size is not given gets one all the same. timeout_s: of one run. ready: the output line
    that ends the set-up. may_change: modes and pools of the host. hold: keep freed memory warm between runs; None:
    where the guest reports free pages. pool_bytes: how much each pool must have free; None: what the first run
    needed. seed: of the order of the runs. ways: how each policy is brought, where the caller knows; else worked out.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    policies: Sequence[Policy]
    metric: Metric = WALL_TIME
    rounds: int = 7
    warm_up: int = 1
    timeout_s: float | None = None
    min_coverage: float = MIN_COVERAGE
    ready: re.Pattern[str] | None = None
    custom: Mapping[str, CustomWay] = field(default_factory=dict)
    own_way: bool = False
    may_change: bool = False
    hold: bool | None = None
    pool_bytes: int | None = None
    seed: int = 0
    working_folder: str | None = None
    ways: Sequence[Way] | None = None


@dataclass(frozen=True)
class Progress:
    """Where the trial stands. run: the run that has just ended; None: the run of `policy` is about to start.

    done: runs that have ended, of `total` if no policy drops out.
    """

    policy: str
    round: int
    done: int
    total: int
    run: Run | None = None


def run_trial(
    request: TrialRequest,
    journal: Journal,
    on_progress: Callable[[Progress], None],
    fs: KernelFs | None = None,
    stop: StopSignal | None = None,
) -> Trial:
    """Measures, restores the host, and concludes.

    SIGINT, SIGTERM and SIGHUP (or `stop`) end the trial, and so does somebody else who sets what it has set: what was
    measured until then is answered, `interrupted` set.
    Raises StartError where the command cannot be started at all, BusyError where another trial changes settings.
    """
    fs = fs or KernelFs()
    began = datetime.datetime.now(datetime.UTC)
    with _stopping(stop) as stop:
        turns = _Turns(request, journal, on_progress, fs, stop)
        try:
            turns.take()
        finally:
            turns.hold.release()
            changes = journal.restore()
    return _document(request, turns, began, changes)


class _Turns:
    """The runs of one trial, and what was learned from them for the next ones."""

    def __init__(
        self,
        request: TrialRequest,
        journal: Journal,
        on_progress: Callable[[Progress], None],
        fs: KernelFs,
        stop: StopSignal,
    ) -> None:
        self.began_s = time.monotonic()
        self.environment = read_environment(fs)
        found = request.ways if request.ways is not None else _ways(request, fs)
        self.ways = {way.policy.name: way for way in found}
        self.hold = MemoryHold(fs)
        self.is_holding = bool(self.environment.free_page_reporting) if request.hold is None else request.hold
        self.held_enough = self.is_holding
        self.runs: list[Run] = []
        self.notes: list[Caveat] = []
        self.interrupted = False
        self._request, self._journal, self._on_progress, self._fs, self._stop = (
            request,
            journal,
            on_progress,
            fs,
            stop,
        )
        self._settings = HostSettings(journal, fs)
        self._failures: Counter[str] = Counter()
        self._pools_ready = False
        self._options = RunOptions(
            environment=request.environment,
            metric=request.metric,
            timeout_s=request.timeout_s,
            min_coverage=request.min_coverage,
            ready=request.ready,
            working_folder=request.working_folder,
        )

    def take(self) -> None:
        """Every run that is due, until the end or a signal."""
        self._begin_journal()
        slots = self._slots()
        for slot in slots:
            if self._stop.is_set:
                self.interrupted = True
                return
            try:
                self._take(slot, len(slots))
            except StoppedError:
                self.interrupted = True
                return
            except ContestedError as error:
                self.notes.append(Caveat(CONTESTED, f"The trial ended early. {error}."))
                self.interrupted = True
                return

    def _begin_journal(self) -> None:
        """Before the first run: another trial is told of at once, and no process that is started goes unnoted."""
        usable = [way for way in self.ways.values() if way.why_unusable is None]
        if self._request.may_change and any(_may_need_changes(way) for way in usable):
            try:
                self._journal.begin()
            except BusyError:
                raise
            except SettingError:
                return  # each policy that needs a change says so in its turn

    def _slots(self) -> list[Slot]:
        """Ways that draw from a pool come last in the warm-up: the others say how large it must be."""
        usable = [way for way in self.ways.values() if way.why_unusable is None]
        ordered = sorted(usable, key=lambda way: (way.policy.kind != "base", way.pool_page_bytes is not None))
        names = [way.policy.name for way in ordered]
        must_size = self._request.pool_bytes is None and any(way.pool_page_bytes is not None for way in usable)
        warm_up = max(self._request.warm_up, int(must_size))
        return schedule(names, self._request.rounds, warm_up, self._request.seed)

    def _take(self, slot: Slot, total: int) -> None:
        name = slot.policy
        if self.ways[name].pool_page_bytes is not None and not self._pools_ready:
            self._reserve_pools()
        if self.ways[name].why_unusable is not None or self._failures[name] >= MOST_FAILURES:
            return
        self._on_progress(Progress(name, slot.round, len(self.runs), total))
        try:
            self._set_modes(self.ways[name])
            run = self._run(self.ways[name], slot)
        except BusyError:
            raise
        except (SettingError, StartError) as error:
            if isinstance(error, StartError) and not self.runs:
                raise
            self._give_up(name, str(error))
            return
        self._count_failures(run)
        self._on_progress(Progress(name, slot.round, len(self.runs), total, run))

    def _run(self, way: Way, slot: Slot) -> Run:
        self.hold.release(self._needed_outside_pools(way))
        place = Place(slot.round, len(self.runs), self.began_s, self._needed().poolable or None)
        run = run_once(way, self._options, place, self._journal, self._fs, self._stop)
        self.runs.append(run)
        if self.is_holding and not self._stop.is_set:
            needed = self._needed().rss
            self.held_enough &= self.hold.take(needed) >= needed
        return run

    def _set_modes(self, way: Way) -> None:
        """The modes that the way needs; all others as they were when the trial began."""
        if not self._request.may_change:
            return
        for change, mode in (
            (self._settings.thp_enabled, way.thp_enabled or self.environment.thp_enabled),
            (self._settings.shmem_enabled, way.shmem_enabled or self.environment.shmem_enabled),
        ):
            if mode is not None:
                change(mode)

    def _needed_outside_pools(self, way: Way) -> int | None:
        """Memory that a run which draws from a pool takes elsewhere, by the runs before it; None: not known.

        What such a run does not need stays held: released, it would go cold while the run lasts.
        """
        before = [run.memory.peak_rss_bytes for run in self.runs if run.policy == way.policy.name]
        if way.pool_page_bytes is None or not before or None in before:
            return None
        return max(size for size in before if size is not None)

    def _needed(self) -> NeededMemory:
        """The most that any run has needed so far."""
        seen = [run.memory for run in self.runs]
        return NeededMemory(
            rss=max((memory.peak_rss_bytes or 0 for memory in seen), default=0),
            poolable=max((_poolable(memory) for memory in seen), default=0),
        )

    def _reserve_pools(self) -> None:
        """Once, for all runs: pages that a pool has are contiguous already and stay with this guest."""
        self._pools_ready = True
        self.hold.release()
        needed, pool_bytes, fs = self._needed(), self._request.pool_bytes, self._fs
        settings = self._settings if self._request.may_change else None
        drawing = [way for way in self.ways.values() if way.pool_page_bytes is not None and way.why_unusable is None]
        order = growth_order([way.pool_page_bytes or 0 for way in drawing], pool_bytes, needed, fs)
        for way in sorted(drawing, key=lambda way: order.index(way.pool_page_bytes or 0)):
            page_bytes, name = way.pool_page_bytes or 0, way.policy.name
            if (why := reserve(page_bytes, pool_bytes, needed, settings, fs)) is not None:
                self._give_up(name, why)
            elif (lack := shortage(page_bytes, pool_bytes, needed, fs)) is not None:
                self.notes.append(Caveat("small-pool", f"{name} {lack}."))

    def _give_up(self, name: str, why: str) -> None:
        """The policy cannot be tried, or no longer; runs that it had are kept."""
        self.ways[name] = structs.replace(self.ways[name], command=[], environment={}, why_unusable=why)

    def _count_failures(self, run: Run) -> None:
        self._failures[run.policy] = self._failures[run.policy] + 1 if run.not_counted else 0
        if self._failures[run.policy] >= MOST_FAILURES:
            message = f"{run.policy} was given up after {MOST_FAILURES} runs that do not count: {run.not_counted}."
            self.notes.append(Caveat("given-up", message))


def _ways(request: TrialRequest, fs: KernelFs) -> list[Way]:
    facts = host_facts(fs, may_change=request.may_change)
    return ways_for(
        request.command, request.environment, request.policies, facts, request.custom, own_way=request.own_way
    )


def _may_need_changes(way: Way) -> bool:
    return way.thp_enabled is not None or way.shmem_enabled is not None or way.pool_page_bytes is not None


def _poolable(memory: MemorySeen) -> int:
    """What a pool could carry, bytes."""
    return (memory.peak_anon_bytes or 0) + (memory.peak_shmem_bytes or 0)


def _document(request: TrialRequest, turns: _Turns, began: datetime.datetime, changes: list[Change]) -> Trial:
    from advisor.trial.summary import compare, summarise, warnings_of  # statistics are needed only here

    ways = list(turns.ways.values())
    comparisons = compare(turns.runs, ways, request.metric.better)
    warnings = warnings_of(turns.runs, comparisons, turns.environment, memory_held=turns.held_enough)
    return Trial(
        schema=TRIAL_SCHEMA,
        tool_version=__version__,
        started_at=began.isoformat(timespec="seconds"),
        duration_s=time.monotonic() - turns.began_s,
        command=list(request.command),
        metric=request.metric,
        rounds=request.rounds,
        environment=turns.environment,
        ways=ways,
        runs=turns.runs,
        summaries=summarise(turns.runs, ways),
        comparisons=comparisons,
        changes=changes,
        warnings=[*warnings, *turns.notes, *_own_flag()],
        interrupted=turns.interrupted,
        seed=request.seed,
        min_coverage=request.min_coverage,
        timeout_s=request.timeout_s,
        memory_held=turns.held_enough,
    )


def _own_flag() -> Iterator[Caveat]:
    if thp_disabled():
        yield Caveat(
            "thp-disabled",
            "This command was itself started with PR_SET_THP_DISABLE: the policy `default` means no THP, and memory "
            "held between runs is on base pages.",
        )


@contextmanager
def _stopping(stop: StopSignal | None) -> Iterator[StopSignal]:
    """The signal object that SIGINT, SIGTERM and SIGHUP set inside; outside the main thread only its owner does."""
    if stop is not None:
        yield stop
        return
    stop = StopSignal()
    numbers = heeded() if threading.current_thread() is threading.main_thread() else ()
    try:
        with handling(lambda *_: stop.set(), numbers):
            yield stop
    finally:
        stop.close()
