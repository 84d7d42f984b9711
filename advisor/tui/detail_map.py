"""The memory of one process as a picture: what backs it, as one bar over the width, with a legend in bytes."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from advisor.render import words
from advisor.render.numbers import UNKNOWN, human_bytes, percent
from advisor.report.close_up import CloseUp
from advisor.report.process import Memory, ProcessEntry
from advisor.tui import bars
from advisor.tui.bars import Part, StackedBar
from advisor.tui.detail_vmas import vma_map
from advisor.tui.ink import Ink


def parts_of(memory: Memory) -> list[Part]:
    """What backs a process's memory, largest pages first, then swap. Unknown is None; what is left is base pages,
    or of unknown backing where huge pages were not counted."""
    thp = (memory.anon_huge_bytes, memory.shmem_huge_bytes, memory.file_huge_bytes)
    seen = memory.rss_bytes is not None and memory.anon_huge_bytes is not None
    large = None if memory.mthp is None else sum(size.bytes + size.file_bytes for size in memory.mthp)
    rest = max((memory.rss_bytes or 0) - sum(size or 0 for size in thp) - (large or 0), 0)
    looked = large is not None and memory.mthp_complete is not False
    file_known = memory.shmem_huge_bytes is not None or memory.file_huge_bytes is not None
    file_huge = (memory.shmem_huge_bytes or 0) + (memory.file_huge_bytes or 0) if file_known else None
    return [
        Part(bars.HUGETLB, "hugetlb pages", memory.hugetlb_bytes),
        Part(bars.THP_ANON, "THP, anonymous (mapped by PMD)", memory.anon_huge_bytes),
        Part(bars.THP_FILE, "THP, shared memory and files", file_huge),
        Part(bars.MTHP, "mTHP (large folios, mapped by PTE)", large),
        Part(bars.BASE, "base pages" if looked else "base pages, mTHP among them where there is any", rest)
        if seen
        else Part(bars.UNSEEN, "resident, on unknown pages", None if memory.rss_bytes is None else rest),
        Part(bars.SWAP, "in swap", memory.swap_bytes),
    ]


def memory(ink: Ink, process: ProcessEntry, close_up: CloseUp | None = None) -> RenderableType:
    """The bar, its legend, the map, and what else the kernel counts."""
    parts = parts_of(process.memory)
    whole = sum(part.bytes or 0 for part in parts)
    bar: list[RenderableType] = [StackedBar(ink, parts)] if whole else [ink.text("No memory to draw.", "muted")]
    return Group(
        ink.heading(f"{human_bytes(whole)} by what backs it"),
        "",
        *bar,
        "",
        _legend(ink, parts, whole),
        "",
        vma_map(ink, close_up),
        "",
        ink.heading("Counted by the kernel"),
        _counts(ink, process),
    )


def _legend(ink: Ink, parts: Sequence[Part], whole: int) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for justify in ("left", "right", "right", "left"):
        table.add_column(justify=justify, no_wrap=justify == "right")
    for part in parts:
        role = part.look.role if part.bytes else "muted"
        share = "" if not whole or part.bytes is None else percent(part.bytes / whole)
        table.add_row(
            ink.text(f"{part.look.mark}{part.look.fill * 3}", role),
            ink.text(human_bytes(part.bytes), "" if part.bytes else "muted"),
            ink.text(share, "muted"),
            ink.text(part.name, "" if part.bytes else "muted"),
        )
    return table


def _counts(ink: Ink, process: ProcessEntry) -> Table:
    memory = process.memory
    coverage = (
        ""
        if memory.huge_coverage is None
        else f"{percent(memory.huge_coverage)} of anonymous, shared and hugetlb memory"
    )
    kinds = (("anonymous", memory.anon_bytes), ("shared", memory.shmem_rss_bytes), ("files", memory.file_rss_bytes))
    resident = ", ".join(f"{human_bytes(size)} {name}" for name, size in kinds if size is not None)
    return ink.facts(
        [
            ("RSS", f"{human_bytes(memory.rss_bytes)}{f': {resident}' if resident else ''}"),
            ("PSS", human_bytes(memory.pss_bytes)),
            ("huge", coverage or UNKNOWN),
            ("eligible", f"{human_bytes(memory.thp_eligible_bytes)} for THP as the modes stand"),
            ("mTHP", words.mthp(memory).removeprefix("mTHP: ") if memory.mthp is not None else "not looked for"),
            ("page tables", words.page_tables(process)),
            ("locked", human_bytes(memory.locked_bytes)),
            ("read from", memory.measured_by),
        ]
    )
