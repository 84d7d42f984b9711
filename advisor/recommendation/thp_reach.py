"""Whom a THP mode of the host reaches beside those who need it: what they may grow by, what becomes huge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.recommendation.model import ProcessAdvice
from advisor.recommendation.tenants import Need, Wanting, thp_means
from advisor.rules import Policy

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""


def exposed(rows: Sequence[Row], found: Sequence[Wanting]) -> list[Row]:
    """Who needs neither huge pages nor to be kept from them, and gets them under mode always.

    Who needs base pages is switched off under that mode.
    """
    decided = {one.advice.pid for one in found if one.need in (Need.THP, Need.BASE_PAGES)}
    return [row for row in rows if row["pid"] not in decided and not row["thp_disabled_by_process"]]


def exposed_growth(rows: Sequence[Row], found: Sequence[Wanting]) -> int | None:
    """Growth bound of all of them, bytes. None where it is unknown for one."""
    bounds = [row["huge_page_growth_bytes"] for row in exposed(rows, found)]
    return None if None in bounds else sum(bounds)


def thp_growth(
    rows: Sequence[Row], advice: Sequence[ProcessAdvice], found: Sequence[Wanting], mode: str | None
) -> int | None:
    """What THP may add at most, bytes: to those advised to have it, and to those whom a change to always exposes."""
    advised = [one.recommendation for one in advice if one.recommendation.policy == Policy.THP]
    bound = sum(one.bloat_bytes or 0 for one in advised)
    if mode != "always" or not rows or rows[0]["host_thp_enabled"] == "always":
        return bound
    others = exposed_growth(rows, found)
    return None if others is None else bound + others


def moved_by_mode(rows: Sequence[Row], advice: Sequence[ProcessAdvice], mode: str | None) -> int:
    """Bytes that a mode that was asked for puts on huge pages once programs are restarted, of those who are advised
    to be left as they are; negative for what it takes away. 0 where none was asked for."""
    return sum(
        _moved(row, mode)
        for row, one in zip(rows, advice, strict=True)
        if one.recommendation.policy == Policy.LEAVE and mode not in (None, row["host_thp_enabled"])
    )


def _moved(row: Row, mode: str | None) -> int:
    huge: int = row["anon_huge_bytes"] or 0
    if row["thp_disabled_by_process"]:
        return 0
    if mode == "always":
        return max((row["slotted_anon_bytes"] or 0) - huge, 0)
    if mode == "madvise" and row["host_thp_enabled"] == "always":
        return min(row["advised_anon_rss_bytes"] or 0, huge) - huge
    return -huge if thp_means(row, mode, row["host_thp_enabled"]) is None else 0
