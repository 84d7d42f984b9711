"""Page tables before and after the advice: arithmetic on what each process would map from a pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.recommendation.model import PageTables, ProcessAdvice
from advisor.recommendation.sizing import moved_bytes
from advisor.rules import Policy

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""

ENTRY_BYTES = 8
"""Bytes of one page-table entry. Source: pte_t and pmd_t of every 64-bit architecture that Linux gives huge
pages."""


def page_tables(host: Row, rows: Sequence[Row], advice: Sequence[ProcessAdvice]) -> PageTables:
    """Page tables before and after, bytes.

    Memory that moves to a pool needs ENTRY_BYTES for each huge page in place of ENTRY_BYTES for each base
    page, in each process that maps it, so what a process saves is moved/base x 8 - moved/huge x 8, at most
    what it has. Transparent huge pages of anonymous memory save nothing here: the kernel keeps a spare table
    for each of them, for the day it is split (pgtable_trans_huge_deposit), and counts it.
    """
    known = [row["page_table_bytes"] for row in rows if row["page_table_bytes"] is not None]
    base_page = host["host_base_page_bytes"]
    if not known or not base_page:
        return PageTables(sum(known) if known else None, None)
    saved = 0
    for row, one in zip(rows, advice, strict=True):
        page = one.recommendation.page_bytes
        if one.recommendation.policy == Policy.HUGETLB and page:
            moved = moved_bytes(row, one.recommendation)
            entries = moved // base_page - -(-moved // page)
            saved += max(min(entries * ENTRY_BYTES, row["page_table_bytes"] or 0), 0)
    return PageTables(sum(known), sum(known) - saved)
