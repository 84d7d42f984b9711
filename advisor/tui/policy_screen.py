"""The question which policy some processes shall have, with what is known of each choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.console import RenderableType
from rich.table import Table
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from advisor.render import words
from advisor.render.numbers import count, plural
from advisor.report.host import Host
from advisor.report.process import Alternative, ProcessEntry, RecommendationEntry
from advisor.tui.ink import Ink
from advisor.tui.sized import Sized
from advisor.tui.what_if import Policy, policies, wanted_policy, with_policy
from advisor.watch.frames import WhatIf

NAMED = 4
"""Processes that are named in the title. Reason: one line."""

NAME = 13
"""Columns of the choices. Reason: "hugetlb 2 MiB"."""

UNKNOWN = "no rule proposes it: the plan will say what it takes, or why it cannot be had"

SHARED = "what is asked for one process goes for all that share its memory"


class PolicyScreen(Sized, ModalScreen[WhatIf | None]):
    """Result: what is wanted then, or None where nothing was chosen."""

    DEFAULT_CSS = """
    PolicyScreen { align: center middle; }
    PolicyScreen > Vertical {
        width: 96; max-width: 96%; height: auto; max-height: 96%; padding: 0 1;
        background: $surface; border: round $primary;
    }
    PolicyScreen OptionList, PolicyScreen OptionList:focus {
        height: auto; max-height: 100%; border: none; padding: 0; background: $surface;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,p", "give_up", "Cancel"),
        Binding("j", "cursor(1)", show=False),
        Binding("k", "cursor(-1)", show=False),
    ]

    def __init__(self, ink: Ink, processes: Sequence[ProcessEntry], host: Host, what_if: WhatIf) -> None:
        super().__init__()
        self._ink, self._processes, self._what_if = ink, processes, what_if
        self._choices: list[Policy | None] = [None, *policies(host)]

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = self._ink.text(f"Policy for {title(self._processes)}")
            box.border_subtitle = "enter chooses, escape leaves it as it is"
            yield OptionList(*(Option(self._option(choice)) for choice in self._choices))
            if any(map(_shares, self._processes)):
                yield Static(self._ink.text(SHARED, "muted"))

    def on_mount(self) -> None:
        listed = self.query_one(OptionList)
        wanted = {wanted_policy(self._what_if, process) for process in self._processes}
        listed.highlighted = self._choices.index(wanted.pop()) if len(wanted) == 1 else 0
        listed.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(with_policy(self._what_if, self._processes, self._choices[event.option_index]))

    def action_give_up(self) -> None:
        self.dismiss(None)

    def action_cursor(self, step: int) -> None:
        listed = self.query_one(OptionList)
        (listed.action_cursor_down if step > 0 else listed.action_cursor_up)()

    def _option(self, choice: Policy | None) -> RenderableType:
        """The choice, and what is known of it."""
        name = "as advised" if choice is None else choice.in_words()
        wanted = [wanted_policy(self._what_if, process) for process in self._processes]
        mark = "*" if wanted and all(one == choice for one in wanted) else " "
        if choice is None:
            said = "takes the wish back" if any(wanted) else "nothing is wanted by now"
        elif len(self._processes) == 1:
            said = known(self._processes[0], choice)
        else:
            said = known_of_all(self._processes, choice)
        option = Table.grid(padding=(0, 1, 0, 0), expand=True)
        option.add_column(width=NAME + 2)
        option.add_column(ratio=1)
        option.add_row(self._ink.join(f"{mark} ", (name, "strong")), self._ink.text(said))
        return option


def title(processes: Sequence[ProcessEntry]) -> str:
    """redis-server (812); 5 processes: python3 (4), python3 (5), ..."""
    named = ", ".join(f"{process.name} ({process.pid})" for process in processes[:NAMED])
    if len(processes) == 1:
        return named
    return f"{plural(len(processes), 'process', 'processes')}: {named}{', ...' if len(processes) > NAMED else ''}"


def known(process: ProcessEntry, choice: Policy) -> str:
    """What the report knows of a policy for a process: that it is the plan's, its gain and cost, or why not."""
    advised = process.recommendation
    if _is(advised, choice):
        now = "as asked for" if advised.decided_by == "user" else "advised"
        return "; ".join([now, *_worth(advised, process)])
    for other in advised.alternatives:
        if _is(other, choice):
            return "; ".join([other.why_not.rstrip("."), *_worth(other, process)])
    if choice.name == "leave":
        return "nothing changes for it"
    return UNKNOWN


def known_of_all(processes: Sequence[ProcessEntry], choice: Policy) -> str:
    """For how many it is the plan's, or might be."""
    planned = sum(_is(process.recommendation, choice) for process in processes)
    other = sum(any(_is(one, choice) for one in process.recommendation.alternatives) for process in processes)
    parts = [f"planned for {count(planned)}"] if planned else []
    parts += [f"in question for {count(other)}"] if other else []
    return (
        f"{', '.join(parts)} of {count(len(processes))}" if parts else f"planned for none of {count(len(processes))}"
    )


def _shares(process: ProcessEntry) -> bool:
    """Most of its memory may be that of others, too."""
    return 2 * (process.memory.shmem_rss_bytes or 0) > (process.memory.rss_bytes or 0)


def _is(one: RecommendationEntry | Alternative, choice: Policy) -> bool:
    return one.policy == choice.name and (choice.page_bytes is None or one.page_bytes == choice.page_bytes)


def _worth(one: RecommendationEntry | Alternative, process: ProcessEntry) -> list[str]:
    """Pages, gain and cost, as far as they are known."""
    pages = [plural(one.pages, "page")] if one.pages else []
    gain = [words.gain(one.expected_gain)] if one.expected_gain is not None else []
    costs = words.costs(one, process) if one.policy != "leave" else []
    return [*pages, *gain, *costs]
