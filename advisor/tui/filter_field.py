"""The line in which the filter is typed."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from advisor.tui.table import ProcessTable


class FilterField(Input):
    """Hidden until it is wanted; then it lies on the last line of the body, above what is there. Keys that move a
    cursor up and down move that of the table while words are typed."""

    DEFAULT_CSS = """
    FilterField, FilterField:focus {
        height: 1; border: none; padding: 0 1; display: none; background: $surface; layer: above; dock: bottom;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Keep"),
        Binding("escape", "app.back", "Show all"),
        Binding("up", "table('move', -1)", "Up", show=False),
        Binding("down", "table('move', 1)", "Down", show=False),
        Binding("pageup", "table('page', -1)", "Page up", show=False),
        Binding("pagedown", "table('page', 1)", "Page down", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(placeholder="filter: name, pid, application, user, cgroup, state, advice", id=id)

    def place(self, is_wanted: bool) -> None:
        """Show or hide it. At once, not by a class, which would take a refresh: the next key may be for it."""
        self.display = is_wanted
        self.screen.query_one(ProcessTable).cover(is_wanted)

    def action_table(self, what: str, number: int) -> None:
        table = self.screen.query_one(ProcessTable)
        if what == "move":
            table.action_move(number)
        else:
            table.action_page(number)
