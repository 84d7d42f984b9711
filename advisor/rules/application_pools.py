"""Rules about pools that a program's makers advise, and about programs that take from any pool unasked."""

from __future__ import annotations

import polars as pl

from advisor.rules.conditions import (
    ADVISED_POOL_APPLICATIONS,
    COVERED_SHARE,
    HUGETLBPAGE,
    col,
    is_one_of,
    slotted_base_bytes,
)
from advisor.rules.engine import Confidence, PageSize, Policy, Severity, rule
from advisor.units import GIB

THEME = "applications"
"""Theme of every rule in this file."""

TABLE = "the table of known applications (hugepage-advisor explain NAME)"

WORTH_A_POOL_BYTES = 1 * GIB
"""Bytes. Source: as for the rules on pools. Reason: a pool must be sized, reserved and kept by a person."""


@rule(
    id="application-prefers-a-pool",
    title="The application's makers advise an explicit pool for its large memory",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.MEDIUM,
    proposes=Policy.HUGETLB,
    page=PageSize.PMD,
    gains_time=True,
    seen_by_model=False,
    message="{application_id} is best served by a pool, say its makers; {shmem_base_bytes} of shared and "
    "{slotted_anon_bytes} of anonymous memory are on base pages.",
    remedy="Size a pool for it, switch its option on, let it refuse to start without (PostgreSQL: huge_pages = on), "
    "and restart it.",
    sources=(TABLE, HUGETLBPAGE),
    known_problems="A pool is lost to everybody else, also while the application is stopped.",
)
def application_prefers_a_pool() -> pl.Expr:
    """What it does: matches an application whose makers recommend explicit huge pages, with at least 1 GiB of memory
    for it that is on base pages.

    Why it matters: what they measured is large shared memory of many processes, where a pool also removes the page
    tables; several of them advise against transparent huge pages at the same time.

    Example: PostgreSQL with 8 GiB of shared buffers and no huge pages.
    """
    return (
        (col("resident_memory_bytes") >= WORTH_A_POOL_BYTES)
        & is_one_of(ADVISED_POOL_APPLICATIONS)
        & (col("hugetlb_bytes") == 0)
        & ((slotted_base_bytes() + col("shmem_base_bytes")) >= COVERED_SHARE * WORTH_A_POOL_BYTES)
    )


@rule(
    id="pool-taken-unasked",
    title="The process holds pool pages that it takes without being told",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.HIGH,
    message="{takes_pool_unasked} holds {hugetlb_bytes} of a pool; nobody need have told it. To keep it away: "
    "{pool_refusal}.",
    remedy="Add it to the pool that was sized for others, or keep it away.",
    sources=(TABLE, HUGETLBPAGE),
    known_problems="It may have been told to: its options are not read.",
)
def pool_taken_unasked() -> pl.Expr:
    """What it does: matches a process in hugetlb pages with a library or runtime that takes them from any pool that
    it finds.

    Why it matters: a pool that was counted out for a database is short by what such neighbours take.

    Example: an MPI rank over UCX beside PostgreSQL.
    """
    unasked = col("takes_pool_unasked").is_not_null() & col("pool_refusal").is_not_null()
    return unasked & (col("hugetlb_bytes") > 0)


@rule(
    id="pool-would-be-taken",
    title="The program takes pages of any pool that it finds, without being told",
    theme=THEME,
    severity=Severity.INFO,
    confidence=Confidence.MEDIUM,
    message="{takes_pool_unasked} takes pool pages at its start where there are any; it holds {hugetlb_bytes}, and "
    "{host_pool_unused_bytes} of pool is unused. To keep it away: {pool_refusal}.",
    remedy="Count it when a pool is sized for others, or keep it away.",
    sources=(TABLE, HUGETLBPAGE),
    known_problems="Whether it will depends on its options and on its cgroup's limit for huge pages.",
)
def pool_would_be_taken() -> pl.Expr:
    """What it does: matches a process without pool pages that is known to take them unasked.

    Why it matters: it takes part of the pool that is made for somebody else, at its next start.

    Example: a Java on OpenJ9, started before the pool was made.
    """
    unasked = col("takes_pool_unasked").is_not_null() & col("pool_refusal").is_not_null()
    return unasked & (col("hugetlb_bytes") == 0) & (col("host_pool_unused_bytes") >= 0)


RULES = (application_prefers_a_pool, pool_taken_unasked, pool_would_be_taken)
