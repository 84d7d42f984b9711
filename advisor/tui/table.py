"""The process table: draws only the lines in sight, so thousands of processes cost what twenty do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from advisor.report.document import Report
from advisor.report.process import ProcessEntry
from advisor.tui.columns import Identity, Order, column_at, fitting, header, identity
from advisor.tui.columns import line as process_line
from advisor.tui.groups import Group, group_line
from advisor.tui.ink import Ink
from advisor.tui.lines import drawn
from advisor.tui.rows import Row, View, members_of, place_of, rows, standing

HEADER_LINES = 1

MARK, PARTLY = "*", "+"
"""Before a process or group that is marked, and before a group of which some are."""

INDENT = 2
"""Columns that members of a group hang in."""


class Line(NamedTuple):
    """What a line of the screen stands for. opened: a group whose members are below it, or one of those."""

    what: Row | Order | str | None
    look: str
    mark: str = ""
    opened: bool = False


class ProcessTable(ScrollView, can_focus=True):
    """Processes of a report, or groups of them. The cursor stays on its process while reports come in."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--cursor", "table--header", "table--standing", "table--mark"}

    DEFAULT_CSS = """
    ProcessTable { height: 1fr; padding: 0 1 0 0; scrollbar-size-vertical: 1; overflow-x: hidden; }
    ProcessTable > .table--cursor { background: $panel; text-style: bold; }
    ProcessTable:focus > .table--cursor { background: $primary 35%; text-style: bold; }
    ProcessTable > .table--header { background: $surface; }
    ProcessTable > .table--standing { background: $surface; color: $foreground; }
    ProcessTable > .table--mark { color: $accent; text-style: bold; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Details"),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "edge(0)", "First", show=False),
        Binding("end,G", "edge(-1)", "Last", show=False),
        Binding("m", "mark", "Mark", show=False),
        Binding("M", "unmark_all", "Unmark all", show=False),
    ]

    class Chosen(Message):
        """Somebody wants to see all of this process."""

        def __init__(self, process: ProcessEntry) -> None:
            super().__init__()
            self.process = process

    class SortBy(Message):
        """Somebody clicked on the title of this column."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._report: Report | None = None
        self._rows: Sequence[Row] = ()
        self._view = View()
        self._ink = Ink()
        self._cursor = 0
        self._near: Identity | None = None
        self._label: str | None = None
        self._opened: set[str] = set()
        self._marks: set[Identity] = set()
        self._standing = ""
        self._is_covered = False
        self._painted: dict[int, tuple[Line, Text]] = {}
        self._ahead: dict[int, tuple[Line, int, Text]] = {}

    @property
    def rows(self) -> Sequence[Row]:
        """The lines, from top to bottom."""
        return self._rows

    @property
    def processes(self) -> Sequence[ProcessEntry]:
        """The processes that have a line of their own, from top to bottom."""
        return [row for row in self._rows if not isinstance(row, Group)]

    @property
    def row(self) -> Row | None:
        """The line under the cursor."""
        return self._rows[self._cursor] if self._cursor < len(self._rows) else None

    @property
    def current(self) -> ProcessEntry | None:
        """The process under the cursor; None on a group."""
        return None if isinstance(self.row, Group) else self.row

    @property
    def marked(self) -> list[ProcessEntry]:
        """Those that are marked and still there, also where the filter hides them; in the order of the report."""
        everybody = self._report.processes if self._report is not None and self._marks else []
        return [process for process in everybody if identity(process) in self._marks]

    @property
    def chosen_processes(self) -> list[ProcessEntry]:
        """What an action is for: those marked; where none is, the process under the cursor, or all of its group."""
        return self.marked or ([] if self.row is None else list(members_of(self.row)))

    def show(self, report: Report, view: View, ink: Ink) -> None:
        """Show these processes. The cursor follows its process; where that is gone, it stays in its line.

        Until somebody moves it, it stays at the top: that is who matters most.
        """
        if view.by != self._view.by:
            self._label = None
            self._opened.clear()
        if ink is not self._ink:
            self.refresh()
        self._report, self._view, self._ink = report, view, ink
        self._lay_out()

    def _lay_out(self) -> None:
        """Make the lines anew, and find the cursor's."""
        if self._report is None:
            return
        self._rows = rows(self._report, self._view, self._opened)
        if self._near is not None and (place := place_of(self._rows, self._label, self._near)) is not None:
            self._cursor = place
        self._cursor = min(self._cursor, max(len(self._rows) - 1, 0))
        self._stand()

    def _stand(self) -> None:
        """What stands below the lines has changed, perhaps: then there is another place for them."""
        self._standing = standing(self._rows, self._view, self.marked)
        self._make_room(Size(self.scrollable_content_region.width, len(self._rows) + self._fixed_lines()))
        self._redraw()

    def _make_room(self, room: Size) -> None:
        """For lines that came or went. Where the scroll bar stays there, or away, nothing else has to move: a new
        layout at each birth and death of a process would have the whole screen drawn anew."""
        tall = self.scrollable_content_region.height
        below = room.height - tall
        if (self.virtual_size.height > tall) == (below > 0) and self.scroll_offset.y <= max(below, 0):
            self.set_reactive(ProcessTable.virtual_size, room)
            self.vertical_scrollbar.window_virtual_size = room.height
        else:
            self.virtual_size = room

    def cover(self, is_covered: bool) -> None:
        """Leave the last line blank: something lies on it, for which the screen needs no new layout then."""
        if is_covered != self._is_covered:
            self._is_covered = is_covered
            self._stand()
            self._keep_in_sight()

    def on_resize(self, event: Resize) -> None:
        """Columns are chosen by the width when lines are drawn."""
        del event
        self._stand()
        self._keep_in_sight()

    def render_line(self, y: int) -> Strip:
        """The titles, the row that is scrolled to this line, or, at the bottom, what stands below them."""
        line = self._line(y)
        known, width, text = self._ahead.pop(y, (None, 0, Text()))
        if line != known or width != self.scrollable_content_region.width:
            text = self._text(line)
        self._painted[y] = line, text
        return self._strip(line, text)

    def _redraw(self) -> None:
        """Have the lines drawn that say something else than before: a tick changes few, and drawing costs most."""
        self._ahead.clear()
        for y, (painted, text) in self._painted.items():
            line = self._line(y) if y < self.size.height else painted
            if line == painted:
                continue
            new = self._text(line)
            self._ahead[y] = line, self.scrollable_content_region.width, new
            if line[1:] != painted[1:] or new != text:
                self.refresh(Region(0, y, self.size.width, 1))

    def _line(self, y: int) -> Line:
        if y < HEADER_LINES:
            return Line(self._view.order, "table--header")
        bottom = self.scrollable_content_region.height - 1
        if self._is_covered and y == bottom:
            return Line(None, "")
        if self._standing and y == bottom - self._is_covered:
            return Line(self._standing, "table--standing", " ")
        place = y - HEADER_LINES + self.scroll_offset.y
        if place >= len(self._rows):
            return Line(None, "")
        row = self._rows[place]
        opened = row.label in self._opened if isinstance(row, Group) else self._view.by is not None
        return Line(row, "table--cursor" if place == self._cursor else "", self._mark_of(row), opened)

    def _text(self, line: Line) -> Text:
        columns = fitting(self.scrollable_content_region.width - len(MARK))
        match line.what:
            case None:
                return Text()
            case str():
                return self._ink.text(line.what)
            case Order():
                return header(self._ink, columns, line.what)
            case Group():
                return group_line(self._ink, line.what, columns, opened=line.opened)
        return process_line(self._ink, line.what, columns, indent=INDENT if line.opened else 0)

    def _mark_of(self, row: Row) -> str:
        """Whether all that a line stands for is marked, or a part of it."""
        if not self._marks:
            return ""
        marked = [identity(process) in self._marks for process in members_of(row)]
        return MARK if all(marked) else PARTLY if any(marked) else ""

    def on_click(self, event: Click) -> None:
        """A click on a title sorts, one before a line marks it; on a line it moves there, a second one opens it."""
        place = event.get_content_offset(self)
        if place is None:
            return
        if place.y < HEADER_LINES:
            columns = fitting(self.scrollable_content_region.width - len(MARK))
            column = column_at(columns, place.x - len(MARK))
            if column is not None:
                self.post_message(self.SortBy(column.id))
            return
        row = place.y - HEADER_LINES + self.scroll_offset.y
        if row >= len(self._rows) or place.y >= HEADER_LINES + self._lines_in_sight():
            return
        self._go(row)
        if place.x < len(MARK):
            self._toggle_mark()
        elif event.chain > 1:
            self.action_choose()

    def action_choose(self) -> None:
        """Open a process for all that is known of it, a group for its members, or fold that."""
        row = self.row
        if isinstance(row, Group):
            self._opened ^= {row.label}
            self._label, self._near = row.label, self._near or identity(row.members[0])
            self._lay_out()
            self._keep_in_sight()
        elif row is not None:
            self.post_message(self.Chosen(row))

    def action_mark(self) -> None:
        """Mark the line under the cursor, or unmark it, and go on to the next."""
        self._toggle_mark()
        self._go(self._cursor + 1)

    def action_unmark_all(self) -> None:
        self._marks.clear()
        self._stand()

    def action_move(self, lines: int) -> None:
        self._go(self._cursor + lines)

    def action_page(self, pages: int) -> None:
        self._go(self._cursor + pages * max(self._lines_in_sight(), 1))

    def action_edge(self, edge: int) -> None:
        self._go(0 if edge == 0 else len(self._rows) - 1)

    def _toggle_mark(self) -> None:
        """A group is marked with all of its members, unless all of them are."""
        if self.row is not None:
            of_row = {identity(process) for process in members_of(self.row)}
            self._marks = self._marks - of_row if of_row <= self._marks else self._marks | of_row
            self._stand()

    def _go(self, place: int) -> None:
        if not self._rows:
            return
        self._cursor = min(max(place, 0), len(self._rows) - 1)
        row = self._rows[self._cursor]
        self._label, self._near = row.label if isinstance(row, Group) else None, identity(members_of(row)[0])
        self._keep_in_sight()
        self._redraw()

    def _keep_in_sight(self) -> None:
        top, sight = self.scroll_offset.y, self._lines_in_sight()
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, force=True)
        elif sight > 0 and self._cursor >= top + sight:
            self.scroll_to(y=self._cursor - sight + 1, animate=False, force=True)

    def _fixed_lines(self) -> int:
        return HEADER_LINES + bool(self._standing) + self._is_covered

    def _lines_in_sight(self) -> int:
        return self.scrollable_content_region.height - self._fixed_lines()

    def _strip(self, line: Line, text: Text) -> Strip:
        """A line of the table's width, its mark before it and in its colour, its own styles above its look."""
        width = self.scrollable_content_region.width
        style = self.get_component_rich_style(line.look) if line.look else self.rich_style
        mark_style = self.get_component_rich_style("table--mark", partial=True) if line.mark else ""
        lead = Text(f"{line.mark:{len(MARK)}}", mark_style)
        return drawn(lead.append_text(text), style, width)
