"""The model's inputs: portable, alike in every state, and honest about what is unknown."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.features import FEATURES, SCHEMA
from advisor.predictor.inputs import GROUPS, INPUTS, input_frame, inputs_of
from advisor.units import GIB, MIB
from tests.training.synthetic import STATES, features

IDENTITY = {"host", "pid", "start_ticks", "name", "user", "cgroup", "executable", "application_id", "runtime"}
PAGE_SIZES = {"host_base_page_bytes", "host_pmd_bytes"}
"""The only host columns that inputs may read: they give faults a size."""


def seen(*rows: dict[str, Any]) -> pl.DataFrame:
    return input_frame(pl.DataFrame(rows, schema=SCHEMA), INPUTS)


def test_inputs_are_made_of_declared_features_that_say_nothing_of_who_or_where() -> None:
    names = {name for one in INPUTS for name in one.features}
    assert names <= set(FEATURES)
    assert names.isdisjoint(IDENTITY)
    assert {name for name in names if FEATURES[name].scope == "host"} <= PAGE_SIZES


def test_names_are_unique_and_every_group_has_inputs() -> None:
    assert len({one.name for one in INPUTS}) == len(INPUTS)
    assert all(inputs_of((group,)) for group in GROUPS)
    assert inputs_of(GROUPS) == INPUTS


@pytest.mark.parametrize("churn", [0.0, 0.05, 0.5])
def test_a_program_looks_alike_on_base_pages_thp_and_a_pool(churn: float) -> None:
    frame = seen(*(features(GIB, churn, state) for state in STATES)).drop("coverage")
    passive = frame.select(one.name for one in inputs_of(("passive",)) if one.name != "coverage")
    base, *others = passive.rows()
    for other in others:
        assert other == pytest.approx(base, abs=0.2)


def test_an_idle_process_has_no_rates_per_cpu_second() -> None:
    frame = seen(features(GIB, 0.0, "base", cpu_cores=0.001))
    assert frame.row(0, named=True) | {"cores": None, "churn": None, "turnover": None} == frame.row(0, named=True)


def test_a_process_in_a_pool_is_not_seen_by_probes() -> None:
    probed = {"probe_touched_share_1ms": 0.5, "probe_density_mean": 1.0, "probe_dirty_scatter": 1.0}
    on_base, in_pool = seen(*(features(GIB, 0.0, state, **probed) for state in ("base", "pool"))).to_dicts()
    assert (on_base["touched_1ms"], on_base["slot_density"], on_base["dirty_scatter"]) == (0.5, 1.0, 1.0)
    assert (in_pool["touched_1ms"], in_pool["slot_density"], in_pool["dirty_scatter"]) == (None, None, None)


def test_nothing_known_gives_nothing_but_the_least_number_of_sharers() -> None:
    (row,) = seen(dict.fromkeys(SCHEMA.names())).to_dicts()
    assert {name for name, value in row.items() if value is not None} <= {"sharers"}


@given(
    st.fixed_dictionaries(
        {
            name: st.none() | st.integers(0, 1 << 45)
            for name in ("anon_bytes", "shmem_rss_bytes", "hugetlb_bytes", "slotted_anon_bytes", "rss_bytes")
        }
    ),
    st.none() | st.floats(0, 128),
    st.none() | st.floats(0, 1e9),
)
def test_any_row_gives_finite_numbers_or_null(sizes: dict[str, int | None], cores: float, faults: float) -> None:
    row = features(256 * MIB, 0.1, "base", **sizes, cpu_cores=cores, minor_faults_per_s=faults)
    for value in seen(row).row(0):
        assert value is None or abs(value) < 1e12
