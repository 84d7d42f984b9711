"""What the reader of a report asks for in place of what would be advised: policies of processes, the host's THP mode,
sizes of its pools.

Advice is for the case that nobody knows better. Who does (a pool is wanted for its guarantee, a guest must not be
swapped) still needs the arithmetic and the texts. A policy is granted unless a rule forbids it; a mode or a pool
unless the host cannot have it, and the plan says who then loses what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from advisor.recommendation.demands import shared_object
from advisor.rules import PageSize, Policy
from advisor.rules.text import show_bytes

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""

ASKED_FOR = "asked-for"
"""Identifier of the reason that stands where a wish was fulfilled, or could not be; it is no rule."""


class Wish(NamedTuple):
    """A policy for one process. page_bytes: of the pool; None for other policies and for a pool of the PMD size.

    start_ticks: of the process that is meant; None: whichever has the pid.
    """

    policy: Policy
    page_bytes: int | None = None
    start_ticks: int | None = None

    def is_for(self, row: Row) -> bool:
        """Whether the process is the one that is meant, not another that was given its pid since."""
        return self.start_ticks in (None, row["start_ticks"])

    def in_words(self) -> str:
        """As a part of a sentence."""
        if self.policy is not Policy.HUGETLB:
            return self.policy.value
        size = "the PMD size" if self.page_bytes is None else show_bytes(self.page_bytes)
        return f"a pool of pages of {size}"

    def page(self, row: Row) -> PageSize | None:
        """Which of the host's page sizes is meant. Raises LookupError where the host has no pool of this size."""
        if self.policy is not Policy.HUGETLB:
            return None
        if row["host_pool_pmd_total"] is not None and self.page_bytes in (None, row["host_pmd_bytes"]):
            return PageSize.PMD
        if self.page_bytes is not None and self.page_bytes == row["host_pool_gigantic_page_bytes"]:
            return PageSize.GIGANTIC
        raise LookupError(f"this host has no {self.in_words().removeprefix('a ')}")


class Wishes(NamedTuple):
    """All that somebody wants. policies: by pid; thp_enabled: the host's mode; pools: pages in all by page size."""

    policies: Mapping[int, Wish] = MappingProxyType({})
    thp_enabled: str | None = None
    pools: Mapping[int, int] = MappingProxyType({})


NO_WISHES = Wishes()


def for_rows(rows: Sequence[Row], wishes: Mapping[int, Wish]) -> list[Wish | None]:
    """The wish for each row, by pid; what is asked for one process goes for all that share its memory."""
    if not wishes:
        return [None] * len(rows)
    own = [wish if (wish := wishes.get(row["pid"])) is not None and wish.is_for(row) else None for row in rows]
    shared = {
        shared_object(row): wish
        for row, wish in zip(rows, own, strict=True)
        if wish is not None and row["sharing_leader"] is not None
    }
    return [
        wish or (shared.get(shared_object(row)) if row["sharing_leader"] is not None else None)
        for row, wish in zip(rows, own, strict=True)
    ]
