"""One row an input: the host as a whole, for sums that are no sums over processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from advisor.recommendation import Plan, PoolPlan
from advisor.report.document import Report
from advisor.report.plan import PlanPool

COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "file": pl.String,
    "host": pl.String,
    "kernel": pl.String,
    "samples": pl.Int64,
    "processes": pl.Int64,
    "memory_total_bytes": pl.Int64,
    "pool_growth_bytes": pl.Int64,
    "boot_only_bytes": pl.Int64,
    "page_table_bytes": pl.Int64,
    "page_table_bytes_after": pl.Int64,
}
"""pool_growth_bytes: what the plan adds to the pools, less what it takes from them; boot_only_bytes: of what it adds,
what this host could supply at boot only."""

SCHEMA = pl.Schema(COLUMNS)

Row = dict[str, Any]


def host_row(
    file: str, host: str | None, kernel: str | None, samples: int, processes: int, memory: int | None, plan: Plan
) -> Row:
    """The host of a profile, from the plan for it."""
    return _row(file, host, kernel, samples, processes, memory, plan.pools) | {
        "page_table_bytes": plan.page_table_bytes.before,
        "page_table_bytes_after": plan.page_table_bytes.after,
    }


def host_row_of_report(file: str, report: Report) -> Row:
    """The host of a report document."""
    host, plan = report.host, report.plan
    count = len(report.processes)
    row = _row(file, host.hostname, host.kernel, report.source.samples, count, host.memory_total_bytes, plan.pools)
    return row | {
        "page_table_bytes": plan.page_table_bytes.before,
        "page_table_bytes_after": plan.page_table_bytes.after,
    }


def as_frame(rows: Sequence[Row]) -> pl.DataFrame:
    """Rows as a frame with the columns of SCHEMA."""
    return pl.DataFrame({name: [row[name] for row in rows] for name in COLUMNS}, schema=SCHEMA)


def _row(
    file: str,
    host: str | None,
    kernel: str | None,
    samples: int,
    processes: int,
    memory: int | None,
    pools: Sequence[PoolPlan] | Sequence[PlanPool],
) -> Row:
    growth = [((pool.pages - (pool.current_pages or 0)) * pool.page_bytes, pool.when) for pool in pools]
    return {
        "file": file,
        "host": host,
        "kernel": kernel,
        "samples": samples,
        "processes": processes,
        "memory_total_bytes": memory,
        "pool_growth_bytes": sum(size for size, _ in growth),
        "boot_only_bytes": sum(size for size, when in growth if when == "boot" and size > 0),
    }
