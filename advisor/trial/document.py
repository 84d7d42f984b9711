"""The trial document (`hugepage-advisor/trial/1`): everything that was run, seen and concluded, so that another
person can check it. Field names are relied upon: more may be added, none renamed. Bytes are integers, times are
seconds, unknown is null with a reason beside it, order is stable."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

TRIAL_SCHEMA = "hugepage-advisor/trial/1"
"""Version of the document. History: 1 = first (0.2.0)."""

PolicyKind = Literal["base", "thp", "hugetlb", "default"]
"""base: base pages only. thp: transparent huge pages. hugetlb: an explicit pool. default: the host as it is."""

Better = Literal["lower", "higher"]
"""Which direction of the metric is good: a time is lower, a throughput higher."""

Verdict = Literal["faster", "slower", "no-difference", "cannot-tell", "not-applied", "failed"]
"""no-difference: the interval of the speed-up contains 1. cannot-tell: too few runs counted for an interval.
not-applied: the policy was never seen to take effect. failed: the command failed under it."""


class Policy(Struct, frozen=True):
    """One page policy under test. name: "base", "thp", "default", "pool-2M", "pool-1G" (label of page_bytes).

    page_bytes: the huge page's size; None for base and default.
    """

    name: str
    kind: PolicyKind
    page_bytes: int | None = None


class Way(Struct, frozen=True):
    """How one policy is brought to the command. command and environment are what is really started with.

    id: "prctl", "system-mode", "glibc-tunables", "jvm-flags", ... ; several joined by "+".
    environment: only what is added to the caller's.
    thp_disable: PR_SET_THP_DISABLE is set before exec. thp_enabled, shmem_enabled: the host's modes that this way
    needs while it runs, None = as they are. pool_page_bytes: the pool that it draws from.
    why_unusable: not None where this policy cannot be brought to this command; the rest is then empty.
    """

    policy: Policy
    id: str
    description: str
    command: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    thp_disable: bool = False
    thp_enabled: str | None = None
    shmem_enabled: str | None = None
    pool_page_bytes: int | None = None
    why_unusable: str | None = None


class MemorySeen(Struct, frozen=True):
    """Memory of the command's processes. Peaks over the run, each of them seen at one moment, bytes.

    coverage: share of anonymous and shared memory on huge pages (PMD-mapped or hugetlb) in the process that has
    most of it, at its largest; None where no smaps could be read in time (why in Run.not_counted).
    peak_hugetlb_bytes: by page size, as text. smaps_reads: how many times it was looked at; their cost is watch_cpu_s
    of the run.
    """

    peak_rss_bytes: int | None = None
    peak_anon_bytes: int | None = None
    peak_shmem_bytes: int | None = None
    peak_thp_bytes: int | None = None
    peak_hugetlb_bytes: dict[str, int] = field(default_factory=dict)
    coverage: float | None = None
    smaps_reads: int = 0


class Run(Struct, frozen=True):
    """One start of the command under one policy.

    position: its place in the whole trial, from 0; round: which block of one run a policy it belongs to; 0 is the
    warm-up. value: the metric; None where it was not printed. wall_s from exec to exit; user_s, system_s,
    minor_faults, major_faults of all its processes; setup_s: until the ready line, or until 95 % of its peak RSS was
    reached where none was asked for; steady_s the rest. other_cpu_share: CPU that others used meanwhile, as a share
    of all CPUs; steal_share as well. not_counted: why the run is left out of the comparison, None where it counts.
    timed_out: it was ended because it took too long; exit_code is then what it made of that.
    """

    policy: str
    round: int
    position: int
    started_s: float
    wall_s: float
    user_s: float
    system_s: float
    exit_code: int
    value: float | None
    setup_s: float | None
    steady_s: float | None
    minor_faults: int
    major_faults: int
    memory: MemorySeen
    watch_cpu_s: float
    other_cpu_share: float | None
    steal_share: float | None
    not_counted: str | None = None
    timed_out: bool = False


class Interval(Struct, frozen=True):
    """A ratio with its two-sided confidence interval. level: 0.95 is 95 %."""

    estimate: float
    low: float
    high: float
    level: float


class Comparison(Struct, frozen=True):
    """One policy against another, by counted runs only. speed_up: above 1 is better than `against`, whichever way
    the metric points (time of against / time of policy, or throughput the other way round); None with `why`."""

    policy: str
    against: str
    runs: int
    runs_against: int
    verdict: Verdict
    speed_up: Interval | None = None
    why: str | None = None


class Summary(Struct, frozen=True):
    """Medians over the counted runs of one policy; None where no run counted."""

    policy: str
    runs: int
    value: float | None
    spread: float | None
    wall_s: float | None
    user_s: float | None
    system_s: float | None
    setup_s: float | None
    minor_faults: int | None
    peak_rss_bytes: int | None
    peak_hugetlb_bytes: int | None
    coverage: float | None


class Metric(Struct, frozen=True):
    """What was compared. kind: wall | cpu | output (regex matched on stdout and stderr; its last match counts)."""

    kind: Literal["wall", "cpu", "output"]
    better: Better
    regex: str | None = None


class Change(Struct, frozen=True):
    """One setting of the host that the trial changed and put back."""

    path: str
    before: str
    during: str
    restored: bool


class Environment(Struct, frozen=True):
    """The machine at the start, read from the kernel; None is unreadable."""

    kernel: str | None
    arch: str | None
    cpu_model: str | None
    cpus: int | None
    virtualization: str | None
    memory_total_bytes: int | None
    base_page_bytes: int | None
    thp_page_bytes: int | None
    thp_enabled: str | None
    thp_defrag: str | None
    shmem_enabled: str | None
    libc: str | None
    load_1min: float | None
    free_page_reporting: bool | None


CONTESTED = "contested"
"""Caveat of a trial that ended because somebody else set what it had set."""


class Caveat(Struct, frozen=True):
    """Something that weakens the result, in words. id: "noisy", "busy-host", "steal", "few-runs", ..."""

    id: str
    message: str


class Trial(Struct, frozen=True):
    """The whole trial of one command. command as given, redacted unless asked otherwise.

    seed: of the order of the runs. min_coverage: from which share on huge pages a run counted. timeout_s: of one run,
    None is none. memory_held: as much memory as a run needs was kept warm between the runs.
    """

    schema: str
    tool_version: str
    started_at: str
    duration_s: float
    command: list[str]
    metric: Metric
    rounds: int
    environment: Environment
    ways: list[Way]
    runs: list[Run]
    summaries: list[Summary]
    comparisons: list[Comparison]
    changes: list[Change] = field(default_factory=list)
    warnings: list[Caveat] = field(default_factory=list)
    interrupted: bool = False
    seed: int | None = None
    min_coverage: float | None = None
    timeout_s: float | None = None
    memory_held: bool | None = None
