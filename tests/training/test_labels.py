"""What is learnt from a trial."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace

from advisor.training.labels import LEAST_ERROR, VAGUE_ERROR, Effect, effect_of, measured, roles_of
from advisor.trial.document import Interval, Policy, Way
from advisor.units import GIB, MIB
from tests.training.documents import run, trial

SLOW, FAST, FASTER = [2.00, 2.02, 1.98, 2.01, 1.99], [1.00, 1.01, 0.99, 1.0, 1.02], [0.9, 0.91, 0.89, 0.9, 0.92]


def test_gains_are_log_ratios_against_base_and_of_1g_against_2m() -> None:
    what = measured(trial({"base": SLOW, "thp": FAST, "pool-2M": FAST, "pool-1G": FASTER}))
    assert what.effects["thp"].log_ratio == pytest.approx(math.log(2), abs=0.02)
    assert what.effects["further"].log_ratio == pytest.approx(math.log(1 / 0.9), abs=0.03)
    assert what.effects["gigantic"].log_ratio == pytest.approx(math.log(2 / 0.9), abs=0.03)
    assert not what.effects["thp"].is_tie
    assert what.usable == {"base", "thp", "pool", "gigantic"}


def test_a_throughput_counts_the_other_way_round() -> None:
    what = measured(trial({"base": SLOW, "thp": FAST}, better="higher"))
    assert what.effects["thp"].log_ratio == pytest.approx(-math.log(2), abs=0.02)
    assert what.log_time("thp") == pytest.approx(math.log(2), abs=0.02)


def test_equal_runs_are_a_tie_with_a_believable_error() -> None:
    effect = measured(trial({"base": SLOW, "thp": SLOW})).effects["thp"]
    assert effect.is_tie
    assert effect.error >= LEAST_ERROR
    assert not effect.is_vague


def test_a_large_spread_is_kept_and_marked() -> None:
    effect = measured(trial({"base": [1.0, 2.0, 1.5, 0.7, 3.0], "thp": [1.0, 2.2, 0.6, 1.4, 2.9]})).effects["thp"]
    assert effect.is_vague


def test_a_policy_that_never_took_effect_has_no_effect_and_leaves_base_pages() -> None:
    not_applied = [run("thp", number, 5.0, not_counted="coverage 0.00") for number in range(1, 6)]
    what = measured(trial({"base": SLOW}, extra=not_applied))
    assert "thp" not in what.effects
    assert what.log_time("thp") == 0.0
    assert what.cost_bytes("thp") == 0.0


def test_warm_up_runs_count_for_nothing() -> None:
    warm_up = [run(name, 0, 50.0, size=100 * GIB) for name in ("base", "thp")]
    plain, warmed = (measured(trial({"base": SLOW, "thp": FAST}, extra=extra)) for extra in ([], warm_up))
    assert warmed == plain
    assert measured(trial({"base": SLOW}, extra=[run("thp", 0, 1.0)])).outcomes.keys() == {"base"}


def test_times_are_those_of_the_comparison_with_its_error() -> None:
    what = measured(trial({"base": SLOW, "thp": FAST}))
    assert what.log_time("thp") == -what.effects["thp"].log_ratio
    assert what.error("thp") == what.effects["thp"].error
    assert what.error("base") == what.error("pool") == 0.0


def test_two_runs_have_a_time_but_a_vague_one() -> None:
    what = measured(trial({"base": SLOW, "thp": FAST[:2]}))
    assert "thp" not in what.effects
    assert what.log_time("thp") == pytest.approx(-math.log(2), abs=0.02)
    assert what.error("thp") == VAGUE_ERROR


def test_a_policy_that_cannot_be_used_is_not_usable() -> None:
    what = measured(trial({"base": SLOW, "thp": FAST}, unusable={"pool-2M": "static binary"}))
    assert what.usable == {"base", "thp"}


def test_costs_are_what_a_pool_reserves_or_thp_adds() -> None:
    what = measured(trial({"base": SLOW, "thp": FAST, "pool-2M": FAST}, size=GIB))
    assert what.footprint_bytes == GIB
    assert what.cost_bytes("base") == 0.0
    assert what.cost_bytes("thp") == 0.0
    assert what.cost_bytes("pool") == GIB


def test_without_base_nothing_is_measured() -> None:
    what = measured(trial({"thp": FAST, "pool-2M": FAST}))
    assert not what.outcomes
    assert not what.effects.keys() & {"thp", "pool"}


def test_roles_come_from_page_sizes_and_not_from_names() -> None:
    one = trial({"base": SLOW, "thp": SLOW})
    pages = {
        "thp": 512 * MIB,
        "pool-64K": 64 << 10,
        "pool-512M": 512 * MIB,
        "pool-16G": 16 * GIB,
        "pool-32G": 32 * GIB,
    }
    ways = [
        Way(Policy(name, "thp" if name == "thp" else "hugetlb", size), "made-up", "") for name, size in pages.items()
    ]
    arm = replace(one, ways=ways, environment=replace(one.environment, thp_page_bytes=512 * MIB))
    assert roles_of(arm) == {"thp": "thp", "pool-512M": "pool", "pool-16G": "gigantic"}


def test_an_interval_becomes_a_standard_error() -> None:
    effect = effect_of(Interval(2.0, 1.0, 4.0, 0.95))
    assert effect == Effect(math.log(2), 0.0, math.log(4), pytest.approx(math.log(4) / 2 / 1.96))
