"""Made-up trial documents and data sets, for tests of reading and the command; nothing here was measured."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import zstandard
from msgspec import json

from advisor.procfs.facts import TlbLevel
from advisor.profile.model import Profile
from advisor.training.dataset import MEASUREMENT_SCHEMA, Measurement, StateProfile
from advisor.trial.document import (
    TRIAL_SCHEMA,
    Better,
    Environment,
    MemorySeen,
    Metric,
    Policy,
    Run,
    Trial,
    Way,
)
from advisor.trial.summary import compare, summarise
from advisor.units import GIB, MIB
from tests.features import factory
from tests.training.synthetic import law

POLICIES = {
    "base": Policy("base", "base"),
    "thp": Policy("thp", "thp", 2 * MIB),
    "pool-2M": Policy("pool-2M", "hugetlb", 2 * MIB),
    "pool-1G": Policy("pool-1G", "hugetlb", GIB),
    "default": Policy("default", "default"),
}

ENVIRONMENT = Environment(
    kernel="6.18.0",
    arch="x86_64",
    cpu_model="made-up",
    cpus=2,
    virtualization=None,
    memory_total_bytes=24 * GIB,
    base_page_bytes=4096,
    thp_page_bytes=2 * MIB,
    thp_enabled="madvise",
    thp_defrag="madvise",
    shmem_enabled="never",
    libc="glibc 2.36",
    load_1min=0.1,
    free_page_reporting=False,
)


def run(policy: str, round: int, value: float | None, *, not_counted: str | None = None, size: int = GIB) -> Run:
    in_pool = policy.startswith("pool")
    memory = MemorySeen(
        peak_rss_bytes=8 * MIB if in_pool else size,
        peak_hugetlb_bytes={str(POLICIES[policy].page_bytes): size} if in_pool else {},
        coverage=0.0 if policy == "base" else 0.98,
        smaps_reads=3,
    )
    return Run(
        policy, round, 0, 0.0, 1.0, 0.9, 0.1, 0, value, 0.1, 0.9, 100, 0, memory, 0.01, 0.0, 0.0, not_counted
    )  # fmt: skip


def trial(
    values: Mapping[str, Sequence[float]],
    *,
    better: Better = "lower",
    unusable: Mapping[str, str] | None = None,
    extra: Sequence[Run] = (),
    size: int = GIB,
) -> Trial:
    """A trial whose counted runs have these values."""
    reasons = unusable or {}
    ways = [
        Way(POLICIES[name], "made-up", "made-up", why_unusable=reasons.get(name))
        for name in [*values, *reasons, *{one.policy for one in extra} - set(values)]
    ]
    runs = [
        run(name, number, value, size=size) for name, found in values.items() for number, value in enumerate(found, 1)
    ]
    runs += extra
    return Trial(
        TRIAL_SCHEMA,
        "0.2.0",
        "2026-01-02T00:00:00Z",
        10.0,
        ["made-up"],
        Metric("wall", better),
        5,
        ENVIRONMENT,
        ways,
        runs,
        summarise(runs, ways),
        compare(runs, ways, better),
    )


def profile(size: int, churn: float, *, huge: bool) -> Profile:
    """Two samples of one process of this size that faults in `churn` of it per CPU second."""
    pages = size // 4096

    def sample(t_s: float) -> factory.Sample:
        faults = int(churn * t_s * (pages / 512 if huge else pages))
        one = factory.mapping("anon", size, Rss=size, Anonymous=size, AnonHugePages=size if huge else 0)
        own = factory.mapping("file", 8 * MIB, Rss=8 * MIB)
        process = factory.process(
            stat=factory.stat(minor_faults=faults, ticks=int(100 * t_s), rss_pages=pages),
            status=factory.status(),
            maps=[one, own],
        )
        return factory.sample(process, t_s=t_s)

    tlb = [TlbLevel(2, 4096, 2048, "test"), TlbLevel(2, 2 * MIB, 2048, "test")]
    return factory.profile(sample(0.0), sample(10.0), tlb=tlb)


def measurement(name: str, size: int, churn: float, seed: int = 0) -> Measurement:
    """One configuration that follows the made-up law, with 2 % of noise."""
    chance = random.Random(f"{name} {seed}")
    gains = law(size, churn)

    def times(gain: float) -> list[float]:
        return [2.718281828**-gain * chance.uniform(0.99, 1.01) for _ in range(5)]

    values = {
        "base": times(0.0),
        "thp": times(gains["thp"]),
        "pool-2M": times(gains["pool"]),
        "pool-1G": times(gains["pool"] + gains["further"]),
    }
    seen = {"base": profile(size, churn, huge=False), "thp": profile(size, churn, huge=True)}
    return Measurement(
        schema=MEASUREMENT_SCHEMA,
        id=name,
        family=name.partition("/")[0],
        title="made-up",
        about="made-up",
        steady=True,
        parameters={},
        working_set_bytes=size,
        command=["made-up"],
        campaign_environment="0" * 12,
        environment=ENVIRONMENT,
        trial=trial(values, size=size),
        profiles=[StateProfile(state, one.header, one.samples) for state, one in seen.items()],
    )


def write_data(path: Path, families: int = 6, each: int = 4) -> Path:
    """A data set of `families` made-up families."""
    lines = []
    for family in range(families):
        for number in range(each):
            size = (64 << ((number * 2 + family) % 6)) * MIB
            one = measurement(f"family-{family}/{number}", size, churn=0.1 * (family % 3))
            lines.append(json.encode(one) + b"\n")
    path.write_bytes(b"".join(zstandard.ZstdCompressor().compress(line) for line in lines))
    return path
