"""Why the huge page slots of one VMA, which policy allows to be huge, are not: by its page tables, else by smaps.

khugepaged looks at one slot after the other and refuses it as a whole (mm/khugepaged.c, hpage_collapse_scan_pmd):
more swapped pages than max_ptes_swap, more empty ones than max_ptes_none (any, where a userfaultfd watches), more
shared ones than max_ptes_shared, a pinned page, none referenced. In shmem it counts pages of the file, present in
this process or not, and does not mind sharing. mlock is no obstacle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from advisor.features import why_reasons as why
from advisor.features.declare import HostValues
from advisor.profile.model import HostState

ENABLING = frozenset({"always", "madvise"})

REFUSALS: Mapping[str, str] = {
    "exceed_none_pte": why.TOO_SPARSE,
    "exceed_swap_pte": why.SWAPPED,
    "exceed_shared_pte": why.SHARED,
    "pte_uffd_wp": why.USERFAULTFD,
    "not_suitable_page_count": why.PINNED,
    "page_locked": why.PINNED,
    "lack_referenced_page": why.NOT_REFERENCED,
    "alloc_huge_page_failed": why.ALLOCATION_FAILED,
    "ccgroup_charge_failed": why.ALLOCATION_FAILED,
    "cgroup_charge_failed": why.ALLOCATION_FAILED,
}
"""What khugepaged's tracepoints call a refusal (include/trace/events/huge_memory.h, its spelling) -> reason."""


PASSING = frozenset(("page_not_in_lru", "could_not_delete_page_from_lru"))
"""Refusals of a moment: the page waits in a CPU's list or is being moved. The next look tells more."""


class Group(NamedTuple):
    """`slots` slots, no huge page mapping any, that agree in how many of their base pages are present, of these
    shared with other processes (None is not known), and swapped. The zero page is not present."""

    present: int
    shared: int | None
    swapped: int
    slots: int


class Pages(NamedTuple):
    """What a walk of the page tables found in one VMA, or in several (empty_slots None).

    empty_slots: whole slots that hold nothing; outside_bytes: present in no whole slot; mthp_bytes: in folios between
    the base and the PMD page; whole_bytes: in folios of the PMD size and more that base page entries map. The last
    two are 0 where nobody could look.
    """

    groups: Sequence[Group]
    empty_slots: int | None
    outside_bytes: int
    mthp_bytes: int = 0
    whole_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes and khugepaged's limits in base pages a slot; None is unknown."""

    page_bytes: int
    pmd_bytes: int
    max_none: int | None
    max_swap: int | None
    max_shared: int | None

    @property
    def pmd_pages(self) -> int:
        return self.pmd_bytes // self.page_bytes


class Vma(NamedTuple):
    """One VMA with at least one slot.

    base_bytes: anonymous or shmem pages on base pages, without private copies of shmem. shared_bytes: resident pages
    that others map too. writable: false for reservations (PROT_NONE). pinned_slots: known to hold pages pinned for
    I/O. refusals: how often khugepaged refused a slot of it, by the status that its tracepoints print.
    """

    base_bytes: int
    huge_bytes: int
    size: int
    slot_bytes: int
    swap_bytes: int
    shared_bytes: int | None
    referenced_bytes: int | None
    is_shmem: bool
    writable: bool
    advice: str | None
    eligible: int | None
    userfaultfd: bool
    pinned_slots: int
    pages: Pages | None
    refusals: Mapping[str, int]


@dataclass(slots=True)
class Parts:
    """Bytes by reason, and beside them address space or swap that is concerned but holds no base pages."""

    bytes: dict[str, int] = field(default_factory=dict)
    beside: dict[str, int] = field(default_factory=dict)

    def add(self, reason: str, size: int) -> None:
        if size:
            self.bytes[reason] = self.bytes.get(reason, 0) + size

    def add_beside(self, reason: str, size: int) -> None:
        if size:
            self.beside[reason] = self.beside.get(reason, 0) + size


@dataclass(frozen=True, slots=True)
class HostEvidence:
    """What the host says about slots that khugepaged would take. allocation_failed: why no huge page is to be had,
    None where nothing says so."""

    anon_passes: bool
    shmem_passes: bool
    limits: Limits | None
    allocation_failed: str | None


def host_evidence(host: HostValues, state: HostState, allocation_failed: str | None) -> HostEvidence:
    """From the host columns and khugepaged's settings."""
    base_page, pmd = host["host_base_page_bytes"], host["host_pmd_bytes"]
    settings = state.thp.khugepaged if state.thp is not None else {}
    limits = None
    if isinstance(base_page, int) and isinstance(pmd, int):
        limits = Limits(
            base_page,
            pmd,
            settings.get("max_ptes_none"),
            settings.get("max_ptes_swap"),
            settings.get("max_ptes_shared"),
        )
    return HostEvidence(
        anon_passes=host["host_thp_enabled"] in ENABLING,
        shmem_passes=host["host_shmem_enabled"] is not None,
        limits=limits,
        allocation_failed=allocation_failed,
    )


def divide(vma: Vma, whole_reason: str | None, host: HostEvidence) -> Parts:
    """The VMA's base bytes by reason; they add up to base_bytes. whole_reason: what policy says of all of it."""
    parts = Parts()
    limits = host.limits
    if limits is None:
        parts.add(whole_reason or why.UNKNOWN, vma.base_bytes)
        return parts
    found = _by_smaps(vma, limits) if vma.pages is None else _by_pages(vma.pages, limits)
    _note_beside(vma, limits, parts)
    for reason, size in _fitted(found, vma.base_bytes).items():
        if reason in (why.MTHP, why.PTE_MAPPED):
            parts.add(reason, size)
        elif whole_reason is not None:
            parts.add(whole_reason, size)
        elif vma.userfaultfd:
            parts.add(why.USERFAULTFD, size)
        elif reason in (PASSES, CANNOT_TELL):
            _rest(vma, size, reason, host, parts)
        else:
            parts.add(reason, size)
    return parts


PASSES = "passes"
"""Stands for memory in slots that are within all of khugepaged's limits."""
CANNOT_TELL = "cannot-tell"
"""Stands for memory in slots of which it is not known."""


def _by_pages(pages: Pages, limits: Limits) -> dict[str, int]:
    """What lies in larger folios comes first, wherever it is; the slots share the rest."""
    found = {why.MISALIGNED: pages.outside_bytes}
    for group in pages.groups:
        reason = _slot_reason(group, limits, is_shmem=False)
        found[reason] = found.get(reason, 0) + group.slots * group.present * limits.page_bytes
    large = {why.MTHP: pages.mthp_bytes, why.PTE_MAPPED: pages.whole_bytes}
    rest = max(sum(found.values()) - sum(large.values()), 0)
    return {reason: size for reason, size in (large | _fitted(found, rest)).items() if size > 0}


def _slot_reason(group: Group, limits: Limits, *, is_shmem: bool) -> str:
    """Why khugepaged refuses a slot like these. It stops at the first page that is one too many, in the order of
    addresses; here the order is swapped, empty, shared."""
    if None in (limits.max_none, limits.max_swap, limits.max_shared):
        return CANNOT_TELL
    if group.swapped > (limits.max_swap or 0):
        return why.SWAPPED
    if limits.pmd_pages - group.present - group.swapped > (limits.max_none or 0):
        return CANNOT_TELL if is_shmem else why.TOO_SPARSE
    if is_shmem or (group.shared or 0) <= (limits.max_shared or 0):
        return PASSES if is_shmem or group.shared is not None else CANNOT_TELL
    return why.SHARED


def _by_smaps(vma: Vma, limits: Limits) -> dict[str, int]:
    """Sums alone do not tell where in a VMA its pages are: as many as fit outside of slots count as misaligned, and
    the rest is judged as if it were spread evenly over the slots that huge pages do not fill."""
    outside = min(vma.base_bytes, vma.size - vma.slot_bytes)
    inside = vma.base_bytes - outside
    slots = max((vma.slot_bytes - vma.huge_bytes) // limits.pmd_bytes, 1)
    present = -(-inside // (slots * limits.page_bytes))
    swapped = vma.swap_bytes // (slots * limits.page_bytes)
    shared = None
    if vma.shared_bytes is not None:
        shared = min(present, vma.shared_bytes // (slots * limits.page_bytes))
    group = Group(present, shared, min(swapped, limits.pmd_pages - present), slots)
    found = {_slot_reason(group, limits, is_shmem=vma.is_shmem): inside} if inside else {}
    return {**found, why.MISALIGNED: outside} if outside else found


def _fitted(found: Mapping[str, int], total: int) -> dict[str, int]:
    """The parts scaled to the total: page tables are walked at another moment than smaps is read."""
    seen = sum(found.values())
    if seen == total:
        return dict(found)
    if not seen:
        return {CANNOT_TELL: total} if total else {}
    fitted = {reason: size * total // seen for reason, size in found.items()}
    largest = max(fitted, key=lambda reason: fitted[reason])
    fitted[largest] += total - sum(fitted.values())
    return {reason: size for reason, size in fitted.items() if size}


def _note_beside(vma: Vma, limits: Limits, parts: Parts) -> None:
    """Slots without base pages: in swap, or with nothing in them (at least so many, where smaps alone tells)."""
    if vma.pages is not None and vma.pages.empty_slots is not None:
        empty = vma.pages.empty_slots * limits.pmd_bytes
        swapped = sum(g.slots * g.swapped for g in vma.pages.groups if _is_swapped(g.swapped, limits))
        swapped *= limits.page_bytes
    else:
        used = (vma.base_bytes + vma.swap_bytes) // limits.page_bytes * limits.pmd_bytes + vma.huge_bytes
        empty = max(vma.slot_bytes - used, 0)
        slots = max(vma.slot_bytes // limits.pmd_bytes, 1)
        swapped = vma.swap_bytes if _is_swapped(vma.swap_bytes // (slots * limits.page_bytes), limits) else 0
    parts.add_beside(why.NOT_POPULATED, empty if vma.writable else 0)
    parts.add_beside(why.SWAPPED, swapped)


def _is_swapped(swapped: int, limits: Limits) -> bool:
    return limits.max_swap is not None and swapped > limits.max_swap


def _rest(vma: Vma, size: int, state: str, host: HostEvidence, parts: Parts) -> None:
    """Memory that no limit of khugepaged holds back, or of which that is not known."""
    if not _is_told(vma, host):
        parts.add(why.UNKNOWN, size)
        return
    pinned = min(size, vma.pinned_slots * (host.limits.pmd_bytes if host.limits else 0))
    parts.add(why.PINNED, pinned)
    size -= pinned
    for reason, share in _traced(vma.refusals).items():
        part = min(size, round(size * share))
        parts.add(reason, part)
        size -= part
    if vma.referenced_bytes == 0:
        parts.add(why.NOT_REFERENCED, size)
    elif host.allocation_failed is not None:
        parts.add(why.ALLOCATION_FAILED, size)
    else:
        parts.add(why.NOT_YET if state == PASSES else why.ELIGIBLE, size)


def _traced(refusals: Mapping[str, int]) -> dict[str, float]:
    """Share of the looks that khugepaged took at this VMA, by the reason it refused for."""
    lasting = {status: times for status, times in refusals.items() if status not in PASSING}
    looks = sum(lasting.values())
    shares: dict[str, float] = {}
    for status, times in lasting.items():
        if (reason := REFUSALS.get(status)) is not None:
            shares[reason] = shares.get(reason, 0.0) + times / looks
    return shares


def _is_told(vma: Vma, host: HostEvidence) -> bool:
    """Whether the kernel says that the VMA may be huge: THPeligible, or where that is absent its advice and mode."""
    told = vma.eligible > 0 if vma.eligible is not None else vma.advice is not None
    return told and (host.shmem_passes if vma.is_shmem else host.anon_passes)
