"""The live trial: dose 0, then step by step more of a running process' memory on huge pages, measured after each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from advisor import __version__
from advisor.procfs.errors import GoneError, KernelTextError
from advisor.procfs.fs import KernelFs
from advisor.trial.collapse import CollapseError, Outcome, Target
from advisor.trial.document import Environment
from advisor.trial.live_document import (
    LIVE_SCHEMA,
    Ended,
    LiveMetric,
    LiveTrial,
    Memory,
    Step,
    Window,
)
from advisor.trial.live_measures import conclude, held_share, judged, measures_of
from advisor.trial.live_prepare import LiveRefusedError, Prepared, check_room, memory_of
from advisor.trial.live_warnings import warnings_of
from advisor.trial.live_watch import StoppedError, Watcher
from advisor.trial.proxies import CounterSource, sources_of

SETTLE_S = 0.5
"""Seconds between collapsing and the first window. Reason: copying has emptied the caches of the slots, and a
service that waited for a page now works off its queue."""

SLOTS_BETWEEN_LOOKS = 64
"""Slots collapsed before it is seen whether the user wants to stop."""


@dataclass(frozen=True)
class LiveOptions:
    """How to measure. windows: at dose 0 and after each step."""

    metric: LiveMetric | None
    window_s: float
    windows: int


@dataclass(frozen=True)
class Progress:
    """What is being done: the dose, and how many of its windows are taken (0: collapsing).

    asked_slots, collapsed_slots, filled_bytes, collapse_s: of all steps by now, as in `Step`. taken: all windows.
    """

    dose: float
    windows: int
    asked_slots: int = 0
    collapsed_slots: int = 0
    filled_bytes: int = 0
    collapse_s: float = 0.0
    taken: tuple[Window, ...] = ()


@dataclass
class _Course:
    """What has come about so far; it stays whatever ends the trial."""

    steps: list[Step] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    ended: Ended = "complete"
    metric_failures: int = 0
    why_ended: str | None = None
    at_end: Memory | None = None


def run_live(
    fs: KernelFs,
    target: Target,
    prepared: Prepared,
    options: LiveOptions,
    environment: Environment,
    stop: threading.Event,
    on_progress: Callable[[Progress], None],
) -> LiveTrial:
    """Measure, collapse, measure again. Nothing is raised for a process that exits or a user who stops: the document
    says so and holds what was measured. Collapsed pages stay."""
    started_at, began = datetime.now(UTC), time.monotonic()
    course = _Course()
    sources = sources_of(fs, target.pid)
    try:
        _take_course(_Trial(fs, target, prepared, options, stop, on_progress, course, sources))
    except StoppedError:
        course.ended = "interrupted"
    except (GoneError, CollapseError):
        course.ended = "gone"
    except LiveRefusedError as error:
        course.ended, course.why_ended = "tight-memory", str(error)
    finally:
        for source in sources:
            source.close()
    course.at_end = _memory_if_there(fs, target)
    return _document(prepared, options, environment, course, started_at, time.monotonic() - began)


@dataclass(frozen=True)
class _Trial:
    """Everything that a step needs."""

    fs: KernelFs
    target: Target
    prepared: Prepared
    options: LiveOptions
    stop: threading.Event
    on_progress: Callable[[Progress], None]
    course: _Course
    sources: list[CounterSource]

    def tell(self, dose: float, windows: int, now: Sequence[Step] = ()) -> None:
        """Whoever follows the trial where it is. now: a step that is not through."""
        steps = [*self.course.steps, *now]
        self.on_progress(
            Progress(
                dose,
                windows,
                asked_slots=sum(step.asked_slots for step in steps),
                collapsed_slots=sum(step.collapsed_slots for step in steps),
                filled_bytes=sum(step.filled_bytes for step in steps),
                collapse_s=sum(step.wall_s for step in steps),
                taken=tuple(self.course.windows),
            )
        )


def _take_course(trial: _Trial) -> None:
    """Raises StoppedError, GoneError, CollapseError, LiveRefusedError."""
    options, course = trial.options, trial.course
    watcher = Watcher(trial.target, trial.sources, options.metric, options.window_s, trial.stop)
    try:
        _watch(trial, watcher, 0.0)
        if judged(measures_of(course.windows, options.metric)) is None:
            course.ended = "no-measure"
            return
        before = 0.0
        for dose in trial.prepared.steps:
            trial.tell(dose, 0)
            # Others may have taken memory since it was looked at before the trial.
            growth = trial.prepared.missing_bytes(before, dose) + trial.prepared.copied_bytes(before, dose)
            check_room(trial.fs, trial.target.pid, growth)
            _take_step(trial, before, dose)
            watcher.wait(SETTLE_S)
            _watch(trial, watcher, dose)
            before = dose
    finally:
        course.metric_failures = watcher.metric_failures


def _watch(trial: _Trial, watcher: Watcher, dose: float) -> None:
    def take(window: Window) -> None:
        trial.course.windows.append(window)
        trial.tell(dose, sum(one.dose == dose for one in trial.course.windows))

    watcher.windows(dose, trial.options.windows, take)


def _take_step(trial: _Trial, before: float, dose: float) -> None:
    """Collapse the slots between two doses and note what came of it, also where it is cut short."""
    choice = trial.prepared.choice
    where = choice.step(before, dose)
    starts, missing = choice.starts[where].tolist(), choice.missing[where]
    outcome, asked = Outcome(), 0

    def step(after: Memory | None) -> Step:
        return Step(
            dose=dose,
            asked_slots=asked,
            collapsed_slots=len(outcome.collapsed),
            filled_bytes=int(missing[outcome.collapsed].sum()),
            wall_s=outcome.wall_s,
            cpu_s=outcome.cpu_s,
            after=after,
            failures=outcome.failures,
        )

    try:
        while asked < len(starts) and not trial.stop.is_set():
            piece = starts[asked : asked + SLOTS_BETWEEN_LOOKS]
            outcome.add(trial.target.collapse(piece, choice.eligible.slot_bytes), asked)
            asked += len(piece)
            trial.tell(dose, 0, [step(None)])
    finally:
        trial.course.steps.append(step(_memory_if_there(trial.fs, trial.target)))


def _memory_if_there(fs: KernelFs, target: Target) -> Memory | None:
    """None where the process has exited."""
    try:
        return memory_of(fs, target.pid)
    except KernelTextError:
        return None


def _document(
    prepared: Prepared,
    options: LiveOptions,
    environment: Environment,
    course: _Course,
    started_at: datetime,
    duration_s: float,
) -> LiveTrial:
    measures = measures_of(course.windows, options.metric)
    before, at_end, slot_bytes = prepared.before, course.at_end, prepared.choice.eligible.slot_bytes
    conclusion = conclude(measures, held_share(course.steps, before, at_end, slot_bytes))
    return LiveTrial(
        schema=LIVE_SCHEMA,
        tool_version=__version__,
        started_at=started_at.isoformat(timespec="seconds"),
        duration_s=duration_s,
        pid=prepared.pid,
        name=prepared.name,
        environment=environment,
        metric=options.metric,
        window_s=options.window_s,
        windows_per_dose=options.windows,
        verdict=conclusion.verdict,
        why=conclusion.why,
        ended=course.ended,
        judged_by=conclusion.judged_by,
        speed_up=conclusion.speed_up,
        eligible=prepared.choice.eligible,
        before=before,
        at_end=at_end,
        huge_bytes_taken=_growth(before.huge_bytes, at_end.huge_bytes if at_end else None),
        rss_growth_bytes=_growth(before.rss_bytes, at_end.rss_bytes if at_end else None),
        steps=course.steps,
        measures=measures,
        windows=course.windows,
        warnings=warnings_of(
            measures,
            conclusion,
            course.steps,
            course.windows,
            course.metric_failures,
            before,
            at_end,
            slot_bytes,
            course.why_ended,
        ),
        children=prepared.children,
        pss_growth_bytes=_growth(before.pss_bytes, at_end.pss_bytes if at_end else None),
    )


def _growth(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before
