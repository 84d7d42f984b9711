"""The lines of the process table: processes, or groups with their members below. Pure functions of a report."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from advisor.render.numbers import count, plural
from advisor.report.document import Report
from advisor.report.process import ProcessEntry
from advisor.tui.columns import Identity, Order, arranged, identity
from advisor.tui.groups import Group, grouped

Row = ProcessEntry | Group
"""One line."""


@dataclass(frozen=True)
class View:
    """How the table is looked at. wanted: the words of the filter; by: what it is grouped by, None is not at all."""

    order: Order = field(default_factory=Order)
    wanted: str = ""
    by: str | None = None


def rows(report: Report, view: View, opened: Collection[str]) -> list[Row]:
    """The lines, from top to bottom. opened: labels of the groups whose members are listed below them."""
    found = arranged(report.processes, view.order, view.wanted)
    if view.by is None:
        return list(found)
    lines: list[Row] = []
    for group in grouped(found, view.by, view.order, report.plan):
        lines.append(group)
        if group.label in opened:
            lines += group.members
    return lines


def members_of(row: Row) -> Sequence[ProcessEntry]:
    """The processes that a line stands for."""
    return row.members if isinstance(row, Group) else (row,)


def place_of(lines: Sequence[Row], label: str | None, near: Identity | None) -> int | None:
    """The line of a group with this label, else of this process, else of the group that holds it."""
    holding = None
    for place, row in enumerate(lines):
        if isinstance(row, Group):
            if row.label == label:
                return place
            if holding is None and any(identity(process) == near for process in row.members):
                holding = place
        elif label is None and identity(row) == near:
            return place
    if label is not None:
        return place_of(lines, None, near)
    return holding


def standing(lines: Sequence[Row], view: View, marked: Collection[ProcessEntry]) -> str:
    """What the lines alone do not say: how much is grouped, and what is marked; empty where that is nothing."""
    groups = [row for row in lines if isinstance(row, Group)]
    parts = []
    if groups:
        held = sum(len(group.members) for group in groups)
        parts.append(f"{plural(held, 'process', 'processes')} in {plural(len(groups), 'group')} by {view.by}")
    if marked:
        shown = {identity(process) for row in lines for process in members_of(row)}
        hidden = sum(identity(process) not in shown for process in marked)
        parts.append(f"{count(len(marked))} marked" + (f", {count(hidden)} of them not in sight" if hidden else ""))
    return " · ".join(parts)
