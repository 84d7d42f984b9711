"""What huge pages would add to a process, from how full its huge page slots are: arithmetic on a page scan.

Two ways fill a slot. A fault in an empty slot maps a whole huge page (mm/huge_memory.c do_huge_pmd_anonymous_page),
so that a program started under THP populates every slot that it touches. khugepaged collapses what is there already,
as far as max_ptes_none, max_ptes_swap and max_ptes_shared permit (mm/khugepaged.c hpage_collapse_scan_pmd). Memory
that the program advised against (MADV_NOHUGEPAGE) stays as it is, and what is huge already has grown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from advisor.profile.pages import PageScan, SlotGroup

ADVISED_AGAINST = "nh"

THRESHOLD_SHARES = (0.0, 1 / 8, 1 / 4, 1 / 2, 4 / 5)
"""Shares of a slot's pages at which max_ptes_none is forecast beside the host's own value and the highest. Source:
own choice. Reason: full slots alone; three in between; 409 of 512, which the authors of shrink_underused used."""

NO_LIMIT = 1 << 30
"""In place of a limit that this kernel does not have: max_ptes_swap before 4.8, max_ptes_shared before 5.8."""


class Limits(NamedTuple):
    """khugepaged's limits in pages of a slot; none: None where khugepaged's settings are unknown."""

    none: int | None
    swap: int = NO_LIMIT
    shared: int = NO_LIMIT


class Forecast(NamedTuple):
    """Growth of RSS in bytes. unscanned_bytes: resident where nobody looked, of which nothing is said.

    fault_most: the program is started anew under THP and touches what it has touched: every populated slot is full.
    fault: the same, but what it once had and gave back is not there again, as giving back splits a huge page.
    khugepaged: what collapsing adds to the memory as it is; None where its limits are unknown. by_max_ptes_none: the
    same at other limits. reclaimable: of `fault_most`, what the kernel takes back under memory pressure
    (shrink_underused); None where this kernel cannot.
    """

    fault: int
    fault_most: int
    khugepaged: int | None
    by_max_ptes_none: dict[int, int]
    reclaimable: int | None
    unscanned_bytes: int


def limits_of(khugepaged: Mapping[str, int] | None) -> Limits:
    """Limits from the files of `khugepaged/`, by name."""
    settings = khugepaged or {}
    return Limits(
        settings.get("max_ptes_none"),
        settings.get("max_ptes_swap", NO_LIMIT),
        settings.get("max_ptes_shared", NO_LIMIT),
    )


def forecast(scan: PageScan, limits: Limits, shrink_underused: int | None, given_back_bytes: int = 0) -> Forecast:
    """What huge pages would add. shrink_underused: the switch of that name, None where the kernel has none (6.12).

    given_back_bytes: how much less is resident than once was. Which of the empty pages were populated before is not
    visible; all that was given back is taken to be among them.
    """
    slot_pages = scan.pmd_bytes // scan.base_page_bytes
    groups = list(_groups(scan))
    thresholds = {int(share * slot_pages) for share in THRESHOLD_SHARES} | {slot_pages - 1}
    if limits.none is not None:
        thresholds.add(limits.none)
    added = {
        none: scan.base_page_bytes * _collapsed_pages(groups, slot_pages, limits._replace(none=none))
        for none in sorted(thresholds)
    }
    most = scan.base_page_bytes * sum(_empty(group, slot_pages) * group.slots for group in groups)
    return Forecast(
        fault=max(0, most - given_back_bytes),
        fault_most=most,
        khugepaged=None if limits.none is None else added[limits.none],
        by_max_ptes_none=added,
        reclaimable=_reclaimable_bytes(scan, groups, limits.none, shrink_underused),
        unscanned_bytes=scan.unscanned_bytes,
    )


def _groups(scan: PageScan) -> Iterator[SlotGroup]:
    """Slots that THP would reach."""
    for vma in scan.vmas:
        if vma.advice != ADVISED_AGAINST:
            yield from vma.groups


def _empty(group: SlotGroup, slot_pages: int) -> int:
    """Pages of a slot that hold nothing, nor anything in swap."""
    return slot_pages - group.present - group.swapped


def _collapsed_pages(groups: list[SlotGroup], slot_pages: int, limits: Limits) -> int:
    """Pages that collapsing adds to RSS: empty ones, and swapped ones that it reads in."""
    return sum(
        (slot_pages - group.present) * group.slots
        for group in groups
        if _empty(group, slot_pages) <= (limits.none or 0)
        and group.swapped <= limits.swap
        and group.shared <= limits.shared
    )


def _reclaimable_bytes(
    scan: PageScan, groups: list[SlotGroup], max_ptes_none: int | None, shrink_underused: int | None
) -> int | None:
    """Zero-filled pages of huge pages with more than max_ptes_none of them, which the highest value never has."""
    if shrink_underused is None or max_ptes_none is None:
        return None
    slot_pages = scan.pmd_bytes // scan.base_page_bytes
    if not shrink_underused or max_ptes_none >= slot_pages - 1:
        return 0
    underused = (group for group in groups if _empty(group, slot_pages) > max_ptes_none)
    return scan.base_page_bytes * sum(_empty(group, slot_pages) * group.slots for group in underused)
