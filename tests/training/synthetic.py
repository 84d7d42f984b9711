"""Made-up measurements with a known law, for tests of learning alone; nothing here was measured.

Gain of 2M grows with memory beyond the TLB's reach and shrinks with churn; THP loses more by churn than a pool does;
1G adds a little where memory exceeds the reach of 2M pages. Families differ in size and churn.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Mapping
from typing import Any

import polars as pl

from advisor.features import SCHEMA
from advisor.predictor.choice import Thresholds, preferred
from advisor.predictor.facts import TrainedOn
from advisor.training.fit import Settings
from advisor.training.labels import Effect, Measured, Outcome, Role
from advisor.training.learn import Learnt, learn
from advisor.training.rows import Example, Table
from advisor.units import GIB, MIB

BASE_REACH, PMD_REACH = 8 * MIB, 4 * GIB
NOISE = 0.01
STATES: tuple[Role, ...] = ("base", "thp", "pool")
DATA = TrainedOn(["made-up"], "0" * 64, "2026-01-01T00:00:00Z", 0, 0, 0, {})


def law(size: float, churn: float) -> dict[str, float]:
    """Log ratios of a program with `size` bytes that faults in `churn` of its memory per CPU second."""
    reach = max(0.0, math.log2(size / BASE_REACH))
    return {
        "thp": 0.04 * reach - 0.3 * churn,
        "pool": 0.04 * reach - 0.05 * churn,
        "further": 0.03 * max(0.0, math.log2(size / PMD_REACH) + 3.0),
    }


def features(size: float, churn: float, state: Role, **more: Any) -> dict[str, Any]:
    """A feature row of such a program on base pages, THP or a pool."""
    total = int(size)
    huge = {"base": 0.0, "thp": 0.98, "pool": 0.98}[state]
    page = 1.0 / ((1.0 - huge) / 4096 + huge / (2 * MIB))
    anon = 0 if state == "pool" else total
    row: dict[str, Any] = {
        "host": "here",
        "pid": 10,
        "start_ticks": 100,
        "name": "made-up",
        "rss_bytes": anon + 8 * MIB,
        "anon_bytes": anon,
        "anon_base_bytes": int(anon * (1 - huge)),
        "anon_huge_bytes": int(anon * huge),
        "shmem_rss_bytes": 0,
        "shmem_base_bytes": 0,
        "file_rss_bytes": 8 * MIB,
        "hugetlb_bytes": total - anon,
        "hugetlb_mapped_bytes": total - anon,
        "hugetlb_gigantic_bytes": 0,
        "shmem_mapped_bytes": 0,
        "resident_memory_bytes": total + 8 * MIB,
        "largest_resident_vma_bytes": int(0.8 * total),
        "slotted_anon_bytes": anon,
        "populated_density": 0.9 if anon else None,
        "huge_coverage": huge,
        "anon_vma_count": 20,
        "sharing_processes": 0,
        "hugetlb_sharing_processes": 0,
        "sharing_leader": None,
        "cpu_cores": 1.0,
        "minor_faults_per_s": churn * total / page,
        "rss_growth_bytes_per_s": 0.0,
        "memory_to_base_reach": total / BASE_REACH,
        "memory_to_pmd_reach": total / PMD_REACH,
        "host_base_page_bytes": 4096,
        "host_pmd_bytes": 2 * MIB,
        "host_thp_enabled": "madvise",
        "host_pool_pmd_total": 0,
        "host_pool_gigantic_page_bytes": GIB,
        "host_memory_total_bytes": 64 * GIB,
        "host_memory_available_bytes": 48 * GIB,
        "thp_disabled_by_process": False,
    }
    return {**dict.fromkeys(SCHEMA.names()), **row, **more}


def measured(size: float, gains: Mapping[str, float], *, error: float = 0.01) -> Measured:
    """What a trial would have found."""
    all_gains = {**gains, "gigantic": gains["pool"] + gains["further"]}
    effects = {
        output: Effect(value, value - 2 * error, value + 2 * error, error) for output, value in all_gains.items()
    }
    outcomes: dict[Role, Outcome] = {
        "base": Outcome(0.0, 0.0, size, 0.0),
        "thp": Outcome(-all_gains["thp"], error, 1.1 * size, 0.0),
        "pool": Outcome(-all_gains["pool"], error, 1.02 * size, size),
        "gigantic": Outcome(-all_gains["gigantic"], error, 1.3 * size, 1.3 * size),
    }
    return Measured(effects, outcomes, frozenset({"base", "thp", "pool", "gigantic"}))


def table(families: int = 8, each: int = 5, seed: int = 0, *, probes: bool = False) -> Table:
    """Rows of `families` made-up families with `each` configurations, seen on base pages, THP and a pool."""
    chance = random.Random(seed)
    examples: list[Example] = []
    rows: list[dict[str, Any]] = []
    for family in range(families):
        usual_churn = chance.choice([0.0, 0.0, 0.3, 0.6])
        for number in range(each):
            size = 2 ** chance.uniform(23, 33)
            churn = usual_churn * chance.uniform(0.8, 1.2)
            gains = {name: value + chance.gauss(0, NOISE) for name, value in law(size, churn).items()}
            what = measured(size, gains)
            for state in STATES:
                more = {"probe_touch_slope_early": chance.random()} if probes else {}
                name = f"family-{family:02}"
                examples.append(Example(f"{name}/{number}", name, state, what, "2026-01-01T00:00:00Z"))
                rows.append(features(size, churn, state, **more))
    return Table(examples, pl.DataFrame(rows, schema=SCHEMA))


def advised(gains: pl.DataFrame, thresholds: Thresholds) -> list[str]:
    """What these thresholds make of these gains."""
    return preferred(gains, thresholds).to_list()


@functools.cache
def learnt() -> Learnt:
    """One model of the usual table, for all tests that only read it."""
    return learn(table(), Settings())
