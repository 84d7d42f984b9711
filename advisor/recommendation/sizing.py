"""Page sizes, pages and bloat of a policy for one process: arithmetic on its row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from advisor.recommendation.model import Recommendation
from advisor.recommendation.segments import in_words, pieces
from advisor.rules import PageSize, Policy

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""


SHMEM_RULE = "shmem-huge-pages-off"
"""The rule whose proposal is about shared memory and shmem_enabled, not about anonymous memory and its mode."""


class PoolSize(NamedTuple):
    """Pages for a pool, the bytes they hold, their size, and what was counted."""

    pages: int
    wanted_bytes: int
    page_bytes: int
    basis: str


def page_bytes(policy: Policy, page: PageSize | None, row: Row) -> int | None:
    """The policy's page size on this host, bytes; None where it has none or the host's sizes are unknown."""
    if policy is Policy.THP:
        return _size(row["host_pmd_bytes"])
    if policy is not Policy.HUGETLB:
        return None
    if page is PageSize.GIGANTIC:
        return _size(row["host_pool_gigantic_page_bytes"])
    if page is PageSize.PMD:
        return _size(row["host_pmd_bytes"])
    return _size(row["hugetlb_page_bytes"])


def pool_pages(row: Row, page: int | None) -> PoolSize | None:
    """Pages of a pool for the memory of this process that can be explicit; None where that is not known.

    Which memory that is, and how it is rounded up, is said in `segments`.
    """
    found = pieces(row, page) if page is not None else []
    if page is None or not found:
        return None
    pages = sum(piece.pages for piece in found)
    return PoolSize(pages, sum(piece.size_bytes for piece in found), page, in_words(found))


def bloat_bytes(policy: Policy, row: Row, sized: PoolSize | None) -> int | None:
    """Growth that the policy risks (thp), prevents (thp-off) or costs by rounding up (hugetlb), bytes."""
    if policy in (Policy.THP, Policy.THP_OFF):
        return _size(row["huge_page_growth_bytes"])
    return sized.pages * sized.page_bytes - sized.wanted_bytes if sized is not None else None


def bloat_basis(policy: Policy, row: Row) -> str | None:
    """What the growth by THP rests on: pages (counted) or smaps (a bound); None for other policies or unknown."""
    basis = row["huge_page_growth_basis"] if policy in (Policy.THP, Policy.THP_OFF) else None
    return None if basis is None else str(basis)


def base_bytes(row: Row) -> int:
    """Resident anonymous and shared memory on base pages; unknown parts count as nothing."""
    return (row["anon_base_bytes"] or 0) + (row["shmem_base_bytes"] or 0)


def moved_bytes(row: Row, recommendation: Recommendation) -> int:
    """Resident base-page bytes that the advice puts on huge pages, at most; unknown parts count as nothing."""
    page, pages = recommendation.page_bytes, recommendation.pages
    if recommendation.policy == Policy.HUGETLB and page and pages:
        return pooled_bytes(row, page, pages)
    if recommendation.policy != Policy.THP:
        return 0
    if concerns_shmem(recommendation):
        return row["shmem_base_bytes"] or 0
    return max((row["slotted_anon_bytes"] or 0) - (row["anon_huge_bytes"] or 0), 0)


def pooled_bytes(row: Row, page: int, pages: int) -> int:
    """Resident base-page bytes that a pool of so many pages would hold instead; unknown parts count as nothing."""
    return min(_movable(row), page * pages)


def concerns_shmem(recommendation: Recommendation) -> bool:
    """The advice was decided by the rule on shared memory's own switch."""
    return recommendation.reasons[0].rule == SHMEM_RULE


def _movable(row: Row) -> int:
    """Resident bytes on base pages that a pool would hold instead."""
    anon, shmem = row["anon_base_bytes"] or 0, row["shmem_base_bytes"] or 0
    if row["hugetlb_mapped_bytes"]:
        return 0
    if row["is_vmm"]:
        return anon + shmem
    return shmem if (row["shared_object_bytes"] or 0) >= (row["slotted_anon_bytes"] or 0) else anon


def _size(value: Any) -> int | None:
    return None if value is None else int(value)
