"""The memory of one process as a picture: what backs it, as one bar over the width, with a legend in bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from advisor.render import words
from advisor.render.numbers import UNKNOWN, human_bytes, percent
from advisor.report.process import Memory, ProcessEntry
from advisor.tui.ink import Ink


class Part(NamedTuple):
    """Memory on one kind of page. mark: its letter; fill: its pattern; role: its style."""

    mark: str
    fill: str
    role: str
    name: str
    bytes: int | None


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
        Part("H", "#", "hugetlb", "hugetlb pages", memory.hugetlb_bytes),
        Part("A", "█", "pmd-anon", "THP, anonymous (mapped by PMD)", memory.anon_huge_bytes),
        Part("F", "▓", "pmd-file", "THP, shared memory and files", file_huge),
        Part("m", "▒", "mthp", "mTHP (large folios, mapped by PTE)", large),
        Part("b", "░", "base", "base pages" if looked else "base pages, mTHP among them where there is any", rest)
        if seen
        else Part("?", "?", "unseen", "resident, on unknown pages", None if memory.rss_bytes is None else rest),
        Part("s", "~", "swap", "in swap", memory.swap_bytes),
    ]


def columns_of(sizes: Sequence[int], width: int) -> list[int]:
    """`width` columns shared out by size: they add up, and what is not nothing has one at least.

    With more kinds than columns the last ones get none.
    """
    total, present = sum(sizes), [place for place, size in enumerate(sizes) if size > 0]
    shares = [0] * len(sizes)
    for place in present[:width]:
        shares[place] = max(1, round(sizes[place] * width / total))
    while present and (over := sum(shares) - width):
        widest = max(range(len(shares)), key=shares.__getitem__)
        shares[widest] -= 1 if over > 0 else -1
    return shares


class StackedBar:
    """A bar of parts over whatever width there is: a line with their letters, a line of their patterns alone."""

    def __init__(self, ink: Ink, parts: Sequence[Part]) -> None:
        self._ink = ink
        self._parts = [part for part in parts if part.bytes]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = columns_of([part.bytes or 0 for part in self._parts], options.max_width)
        for with_marks in (True, False):
            line = Text(no_wrap=True, end="\n")
            for part, width in zip(self._parts, widths, strict=True):
                fill = part.fill * width
                drawn = f"{part.mark}{fill[1:]}" if with_marks and width else fill
                line.append(drawn, self._ink.style(part.role))
            yield line


def memory(ink: Ink, process: ProcessEntry) -> RenderableType:
    """The bar, its legend, and what else the kernel counts."""
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
        ink.heading("Counted by the kernel"),
        _counts(ink, process),
    )


def _legend(ink: Ink, parts: Sequence[Part], whole: int) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for justify in ("left", "right", "right", "left"):
        table.add_column(justify=justify, no_wrap=justify == "right")
    for part in parts:
        role = part.role if part.bytes else "muted"
        share = "" if not whole or part.bytes is None else percent(part.bytes / whole)
        table.add_row(
            ink.text(f"{part.mark}{part.fill * 3}", role),
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
