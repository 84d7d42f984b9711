"""What faulting alone explains of a gain: linear in what is faulted in, alike seen from base and from huge pages."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.predictor.faulting import LEAST_LEFT, faulting_log_ratio

NAMES = ["coverage", "churn"]


def row(gib_per_s: float, coverage: float) -> np.ndarray:
    return np.array([[coverage, math.log2(gib_per_s * 1024 + 1)]])


def test_a_third_of_the_time_spent_faulting_is_saved() -> None:
    (ratio,) = faulting_log_ratio(row(1.0, 0.0), NAMES, 1 / 3)
    assert 1 - math.exp(-ratio) == pytest.approx(1 / 3)


@given(st.floats(0.01, 1.5), st.floats(0.05, 0.6))
def test_the_same_program_is_answered_alike_on_base_and_on_huge_pages(gib_per_s: float, rate: float) -> None:
    """On huge pages it does the same work in less CPU time, so it faults in more a CPU second."""
    saved = rate * gib_per_s
    if saved >= 1 - LEAST_LEFT:
        return
    (on_base,) = faulting_log_ratio(row(gib_per_s, 0.0), NAMES, rate)
    (on_huge,) = faulting_log_ratio(row(gib_per_s / (1 - saved), 1.0), NAMES, rate)
    assert on_huge == pytest.approx(on_base)


@given(st.floats(0, 1e6), st.floats(0, 1), st.floats(0, 1))
def test_it_is_never_negative_and_always_finite(gib_per_s: float, coverage: float, rate: float) -> None:
    (ratio,) = faulting_log_ratio(row(gib_per_s, coverage), NAMES, rate)
    assert 0 <= ratio < math.inf


def test_an_unknown_rate_explains_nothing() -> None:
    assert faulting_log_ratio(np.array([[0.0, np.nan]]), NAMES, 0.5).tolist() == [0.0]
    assert faulting_log_ratio(row(1.0, 0.0), ["coverage"], 0.5).tolist() == [0.0]


def test_zeroing_memory_that_is_used_sparsely_costs_more_than_it_saves() -> None:
    def ratio(density: float) -> float:
        return float(faulting_log_ratio(np.append(row(1.0, 0.0), [[density]], axis=1), [*NAMES, "density"], 0.4)[0])

    assert ratio(0.5) == ratio(1.0) == pytest.approx(-math.log(0.6))
    assert ratio(1 / 32) < 0 < ratio(0.2) < ratio(0.5)
    assert math.isfinite(ratio(0.0))
    assert ratio(math.nan) == ratio(1.0)
