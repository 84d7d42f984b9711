"""Which policy the predicted gains speak for: only what clears its threshold is worth touching a program for."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from msgspec import Struct

BASE = "base"
"""The answer where no gain is worth it: base pages."""


CHANGES = ("thp", "pool", "gigantic")
"""The other answers, from the cheapest to the one that asks most."""


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


def preferred(
    prediction: pl.DataFrame,
    thresholds: Thresholds,
    permitted: Mapping[str, pl.Series] | None = None,
    current: pl.Series | None = None,
) -> pl.Series:
    """Policy by row: "thp", "pool", "gigantic" or "base"; null where the model abstains.

    prediction: of `Predictor.predict`. permitted: by policy, whether it may be chosen (null: it may); one that is not
    named may be. current: the policy that each process is on, base pages if None; it stays there unless another one
    gives `least_gain` more.
    """
    margins = {
        BASE: 0.0,
        "thp": 0.0,
        "pool": thresholds.pool_margin,
        "gigantic": thresholds.pool_margin + thresholds.gigantic_margin,
    }
    on_base = pl.Series([BASE] * len(prediction), dtype=pl.String)
    frame = pl.DataFrame(
        [
            pl.Series(BASE, [0.0] * len(prediction), pl.Float64),
            *(cautious(prediction, name, thresholds.caution) - margins[name] for name in CHANGES),
            *(may.alias(f"may_{name}") for name, may in (permitted or {}).items()),
            (on_base if current is None else current).alias("current"),
            prediction["abstained"],
        ]
    )
    now = pl.coalesce(*(pl.when(pl.col("current") == name).then(pl.col(name)) for name in margins), 0.0)
    offers = {name: _offer(name, f"may_{name}" in frame.columns) for name in margins}
    best = pl.max_horizontal(*offers.values())
    chosen = pl.col("current")
    for name, offer in reversed(offers.items()):
        chosen = pl.when((offer == best) & (best - now >= thresholds.least_gain)).then(pl.lit(name)).otherwise(chosen)
    return frame.select(preferred=pl.when(pl.col("abstained").is_null()).then(chosen)).to_series()


def _offer(name: str, is_restricted: bool) -> pl.Expr:
    """The score of one policy; null where it may not be chosen."""
    return pl.when(pl.col(f"may_{name}").fill_null(True)).then(pl.col(name)) if is_restricted else pl.col(name)
