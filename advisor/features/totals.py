"""Which of several readings of the same quantity is used, and division that stays honest."""

from __future__ import annotations

import polars as pl

FROM_MAPS = "maps"
FROM_ROLLUP = "rollup"
FROM_COUNTERS = "counters"


def newest_total(maps: str, rollup: str | pl.Expr | None, counter: str | None = None) -> pl.Expr:
    """One total of a process, by the rule that holds for all of them.

    1. smaps, summed over its VMAs, when it was read no earlier than smaps_rollup: it is the finest reading,
       and every other feature of the same process then comes from the same read.
    2. smaps_rollup when it was read later than smaps. A quantity that rollup does not have comes from the
       counters of `status`, which are read each tick, else from the older smaps.
    3. The counter of `status` when neither was read, and only where it means the same (a counter may lag
       behind by a batch of pages a CPU). None means that no counter has this meaning.

    Which of the three holds is decided once a process, in the column `memory_source`. A field that the kernel
    does not print is null in its source, and the next source is asked.
    """
    counters = [pl.col(counter)] if counter is not None else []
    summary = [pl.col(rollup)] if isinstance(rollup, str) else [rollup] if rollup is not None else []
    source = pl.col("memory_source")
    return (
        pl.when(source == FROM_MAPS)
        .then(pl.coalesce([pl.col(maps), *counters]))
        .when(source == FROM_ROLLUP)
        .then(pl.coalesce([*summary, *counters, pl.col(maps)]))
        .otherwise(pl.coalesce(counters) if counters else None)
    )


def ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """part / whole as a real number; null where whole is 0 or either is unknown."""
    return pl.when(whole > 0).then(part / whole)
