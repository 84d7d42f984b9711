"""Thresholds and conditions that rules of several themes share."""

from __future__ import annotations

import polars as pl

from advisor.knowledge.applications import load_applications
from advisor.units import MIB

SMALL_BYTES = 32 * MIB
"""Bytes. Source: vendor TLB tables. Reason: the last-level data TLB of current server cores reaches 6 to 16
MiB with 4 KiB pages, and of twice that only a part is hot; below it page walks are rare and mostly hit the
page-walk caches."""

LARGE_BYTES = 128 * MIB
"""Bytes. Source: vendor TLB tables. Reason: eight times the largest last-level reach with 4 KiB pages (16
MiB), so that random access misses the TLB nearly always; below it a change is not worth anybody's time."""

COVERED_SHARE = 0.8
"""Share. Source: own choice. Reason: what is left above it is mostly edges of mappings, which no policy can
cover."""

SPARSE_GROWTH_FACTOR = 4
"""Ratio of possible growth to anonymous memory. Source: own choice. Reason: memory that may quintuple is a
hazard on any host, and at least four fifths of every huge page would hold nothing."""

SPARSE_GROWTH_BYTES = 256 * MIB
"""Bytes. Source: own choice. Reason: growth below this is noise on a host that can run large programs."""

DENSE_GROWTH_FACTOR = 1
"""Ratio of possible growth to anonymous memory. Source: own choice. Reason: at worst the memory doubles; the
bound is seldom reached, as programs fill memory contiguously."""

TIGHT_AVAILABLE_SHARE = 0.1
"""Share of MemTotal. Source: own choice. Reason: the kernel's watermarks and page cache need a few percent; a
tenth leaves no room for memory that cannot be reclaimed."""

POOL_APPLICATIONS = tuple(entry.id for entry in load_applications().values() if entry.explicit and not entry.part)
"""Applications that can take pages of a hugetlb pool. Source: the table of known applications, `explicit`."""

GIGANTIC_APPLICATIONS = tuple(
    id for id in POOL_APPLICATIONS if {"any", "1G"} & set(load_applications()[id].explicit_sizes)
)
"""Those of them that can name a page size larger than the PMD page. Source: the same table, `explicit_sizes`."""

ADVISED_POOL_APPLICATIONS = tuple(id for id in POOL_APPLICATIONS if load_applications()[id].pool_advised)
"""Those of them whose makers advise a pool. Source: the same table, `pool_advised`."""

THP_OFF_STANCES = ("wants-off", "self-disables")
"""Stances of those whose makers want THP off, or who switch it off. Source: the same table, `STANCES`."""

TRANSHUGE = "Documentation/admin-guide/mm/transhuge.rst"
"""The kernel's page on transparent huge pages."""

KHUGEPAGED = "Documentation/admin-guide/mm/transhuge.rst, Khugepaged controls"
"""The part of it on khugepaged."""

HUGETLBPAGE = "Documentation/admin-guide/mm/hugetlbpage.rst"
"""The kernel's page on explicit huge page pools."""


def col(name: str) -> pl.Expr:
    """A feature column."""
    return pl.col(name)


def slotted_base_bytes() -> pl.Expr:
    """Anonymous bytes in mappings with at least one aligned slot that no huge page maps yet."""
    return col("slotted_anon_bytes") - col("anon_huge_bytes")


def large_on_base_pages() -> pl.Expr:
    """Much slotted anonymous memory, and a considerable part of it, is on base pages.

    The first term needs no smaps, so that small processes get a "no" also where smaps is denied.
    """
    return (
        (col("anon_bytes") >= LARGE_BYTES)
        & (slotted_base_bytes() >= LARGE_BYTES)
        & (slotted_base_bytes() >= (1 - COVERED_SHARE) * col("slotted_anon_bytes"))
    )


def sparse() -> pl.Expr:
    """Huge pages in every touched slot could multiply the memory."""
    growth = col("huge_page_growth_bytes")
    return (growth >= SPARSE_GROWTH_BYTES) & (growth >= SPARSE_GROWTH_FACTOR * col("anon_bytes"))


def dense() -> pl.Expr:
    """Huge pages in every touched slot would at most double the memory."""
    return col("huge_page_growth_bytes") <= DENSE_GROWTH_FACTOR * col("anon_bytes")


def would_get_thp() -> pl.Expr:
    """The host's THP mode serves this process: always, or madvise and it advises."""
    mode = col("host_thp_enabled")
    return (mode == "always") | ((mode == "madvise") & (col("advised_bytes") >= LARGE_BYTES))


def memory_tight() -> pl.Expr:
    """Little memory is available on the host."""
    return col("host_memory_available_share") < TIGHT_AVAILABLE_SHARE


def is_one_of(applications: tuple[str, ...]) -> pl.Expr:
    """The program is recognised as one of these applications; not recognised is a "no", not a "cannot
    tell"."""
    return col("application_id").is_in(applications).fill_null(False)
