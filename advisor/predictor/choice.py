"""Which policy the predicted gains speak for: only what clears its threshold is worth touching a program for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from msgspec import Struct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

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
    margins = {
        "thp": 0.0,
        "pool": thresholds.pool_margin,
        "gigantic": thresholds.pool_margin + thresholds.gigantic_margin,
    }
    scores = {BASE: np.zeros(len(prediction))}
    scores |= {name: _between(prediction, name, "low", thresholds.caution) - margins[name] for name in CHANGES}
    for name, may in (permitted or {}).items():
        scores[name] = np.where(np.equal(may.to_numpy(), False), np.nan, scores[name])
    offers = np.nan_to_num(np.array(list(scores.values())), nan=-np.inf)
    now = np.full(len(prediction), BASE, object) if current is None else current.to_numpy()
    worth = offers.max(axis=0) - _has(prediction, now, share, thresholds.caution)
    best = np.array(list(scores), object)[offers.argmax(axis=0)]
    chosen = np.where(worth >= thresholds.least_gain - ROUNDING, best, now)
    told = zip(chosen.tolist(), prediction["abstained"].to_list(), strict=True)
    return pl.Series("preferred", [name if why_not is None else None for name, why_not in told], pl.String)


def _between(prediction: pl.DataFrame, output: str, end: str, caution: float) -> Vector:
    """Gain of one output, `caution` of the way from its median to that end of its interval; NaN: not predicted."""
    median, far = (prediction[f"{output}_gain{suffix}"].to_numpy() for suffix in ("", f"_{end}"))
    between: Vector = median + (far - median) * caution
    return between


def _has(prediction: pl.DataFrame, now: NDArray[Any], share: pl.Series | None, caution: float) -> Vector:
    """What today's pages are worth, between median and high end: of a process on base pages, what part of its memory
    has by THP."""
    held = {name: _between(prediction, name, "high", caution) for name in CHANGES}
    is_known = [(now == name) & ~np.isnan(gain) for name, gain in held.items()]
    own = np.select(is_known, list(held.values()), held["thp"])
    part = np.where(now == BASE, 0.0, 1.0)
    if share is not None:
        known = share.cast(pl.Float64).to_numpy()
        part = np.where(np.isnan(known), part, known)
    has: Vector = np.nan_to_num(own * part, nan=0.0)
    return has
