"""The live trial document (`hugepage-advisor/trial-live/1`): every window, what was collapsed, and the conclusion.

Field names are relied upon: more may be added, none renamed. Bytes are integers, times are seconds, unknown is null,
order is stable.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from advisor.trial.document import Better, Caveat, Environment, Interval

LIVE_SCHEMA = "hugepage-advisor/trial-live/1"
"""Version of the document. History: 1 = first (0.2.0)."""

LiveVerdict = Literal["faster", "slower", "no-difference", "cannot-tell"]
"""no-difference: the interval is narrow and holds 1, or what it says is too small for a live trial to tell from
drift. cannot-tell: no steady measure, windows too few or too unsteady, drift as large as the effect, nothing
collapsed."""

Ended = Literal["complete", "interrupted", "gone", "no-measure", "tight-memory"]
"""Why the trial ended. gone: the process exited. no-measure: nothing steady to measure by, so nothing was changed.
tight-memory: memory got tight meanwhile, so that the next step was not taken."""

MetricKind = Literal["rate", "counter"]
"""rate: the command prints the number as it is at that moment, averaged over the calls of a window. counter: it
prints a count that only grows; its difference per second is the number."""


class LiveMetric(Struct, frozen=True):
    """The user's own metric. command: as given, secrets redacted."""

    command: str
    kind: MetricKind
    better: Better


class Window(Struct, frozen=True):
    """One stretch of watching.

    dose: share of the eligible bytes that collapsing had been asked for by then, 0 to 1. began_s: since the trial
    began. cpu_s: CPU time of the whole process, ended threads included. counts: what each counter of the process
    grew by; one that could not be read at both ends is not in it. value: the user's metric, null where its command
    failed or there is none.
    """

    dose: float
    began_s: float
    wall_s: float
    cpu_s: float
    counts: dict[str, int] = field(default_factory=dict)
    value: float | None = None


class Response(Struct, frozen=True):
    """One measure at one dose against dose 0. median: of its windows there. speed_up: above 1 is better, whichever
    way the measure points; null at dose 0 and where there are too few windows."""

    dose: float
    windows: int
    median: float
    speed_up: Interval | None = None


class Measure(Struct, frozen=True):
    """Something that may tell how fast the process works.

    id: "metric", "redis-commands", "io-bytes", ... . unit: of its numbers. spread: interquartile range over median
    of the windows at dose 0; null where there were too few. autocorrelation: of neighbouring windows of one dose
    (0 to 0.9), corrected for how few they are; intervals are widened by it. drift: what the trend of the windows
    within each dose makes of the measure from dose 0 to the last dose, as a share of it; null where there is no
    trend to be seen. usable: steady enough to judge by; else why_not.
    """

    id: str
    description: str
    unit: str
    better: Better
    usable: bool
    why_not: str | None = None
    spread: float | None = None
    autocorrelation: float | None = None
    drift: float | None = None
    responses: list[Response] = field(default_factory=list)


class Eligible(Struct, frozen=True):
    """What could be collapsed at the beginning. slot_bytes: of one huge page. slots: those chosen; populated_bytes:
    what they held, missing_bytes: what collapsing all of them adds. sparse_slots, sparse_missing_bytes: left out,
    because they are mostly empty. huge_bytes: huge already. refused_bytes: mapped where the kernel refuses
    (MADV_NOHUGEPAGE). forked_bytes: of private memory, what other processes still share since a fork: at most so
    much is copied when all is collapsed."""

    slot_bytes: int
    slots: int
    populated_bytes: int
    missing_bytes: int
    sparse_slots: int
    sparse_missing_bytes: int
    huge_bytes: int
    refused_bytes: int
    forked_bytes: int = 0


class LivePlan(Struct, frozen=True):
    """What a trial is about to do, to be agreed to; no part of the document.

    steps: the doses. window_s, windows: of one measurement, at dose 0 and after each step. asked_bytes: moved by the
    last step. missing_bytes: by how much that grows the process. copied_bytes: what is shared since a fork and is
    copied, at most. children: processes that it has started, which are neither moved nor measured.
    """

    pid: int
    name: str
    eligible: Eligible
    steps: tuple[float, ...]
    window_s: float
    windows: int
    asked_bytes: int
    missing_bytes: int
    copied_bytes: int
    children: int

    @property
    def measuring_s(self) -> float:
        """Seconds of measuring alone."""
        return (1 + len(self.steps)) * self.windows * self.window_s


class SoFar(Struct, frozen=True):
    """What a trial that runs has done and seen by now; no part of the document.

    dose: that is worked on. windows: taken of it, 0 while it is collapsed. asked_slots, collapsed_slots,
    filled_bytes, collapse_s: as in `Step`, of all steps. window_wall_s: what a window takes, null before the first.
    measure: id of the one that would be judged by, null while there is none, unit and better with it. values: dose
    and value of each of its windows. responses: of the doses that are through.
    """

    dose: float
    windows: int
    asked_slots: int = 0
    collapsed_slots: int = 0
    filled_bytes: int = 0
    collapse_s: float = 0.0
    window_wall_s: float | None = None
    measure: str | None = None
    unit: str = ""
    better: Better = "higher"
    values: list[tuple[float, float]] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)


class Memory(Struct, frozen=True):
    """Sums of /proc/PID/smaps_rollup, and the host's MemAvailable. huge_bytes: PMD-mapped, anonymous and shared.
    pss_bytes: grows also where what was shared is copied."""

    rss_bytes: int | None
    huge_bytes: int | None
    available_bytes: int | None
    pss_bytes: int | None = None


class Step(Struct, frozen=True):
    """One dose: what was asked, what came of it.

    asked_slots, collapsed_slots: of this step alone. failures: count of slots by the kernel's answer ("ENOMEM").
    filled_bytes: memory that the collapsed slots did not hold before. wall_s: how long collapsing took, cpu_s: of
    it on this program's CPU account, where the kernel does the copying. after: memory once it was done, null
    where the process had exited.
    """

    dose: float
    asked_slots: int
    collapsed_slots: int
    filled_bytes: int
    wall_s: float
    cpu_s: float
    after: Memory | None
    failures: dict[str, int] = field(default_factory=dict)


class LiveTrial(Struct, frozen=True):
    """The whole trial of one running process. judged_by: id of the measure behind verdict and speed_up, null where
    none would do. speed_up: at the last dose that was measured. huge_bytes_taken, rss_growth_bytes,
    pss_growth_bytes: from before the first step to the end. children: processes that it had started and that ran
    when the trial began; they were neither moved nor measured."""

    schema: str
    tool_version: str
    started_at: str
    duration_s: float
    pid: int
    name: str
    environment: Environment
    metric: LiveMetric | None
    window_s: float
    windows_per_dose: int
    verdict: LiveVerdict
    why: str
    ended: Ended
    judged_by: str | None
    speed_up: Interval | None
    eligible: Eligible
    before: Memory
    at_end: Memory | None
    huge_bytes_taken: int | None
    rss_growth_bytes: int | None
    steps: list[Step] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    warnings: list[Caveat] = field(default_factory=list)
    children: int | None = None
    pss_growth_bytes: int | None = None
