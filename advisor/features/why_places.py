"""What is known of a process by address beyond smaps: populated pages slot by slot, pinned buffers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from advisor.features.why_slots import Group, Pages
from advisor.procfs.facts import PinnedRange
from advisor.profile.pages import FolioCounts, Refusal, VmaPages
from advisor.profile.timeline import ProcessState


@dataclass(frozen=True, slots=True)
class Places:
    """scanned, refusals: by start address; summed: of the VMAs that a scan tells together, by kind and advice."""

    pmd_bytes: int | None
    scanned: Mapping[int, Pages]
    summed: Mapping[tuple[str, str | None], Pages]
    pinned: Sequence[PinnedRange]
    refusals: Mapping[int, Mapping[str, int]]

    @classmethod
    def of(cls, process: ProcessState, pmd_bytes: int | None) -> Places:
        """From the newest page scan, and from the pinned buffers where status still counts pinned memory."""
        scan = process.pages
        vmas = scan.vmas if scan is not None else []
        folios = {vma.start: vma.counts for vma in process.folios.vmas} if process.folios is not None else {}
        pins = process.status is not None and process.status.vm_pinned_bytes
        return cls(
            pmd_bytes=pmd_bytes,
            scanned={
                vma.start: _with_folios(_pages(vma), folios.get(vma.start), pmd_bytes)
                for vma in vmas
                if vma.start is not None
            },
            summed={(vma.kind, vma.advice): _pages(vma) for vma in vmas if vma.start is None},
            pinned=process.pinned or () if pins else (),
            refusals=_by_start(process.refusals or ()),
        )

    def pages(self, start: int | None, kind: str, advice: str | None) -> Pages | None:
        """What a scan found in a VMA; of one that it did not tell singly, what it found in all of its kind and
        advice, which is right in sum."""
        if start is not None and start in self.scanned:
            return self.scanned[start]
        return self.summed.get((kind, advice))

    def pinned_slots(self, start: int | None, size: int) -> int:
        """Whole slots of [start, start + size) that hold pinned pages: each is refused for one of them."""
        if start is None or self.pmd_bytes is None:
            return 0
        pmd = self.pmd_bytes
        first, behind = -(-start // pmd), (start + size) // pmd
        slots: set[int] = set()
        for pin in self.pinned:
            slots.update(range(max(pin.start // pmd, first), min(-(-(pin.start + pin.size) // pmd), behind)))
        return len(slots)


def _by_start(refusals: Iterable[Refusal]) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    for refusal in refusals:
        found.setdefault(refusal.start, {})[refusal.status] = refusal.times
    return found


def _with_folios(pages: Pages, counts: FolioCounts | None, pmd_bytes: int | None) -> Pages:
    """The pages with what of them is in large folios that are mapped whole, by base page entries."""
    if counts is None or pmd_bytes is None:
        return pages
    sizes = [(size.page_bytes, size.anon_aligned + size.anon_unaligned) for size in counts.sizes]
    return pages._replace(
        mthp_bytes=sum(found for page, found in sizes if page < pmd_bytes),
        whole_bytes=sum(found for page, found in sizes if page >= pmd_bytes),
    )


def _pages(vma: VmaPages) -> Pages:
    """Empty slots and swap of VMAs told together belong to no single one: smaps says them."""
    groups = [Group(group.present, group.shared, group.swapped, group.slots) for group in vma.groups]
    return Pages(groups, vma.empty_slots if vma.start is not None else None, vma.outside_bytes)
