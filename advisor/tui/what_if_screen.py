"""What if: mode, pools and policies that somebody wants, and the plan that comes of it beside the advice."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.events import Resize
from textual.widgets import Static

from advisor.tui import strip
from advisor.tui.ink import Ink
from advisor.tui.key_bar import KeyBar
from advisor.tui.knobs import Knobs
from advisor.tui.live_screen import LiveScreen
from advisor.tui.what_if import in_words
from advisor.tui.what_if_words import comparison
from advisor.watch.frames import Tick, WhatIf

WIDE_FROM = 130
"""Columns from which wishes and comparison stand side by side. Reason: 62 for the wishes, the rest for two plans."""

HINT = "- + or a number: how many; x: as advised; page down: what is told below"


class WhatIfScreen(LiveScreen):
    """The wishes above or beside the comparison. Says what is wanted by `Wanted`."""

    DEFAULT_CSS = """
    WhatIfScreen { background: $background; }
    WhatIfScreen #what-if-top { height: 1; padding: 0 1; background: $surface; }
    WhatIfScreen #wishes { height: auto; max-height: 50%; padding: 1 0 0 0; scrollbar-size-vertical: 1; }
    WhatIfScreen #hint { height: auto; padding: 0 1; margin: 0 0 1 0; }
    WhatIfScreen #plans { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    WhatIfScreen.-wide { layout: grid; grid-size: 2 3; grid-columns: 64 1fr; grid-rows: 1 1fr 1; }
    WhatIfScreen.-wide #what-if-top { column-span: 2; }
    WhatIfScreen.-wide #wishes { height: 1fr; max-height: 100%; }
    WhatIfScreen.-wide #plans { padding: 1 1 0 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,h", "close", "Back", key_display="esc"),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
    ]

    def compose(self) -> ComposeResult:
        yield Static(id="what-if-top")
        with VerticalScroll(id="wishes", can_focus=False):
            yield Knobs()
            yield Static(HINT, id="hint", markup=False)
        with VerticalScroll(id="plans"):
            yield Static(id="comparison")
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(Knobs).focus()

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width >= WIDE_FROM, "-wide")

    def take(self, tick: Tick, what_if: WhatIf, ink: Ink) -> None:
        """Show what is wanted, and the answer; where that has not come, that it is awaited."""
        waiting = tick.what_if != what_if
        state = in_words(what_if, waiting=waiting) or "nothing is wanted by now: this is the advice"
        top = strip.top(ink, "Plan", tick, None, max(self.size.width - 2, 20), held=False, asked=state)
        self.query_one("#what-if-top", Static).update(top)
        self.query_one(Knobs).show(tick.report, tick.advised, what_if, ink)
        self.query_one("#comparison", Static).update(comparison(ink, tick.report, tick.advised, waiting=waiting))

    def action_page(self, pages: int) -> None:
        """What is told below the comparison, while the keys stay with the wishes."""
        plans = self.query_one("#plans")
        plans.scroll_relative(y=pages * max(plans.size.height - 1, 1), animate=False)

    def action_close(self) -> None:
        self.dismiss()
