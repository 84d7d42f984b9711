"""Which policy predicted gains speak for."""

from __future__ import annotations

import polars as pl
import pytest

from advisor.predictor import Thresholds, preferred

PLAIN = Thresholds(least_gain=0.02, caution=0.0, pool_margin=0.0, gigantic_margin=0.0)


def gains(
    thp: float | None, pool: float | None, gigantic: float | None, *, width: float = 0.0, abstained: str | None = None
) -> pl.DataFrame:
    columns: dict[str, list[float | None]] = {}
    for name, value in (("thp", thp), ("pool", pool), ("gigantic", gigantic)):
        columns[f"{name}_gain"] = [value]
        columns[f"{name}_gain_low"] = [None if value is None else value - width]
        columns[f"{name}_gain_high"] = [None if value is None else value + width]
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Float64)).with_columns(
        abstained=pl.lit(abstained, pl.String)
    )


@pytest.mark.parametrize(
    ("thp", "pool", "gigantic", "expected"),
    [
        (0.3, 0.2, 0.1, "thp"),
        (0.1, 0.2, 0.1, "pool"),
        (0.1, 0.2, 0.3, "gigantic"),
        (0.01, 0.01, 0.01, "base"),
        (-0.3, -0.1, -0.2, "base"),
        (None, 0.2, None, "pool"),
        (None, None, None, "base"),
        (0.2, 0.2, 0.2, "thp"),
    ],
)
def test_the_largest_gain_wins_where_it_is_worth_it(
    thp: float | None, pool: float | None, gigantic: float | None, expected: str
) -> None:
    assert preferred(gains(thp, pool, gigantic), PLAIN).to_list() == [expected]


def test_pinned_memory_must_give_more() -> None:
    thresholds = Thresholds(least_gain=0.02, caution=0.0, pool_margin=0.05, gigantic_margin=0.05)
    assert preferred(gains(0.20, 0.24, 0.28), thresholds).to_list() == ["thp"]
    assert preferred(gains(0.20, 0.26, 0.30), thresholds).to_list() == ["pool"]
    assert preferred(gains(0.20, 0.26, 0.32), thresholds).to_list() == ["gigantic"]


def test_caution_counts_the_low_end() -> None:
    cautious = Thresholds(least_gain=0.02, caution=0.5, pool_margin=0.0, gigantic_margin=0.0)
    assert preferred(gains(0.05, None, None, width=0.04), cautious).to_list() == ["thp"]
    assert preferred(gains(0.05, None, None, width=0.08), cautious).to_list() == ["base"]


def test_what_is_not_permitted_is_not_preferred() -> None:
    permitted = {"gigantic": pl.Series([False]), "pool": pl.Series([None], dtype=pl.Boolean)}
    assert preferred(gains(0.1, 0.2, 0.3), PLAIN, permitted).to_list() == ["pool"]


def test_no_preference_where_the_model_abstains() -> None:
    assert preferred(gains(0.1, 0.2, 0.3, abstained="unlike"), PLAIN).to_list() == [None]


@pytest.mark.parametrize(
    ("thp", "pool", "expected"),
    [(0.0, 0.0, "thp"), (-0.01, None, "thp"), (-0.05, None, "base"), (0.1, 0.11, "thp"), (0.1, 0.13, "pool")],
)
def test_a_process_stays_where_it_is_unless_a_change_is_worth_it(
    thp: float, pool: float | None, expected: str
) -> None:
    current = pl.Series(["thp"])
    assert preferred(gains(thp, pool, None), PLAIN, current=current).to_list() == [expected]


def test_a_policy_that_may_not_be_chosen_anew_may_be_kept() -> None:
    current, permitted = pl.Series(["pool"]), {"pool": pl.Series([False])}
    assert preferred(gains(0.0, 0.2, None), PLAIN, permitted, current).to_list() == ["pool"]
    assert preferred(gains(0.3, 0.2, None), PLAIN, permitted, current).to_list() == ["thp"]


@pytest.mark.parametrize(
    ("thp", "width", "expected"), [(-0.05, 0.0, "base"), (-0.05, 0.05, "thp"), (-0.2, 0.1, "base")]
)
def test_caution_speaks_for_what_is_there_already(thp: float, width: float, expected: str) -> None:
    cautious = Thresholds(least_gain=0.02, caution=1.0, pool_margin=0.0, gigantic_margin=0.0)
    assert preferred(gains(thp, None, None, width=width), cautious, current=pl.Series(["thp"])).to_list() == [
        expected
    ]


@pytest.mark.parametrize(("share", "expected"), [(0.0, "thp"), (0.4, "thp"), (0.5, "base"), (None, "thp")])
def test_a_gain_that_part_of_the_memory_has_already_is_not_gained_again(share: float | None, expected: str) -> None:
    had = pl.Series([share], dtype=pl.Float64)
    one = gains(0.036, None, None)
    assert preferred(one, PLAIN, current=pl.Series(["base"]), share=had).to_list() == [expected]
