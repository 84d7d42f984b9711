"""Page tables before and after the advice: arithmetic on what each process would map from a pool.

Memory that moves to a pool leaves the last-level tables that map it, one for each aligned range of the size of 512
entries (2 MiB on x86), in each process that maps it; with gigantic pages the tables above them go too. Transparent
huge pages of anonymous memory save nothing: the kernel keeps a spare table for each of them, for the day it is split
(pgtable_trans_huge_deposit), and counts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from advisor.recommendation.demands import shared_object
from advisor.recommendation.model import PageTables, ProcessAdvice, Recommendation
from advisor.recommendation.sizing import pooled_bytes
from advisor.rules import Policy

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""

ENTRY_BYTES = 8
"""Bytes of one page-table entry. Source: pte_t and pmd_t of every 64-bit architecture that Linux gives huge
pages. A table fills one base page."""

OTHER_TABLES = 10
"""Tables of a process beside those of its large memory, upper levels included. Source: VmPTE of small processes, 40
to 60 KiB on x86."""


class Pool(NamedTuple):
    """Pages that one process takes from a pool."""

    page_bytes: int
    pages: int


def page_tables(rows: Sequence[Row], after: Sequence[int | None]) -> PageTables:
    """The sums over all processes, bytes; after: of each, by `tables_after`."""
    before = [row["page_table_bytes"] for row in rows if row["page_table_bytes"] is not None]
    known = [value for value in after if value is not None]
    return PageTables(sum(before) if before else None, sum(known) if before and len(known) == len(before) else None)


def tables_after(host: Row, rows: Sequence[Row], advice: Sequence[ProcessAdvice]) -> list[int | None]:
    """Bytes of page tables that each process would have; None where today's, or the base page, are not known.

    Whoever maps an object that another process's advice puts into a pool finds it there too.
    """
    chosen = [_into_pool(one.recommendation) for one in advice]
    shared = {
        shared_object(row): into
        for row, into in zip(rows, chosen, strict=True)
        if into is not None and row["sharing_leader"] is not None
    }
    after: list[int | None] = []
    for row, into in zip(rows, chosen, strict=True):
        if into is None and row["sharing_leader"] is not None:
            into = shared.get(shared_object(row))
        after.append(own_tables(host, row, into))
    return after


def own_tables(host: Row, row: Row, into: Pool | None) -> int | None:
    """Bytes of page tables of one process with its memory in a pool, or as it is (None); None: not known."""
    known: int | None = row["page_table_bytes"]
    base = host["host_base_page_bytes"]
    if known is None or not base:
        return None
    return known - _saved(row, into, base) if into is not None else known


def _into_pool(recommendation: Recommendation) -> Pool | None:
    page, pages = recommendation.page_bytes, recommendation.pages
    return Pool(page, pages) if recommendation.policy == Policy.HUGETLB and page and pages else None


def _saved(row: Row, into: Pool, base: int) -> int:
    """Bytes of tables that map what moves, and nothing else.

    Memory that is filled needs one table for each range, memory touched here and there up to one for each page. What
    the process has in all, less what the rest of its memory needs, tells where between these bounds it is.
    """
    moved, tables = pooled_bytes(row, into.page_bytes, into.pages), row["page_table_bytes"] // base
    reach = base // ENTRY_BYTES * base
    least = -(-moved // reach)
    span = max(row["shared_object_bytes"] or 0, row["slot_bytes"] or 0, moved)
    most = min(-(-span // reach) + 1, moved // base)
    rest = max((row["rss_bytes"] or 0) - moved, 0) // reach + OTHER_TABLES
    last_level = min(max(least, tables - rest), most, tables)
    above = moved // into.page_bytes if into.page_bytes > reach else 0
    gone: int = min(last_level + above, tables)
    return gone * base
