"""The memory map of one process as a picture: a row a mapping, as long as it is large, by what backs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from advisor.render.escape import visible
from advisor.render.numbers import UNKNOWN_SHORT, count, duration, human_bytes, plural
from advisor.report.close_up import CloseUp, CloseUpVma
from advisor.tui import bars
from advisor.tui.bars import Part
from advisor.tui.ink import Ink

NOT_HERE_YET = "It is on its way. (A screen that is held waits until it goes on.)"

MOSTLY_EMPTY = 4
"""Times the fullest mapping's memory that the longest bar stands for at most. Source: own choice. Reason: address
space that was only reserved (16 TiB by ZGC) would leave one column for all that holds something."""

ADDRESS, SIZE, THP = 12, 8, 6
"""Columns of a user address in hexadecimal, of "1023 MiB", of "yes hg"."""

ADDRESSES_FROM = 64
"""Columns from which addresses and THP are shown, too."""

NAME_SHARE = 0.4
"""Share of what is left that names may have; the rest is for bars."""

LEGEND = (
    ("ON", "how much is on what, not where: letters as above, · holds nothing, » goes on empty; length is size"),
    ("THP", "may huge pages be there, as the modes stand; hg, nh: madvise for, against; of a pool: its page size"),
    ("small", "too small for a huge page: sums by kind"),
)

KIND_WORDS = {"anon": "anonymous", "shmem": "shared memory", "special": "of the kernel", "mixed": "several kinds"}
"""Kind of a mapping -> what stands where it has no name; other kinds are words themselves."""

ADVICE_WORDS = {"hugepage": " hg", "nohugepage": " nh"}


def vma_map(ink: Ink, close_up: CloseUp | None) -> RenderableType:
    """Heading, rows, and what the columns mean; or why there is none."""
    if close_up is None:
        return Group(ink.heading("Map"), ink.text(NOT_HERE_YET, "muted"))
    if close_up.vmas is None:
        return Group(ink.heading("Map"), ink.text(f"Not known: {close_up.vmas_missing}.", "muted"))
    if not close_up.vmas:
        return Group(ink.heading("Map"), ink.text("It maps nothing.", "muted"))
    return Group(
        ink.heading(f"Map: {_summary(close_up.vmas)}"),
        *([] if close_up.vmas_newest else [ink.text(_older(close_up), "medium")]),
        VmaRows(ink, close_up.vmas),
        "",
        ink.facts(LEGEND),
    )


def _summary(vmas: Sequence[CloseUpVma]) -> str:
    mappings, size = sum(vma.vmas for vma in vmas), sum(vma.size_bytes for vma in vmas)
    held = sum(vma.rss_bytes + (vma.hugetlb_bytes or 0) for vma in vmas)
    rows = "" if mappings == len(vmas) else f" in {plural(len(vmas), 'row')}"
    return f"{plural(mappings, 'mapping')}{rows}, {human_bytes(size)}, of it {human_bytes(held)} resident"


def _older(close_up: CloseUp) -> str:
    return f"As it was {duration(close_up.vmas_age_s)} ago; since then only sums over the process were read."


def parts_of(vma: CloseUpVma) -> list[Part]:
    """What a mapping's addresses hold, and how much of it holds nothing."""
    held = vma.rss_bytes + (vma.hugetlb_bytes or 0) + (vma.swap_bytes or 0)
    return [
        Part(bars.HUGETLB, "", vma.hugetlb_bytes),
        Part(bars.THP_ANON, "", vma.anon_huge_bytes),
        Part(bars.THP_FILE, "", vma.file_huge_bytes),
        Part(bars.MTHP, "", vma.mthp_bytes),
        Part(bars.BASE, "", vma.base_bytes)
        if vma.base_bytes is not None
        else Part(bars.UNSEEN, "", vma.rss_bytes - (vma.file_huge_bytes or 0)),
        Part(bars.SWAP, "", vma.swap_bytes),
        Part(bars.ABSENT, "", max(vma.size_bytes - held, 0)),
    ]


def longest_of(vmas: Sequence[CloseUpVma]) -> int:
    """Bytes that the longest bar stands for; what is larger is cut."""
    held = max(sum(part.bytes or 0 for part in parts_of(vma)[:-1]) for vma in vmas)
    return min(max(vma.size_bytes for vma in vmas), held * MOSTLY_EMPTY) or max(vma.size_bytes for vma in vmas)


class _Widths(NamedTuple):
    """Columns; 0: not shown."""

    address: int
    thp: int
    bar: int
    name: int

    @classmethod
    def of(cls, width: int, name: int) -> _Widths:
        """name: columns of the longest."""
        address, thp = (ADDRESS + 1, THP + 1) if width >= ADDRESSES_FROM else (0, 0)
        left = width - address - thp - 2 * (SIZE + 1) - 1
        name = max(min(name, int(left * NAME_SHARE)), 0)
        return cls(address, thp, max(left - name, 1), name)


class VmaRows:
    """The rows, over whatever width there is."""

    def __init__(self, ink: Ink, vmas: Sequence[CloseUpVma]) -> None:
        self._ink, self._vmas = ink, vmas

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        names = [visible(name_of(vma)) for vma in self._vmas]
        widths = _Widths.of(options.max_width, max(map(cell_len, names)))
        longest = longest_of(self._vmas)
        yield self._line(widths, "ADDRESS", "SIZE", "RESIDENT", Text("ON"), "THP", Text("WHAT"), role="muted")
        for vma, name in zip(self._vmas, names, strict=True):
            held = vma.rss_bytes + (vma.hugetlb_bytes or 0)
            yield self._line(
                widths,
                "small" if vma.start is None else f"{vma.start:012x}",
                human_bytes(vma.size_bytes),
                human_bytes(held),
                self._bar(vma, longest, widths.bar),
                thp_of(vma),
                Text(shortened(name, widths.name)),
                role="" if held else "muted",
            )

    def _line(
        self, widths: _Widths, address: str, size: str, held: str, drawn: Text, thp: str, name: Text, *, role: str
    ) -> Text:
        ink = self._ink
        lead = f"{address:<{ADDRESS}} " if widths.address else ""
        drawn.pad_right(max(widths.bar - cell_len(drawn.plain), 0))
        line = ink.join((lead, "muted"), (f"{size:>{SIZE}} {held:>{SIZE}} ", role), drawn, " ")
        if widths.thp:
            line.append(f"{thp:<{THP}} ", ink.style("muted"))
        line.append(name.plain, ink.style(role))
        line.no_wrap, line.overflow = True, "crop"
        return line

    def _bar(self, vma: CloseUpVma, longest: int, width: int) -> Text:
        """As long as the mapping is large; one that is too long is cut where it holds nothing."""
        parts = parts_of(vma)
        if vma.size_bytes <= longest:
            return bars.bar(self._ink, parts, max(round(vma.size_bytes * width / longest), 1))
        rest = longest - sum(part.bytes or 0 for part in parts[:-1])
        cut = [*parts[:-1], Part(bars.ABSENT, "", max(rest, 0))]
        return bars.bar(self._ink, cut, max(width - 1, 1)).append("»", self._ink.style("muted"))


def name_of(vma: CloseUpVma) -> str:
    """Its name; of several, how many they are."""
    said = vma.name or KIND_WORDS.get(vma.kind, vma.kind)
    return said if vma.vmas == 1 else f"{count(vma.vmas)} x {said}"


def thp_of(vma: CloseUpVma) -> str:
    """Whether huge pages may be there, and what the program advised; of a pool, the size of its pages."""
    if vma.kind == "hugetlb":
        return human_bytes(vma.page_bytes, UNKNOWN_SHORT).replace("iB", "")
    eligible = UNKNOWN_SHORT if vma.thp_eligible is None else "yes" if vma.thp_eligible else "no"
    return eligible + ADVICE_WORDS.get(vma.advice or "", "")


def shortened(name: str, width: int) -> str:
    """The end of a path that is too long, the beginning of other names."""
    if cell_len(name) <= width or width < 1:
        return set_cell_size(name, min(width, cell_len(name)))
    if not name.startswith("/"):
        return f"{set_cell_size(name, width - 1)}…"
    return f"…{set_cell_size(name[::-1], width - 1)[::-1]}"
