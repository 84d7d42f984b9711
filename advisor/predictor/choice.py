"""Which policy the predicted gains speak for: only what clears its threshold is worth touching a program for."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from msgspec import Struct

BASE = "base"
"""The answer where no gain is worth it: base pages."""

CHANGES = ("thp", "pool", "gigantic")
"""The other answers, from the cheapest to the one that asks most."""

ROUNDING = 1e-9
"""What the difference of two gains may fall short by."""


class Thresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """When a predicted gain is worth it. They are learnt with the model and stored beside it.

    least_gain: of the cautious gain, 0.02 is 2 % less time. caution: how much of the way from the median down to the
    low end of the interval counts: 0 takes the median, 1 the low end. pool_margin, gigantic_margin: how much more a
    2M pool must give than THP, and a 1G pool than a 2M one, because pinned memory serves nobody else.
    """

    least_gain: float
    caution: float
    pool_margin: float
    gigantic_margin: float


def cautious(prediction: pl.DataFrame, output: str, caution: float) -> pl.Series:
    """Gain of one output between its median and its low end; null where it is not predicted."""
    median, low = prediction[f"{output}_gain"], prediction[f"{output}_gain_low"]
    return (median - (median - low) * caution).alias(output)


def conceded(prediction: pl.DataFrame, output: str, caution: float) -> pl.Series:
    """The same between its median and its high end: what a policy that is in force already may be worth."""
    median, high = prediction[f"{output}_gain"], prediction[f"{output}_gain_high"]
    return (median + (high - median) * caution).alias(f"has_{output}")


def preferred(
    prediction: pl.DataFrame,
    thresholds: Thresholds,
    permitted: Mapping[str, pl.Series] | None = None,
    current: pl.Series | None = None,
    share: pl.Series | None = None,
) -> pl.Series:
    """Policy by row: "thp", "pool", "gigantic" or "base"; null where the model abstains.

    prediction: of `Predictor.predict`. permitted: by policy, whether it may be chosen (null: it may); one that is not
    named may be. current: the policy that most memory of each process is on, base pages if None; share: how much of
    it is on huge pages (null or None: all of it, on base pages nothing). A process stays where it is unless another
    policy gives `least_gain` more than what it has: caution counts against a change both ways.
    """
    count = len(prediction)
    margins = {
        BASE: 0.0,
        "thp": 0.0,
        "pool": thresholds.pool_margin,
        "gigantic": thresholds.pool_margin + thresholds.gigantic_margin,
    }
    frame = pl.DataFrame(
        [
            pl.Series(BASE, [0.0] * count, pl.Float64),
            *(cautious(prediction, name, thresholds.caution) - margins[name] for name in CHANGES),
            *(conceded(prediction, name, thresholds.caution) for name in CHANGES),
            *(may.alias(f"may_{name}") for name, may in (permitted or {}).items()),
            (pl.Series([BASE] * count, dtype=pl.String) if current is None else current).alias("current"),
            (pl.Series([None] * count, dtype=pl.Float64) if share is None else share).alias("share"),
            prediction["abstained"],
        ]
    )
    offers = {name: _offer(name, f"may_{name}" in frame.columns) for name in margins}
    best = pl.max_horizontal(*offers.values())
    chosen = pl.col("current")
    for name, offer in reversed(offers.items()):
        is_better = best - _has() >= thresholds.least_gain - ROUNDING
        chosen = pl.when((offer == best) & is_better).then(pl.lit(name)).otherwise(chosen)
    return frame.select(preferred=pl.when(pl.col("abstained").is_null()).then(chosen)).to_series()


def _has() -> pl.Expr:
    """What today's pages are worth: of a process on base pages, what part of its memory has by THP."""
    is_on_base = pl.col("current") == BASE
    held = pl.coalesce(*(pl.when(pl.col("current") == name).then(f"has_{name}") for name in CHANGES), "has_thp")
    share = pl.col("share").fill_null(pl.when(is_on_base).then(0.0).otherwise(1.0))
    return (held * share).fill_null(0.0)


def _offer(name: str, is_restricted: bool) -> pl.Expr:
    """The score of one policy; null where it may not be chosen."""
    return pl.when(pl.col(f"may_{name}").fill_null(True)).then(pl.col(name)) if is_restricted else pl.col(name)
