"""The memory map of one process, as a picture of it needs it: each large mapping, and what its memory is on. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TypeVar

from advisor.profile.model import Mapping
from advisor.profile.pages import FolioCounts, FolioScan
from advisor.profile.timeline import ProcessState
from advisor.report.close_up import CloseUpVma

MOST_VMAS = 200
"""Entries of a map. Source: own choice. Reason: ten screens; runtimes with thousands of mappings have them alike."""

ADVICE = {"hg": "hugepage", "nh": "nohugepage", "": ""}
"""Advice of a mapping in a profile -> in words."""

MIXED = "mixed"
"""Kind of several mappings of different kinds."""

T = TypeVar("T")


def build_vmas(process: ProcessState, most: int = MOST_VMAS) -> list[CloseUpVma] | None:
    """The map as it was last read, at most so many entries; None where it was not.

    Nothing is left out of the sums: small mappings side by side become one entry, those without an address one for
    each kind.
    """
    if process.maps is None:
        return None
    told = _Told(process.smaps_fields, process.folios)
    made = [told.vma(mapping) for mapping in process.maps]
    folded = [_summed(list(alike)) for _, alike in groupby(sorted(filter(_is_folded, made), key=_kind), key=_kind)]
    singles = sorted((vma for vma in made if not _is_folded(vma)), key=lambda vma: vma.start or 0)
    return _with_runs(singles, most - len(folded)) + folded


def _is_folded(vma: CloseUpVma) -> bool:
    return vma.start is None


def _kind(vma: CloseUpVma) -> str:
    return vma.kind


def _with_runs(singles: Sequence[CloseUpVma], most: int) -> list[CloseUpVma]:
    """The largest ones singly, what lies between two of them as one entry; all singly where there are few."""
    if len(singles) <= most:
        return list(singles)
    kept = max((most - 1) // 2, 0)
    largest = {id(vma) for vma in sorted(singles, key=_weight, reverse=True)[:kept]}
    entries: list[CloseUpVma] = []
    for is_large, run in groupby(singles, key=lambda vma: id(vma) in largest):
        side_by_side = list(run)
        entries += side_by_side if is_large else [_summed(side_by_side)]
    return entries


def _weight(vma: CloseUpVma) -> tuple[int, int]:
    """What it holds, then how large it is."""
    return vma.rss_bytes + (vma.hugetlb_bytes or 0) + (vma.swap_bytes or 0), vma.size_bytes


class _Told:
    """Reads mappings by the names of their values, with what is known of large folios."""

    def __init__(self, fields: Sequence[str], folios: FolioScan | None) -> None:
        self._places = {name: place for place, name in enumerate(fields)}
        self._mthp = {} if folios is None else {vma.start: mthp_bytes(vma.counts) for vma in folios.vmas}
        # What is told of single VMAs is all there is: then the others have none.
        whole = folios is not None and folios.complete and sum(self._mthp.values()) == mthp_bytes(folios.total)
        self._mthp_elsewhere = 0 if whole else None

    def vma(self, mapping: Mapping) -> CloseUpVma:
        rss = self._value(mapping, "Rss") or 0
        anon_huge = self._value(mapping, "AnonHugePages")
        file_huge = _added(self._value(mapping, "ShmemPmdMapped"), self._value(mapping, "FilePmdMapped"))
        left = max(rss - (anon_huge or 0) - (file_huge or 0), 0)
        mthp = self._mthp_of(mapping) if left else 0
        mthp = None if mthp is None else min(mthp, left)  # folios were looked at before or after the map was read
        return CloseUpVma(
            start=mapping.start,
            size_bytes=mapping.size,
            vmas=mapping.count,
            kind=mapping.kind,
            name=mapping.name,
            page_bytes=mapping.page_bytes,
            rss_bytes=rss,
            base_bytes=None if anon_huge is None else left - (mthp or 0),
            mthp_bytes=mthp,
            anon_huge_bytes=anon_huge,
            file_huge_bytes=file_huge,
            hugetlb_bytes=self._hugetlb(mapping),
            swap_bytes=self._value(mapping, "Swap"),
            thp_eligible=None if mapping.eligible is None else bool(mapping.eligible),
            advice=None if mapping.advice is None else ADVICE[mapping.advice],
        )

    def _mthp_of(self, mapping: Mapping) -> int | None:
        return (
            self._mthp.get(mapping.start, self._mthp_elsewhere) if mapping.start is not None else self._mthp_elsewhere
        )

    def _hugetlb(self, mapping: Mapping) -> int | None:
        """A mapping that is no hugetlb holds none, also where the kernel does not print it."""
        shared, private = (self._value(mapping, f"{name}_Hugetlb") for name in ("Shared", "Private"))
        known = None if shared is None or private is None else shared + private
        return known if mapping.kind == "hugetlb" else known or 0

    def _value(self, mapping: Mapping, name: str) -> int | None:
        place = self._places.get(name)
        return None if place is None else mapping.values[place]


def mthp_bytes(counts: FolioCounts) -> int:
    """In whole large folios that page table entries map, as a report counts them."""
    return sum(
        size.anon_aligned + size.anon_unaligned + size.file_aligned + size.file_unaligned for size in counts.sizes
    )


def _summed(vmas: Sequence[CloseUpVma]) -> CloseUpVma:
    """Several in one entry; a sum of which one part is unknown is unknown, but for mTHP that base then holds."""
    if len(vmas) == 1:
        return vmas[0]

    def total(value: Callable[[CloseUpVma], int | None]) -> int | None:
        parts = [value(vma) for vma in vmas]
        return None if None in parts else sum(filter(None, parts))

    mthp = total(lambda vma: vma.mthp_bytes)
    # Where mTHP of one is unknown, so is that of all, and base holds what of it is known of the others.
    base = [None if vma.base_bytes is None else vma.base_bytes + (vma.mthp_bytes or 0) for vma in vmas]
    return CloseUpVma(
        start=vmas[0].start,
        size_bytes=sum(vma.size_bytes for vma in vmas),
        vmas=sum(vma.vmas for vma in vmas),
        kind=_common((vma.kind for vma in vmas), MIXED),
        name=_common((vma.name for vma in vmas), ""),
        page_bytes=_common((vma.page_bytes for vma in vmas), None),
        rss_bytes=sum(vma.rss_bytes for vma in vmas),
        base_bytes=None if None in base else sum(filter(None, base)) - (mthp or 0),
        mthp_bytes=mthp,
        anon_huge_bytes=total(lambda vma: vma.anon_huge_bytes),
        file_huge_bytes=total(lambda vma: vma.file_huge_bytes),
        hugetlb_bytes=total(lambda vma: vma.hugetlb_bytes),
        swap_bytes=total(lambda vma: vma.swap_bytes),
        thp_eligible=_common((vma.thp_eligible for vma in vmas), None),
        advice=_common((vma.advice for vma in vmas), None),
    )


def _common(values: Iterable[T], otherwise: T) -> T:
    """The value that all have."""
    different = set(values)
    return different.pop() if len(different) == 1 else otherwise


def _added(one: int | None, other: int | None) -> int | None:
    """Their sum; what is not printed counts as nothing unless neither is."""
    return None if one is None and other is None else (one or 0) + (other or 0)
