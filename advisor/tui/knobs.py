"""The wishes as lines that can be turned: the host's mode, each pool, and the policies of processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Click, Key
from textual.widget import Widget

from advisor.render.numbers import UNKNOWN, count, human_bytes, plural
from advisor.render.page import cell
from advisor.report.document import Report
from advisor.report.plan import HostPlan
from advisor.tui.columns import identity
from advisor.tui.ink import Ink
from advisor.tui.what_if import (
    MODES,
    NOTHING,
    Policy,
    Wanted,
    pool_pages,
    pool_sizes,
    wanted_pages,
    with_mode,
    with_pool,
    without,
)
from advisor.watch.frames import WantedPolicy, WhatIf

STEP_BYTES = 64 << 20
"""Bytes by which a pool grows at a key. Source: own choice. Reason: 32 pages of 2 MiB, one gigantic page."""

MOST_DIGITS = 9
"""Of a number of pages. Reason: more than any host has; the plan says what is beyond this one's memory."""

LABEL, VALUE = 24, 26
"""Columns of a line's label and value where the screen is wide enough."""

LESS, MORE, OFF = "[-]", "[+]", "[x]"
"""What can be clicked on; the keys that do the same are -, + and delete."""


class Line(NamedTuple):
    """One thing that can be wanted. Of a pool page_bytes, of a process its wish; the mode has neither."""

    label: str
    value: str
    is_wanted: bool
    page_bytes: int | None = None
    wish: WantedPolicy | None = None


class Knobs(Widget, can_focus=True):
    """Lines with a cursor. Says what is wanted by `Wanted`."""

    DEFAULT_CSS = """
    Knobs { height: auto; padding: 0 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("left,minus", "turn(-1)", "Less", key_display="-"),
        Binding("right,plus,equals_sign", "turn(1)", "More", key_display="+"),
        Binding("delete,x", "remove", "As advised", key_display="x"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._report: Report | None = None
        self._advised: HostPlan | None = None
        self._what_if = NOTHING
        self._ink = Ink()
        self._cursor = 0
        self._typed = ""
        self._names: dict[tuple[int, int | None], str] = {}

    def show(self, report: Report, advised: HostPlan | None, what_if: WhatIf, ink: Ink) -> None:
        """What is wanted, on this host. advised: the plan without it, None where it has not come or nothing is."""
        self._report, self._advised, self._what_if, self._ink = report, advised, what_if, ink
        self._names |= {identity(process): process.name for process in report.processes}
        self._cursor = min(self._cursor, len(self.lines) - 1)
        self.refresh(layout=True)

    @property
    def lines(self) -> Sequence[Line]:
        """From top to bottom."""
        if self._report is None:
            return []
        mode = self._what_if.thp_enabled
        first = Line("THP mode", mode or f"as advised ({self._plan.thp.enabled or UNKNOWN})", mode is not None)
        pools = [self._pool(size) for size in pool_sizes(self._report.host)]
        return [first, *pools, *map(self._policy, self._what_if.policies)]

    @property
    def _plan(self) -> HostPlan:
        """The advice; while its plan has not come, the newest one."""
        assert self._report is not None  # noqa: S101  # lines are there only with it
        return self._advised or self._report.plan

    def _pool(self, size: int) -> Line:
        wanted = wanted_pages(self._what_if, size)
        advised = pool_pages(self._plan, size)
        value = f"as advised ({count(advised)})" if wanted is None else plural(wanted, "page")
        return Line(f"{human_bytes(size)} pool", value, wanted is not None, page_bytes=size)

    def _policy(self, wish: WantedPolicy) -> Line:
        assert self._report is not None  # noqa: S101  # as above
        seen = any((one.pid, one.start_ticks) == (wish.pid, wish.start_ticks) for one in self._report.processes)
        name = self._names.get((wish.pid, wish.start_ticks), "process")
        value = Policy(wish.policy, wish.page_bytes).in_words()
        return Line(f"{name} ({wish.pid})", value if seen else f"{value} (is gone)", True, wish=wish)

    def render(self) -> Text:
        """> 2 MiB pool      [-] 300 pages  [+] [x]"""
        label, value = self._columns()
        whole = Text(no_wrap=True)
        for place, line in enumerate(self.lines):
            here = place == self._cursor and self.has_focus
            whole.append("\n" if place else "")
            turns = line.wish is None
            whole.append_text(
                self._ink.join(
                    ("> " if here else "  ", "strong"),
                    (cell(self._shown(line.label), label), "heading" if here else ""),
                    f" {LESS if turns else '   '} ",
                    (cell(self._shown(line.value), value), "strong" if line.is_wanted else "muted"),
                    f" {MORE if turns else '   '} ",
                    OFF if line.is_wanted else "",
                )
            )
        return whole

    def _shown(self, text: str) -> str:
        """Escaped before it is cut, so that no half of an escape is left."""
        return self._ink.text(text).plain

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_key(self, event: Key) -> None:
        """A number that is typed is the pool's size at once."""
        line = self._line()
        if line is None or line.page_bytes is None:
            return
        if event.character is not None and event.character in "0123456789":
            self._typed = (self._typed + event.character)[:MOST_DIGITS]
        elif event.key == "backspace":
            known = wanted_pages(self._what_if, line.page_bytes)
            self._typed = (self._typed or str(known if known is not None else ""))[:-1]
        else:
            return
        event.stop()
        self._want(with_pool(self._what_if, line.page_bytes, int(self._typed) if self._typed else None))

    def on_click(self, event: Click) -> None:
        place = event.get_content_offset(self)
        if place is None or place.y >= len(self.lines):
            return
        self._go(place.y)
        label, value = self._columns()
        less = 2 + label + 1
        more = less + len(LESS) + 1 + value + 1
        off = more + len(MORE) + 1
        if less <= place.x < less + len(LESS):
            self.action_turn(-1)
        elif more <= place.x < more + len(MORE):
            self.action_turn(1)
        elif off <= place.x < off + len(OFF):
            self.action_remove()

    def action_move(self, lines: int) -> None:
        self._go(self._cursor + lines)

    def action_turn(self, step: int) -> None:
        """The next mode, or more or fewer pages; of a process nothing: its policy is chosen in the table."""
        line = self._line()
        if line is None or line.wish is not None:
            return
        self._typed = ""
        if line.page_bytes is None:
            choices = (None, *MODES)
            place = choices.index(self._what_if.thp_enabled) + step
            self._want(with_mode(self._what_if, choices[place % len(choices)]))
            return
        wanted = wanted_pages(self._what_if, line.page_bytes)
        pages = pool_pages(self._plan, line.page_bytes) if wanted is None else wanted
        self._want(with_pool(self._what_if, line.page_bytes, pages + step * max(STEP_BYTES // line.page_bytes, 1)))

    def action_remove(self) -> None:
        """Take this wish back."""
        line = self._line()
        self._typed = ""
        if line is None:
            return
        if line.wish is not None:
            self._want(without(self._what_if, line.wish))
        elif line.page_bytes is not None:
            self._want(with_pool(self._what_if, line.page_bytes, None))
        else:
            self._want(with_mode(self._what_if, None))

    def _line(self) -> Line | None:
        lines = self.lines
        return lines[self._cursor] if 0 <= self._cursor < len(lines) else None

    def _go(self, place: int) -> None:
        self._typed = ""
        self._cursor = min(max(place, 0), max(len(self.lines) - 1, 0))
        self.refresh()

    def _want(self, what_if: WhatIf) -> None:
        if what_if != self._what_if:
            self._what_if = (
                what_if  # so that the next key counts on from here, before the application has heard of it
            )
            self.post_message(Wanted(what_if))

    def _columns(self) -> tuple[int, int]:
        """Of label and value."""
        room = max(self.content_size.width - 2 - len(LESS) - len(MORE) - len(OFF) - 5, 12)
        label = min(LABEL, room // 2)
        return label, min(VALUE, room - label)
