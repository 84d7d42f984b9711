"""Trials with simulated values, seeded: one of each outcome, with hostile words where words come from outside."""

from __future__ import annotations

import random

from msgspec.structs import replace

from advisor.trial.document import (
    TRIAL_SCHEMA,
    Change,
    Environment,
    MemorySeen,
    Metric,
    Policy,
    Run,
    Trial,
    Way,
)
from advisor.trial.summary import compare, summarise, warnings_of
from advisor.units import GIB, MIB

ENVIRONMENT = Environment(
    kernel="6.12.9",
    arch="x86_64",
    cpu_model="AMD EPYC 9354 32-Core Processor",
    cpus=64,
    virtualization="none",
    memory_total_bytes=256 * GIB,
    base_page_bytes=4096,
    thp_page_bytes=2 * MIB,
    thp_enabled="madvise",
    thp_defrag="madvise",
    shmem_enabled="never",
    libc="glibc 2.36",
    load_1min=0.2,
    free_page_reporting=False,
)
BASE, THP, DEFAULT = Policy("base", "base"), Policy("thp", "thp", 2 * MIB), Policy("default", "default")
POOL_2M, POOL_1G = Policy("pool-2M", "hugetlb", 2 * MIB), Policy("pool-1G", "hugetlb", GIB)
THP_ENABLED = "/sys/kernel/mm/transparent_hugepage/enabled"


def make_run(policy: Policy, number: int, position: int, wall_s: float, not_counted: str | None = None) -> Run:
    huge = {"base": 0.0, "thp": 0.97, "hugetlb": 0.99, "default": 0.0}[policy.kind]
    pool = {str(policy.page_bytes): 2 * GIB} if policy.kind == "hugetlb" else {}
    rss = 40 * MIB if pool else 2 * GIB + int(huge * 60 * MIB)
    failed = not_counted is not None and not_counted.startswith("exit code")
    return Run(
        policy=policy.name,
        round=number,
        position=position,
        started_s=2.0 * position,
        wall_s=wall_s,
        user_s=wall_s * 0.9,
        system_s=0.05 if huge else 0.62,
        exit_code=1 if failed else 0,
        value=None if failed else wall_s,
        setup_s=0.1 if huge else 0.7,
        steady_s=wall_s - (0.1 if huge else 0.7),
        minor_faults=1400 if huge else 524_800,
        major_faults=0,
        memory=MemorySeen(
            peak_rss_bytes=rss, peak_anon_bytes=rss, peak_hugetlb_bytes=pool, coverage=huge, smaps_reads=3
        ),
        watch_cpu_s=0.01,
        other_cpu_share=0.01,
        steal_share=0.0,
        not_counted=not_counted,
    )


def make_trial(
    factors: dict[Policy, float], *, noise: float = 0.01, rounds: int = 7, unusable: dict[Policy, str] | None = None
) -> Trial:
    """Runs of 2.3 s times the factor of each policy; one round of warm-up that is 20 % slower."""
    source = random.Random(7)
    runs: list[Run] = []
    for number in range(rounds + 1):
        for policy, factor in factors.items():
            wall_s = 2.3 * factor * (1 + source.gauss(0, noise)) * (1.2 if number == 0 else 1)
            runs.append(make_run(policy, number, len(runs), wall_s))
    ways = [make_way(policy) for policy in factors]
    ways += [Way(policy, "none", "", why_unusable=why) for policy, why in (unusable or {}).items()]
    return conclude(
        Trial(
            schema=TRIAL_SCHEMA,
            tool_version="0.2.0",
            started_at="2026-01-15T10:20:30+00:00",
            duration_s=93.4,
            command=["./bench", "--size", "2G", "--name", "two words"],
            metric=Metric("wall", "lower"),
            rounds=rounds,
            environment=ENVIRONMENT,
            ways=ways,
            runs=runs,
            summaries=[],
            comparisons=[],
            changes=[Change(THP_ENABLED, "madvise", "always", True)],
        )
    )


def make_way(policy: Policy) -> Way:
    words = {
        "base": ("prctl", "PR_SET_THP_DISABLE, which children inherit"),
        "thp": ("system-mode+glibc-tunables", "transparent_hugepage/enabled=always; glibc.malloc.hugetlb=1"),
        "hugetlb": ("glibc-tunables", f"pool of {policy.name[5:]} pages; glibc.malloc.hugetlb={policy.page_bytes}"),
        "default": ("as-it-is", "the host and the command as they are"),
    }[policy.kind]
    return Way(policy, *words, command=["./bench", "--size", "2G", "--name", "two words"])


def conclude(trial: Trial) -> Trial:
    """The trial with its conclusions made from its runs."""
    comparisons = compare(trial.runs, trial.ways, trial.metric.better)
    return replace(
        trial,
        comparisons=comparisons,
        summaries=summarise(trial.runs, trial.ways),
        warnings=warnings_of(trial.runs, comparisons, trial.environment),
    )


def random_access() -> Trial:
    """THP helps, a 2M pool gives no more, a 1G pool a little, the default is base pages."""
    return make_trial({BASE: 1.0, THP: 0.7, POOL_2M: 0.702, POOL_1G: 0.66, DEFAULT: 1.0})


def compute_bound() -> Trial:
    return make_trial(
        {BASE: 1.0, THP: 1.001}, unusable={POOL_2M: "the 2M pool has no free page, and may not be changed here"}
    )


def troubled() -> Trial:
    """Noisy, busy, interrupted, one policy not applied, one failing, one setting lost; the words are hostile."""
    trial = make_trial({BASE: 1.0, THP: 1.3, POOL_2M: 0.9, DEFAULT: 1.0}, noise=0.12, rounds=4)
    reasons = {
        "pool-2M": "exit code 1: \x1b[31m[red]out of pool",
        "thp": "only 3.1 % of its memory was huge, less than 25 %",
    }
    runs = [
        replace(
            run,
            not_counted=None if run.policy == "thp" and run.round > 1 else reasons.get(run.policy),
            exit_code=1 if run.policy == "pool-2M" else 0,
            value=None if run.policy == "pool-2M" else run.value,
            other_cpu_share=0.3,
        )
        for run in trial.runs
    ]
    changes = [*trial.changes, Change("/proc/sys/vm/nr_hugepages", "0", "600", False)]
    command = ["./evil\x1b]0;x\x07", "[bold]", "a\nb"]
    return replace(conclude(replace(trial, runs=runs)), changes=changes, command=command, interrupted=True)
