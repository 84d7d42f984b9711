"""How a process was observed: what its numbers rest on, for rules about the observation itself."""

from __future__ import annotations

import polars as pl

from advisor.features.declare import flag, number, text

FEATURES = (
    text(
        "memory_source",
        "What its memory totals come from: maps (smaps), rollup (smaps_rollup, read later than smaps) or counters "
        "(status and stat alone).",
        "profile",
        "never null",
    ),
    flag("maps_known", "Its smaps was read at least once.", "profile", "never null"),
    number(
        "walk_age_s",
        "s",
        "Age of its newest smaps or smaps_rollup at the last sample. A process in which nothing changes is not "
        "walked again.",
        "profile",
        "neither was read",
    ),
)


def derive(frame: pl.DataFrame) -> pl.DataFrame:
    """Add this theme's columns to the process frame, which has source and time of its totals, and `last_t_s`."""
    return frame.with_columns(walk_age_s=pl.col("last_t_s") - pl.col("walked_t_s"))
