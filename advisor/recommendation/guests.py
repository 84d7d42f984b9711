"""Virtual machines: what backs each guest's RAM on this host, and what its own administrator should do inside.

The processor caches a guest's translation at the smaller of the two page sizes, so that both sides must be huge for
the whole gain (transhuge.rst; Documentation/virt/kvm/x86/mmu.rst).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.recommendation.model import GuestPlan, ProcessAdvice
from advisor.rules import Policy
from advisor.rules.text import show_bytes

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""

MOSTLY = 0.5
"""Share of a guest's memory from which a kind of page is its backing. Source: own choice. Reason: more than half."""


def plan_guests(rows: Sequence[Row], advice: Sequence[ProcessAdvice]) -> list[GuestPlan]:
    """Every virtual machine monitor, most at stake first."""
    pairs = [(row, one) for row, one in zip(rows, advice, strict=True) if row["is_vmm"]]
    return [_guest(row, one) for row, one in sorted(pairs, key=lambda pair: -pair[1].at_stake_bytes)]


def _guest(row: Row, one: ProcessAdvice) -> GuestPlan:
    advised = one.recommendation
    now = _backing(row)
    planned = {Policy.HUGETLB: "hugetlb", Policy.THP: "thp", Policy.THP_OFF: "base"}.get(Policy(advised.policy), now)
    page = advised.page_bytes or (row["hugetlb_page_bytes"] if now == "hugetlb" else row["host_pmd_bytes"])
    page = None if planned == "base" else page
    name = row["name"] or ""
    return GuestPlan(one.pid, name, row["guest_ram_bytes"], now, planned, page, _inside(planned, page, row))


def _backing(row: Row) -> str:
    """The pages that hold most of what is resident; mixed where none does, unknown where it cannot be told."""
    hugetlb, thp = row["hugetlb_bytes"] or 0, (row["anon_huge_bytes"] or 0) + (row["shmem_huge_bytes"] or 0)
    if row["anon_huge_bytes"] is None and not hugetlb:
        return "unknown"
    all_of_it = hugetlb + (row["anon_bytes"] or 0) + (row["shmem_rss_bytes"] or 0)
    for kind, size in (("hugetlb", hugetlb), ("thp", thp), ("base", all_of_it - hugetlb - thp)):
        if size > MOSTLY * all_of_it:
            return kind
    return "mixed"


def _inside(planned: str, page: int | None, row: Row) -> str:
    """What to do in the guest, which this host cannot see."""
    if planned in ("base", "unknown"):
        return "Huge pages inside the guest save half of a walk at most while the host backs it with base pages."
    pmd = row["host_pmd_bytes"]
    text = "Inside, use huge pages as well: THP mode madvise or always, or pools for what has an option for them"
    if planned == "hugetlb" and page is not None and pmd is not None and page > pmd:
        return f"{text}; pages of {show_bytes(page)} inside pay only here, where the host's are as large."
    smaller = "" if page is None else f", of at most {show_bytes(page)}: larger ones are cached as that"
    return f"{text}{smaller}. Run the report there to see which programs."
