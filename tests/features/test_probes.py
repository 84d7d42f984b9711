from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.features import SCHEMA, feature_table
from advisor.features.probes import FEATURES, density_values, dirty_values, touch_values
from advisor.profile.probes import DENSITY_EDGES, Density, DirtyReading, ProcessProbes, TouchReading
from advisor.units import GIB, KIB, MIB
from tests.features.factory import BASE_PAGE, PMD, process, profile, sample, status

DELAYS_S = (0.001, 0.004, 0.016, 0.064, 0.256)
RANDOM_MIB = (104, 133, 233, 552, 982)
STREAM_MIB = (52, 53, 113, 411, 1024)
"""Touched of 1 GiB after each delay, as measured on a 6.18 guest."""


def touched(*mib: float, huge: int = 0) -> list[TouchReading]:
    return [
        TouchReading(delay_s, delay_s, 0.025, 0.01, int(size * MIB), GIB, huge)
        for delay_s, size in zip(DELAYS_S, mib, strict=True)
    ]


def density(slots: list[int], slot_bytes: list[int], huge_slots: int = 0) -> Density:
    return Density(PMD, BASE_PAGE, slots, slot_bytes, huge_slots, 7, 12 * KIB, True)


def test_without_a_probe_every_column_is_null_and_there() -> None:
    (row,) = feature_table(profile(sample(process()))).to_dicts()
    assert {name for name in SCHEMA if name.startswith("probe_")} == {feature.name for feature in FEATURES}
    assert all(row[feature.name] is None for feature in FEATURES)


def test_probes_reach_the_table_and_stay_when_later_samples_have_none() -> None:
    probes = ProcessProbes(referenced=touched(*RANDOM_MIB), density=density([0] * 8 + [5], [0] * 8 + [5 * PMD]))
    first = sample(process(1, probes=probes), process(2))
    rows = feature_table(profile(first, sample(t_s=1.0))).to_dicts()
    assert rows[0]["probe_touched_share_256ms"] == pytest.approx(982 / 1024)
    assert rows[0]["probe_density_mean"] == 1.0
    assert rows[0]["probe_dirty_scatter"] is None
    assert rows[1]["probe_touched_share_256ms"] is None


def test_hugetlb_memory_tells_nothing_about_touching() -> None:
    probes = ProcessProbes(referenced=touched(*RANDOM_MIB))
    records = [
        process(pid, probes=probes, status=status(hugetlb_bytes=hugetlb)) for pid, hugetlb in ((1, 2 * GIB), (2, MIB))
    ]
    pooled, ordinary = feature_table(profile(sample(*records))).to_dicts()
    assert pooled["probe_touched_share_256ms"] is pooled["probe_touch_rate"] is None
    assert ordinary["probe_touched_share_256ms"] is not None


def test_random_access_bends_and_a_stream_does_not() -> None:
    bent, straight = touch_values(touched(*RANDOM_MIB)), touch_values(touched(*STREAM_MIB))
    assert bent["probe_touch_slope_late"] == pytest.approx(math.log(982 / 233) / math.log(16))
    assert straight["probe_touch_slope_late"] == pytest.approx(0.795, abs=0.001)
    assert bent["probe_touch_slope_late"] < straight["probe_touch_slope_late"]
    assert bent["probe_touch_rate"] == pytest.approx(104 * MIB / 0.001)


def test_what_touches_nothing_has_no_growth() -> None:
    idle = touch_values(touched(0, 0, 0, 0, 0))
    assert idle["probe_touched_share_1ms"] == 0
    assert idle["probe_touch_slope_early"] is idle["probe_touch_bend"] is None


@given(st.lists(st.floats(0.001, 4096), min_size=5, max_size=5), st.integers(0, GIB))
def test_touch_columns_are_shares_and_finite(mib: list[float], huge: int) -> None:
    values = touch_values(touched(*mib, huge=huge))
    for name, value in values.items():
        assert value is None or math.isfinite(value)
        assert value is None or "share" not in name or 0 <= value <= 1
    assert values.keys() <= {feature.name for feature in FEATURES}


def test_a_process_with_one_page_a_slot_is_sparse_and_one_on_huge_pages_is_full() -> None:
    sparse = density_values(density([100] + [0] * 8, [100 * BASE_PAGE] + [0] * 8))
    assert sparse["probe_sparse_slot_share"] == 1
    assert sparse["probe_density_mean"] == pytest.approx(1 / 512)
    assert sparse["probe_fill_bytes"] == 100 * (PMD - BASE_PAGE)
    full = density_values(density([0] * 9, [0] * 9, huge_slots=3))
    assert (full["probe_density_mean"], full["probe_fill_bytes"], full["probe_sparse_slot_share"]) == (1, 0, 0)


def test_sparse_is_up_to_an_eighth() -> None:
    slots = [1] * 9
    assert DENSITY_EDGES[4] == 1 / 8
    values = density_values(density(slots, [int(PMD * share) for share in (*DENSITY_EDGES, 0.75, 1)]))
    assert values["probe_sparse_slot_share"] == pytest.approx(5 / 9)


def test_nothing_populated_is_no_density() -> None:
    assert density_values(density([0] * 9, [0] * 9)) == {"probe_slot_outside_bytes": 12 * KIB}


def dirty(dirty_bytes: int, runs: int, slots: int, huge_bytes: int = 0) -> DirtyReading:
    return DirtyReading(0.016, 0.016, 0.025, 0.01, dirty_bytes, huge_bytes, runs, slots)


def test_writes_one_page_a_slot_are_scattered_and_a_run_is_not() -> None:
    scattered = dirty_values(dirty(64 * BASE_PAGE, 64, 64), BASE_PAGE)
    assert (scattered["probe_dirty_scatter"], scattered["probe_dirty_run_bytes"]) == (1, BASE_PAGE)
    run = dirty_values(dirty(4 * PMD, 1, 4), BASE_PAGE)
    assert (run["probe_dirty_scatter"], run["probe_dirty_run_bytes"]) == (1 / 512, 4 * PMD)


def test_writes_on_huge_pages_alone_have_a_rate_but_no_scatter() -> None:
    values = dirty_values(dirty(0, 0, 0, huge_bytes=PMD), BASE_PAGE)
    assert values == {"probe_dirty_rate": PMD / 0.016}
