"""Rows to a summary, one part after the other: sums by application, host and policy, and the changes worth most.

Cores are added as whole nanocores, so that a sum is the same whatever the order of the parts. Memory grows with the
number of hosts and of program names, not with that of processes.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from advisor import __version__
from advisor.predictor import LEVEL
from advisor.report.build import TOOL_NAME
from advisor.report.document import Tool
from advisor.report.summary import (
    INTERVAL_METHOD,
    SUMMARY_SCHEMA,
    ApplicationSums,
    Change,
    Cores,
    HostSums,
    PolicySums,
    Summary,
    Sums,
    memory_saved_bytes,
)

NANO = 1_000_000_000
"""Nanocores in a core. Source: own choice. Reason: whole numbers add up exactly; 10,000 hosts of 1,000 cores fit 600
times into 64 bits, and no observation of CPU time is as fine."""

TOP_CHANGES = 50
"""Changes in each list of the best. Source: own choice. Reason: as many as a team looks at; the table has all."""

BATCH_ROWS = 1 << 16
"""Rows of a table that are taken at once."""

NEEDED = ("file", "host", "name", "application", "cpu_cores", "policy", "page_bytes", "pages_when", "new_pool_bytes",
          "changes", "gain_low", "gain_median", "gain_high", "bloat_bytes", "page_table_saving_bytes")  # fmt: skip
"""Columns of a table that a summary is made of."""

APPLICATION, HOST = ("_program", "_recognised"), ("host", "_unnamed")
POLICY = ("policy", "page_bytes", "changes")
CHANGE = ("file", "host", *APPLICATION, "policy", "page_bytes")

Key = tuple[Any, ...]


class TableError(Exception):
    """A file is no table of `score`."""


def frames_of(tables: Sequence[Path]) -> Iterator[pl.DataFrame]:
    """Tables in pieces in which every input is whole: a table holds the rows of an input one after the other.
    Raises TableError, OSError."""
    rest: pl.DataFrame | None = None
    for table in tables:
        try:
            lazy = pl.scan_parquet(table)
            missing = [name for name in NEEDED if name not in lazy.collect_schema()]
            if missing:
                raise TableError(f"{table}: no table of score, it lacks {', '.join(missing)}")
            height = lazy.select(pl.len()).collect().item()
            for begin in range(0, height, BATCH_ROWS):
                piece = lazy.select(NEEDED).slice(begin, BATCH_ROWS).collect()
                both = piece if rest is None else pl.concat([rest, piece])
                last = both["file"][-1]
                yield both.filter(pl.col("file") != last)
                rest = both.filter(pl.col("file") == last)
        except pl.exceptions.PolarsError as error:
            raise TableError(f"{table}: not parquet ({error})") from error
    if rest is not None:
        yield rest


def summarise(frames: Iterable[pl.DataFrame]) -> Summary:
    """The summary of all rows. frames: as `frames_of` gives them."""
    found: dict[tuple[str, ...], dict[Key, list[int]]] = {(): {}, APPLICATION: {}, HOST: {}, POLICY: {}}
    best: dict[str, list[Change]] = {"cpu": [], "memory": []}
    for frame in frames:
        ready = _ready(frame)
        for by, groups in found.items():
            for key, sums in _sums(ready, by):
                before = groups.get(key)
                groups[key] = sums if before is None else [a + b for a, b in zip(before, sums, strict=True)]
        _keep(best, [_change(key, sums) for key, sums in _sums(ready.filter("changes"), CHANGE)])
    return Summary(
        schema=SUMMARY_SCHEMA,
        tool=Tool(TOOL_NAME, __version__),
        level=LEVEL,
        interval_method=INTERVAL_METHOD,
        total=_as_sums(found[()].get((), [0] * len(_COLUMNS))),
        applications=sorted(
            (ApplicationSums(key[0], key[1], _as_sums(sums)) for key, sums in found[APPLICATION].items()),
            key=lambda one: (_worth(one.sums), one.application, one.recognised),
        ),
        hosts=sorted(
            (HostSums(key[0], key[1], _as_sums(sums)) for key, sums in found[HOST].items()),
            key=lambda one: (_worth(one.sums), one.host or "", one.file or ""),
        ),
        policies=sorted(
            (PolicySums(key[0], key[1], key[2], _as_sums(sums)) for key, sums in found[POLICY].items()),
            key=lambda one: (not one.changes, one.policy, one.page_bytes or 0),
        ),
        top_cpu=best["cpu"],
        top_memory=best["memory"],
    )


def _ready(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with what is added up, as whole numbers; null is unknown, 0 where there is nothing to know."""
    changes, cpu = pl.col("changes"), pl.col("cpu_cores")

    def nano(cores: pl.Expr) -> pl.Expr:
        return (cores * NANO).round().cast(pl.Int64)

    def of(policy: str, column: str) -> pl.Expr:
        return pl.when(changes & (pl.col("policy") == policy)).then(pl.col(column)).otherwise(0)

    return frame.with_columns(
        pl.coalesce("application", "name").alias("_program"),
        pl.col("application").is_not_null().alias("_recognised"),
        pl.when(pl.col("host").is_null()).then(pl.col("file")).alias("_unnamed"),
        nano(cpu).alias("_cpu"),
        *(
            pl.when(changes).then(nano(cpu * pl.col(f"gain_{end}"))).otherwise(0).alias(f"_{end}")
            for end in ("median", "low", "high")
        ),
        of("hugetlb", "new_pool_bytes").alias("_pool"),
        (changes & (pl.col("pages_when") == "boot")).fill_null(False).alias("_short"),
        pl.when(changes).then(pl.col("page_table_saving_bytes")).otherwise(0).alias("_tables"),
        of("thp", "bloat_bytes").alias("_growth"),
        of("thp-off", "bloat_bytes").alias("_prevented"),
    )


_SHORT = pl.col("_short")
_COLUMNS: dict[str, pl.Expr] = {
    "processes": pl.len(),
    "changes": pl.col("changes").sum(),
    "profiles": pl.col("file").n_unique(),
    "cpu": pl.col("_cpu").sum(),
    "cpu_unknown": pl.col("_cpu").null_count(),
    "median": pl.col("_median").sum(),
    "low": pl.col("_low").sum(),
    "high": pl.col("_high").sum(),
    "saved_unknown": pl.col("_median").null_count(),
    "pool": pl.col("_pool").sum(),
    "pool_unknown": pl.col("_pool").null_count(),
    "boot_only": pl.col("_pool").filter(_SHORT).sum(),
    "profiles_short": pl.col("file").filter(_SHORT).n_unique(),
    "tables": pl.col("_tables").sum(),
    "tables_unknown": pl.col("_tables").null_count(),
    "growth": pl.col("_growth").sum(),
    "prevented": pl.col("_prevented").sum(),
    "growth_unknown": pl.col("_growth").null_count() + pl.col("_prevented").null_count(),
}
"""What is added up for a group, each a whole number."""


def _sums(ready: pl.DataFrame, by: Sequence[str]) -> Iterator[tuple[Key, list[int]]]:
    sums = [expression.cast(pl.Int64).alias(f"sum {name}") for name, expression in _COLUMNS.items()]
    grouped = ready.group_by(by).agg(sums) if by else ready.select(sums)
    for row in grouped.iter_rows():
        yield row[: len(by)], list(row[len(by) :])


def _as_sums(values: Sequence[int]) -> Sums:
    of = dict(zip(_COLUMNS, values, strict=True))
    saved = Cores(of["median"] / NANO, of["low"] / NANO, of["high"] / NANO)
    return Sums(
        processes=of["processes"],
        changes=of["changes"],
        profiles=of["profiles"],
        cpu_cores=None if of["processes"] and of["cpu_unknown"] == of["processes"] else of["cpu"] / NANO,
        cpu_unknown=of["cpu_unknown"],
        saved_cores=None if of["changes"] and of["saved_unknown"] == of["changes"] else saved,
        saved_unknown=of["saved_unknown"],
        pool_bytes=of["pool"],
        pool_unknown=of["pool_unknown"],
        boot_only_bytes=of["boot_only"],
        profiles_short=of["profiles_short"],
        page_table_saved_bytes=of["tables"],
        page_table_unknown=of["tables_unknown"],
        growth_bytes=of["growth"],
        growth_prevented_bytes=of["prevented"],
        growth_unknown=of["growth_unknown"],
    )


def _change(key: Key, values: Sequence[int]) -> Change:
    file, host, program, recognised, policy, page_bytes = key
    return Change(file, host, program, recognised, policy, page_bytes, _as_sums(values))


def _keep(best: dict[str, list[Change]], changes: Sequence[Change]) -> None:
    """The best of before and of these, in order."""
    known = [one for one in changes if one.sums.saved_cores is not None and one.sums.saved_cores.median > 0]
    best["cpu"] = heapq.nsmallest(TOP_CHANGES, [*best["cpu"], *known], key=lambda one: (_worth(one.sums), _name(one)))
    saving = [one for one in changes if memory_saved_bytes(one.sums) > 0]
    best["memory"] = heapq.nsmallest(
        TOP_CHANGES, [*best["memory"], *saving], key=lambda one: (-memory_saved_bytes(one.sums), _name(one))
    )


def _worth(sums: Sums) -> tuple[bool, bool, float, int, int]:
    """Sorts by saved cores, unknown after that and without a change last; then by saved memory and by processes."""
    saved = sums.saved_cores
    return (
        not sums.changes,
        saved is None,
        -saved.median if saved is not None else 0.0,
        -memory_saved_bytes(sums),
        -sums.processes,
    )


def _name(change: Change) -> tuple[str, str, bool, str, int]:
    return change.file, change.application, change.recognised, change.policy, change.page_bytes or 0
