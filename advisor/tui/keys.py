"""The application's own keys, and what the palette offers: what they do is an action of the application."""

from __future__ import annotations

from collections.abc import Iterator

from textual.binding import Binding, BindingType

from advisor.tui.columns import COLUMNS
from advisor.tui.groups import GROUPINGS

KEYS: list[BindingType] = [
    # First of all, so that keys typed right after it are for the filter, not for the table.
    Binding("slash", "filter", "Filter", priority=True),
    Binding("escape", "back", "Back", show=False),
    Binding("greater_than_sign", "sort(1)", "Sort", key_display="<>"),
    Binding("less_than_sign", "sort(-1)", "Sort by the column before", show=False),
    Binding("r", "reverse", "Reverse", show=False),
    Binding("0", "unsorted", "Sort by what is at stake", show=False),
    Binding("b", "group", "Group", show=False),
    Binding("space", "hold", "Hold"),
    Binding("space", "go_on", "Go on"),
    Binding("space", "play", "Play"),
    Binding("space", "pause", "Pause"),
    Binding("p", "policy", "Policy", show=False),
    Binding("h", "what_if", "Plan"),
    Binding("H", "take_back", "Take back", show=False),
    Binding("right,full_stop", "step(1)", "Next sample", show=False),
    Binding("left,comma", "step(-1)", "Sample before", show=False),
    Binding("left_square_bracket", "start", "First sample", show=False),
    Binding("right_square_bracket", "end", "Last sample", show=False),
    Binding("s", "record", "Record", show=False),
    Binding("e", "export", "Export", show=False),
    Binding("R", "restart", "Watch again", show=False),
    Binding("T", "trial", "Trial", show=False),
    Binding("t", "theme", "Theme", show=False),
    Binding("question_mark", "help", "Help"),
    Binding("q", "quit", "Quit"),
    Binding("ctrl+c", "interrupt", "Quit", show=False, priority=True),
]


def commands() -> Iterator[tuple[str, str, str]]:
    """Title, explanation and action of each command of the palette."""
    for by in GROUPINGS:
        yield (f"Group by {by}" if by else "Do not group"), "Group the table, or not", f"group_by({by!r})"
    yield "Live trial", "Measure what huge pages give the selected process", "trial"
    yield "Mark", "Mark the selected process or group, or unmark it", "mark"
    yield "Unmark all", "Mark no process any more", "unmark_all"
    yield "Record", "Record into a new file from now on, or end that", "record"
    yield "Export", "Write the plan or the report on the screen to files", "export"
    yield "Policy", "Choose a policy for the process, and see the plan", "policy"
    yield "What if", "Choose mode and pools for the host, beside the advice", "what_if"
    yield "Take back", "Nothing is wanted any more: the advice as it is", "take_back"
    for column in COLUMNS:
        yield f"Sort by {column.title}", f"Sort the table by {column.id}", f"sort_by({column.id!r})"
