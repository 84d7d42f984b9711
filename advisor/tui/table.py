"""The process table: draws only the lines in sight, so thousands of processes cost what twenty do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.console import Console
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from advisor.report.process import ProcessEntry
from advisor.tui.columns import Identity, Order, column_at, fitting, header, identity, line
from advisor.tui.ink import Ink

HEADER_LINES = 1


class ProcessTable(ScrollView, can_focus=True):
    """Processes in the order in which they are given. The cursor stays on its process while reports come in."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--cursor", "table--header"}

    DEFAULT_CSS = """
    ProcessTable { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; overflow-x: hidden; }
    ProcessTable > .table--cursor { background: $panel; text-style: bold; }
    ProcessTable:focus > .table--cursor { background: $primary 35%; text-style: bold; }
    ProcessTable > .table--header { background: $surface; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Details"),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "edge(0)", "First", show=False),
        Binding("end,G", "edge(-1)", "Last", show=False),
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
        self._processes: Sequence[ProcessEntry] = ()
        self._order = Order()
        self._ink = Ink()
        self._cursor = 0
        self._at: Identity | None = None
        self._drawer = Console(width=1000, color_system="truecolor", force_terminal=True)

    @property
    def processes(self) -> Sequence[ProcessEntry]:
        """What is in the table, from top to bottom."""
        return self._processes

    @property
    def current(self) -> ProcessEntry | None:
        """The process under the cursor."""
        return self._processes[self._cursor] if self._cursor < len(self._processes) else None

    def show(self, processes: Sequence[ProcessEntry], order: Order, ink: Ink) -> None:
        """Show these. The cursor follows its process; where that is gone, it stays in its line.

        Until somebody moves it, it stays at the top: that is who matters most.
        """
        self._processes, self._order, self._ink = processes, order, ink
        if self._at is not None:
            places = (place for place, process in enumerate(processes) if identity(process) == self._at)
            self._cursor = next(places, self._cursor)
        self._cursor = min(self._cursor, max(len(processes) - 1, 0))
        self._resize_contents()
        self.refresh()

    def on_resize(self, event: Resize) -> None:
        """Columns are chosen by the width when lines are drawn."""
        del event
        self._resize_contents()
        self._keep_in_sight()

    def render_line(self, y: int) -> Strip:
        """The titles, then the process that is scrolled to this line."""
        width = self.scrollable_content_region.width
        columns = fitting(width)
        if y < HEADER_LINES:
            style = self.get_component_rich_style("table--header")
            return self._strip(header(self._ink, columns, self._order), width, style)
        place = y - HEADER_LINES + self.scroll_offset.y
        if place >= len(self._processes):
            return Strip.blank(width, self.rich_style)
        style = self.get_component_rich_style("table--cursor") if place == self._cursor else self.rich_style
        return self._strip(line(self._ink, self._processes[place], columns), width, style)

    def on_click(self, event: Click) -> None:
        """A click on a title sorts; on a process it moves there, a second one opens it."""
        place = event.get_content_offset(self)
        if place is None:
            return
        if place.y < HEADER_LINES:
            column = column_at(fitting(self.scrollable_content_region.width), place.x)
            if column is not None:
                self.post_message(self.SortBy(column.id))
            return
        self._go(place.y - HEADER_LINES + self.scroll_offset.y)
        if event.chain > 1:
            self.action_choose()

    def action_choose(self) -> None:
        if self.current is not None:
            self.post_message(self.Chosen(self.current))

    def action_move(self, lines: int) -> None:
        self._go(self._cursor + lines)

    def action_page(self, pages: int) -> None:
        self._go(self._cursor + pages * max(self._lines_in_sight(), 1))

    def action_edge(self, edge: int) -> None:
        self._go(0 if edge == 0 else len(self._processes) - 1)

    def _go(self, place: int) -> None:
        if not self._processes:
            return
        self._cursor = min(max(place, 0), len(self._processes) - 1)
        self._at = identity(self._processes[self._cursor])
        self._keep_in_sight()
        self.refresh()

    def _keep_in_sight(self) -> None:
        top, sight = self.scroll_offset.y, self._lines_in_sight()
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, force=True)
        elif sight > 0 and self._cursor >= top + sight:
            self.scroll_to(y=self._cursor - sight + 1, animate=False, force=True)

    def _lines_in_sight(self) -> int:
        return self.scrollable_content_region.height - HEADER_LINES

    def _resize_contents(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._processes) + HEADER_LINES)

    def _strip(self, text: Text, width: int, style: Style) -> Strip:
        """A line of exactly this width, its own styles above that of the line."""
        return Strip(text.render(self._drawer)).apply_style(style).adjust_cell_length(width, style)
