"""What can go wrong with a mode or with pools that somebody asked for, where advice would not have gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from advisor.recommendation.demands import uses_already
from advisor.recommendation.model import PoolPlan, Risk
from advisor.recommendation.risks import Planned
from advisor.recommendation.tenants import Wanting, denied_policy
from advisor.recommendation.thp_plan import exposes_too_many
from advisor.recommendation.thp_reach import exposed, exposed_growth
from advisor.recommendation.wishes import Wishes
from advisor.rules.text import show_bytes

NAMED = 5
"""Pids named in a sentence. Source: own choice. Reason: the report has them all."""


def asked_risks(planned: Planned, wanted: Wishes, found: Sequence[Wanting]) -> Iterator[Risk]:
    """wanted: what was asked for and can be had; found: who needs what of the host's pages."""
    for pool in planned.pools:
        if pool.page_bytes in wanted.pools:
            yield from _smaller_than_in_use(planned, pool)
            yield from _for_nobody(planned, pool)
            yield from _more_than_boot_gives(planned, pool)
    if wanted.thp_enabled == "always":
        yield from _exposed(planned, found)


def _smaller_than_in_use(planned: Planned, pool: PoolPlan) -> Iterator[Risk]:
    surplus = pool.held_pages - pool.pages
    if surplus:
        users = [row["pid"] for row in planned.rows if uses_already(row, pool.page_bytes)]
        who = f" by pid {', '.join(map(str, users[:NAMED]))}{', ...' if len(users) > NAMED else ''}" if users else ""
        yield Risk(
            "pool-smaller-than-in-use",
            "high",
            f"{pool.held_pages} pages of {show_bytes(pool.page_bytes)} are in use or reserved{who}, {pool.pages} "
            f"were asked for{_on_node(pool)}: {surplus} stay as surplus until they are freed, and who is started "
            "anew after that may find none.",
            f"Ask for at least {pool.held_pages}, or let who uses them need fewer first.",
        )


def _for_nobody(planned: Planned, pool: PoolPlan) -> Iterator[Risk]:
    pages = sum(term.pages for term in pool.terms if term.kind == "asked")
    if pages:
        yield Risk(
            "pool-pages-for-nobody",
            "low",
            f"{pages} pages of {show_bytes(pool.page_bytes)} that were asked for{_on_node(pool)} are for nobody "
            f"who is seen here: {show_bytes(pages * pool.page_bytes)} that nothing else can use.",
            "Ask for as many more as those need that find no room."
            if any(denied_policy(one.recommendation) for one in planned.advice)
            else "Ask for fewer, unless a program that is not running now needs them.",
        )


def _more_than_boot_gives(planned: Planned, pool: PoolPlan) -> Iterator[Risk]:
    """Gigantic pages are found in one piece or not at all, also at boot."""
    host = planned.host
    most = host["host_gigantic_boot_pages"] if pool.page_bytes == host["host_pool_gigantic_page_bytes"] else None
    if pool.when == "boot" and most is not None and pool.pages > most:
        yield Risk(
            "more-than-boot-gives",
            "high",
            f"{pool.pages} pages of {show_bytes(pool.page_bytes)} were asked for; about {most} can be had even when "
            "they are reserved at boot, such that what is in use today keeps its memory.",
            "Ask for fewer, or for smaller pages; the kernel starts with as many as it finds, without an error.",
        )


def _exposed(planned: Planned, found: Sequence[Wanting]) -> Iterator[Risk]:
    """Mode always where advice would not have chosen it, as too many pay for it."""
    growth = exposed_growth(planned.rows, found)
    if planned.host["host_thp_enabled"] == "always" or not exposes_too_many(planned.host, growth):
        return
    rows = exposed(planned.rows, found)
    unknown = [row["pid"] for row in rows if row["huge_page_growth_bytes"] is None]
    by = (
        f"by at most {show_bytes(growth)}"
        if growth is not None
        else f"by an amount that is unknown for {len(unknown)} of them"
    )
    yield Risk(
        "mode-exposes-others",
        "medium",
        f"Mode always gives huge pages also to {len(rows)} processes that do not need them; they may grow {by}.",
        "Keep mode madvise and let those ask for huge pages that need them, or watch memory after the change.",
    )


def _on_node(pool: PoolPlan) -> str:
    return "" if pool.node is None else f" on node {pool.node}"
