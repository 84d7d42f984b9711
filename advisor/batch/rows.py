"""The columns of a batch: what is kept of each process of each host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import polars as pl

from advisor.profile.redact import redact_name
from advisor.recommendation import Plan, PoolPlan, ProcessAdvice, Recommendation
from advisor.report.document import Report
from advisor.report.plan import PlanPool
from advisor.report.process import RecommendationEntry
from advisor.rules import Policy

TOP_REASONS = 3
"""Rules that are named in a row: the deciding one and what comes next. The report of the profile has all."""

COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "file": pl.String,
    "host": pl.String,
    "pid": pl.Int64,
    "start_ticks": pl.Int64,
    "name": pl.String,
    "user": pl.String,
    "cgroup": pl.String,
    "application": pl.String,
    "rss_bytes": pl.Int64,
    "anon_bytes": pl.Int64,
    "hugetlb_bytes": pl.Int64,
    "huge_coverage": pl.Float64,
    "cpu_cores": pl.Float64,
    "policy": pl.String,
    "page_bytes": pl.Int64,
    "pages": pl.Int64,
    "pages_when": pl.String,
    "new_pool_bytes": pl.Int64,
    "changes": pl.Boolean,
    "gain_low": pl.Float64,
    "gain_median": pl.Float64,
    "gain_high": pl.Float64,
    "confidence": pl.String,
    "decided_by": pl.String,
    "bloat_bytes": pl.Int64,
    "page_table_bytes": pl.Int64,
    "page_table_saving_bytes": pl.Int64,
    "at_stake_bytes": pl.Int64,
    "reasons": pl.List(pl.String),
    "why": pl.String,
}
"""Names and types, in order. Units as in the report document; gain_*: share of time saved, at 90 %; pages_when: when
this host can supply the pages of its pool, runtime or boot; new_pool_bytes: pool pages that it needs and does not
have yet, memory that several processes share at one of them alone, so that sums are right; cpu_cores: CPUs that it
keeps busy."""

SCHEMA = pl.Schema(COLUMNS)

REASONS = "reasons"


Row = dict[str, Any]
"""A value for each of COLUMNS."""


def rows_of_advice(
    file: str, features: Sequence[Mapping[str, Any]], advice: Sequence[ProcessAdvice], plan: Plan
) -> list[Row]:
    """One row a process of one host, from the rows of its feature table and the advice for them; in report order."""
    needs = _needs(plan.pools)
    return _in_report_order(
        {
            "file": file,
            "host": of["host"],
            "pid": one.pid,
            "start_ticks": one.start_ticks,
            "name": redact_name(of["name"] or ""),
            "user": of["user"],
            "cgroup": of["cgroup"] and redact_name(of["cgroup"]),
            "application": of["application_id"],
            "rss_bytes": of["rss_bytes"],
            "anon_bytes": of["anon_bytes"],
            "hugetlb_bytes": of["hugetlb_bytes"],
            "huge_coverage": of["huge_coverage"],
            "page_table_bytes": of["page_table_bytes"],
            "cpu_cores": of["cpu_cores"],
            "changes": one.changes,
            "at_stake_bytes": one.at_stake_bytes,
            **_advised(one.recommendation, one.page_table_bytes_after, of["page_table_bytes"], needs.get(one.pid)),
        }
        for of, one in zip(features, advice, strict=True)
    )


def rows_of_report(file: str, report: Report) -> list[Row]:
    """The same of a report document, which says what was advised when it was made."""
    needs = _needs(report.plan.pools)
    return _in_report_order(
        {
            "file": file,
            "host": report.host.hostname,
            "pid": one.pid,
            "start_ticks": one.start_ticks,
            "name": redact_name(one.name),
            "user": one.user,
            "cgroup": one.cgroup and redact_name(one.cgroup),
            "application": one.application.id if one.application is not None else None,
            "rss_bytes": one.memory.rss_bytes,
            "anon_bytes": one.memory.anon_bytes,
            "hugetlb_bytes": one.memory.hugetlb_bytes,
            "huge_coverage": one.memory.huge_coverage,
            "page_table_bytes": one.memory.page_table_bytes,
            "cpu_cores": one.cpu_cores,
            "changes": one.recommendation.changes,
            "at_stake_bytes": one.at_stake_bytes,
            **_advised(
                one.recommendation,
                one.recommendation.page_table_bytes_after,
                one.memory.page_table_bytes,
                needs.get(one.pid),
            ),
        }
        for one in report.processes
    )


def as_frame(rows: Sequence[Row]) -> pl.DataFrame:
    """Rows as a frame with the columns of SCHEMA."""
    if not rows:
        return pl.DataFrame(schema=SCHEMA)
    columns = dict(zip(COLUMNS, zip(*map(itemgetter(*COLUMNS), rows), strict=True), strict=True))
    return pl.DataFrame(columns | {REASONS: _lists(columns[REASONS])}, schema=SCHEMA)


def _lists(lists: Iterable[Sequence[str]]) -> pl.Series:
    """As a column. Few differ, and lists one by one would cost as much as all other columns."""
    known: dict[tuple[str, ...], int] = {}
    places = [known.setdefault(tuple(one), len(known)) for one in lists]
    return pl.Series(list(known), dtype=pl.List(pl.String)).gather(places)


def _advised(
    advised: Recommendation | RecommendationEntry, tables_after: int | None, tables: int | None, need: _Need | None
) -> Row:
    gain = advised.expected_gain
    low, median, high = (gain.low, gain.median, gain.high) if gain is not None else (None, None, None)
    known = tables is not None and tables_after is not None
    return {
        "policy": advised.policy,
        "page_bytes": advised.page_bytes,
        "pages": advised.pages,
        "pages_when": need.when if need is not None and advised.pages is not None else None,
        "new_pool_bytes": _new_pool_bytes(advised, need),
        "gain_low": low,
        "gain_median": median,
        "gain_high": high,
        "confidence": advised.confidence,
        "decided_by": advised.decided_by,
        "bloat_bytes": advised.bloat_bytes,
        "page_table_saving_bytes": tables - tables_after if known else None,  # type: ignore[operator]
        "reasons": [reason.rule for reason in advised.reasons[:TOP_REASONS]],
        "why": advised.reasons[0].message if advised.reasons else None,
    }


class _Need(NamedTuple):
    """What the pools of a plan hold for one process. when: as soon as one of them needs a boot, boot. new_bytes: None
    where the plan does not say for whom its pages are, as old reports."""

    when: str
    new_bytes: int | None


NO_NEED = _Need("runtime", 0)
"""Of a process that no pool serves."""


def _needs(pools: Iterable[PoolPlan] | Iterable[PlanPool]) -> dict[int, _Need]:
    """By pid."""
    found: dict[int, _Need] = {}
    for pool in pools:
        new: dict[int | None, int] = {}
        for term in pool.terms:
            if term.kind == "new":
                new[term.pid] = new.get(term.pid, 0) + term.pages * pool.page_bytes
        for pid in pool.for_pids:
            when, size = found.get(pid, NO_NEED)
            known = bool(pool.terms) and size is not None
            size = size + new.get(pid, 0) if known else None  # type: ignore[operator]
            found[pid] = _Need("boot" if "boot" in (pool.when, when) else "runtime", size)
    return found


def _new_pool_bytes(advised: Recommendation | RecommendationEntry, need: _Need | None) -> int | None:
    """None where it is for a pool, and the plan has none for it."""
    if need is not None:
        return need.new_bytes
    return None if advised.policy == Policy.HUGETLB else 0


def _in_report_order(rows: Iterable[Row]) -> list[Row]:
    """As a report lists its processes: what is at stake, then resident memory, the most first."""

    def key(row: Row) -> tuple[int, int, int, int]:
        resident = (row["rss_bytes"] or 0) + (row["hugetlb_bytes"] or 0)
        return -(row["at_stake_bytes"] or 0), -resident, row["pid"], row["start_ticks"]

    return sorted(rows, key=key)
