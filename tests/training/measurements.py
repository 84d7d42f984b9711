"""Measurements built by hand, for tests."""

from __future__ import annotations

from typing import Any

from advisor.profile.model import Profile
from advisor.training.dataset import MEASUREMENT_SCHEMA, Measurement, StateProfile, environment_id
from advisor.trial.document import TRIAL_SCHEMA, Environment, MemorySeen, Metric, Policy, Run, Trial, Way
from advisor.trial.summary import compare, summarise
from advisor.units import GIB
from tests.features.factory import PMD, mapping, process, profile, sample

POLICIES = (Policy("base", "base"), Policy("thp", "thp", PMD))


def environment(**facts: Any) -> Environment:
    usual: dict[str, Any] = {
        **dict.fromkeys(Environment.__struct_fields__),
        "kernel": "6.18.0",
        "arch": "x86_64",
        "memory_total_bytes": 24 * GIB,
        "base_page_bytes": 4096,
        "thp_page_bytes": PMD,
        "thp_enabled": "madvise",
    }
    return Environment(**(usual | facts))


def run(policy: str, position: int, value: float, **facts: Any) -> Run:
    usual: dict[str, Any] = {
        "policy": policy, "round": position // 2 + 1, "position": position, "started_s": 2.0 * position,
        "wall_s": 1.5, "user_s": 1.4, "system_s": 0.1, "exit_code": 0, "value": value, "setup_s": 0.4,
        "steady_s": 1.1, "minor_faults": 100, "major_faults": 0, "watch_cpu_s": 0.01, "other_cpu_share": 0.0,
        "steal_share": 0.0, "memory": MemorySeen(peak_rss_bytes=64 << 20, coverage=0.0, smaps_reads=3),
    }  # fmt: skip
    return Run(**(usual | facts))


def trial(values: dict[str, list[float]], **facts: Any) -> Trial:
    """A trial whose counted runs gave these values."""
    ways = [Way(policy, "own", "", ["program"]) for policy in POLICIES]
    runs = [
        run(policy, 2 * number + place, value)
        for place, (policy, found) in enumerate(values.items())
        for number, value in enumerate(found)
    ]
    usual: dict[str, Any] = {
        "schema": TRIAL_SCHEMA, "tool_version": "0.2.0", "started_at": "2026-01-01T00:00:00+00:00",
        "duration_s": 20.0, "command": ["program"], "metric": Metric("output", "lower", "([0-9.]+)"), "rounds": 5,
        "environment": environment(), "ways": ways, "runs": runs, "summaries": summarise(runs, ways),
        "comparisons": compare(runs, ways, "lower"),
    }  # fmt: skip
    return Trial(**(usual | facts))


def watched() -> Profile:
    return profile(sample(process(maps=[mapping(size=8 * PMD, Rss=8 * PMD, Anonymous=8 * PMD)])), sample(t_s=1.0))


def measurement(name: str = "gather/64m", **facts: Any) -> Measurement:
    """Base pages 3.0, THP 2.0 unless a trial is given."""
    measured = facts.pop("trial", None) or trial({"base": [3.0, 3.01, 2.99], "thp": [2.0, 2.01, 1.99]})
    seen = watched()
    return Measurement(
        schema=facts.pop("schema", MEASUREMENT_SCHEMA),
        id=name,
        family=name.partition("/")[0],
        title="Gather",
        about="Random reads.",
        steady=True,
        parameters={"mib": 64},
        working_set_bytes=64 << 20,
        command=["{build}/kernels", "gather"],
        campaign_environment=environment_id(measured.environment),
        environment=measured.environment,
        trial=measured,
        profiles=[StateProfile("base", seen.header, seen.samples)],
        unprofiled={"thp": "it ended"},
    )
