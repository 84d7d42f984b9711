"""The help: keys and what the columns mean, on one screen."""

from __future__ import annotations

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from advisor.tui.sized import Sized

KEYS = (
    ("up down, k j", "move; page up, page down, home, end"),
    ("enter", "everything of one process; escape goes back"),
    ("1 to 7", "in there: advice, why not huge, memory map, alternatives, texts, features, history"),
    ("/", "in the features: filter them by words of their names and meanings"),
    ("c u w", "in there, at a text: copy it, copy its undo, write it to a file"),
    ("/", "filter by pid, name, application, user, cgroup, state, advice; all words must occur"),
    ("< >", "sort by the next column; r turns the order round; 0 goes back to what is at stake"),
    ("b", "group by application, by cgroup, not at all; enter opens and folds a group"),
    ("m M", "mark a process or all of a group, and go on to the next; unmark all"),
    ("e", "export: the plan as a folder, the report as JSON, Markdown, HTML or text, as on the screen"),
    ("s", "record what is seen from now on, in a new file; s again ends it"),
    ("space", "hold the screen and go on; of a recording: play and pause"),
    (", . left right", "of a recording: one sample back or on; [ ] first or last"),
    ("R", "start watching again when the process that watches has ended"),
    ("T", "a live trial of the process: measures what huge pages give it, after asking"),
    ("p", "what if: choose another policy for the process; h for the host: mode, pools, compared with the advice"),
    ("H", "take back all that was chosen: the advice as it is"),
    ("t", "dark, light, high contrast"),
    ("ctrl+p", "all commands"),
    ("q, ctrl+c", "quit"),
)

STRIP_HELP = (
    ("available", "memory to be had without swapping; the curve is its share of all memory"),
    ("fragmentation", "share of free memory in pieces that are smaller than a huge page"),
    ("fallback", "share of the faults that asked for a huge page and got none"),
    ("stalls", "allocations that had to wait for compaction"),
    ("cost", "of one CPU, over the last two minutes: sampling, and advising with all else of the watching process"),
)

COLUMN_HELP = (
    ("MEMORY", "resident memory, with hugetlb, which RSS does not count"),
    ("HUGE", "share of anonymous, shared and hugetlb memory that is on huge pages"),
    ("NOW", "what most of it is on: base, THP, hugetlb, mixed, THP off"),
    ("ADVICE", "what should be done, muted where nothing changes; => as you chose, !> denied by what you chose"),
    ("LESS TIME", "predicted for the same work, with its interval; ? where the model abstains"),
    ("SURE", "confidence of the advice: high, medium, low"),
    ("PG TABLES", "memory that its page tables take"),
    ("PAGES", "pages that a pool needs for it"),
    ("AT STAKE", "memory that the advice is about; the table is sorted by it, changes first"),
    ("of a group", "sums. MEMORY has shared pages once; ≤ at most, + at least, ~ both. PAGES: what pools grow by"),
)


class HelpScreen(Sized, ModalScreen[None]):
    """Any of the keys that open it closes it."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen VerticalScroll {
        width: 90%; max-width: 100; height: auto; max-height: 90%;
        background: $surface; border: round $primary; padding: 0 1;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = "Keys and columns"
            box.border_subtitle = "escape closes"
            yield Static(_table(KEYS))
            yield Static("")
            yield Static(_table(COLUMN_HELP))
            yield Static("")
            yield Static(_table(STRIP_HELP))


def _table(rows: tuple[tuple[str, str], ...]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=16, no_wrap=True)
    table.add_column(ratio=1)
    for left, right in rows:
        table.add_row(Text(left, "bold"), Text(right))
    return table
