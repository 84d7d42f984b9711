"""Processes in groups: by application or by cgroup, with what their columns add up to. Pure functions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from advisor.render import words
from advisor.render.numbers import UNKNOWN_SHORT, count, human_bytes
from advisor.render.page import ELLIPSIS, bar_and_share, cell
from advisor.report.plan import HostPlan
from advisor.report.process import Memory, ProcessEntry, RecommendationEntry
from advisor.tui.columns import BAR, CONFIDENCE_ORDER, GAP, Column, Order
from advisor.tui.ink import Ink

GROUPINGS = (None, "application", "cgroup")
"""What processes can be grouped by; None is not at all."""

FOLDED, OPENED = "▸", "▾"

VARIOUS = "various"
"""How it reads where the members differ."""

AT_LEAST, AT_MOST, ABOUT = "+", "≤", "~"
"""Behind a sum of which a part is unknown; before one that may count shared pages more than once; before both."""

SUM = 8
"""Columns of the narrowest sum; one that is wider does without its blank."""

COVERED = frozenset({"name", "application", "user"})
"""Columns that the label of a group lies across: it says what they would, or they differ from member to member."""


@dataclass(frozen=True, eq=False)
class Group:
    """Some processes that have an application or a cgroup in common, in the order of the table; at least one.

    new_pages: page size and number of the pool pages that the plan adds for them.
    """

    by: str
    label: str
    members: Sequence[ProcessEntry]
    new_pages: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True)
class Sum:
    """known: over the members of which it is known, None where there is none. partly: it is unknown of others.
    bound: memory that members share may be counted more than once."""

    known: int | None
    partly: bool
    bound: bool = False

    def __str__(self) -> str:
        if self.known is None:
            return UNKNOWN_SHORT
        before = (ABOUT if self.partly else AT_MOST) if self.bound else ""
        behind = AT_LEAST if self.partly and not self.bound else ""
        said = f"{before}{human_bytes(self.known)}{behind}"
        return said if len(said) <= SUM else said.replace(" ", "")


def label_of(process: ProcessEntry, by: str) -> str:
    """The group that a process belongs to. What is no known application is called by its program's file."""
    if by == "cgroup":
        return process.cgroup or "cgroup unknown"
    if process.application is not None:
        return process.application.name
    return (process.executable or "").rpartition("/")[2] or process.name


def grouped(processes: Iterable[ProcessEntry], by: str, order: Order, plan: HostPlan) -> list[Group]:
    """The groups of these, sorted by what they add up to; members keep the order that they come in.

    Without a column to sort by: those with a change first, then by what is at stake, as in the report.
    """
    members: dict[str, list[ProcessEntry]] = defaultdict(list)
    for process in processes:
        members[label_of(process, by)].append(process)
    new = _new_pages(plan)
    groups = [
        Group(by, label, some, [pages for process in some for pages in new.get(process.pid, ())])
        for label, some in members.items()
    ]
    key = _by_stake if order.column is None else CELLS[order.column].key
    keyed = [(key(group), group) for group in groups]
    known = sorted((pair for pair in keyed if pair[0] is not None), key=lambda pair: pair[0], reverse=order.downwards)
    return [group for _, group in known] + [group for value, group in keyed if value is None]


def _new_pages(plan: HostPlan) -> dict[int, list[tuple[int, int]]]:
    """Page size and number of new pool pages, by pid. Those who share memory need its pages once: the plan's word."""
    new: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for pool in plan.pools:
        for term in pool.terms:
            if term.kind == "new" and term.pid is not None:
                new[term.pid].append((pool.page_bytes, term.pages))
    return new


def total(group: Group, value: Callable[[ProcessEntry], int | None]) -> Sum:
    """The sum over the members."""
    return _sum([value(process) for process in group.members])


def memory(group: Group) -> Sum:
    """Memory of the members together. What they share counts by its share in each (PSS), so once at most in all; of
    hugetlb pages, and where PSS is unknown, the kernel does not tell, and the sum is the most that it can be."""
    unsure = sum(bool(one.memory.hugetlb_bytes) or one.memory.pss_bytes is None for one in group.members)
    return _sum([_own_bytes(process.memory) for process in group.members], bound=unsure > 1)


def _own_bytes(memory: Memory) -> int | None:
    resident = memory.rss_bytes if memory.pss_bytes is None else memory.pss_bytes
    return None if resident is None else resident + (memory.hugetlb_bytes or 0)


def _sum(values: Sequence[int | None], *, bound: bool = False) -> Sum:
    known = [value for value in values if value is not None]
    return Sum(sum(known) if known else None, len(known) < len(values), bound)


def coverage(group: Group) -> float | None:
    """Share of the group's anonymous, shared and hugetlb memory that is on huge pages; of the members that tell."""
    huge = of = 0
    for one in (process.memory for process in group.members if process.memory.huge_coverage is not None):
        huge += (one.anon_huge_bytes or 0) + (one.shmem_huge_bytes or 0) + (one.hugetlb_bytes or 0)
        of += (one.anon_bytes or 0) + (one.shmem_rss_bytes or 0) + (one.hugetlb_bytes or 0)
    return huge / of if of else None


def advice(group: Group) -> str:
    """How many get which advice, what changes something first: 3 THP, 1 leave."""
    counted: Counter[tuple[bool, str]] = Counter()
    for one in _recommendations(group):
        keep = "" if one.changes or one.policy == words.LEAVE else "keep "
        counted[not one.changes, keep + words.POLICY_WORDS[one.policy]] += 1
    ranked = sorted(counted.items(), key=lambda item: (item[0][0], -item[1]))
    return ", ".join(f"{count(number)} {said}" for (_, said), number in ranked)


def pages(group: Group) -> str:
    """Pages that pools grow by for the members; in bytes where their sizes differ."""
    if len({size for size, _ in group.new_pages}) > 1:
        return human_bytes(_new_bytes(group)).replace(" ", "")
    return count(sum(number for _, number in group.new_pages)) if group.new_pages else ""


def _new_bytes(group: Group) -> int:
    return sum(size * number for size, number in group.new_pages)


def _recommendations(group: Group) -> Iterable[RecommendationEntry]:
    return (process.recommendation for process in group.members)


def changes(group: Group) -> int:
    """How many of the members should change."""
    return sum(one.changes for one in _recommendations(group))


@dataclass(frozen=True)
class Cell:
    """What one column says of a group, and how it sorts; None comes last."""

    text: Callable[[Group], str]
    key: Callable[[Group], Any]


def _sum_cell(added: Callable[[Group], Sum]) -> Cell:
    return Cell(lambda group: str(added(group)), lambda group: added(group).known)


def _total_cell(value: Callable[[ProcessEntry], int | None]) -> Cell:
    return _sum_cell(lambda group: total(group, value))


def _same_cell(value: Callable[[ProcessEntry], str], key: Callable[[ProcessEntry], Any] | None = None) -> Cell:
    """What all members say; `various` where they differ. Sorts by the text, or by the largest key."""

    def text(group: Group) -> str:
        said = {value(process) for process in group.members}
        return said.pop() if len(said) == 1 else VARIOUS

    return Cell(text, text if key is None else lambda group: max(map(key, group.members)))


def _by_stake(group: Group) -> tuple[bool, int]:
    return changes(group) > 0, total(group, lambda process: process.at_stake_bytes).known or 0


_label = Cell(lambda group: group.label, lambda group: group.label.lower())

CELLS = {
    "pid": Cell(lambda group: count(len(group.members)), lambda group: len(group.members)),
    "name": _label,
    "application": _label,
    "user": _same_cell(lambda process: process.user or UNKNOWN_SHORT),
    "memory": _sum_cell(memory),
    "huge": Cell(lambda group: bar_and_share(coverage(group), BAR), coverage),
    "now": _same_cell(words.state),
    "advice": Cell(advice, lambda group: (changes(group), advice(group))),
    "gain": Cell(lambda _: "", lambda _: None),
    "confidence": _same_cell(
        lambda process: process.recommendation.confidence,
        lambda process: CONFIDENCE_ORDER[process.recommendation.confidence],
    ),
    "tables": _total_cell(lambda process: process.memory.page_table_bytes),
    "pages": Cell(pages, lambda group: _new_bytes(group) or None),
    "stake": _total_cell(lambda process: process.at_stake_bytes),
}
"""By the id of the column. Gains do not add up."""


def group_line(ink: Ink, group: Group, columns: Sequence[tuple[Column, int]], *, opened: bool) -> Text:
    """One group: its mark and size, its label across the columns of names, then the sums."""
    row = Text()
    for number, (column, width) in enumerate(_merged(columns)):
        row.append(" " * GAP if number else "")
        said = ink.text(CELLS[column.id].text(group), _role(column, group))
        if column.id == "pid":
            row.append(f"{OPENED if opened else FOLDED}{cell(said.plain, width - 1, right=True)}")
        elif column.id == "name" and group.by == "cgroup":
            row.append(_end_cell(said.plain, width), said.style or None)
        else:
            row.append(cell(said.plain, width, right=column.right), said.style or None)
    return row


def _merged(columns: Sequence[tuple[Column, int]]) -> list[tuple[Column, int]]:
    """The columns with those that the label lies across as one."""
    merged: list[tuple[Column, int]] = []
    for column, width in columns:
        if merged and {merged[-1][0].id, column.id} <= COVERED:
            merged[-1] = merged[-1][0], merged[-1][1] + GAP + width
        else:
            merged.append((column, width))
    return merged


def _role(column: Column, group: Group) -> str:
    if column.id == "advice":
        return "good" if changes(group) else "muted"
    return "strong" if column.id == "name" else ""


def _end_cell(text: str, width: int) -> str:
    """Of a path that is too long, the end, which tells more than the beginning."""
    cut = text
    while cell_len(cut) > width - (cut != text):
        cut = cut[1:]
    return cell(cut if cut == text else ELLIPSIS + cut, width)
