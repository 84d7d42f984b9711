"""Numbers read well, and unknown never reads as 0."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.render.numbers import BINARY_UNITS, duration, human_bytes, percent, rate
from advisor.units import GIB, KIB, MIB


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (1023, "1023 B"),
        (4 * KIB, "4 KiB"),
        (2 * MIB, "2 MiB"),
        (3 * GIB // 2, "1.5 GiB"),
        (GIB - 1, "1 GiB"),
        (1023 * MIB, "1023 MiB"),
        (256 * GIB, "256 GiB"),
        (-3 * GIB // 2, "-1.5 GiB"),
        (None, "unknown"),
    ],
)
def test_a_size_has_its_largest_unit_and_three_digits(size: int | None, text: str) -> None:
    assert human_bytes(size) == text


def test_unknown_can_read_as_a_question_mark() -> None:
    assert human_bytes(None, "?") == "?"
    assert percent(None, "?") == "?"


@given(st.integers(0, 1 << 68))
def test_a_size_is_short_and_within_five_percent(size: int) -> None:
    number, unit = human_bytes(size).split()
    assert len(number) <= 4
    assert float(number) * 1024 ** BINARY_UNITS.index(unit) == pytest.approx(size, rel=0.05)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0 %"), (0.001, "<1 %"), (0.384, "38 %"), (0.999, "99 %"), (1.0, "100 %"), (None, "unknown")],
)
def test_what_is_not_quite_nothing_or_all_does_not_read_as_such(share: float | None, text: str) -> None:
    assert percent(share) == text


def test_durations_and_rates_take_a_fitting_unit() -> None:
    assert [duration(s) for s in (2.0, 90.0, 66_000.0, 200_000.0)] == ["2 s", "1.5 min", "18.3 h", "2.3 days"]
    assert [rate(r) for r in (0.25, 1200.4, None)] == ["0.25/s", "1,200/s", "unknown"]
