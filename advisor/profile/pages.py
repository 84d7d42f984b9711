"""What lies behind the mappings of one process, page by page: slots, refusals of khugepaged, folios. Raw."""

from __future__ import annotations

from msgspec import Struct


class SlotGroup(Struct, frozen=True, array_like=True):
    """`slots` huge page slots that hold as many pages each: present, of these mapped by another process as well, and
    swapped; the rest of a slot was never populated, or is the zero page."""

    present: int
    shared: int
    swapped: int
    slots: int


class VmaPages(Struct, frozen=True):
    """What is populated in one private anonymous VMA with huge page slots, or in `count` of them (start None).

    kind, advice: as in `Mapping`. size: virtual bytes. present_bytes holds huge_bytes (mapped by PMD) and
    outside_bytes (present outside of whole slots); the zero page is in none of them. groups: slots that hold
    something and that no huge page maps, each slot in one group; empty_slots: those that hold nothing.
    """

    start: int | None
    count: int
    size: int
    kind: str
    advice: str | None
    present_bytes: int
    huge_bytes: int
    swapped_bytes: int
    outside_bytes: int
    empty_slots: int
    groups: list[SlotGroup]


class PageScan(Struct, frozen=True, omit_defaults=True):
    """Which pages of a process's private anonymous memory are populated, slot by slot.

    method: pagemap-scan (6.7) | pagemap (before; huge_bytes is then what smaps says, and full slots are taken for
    the huge ones). unscanned_bytes: resident in VMAs with slots that were not looked at, because the time was over or
    because the profile does not keep their addresses; 0 is complete. A slot is an aligned range of pmd_bytes wholly
    inside one VMA.
    """

    pmd_bytes: int
    base_page_bytes: int
    method: str
    vmas: list[VmaPages]
    unscanned_bytes: int
    wall_s: float
    cpu_s: float


class Refusal(Struct, frozen=True, array_like=True):
    """khugepaged refused slots of the VMA that begins at `start`, `times` times, with a word of the kernel's
    (include/trace/events/huge_memory.h): exceed_none_pte, not_suitable_page_count ..."""

    start: int
    status: str
    times: int


class KhugepagedLooks(Struct, frozen=True):
    """What khugepaged was heard to do by its tracepoints (opt-in): huge page slots that it looked at within seconds.

    looks: by the kernel's word for the result, "succeeded" among them. attributed: refusals of which the process is
    known; lost: events that did not fit into the kernel's buffer.
    """

    seconds: float
    looks: dict[str, int]
    attributed: int
    lost: int


class FolioSize(Struct, frozen=True, array_like=True):
    """Bytes in whole folios of page_bytes that page table entries map, as tools/mm/thpmaps counts them.

    aligned: at a multiple of their size in the address space. cont: naturally aligned blocks of this size that are
    contiguous in memory and lie in one folio, however large, also where it is mapped in part.
    """

    page_bytes: int
    anon_aligned: int
    anon_unaligned: int
    anon_cont: int
    file_aligned: int
    file_unaligned: int
    file_cont: int


class FolioCounts(Struct, frozen=True):
    """Bytes of large folios by how they are mapped: whole by a PMD, whole by page table entries, or in part."""

    anon_pmd: int
    file_pmd: int
    anon_partial: int
    file_partial: int
    sizes: list[FolioSize]


class FolioVma(Struct, frozen=True, array_like=True):
    """One large VMA's part of a `FolioScan`."""

    start: int
    size: int
    counts: FolioCounts


class FolioScan(Struct, frozen=True):
    """Large folios (THP, mTHP, large page cache) that a process maps, by pagemap and kpageflags.

    hugetlb and the huge zero page are none of them. vmas: those of at least the PMD size that map any, the largest
    first. complete: False where the time was over before the last page.
    """

    base_page_bytes: int
    total: FolioCounts
    vmas: list[FolioVma]
    complete: bool
    wall_s: float
    cpu_s: float
