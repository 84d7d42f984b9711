"""Which pages of a process are populated, huge page slot by slot: whom to scan, and the scan.

Only private anonymous memory in VMAs with at least one slot is looked at: elsewhere huge pages fill nothing that the
process did not fill (shmem is collapsed by what its file holds, not by what one process maps of it).
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from advisor.collect.page_slots import Shape, SlotTally, read_slots, scan_slots, tally
from advisor.collect.priority import IMPORTANT_BYTES
from advisor.procfs.errors import MissingError
from advisor.procfs.fs import KernelFs
from advisor.procfs.pagemap_scan import PRESENT, PagemapScanner, Vma
from advisor.profile.model import Mapping
from advisor.profile.pages import PageScan, SlotGroup, VmaPages

SCAN_S_PER_BYTE = 3e-3 / 2**30
"""Seconds of page-table walk for each byte on base pages: 3 ms a GiB (measured on 6.18)."""

SHARING_FACTOR = 6
"""Where other processes map the pages as well, pagemap itself is read too: another 15 ms a GiB (measured on 6.18)."""

VMA_SCAN_S = 60e-6
"""Seconds for a VMA of which little is populated (measured: 50 us, nearly all of it here)."""

LONGEST_SCAN_S = 0.5
"""Seconds after which the scan of one process stops with what it has: about 160 GiB of base pages. A pagemap without
PAGEMAP_SCAN is read at 30 GiB of virtual memory within them."""

SINGLE_BYTES = 16 << 20
"""A VMA with less resident is summed up with others of its kind and advice. Source: own choice. Reason: what huge
pages do to eight slots decides nothing."""

MOST_SINGLES = 64
"""VMAs told singly, the fullest first. Source: own choice. Reason: a row takes a kilobyte; allocators with more large
mappings have them alike."""

CHANGED_SHARE = 0.25
"""Anonymous memory that changed by a quarter since its scan is scanned again. Source: own choice."""

GROWTH_BYTES = 64 << 20
"""Memory that a process could grow by at most if each of its pages lay alone in a slot; above it, however little is
resident, it is scanned. Source: own choice. Reason: a quarter of the growth from which rules call memory sparse."""

SCANNED_KINDS = ("anon", "heap")


@dataclass(frozen=True, slots=True)
class Target:
    """One VMA to scan, with what smaps says of it, bytes."""

    vma: Vma
    kind: str
    advice: str | None
    resident_bytes: int
    swapped_bytes: int
    huge_bytes: int
    is_shared: bool

    def could_grow_bytes(self, shape: Shape) -> int:
        """The most that huge pages could add: every slot, or every page alone in one."""
        pages = (self.resident_bytes - self.huge_bytes) // shape.page_bytes
        return min(self.vma.end - self.vma.start, pages * shape.slot_bytes)

    @property
    def cost_s(self) -> float:
        """Predicted seconds."""
        base = (self.resident_bytes - self.huge_bytes + self.swapped_bytes) * SCAN_S_PER_BYTE
        return VMA_SCAN_S + base * (SHARING_FACTOR if self.is_shared else 1)


@dataclass(frozen=True, slots=True)
class PagePlan:
    """Targets of one process, the fullest first. elsewhere_bytes: resident in VMAs of which no address is known.

    hugetlb: where its hugetlb VMAs begin, which hold no folios of interest.
    """

    pid: int
    targets: tuple[Target, ...]
    elsewhere_bytes: int
    hugetlb: frozenset[int] = frozenset()

    @property
    def anon_bytes(self) -> int:
        """Resident in the targets: what the plan is about."""
        return sum(target.resident_bytes for target in self.targets)

    @property
    def base_bytes(self) -> int:
        """Resident in the targets and mapped by no PMD."""
        return sum(target.resident_bytes - target.huge_bytes for target in self.targets)

    @property
    def cost_s(self) -> float:
        """Predicted seconds."""
        return min(LONGEST_SCAN_S, sum(target.cost_s for target in self.targets))


def plan_pages(pid: int, maps: Iterable[Mapping], fields: Sequence[str], shape: Shape) -> PagePlan | None:
    """What to scan of a process, by its smaps; None where too little anonymous memory could be huge."""
    if "Rss" not in fields:
        return None
    targets, elsewhere, hugetlb = [], 0, set()
    for mapping in maps:
        if mapping.kind == "hugetlb" and mapping.start is not None:
            hugetlb.add(mapping.start)
        if mapping.kind not in SCANNED_KINDS or not mapping.slot_bytes:
            continue
        target = _target(mapping, dict(zip(fields, mapping.values, strict=True)))
        if mapping.start is None:
            elsewhere += target.resident_bytes
        elif target.resident_bytes or target.swapped_bytes:
            targets.append(target)
    plan = PagePlan(
        pid, tuple(sorted(targets, key=lambda target: -target.resident_bytes)), elsewhere, frozenset(hugetlb)
    )
    growth = sum(target.could_grow_bytes(shape) for target in targets)
    return plan if plan.anon_bytes >= IMPORTANT_BYTES or growth >= GROWTH_BYTES else None


def _target(mapping: Mapping, values: dict[str, int]) -> Target:
    return Target(
        vma=Vma(mapping.start or 0, (mapping.start or 0) + mapping.size),
        kind=mapping.kind,
        advice=mapping.advice,
        resident_bytes=values["Rss"],
        swapped_bytes=values.get("Swap", 0),
        huge_bytes=values.get("AnonHugePages", 0),
        is_shared=values.get("Shared_Clean", 0) + values.get("Shared_Dirty", 0) > 0,
    )


def differs(anon_bytes: int, scanned_bytes: int | None) -> bool:
    """Whether a process is to be scanned (again)."""
    return scanned_bytes is None or abs(anon_bytes - scanned_bytes) > CHANGED_SHARE * scanned_bytes


def choose_plans(waiting: Iterable[PagePlan], available_s: float) -> list[PagePlan]:
    """As many as fit into the seconds, those with most memory first."""
    chosen = []
    for plan in sorted(waiting, key=lambda plan: (-plan.anon_bytes, plan.pid)):
        if plan.cost_s <= available_s:
            available_s -= plan.cost_s
            chosen.append(plan)
    return chosen


class PageReader:
    """PagePlan -> PageScan. Runs in the guarded thread."""

    def __init__(self, fs: KernelFs, shape: Shape) -> None:
        self.fs = fs
        self.shape = shape

    @property
    def place(self) -> str:
        return self.fs.reading

    def read(self, item: PagePlan) -> PageScan:
        """Raises KernelTextError where pagemap cannot be opened, GoneError where the process ended."""
        wall, cpu = time.perf_counter(), time.thread_time()
        with PagemapScanner(self.fs, item.pid) as scanner:
            method = "pagemap-scan" if has_scan(scanner) else "pagemap"
            tallies = list(_tallies(scanner, item.targets, self.shape, method, wall + LONGEST_SCAN_S))
        missed = sum(target.resident_bytes for target in item.targets[len(tallies) :])
        if tallies and tallies[-1][1].is_cut:
            target, last = tallies[-1]
            missed += max(0, target.resident_bytes - last.present * self.shape.page_bytes)
        return PageScan(
            pmd_bytes=self.shape.slot_bytes,
            base_page_bytes=self.shape.page_bytes,
            method=method,
            vmas=_rows(tallies, self.shape),
            unscanned_bytes=item.elsewhere_bytes + missed,
            wall_s=round(time.perf_counter() - wall, 6),
            cpu_s=round(time.thread_time() - cpu, 6),
        )

    def finish(self) -> None:
        """Nothing is put off."""

    def successor(self) -> PageReader:
        return self


def has_scan(scanner: PagemapScanner) -> bool:
    """Whether this kernel has PAGEMAP_SCAN, by asking it about the first page of the address space."""
    try:
        return all(True for _ in scanner.regions(0, os.sysconf("SC_PAGE_SIZE"), any_of=PRESENT))
    except MissingError:
        return False


def _tallies(
    scanner: PagemapScanner, targets: Iterable[Target], shape: Shape, method: str, ends: float
) -> Iterator[tuple[Target, SlotTally]]:
    """Each target with its sums, as far as the time goes."""
    for target in targets:
        into = SlotTally(target.vma, shape)
        if method == "pagemap":
            slots = read_slots(scanner, target.vma, shape, target.resident_bytes + target.swapped_bytes)
        else:
            slots = scan_slots(
                scanner, target.vma, shape, with_swap=target.swapped_bytes > 0, with_shared=target.is_shared
            )
        is_whole = tally(slots, into, ends)
        if method == "pagemap":
            into.take_for_huge(target.huge_bytes // shape.slot_bytes)
        yield target, into
        if not is_whole:
            return


def _rows(tallies: Sequence[tuple[Target, SlotTally]], shape: Shape) -> list[VmaPages]:
    """The fullest VMAs singly, in address order; the others summed by kind and advice."""
    rows = [_row(target, one, shape) for target, one in tallies]
    singles = [row for row in rows[:MOST_SINGLES] if row.present_bytes >= SINGLE_BYTES]
    folded: dict[tuple[str, str | None], list[VmaPages]] = {}
    for row in rows[len(singles) :]:
        folded.setdefault((row.kind, row.advice), []).append(row)
    return [*map(_summed, folded.values()), *sorted(singles, key=lambda row: row.start or 0)]


def _row(target: Target, one: SlotTally, shape: Shape) -> VmaPages:
    return VmaPages(
        start=target.vma.start,
        count=1,
        size=target.vma.end - target.vma.start,
        kind=target.kind,
        advice=target.advice,
        present_bytes=one.present * shape.page_bytes,
        huge_bytes=one.huge_slots * shape.slot_bytes,
        swapped_bytes=one.swapped * shape.page_bytes,
        outside_bytes=one.outside * shape.page_bytes,
        empty_slots=one.empty_slots,
        groups=one.slot_groups(),
    )


def _summed(rows: Sequence[VmaPages]) -> VmaPages:
    groups: Counter[tuple[int, int, int]] = Counter()
    for row in rows:
        for group in row.groups:
            groups[group.present, group.shared, group.swapped] += group.slots
    return VmaPages(
        start=None,
        count=len(rows),
        size=sum(row.size for row in rows),
        kind=rows[0].kind,
        advice=rows[0].advice,
        present_bytes=sum(row.present_bytes for row in rows),
        huge_bytes=sum(row.huge_bytes for row in rows),
        swapped_bytes=sum(row.swapped_bytes for row in rows),
        outside_bytes=sum(row.outside_bytes for row in rows),
        empty_slots=sum(row.empty_slots for row in rows),
        groups=[SlotGroup(*pages, slots) for pages, slots in sorted(groups.items())],
    )
