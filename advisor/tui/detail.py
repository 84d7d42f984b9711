"""The detail view: everything that the report says of one process, in tabs, kept in place while reports come in."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

from rich.console import RenderableType
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Static, TabbedContent, TabPane

from advisor.report.close_up import CloseUp
from advisor.report.document import Report
from advisor.report.plan import HostPlan
from advisor.report.process import ProcessEntry
from advisor.tui.detail_advice import advice, title
from advisor.tui.detail_features import FeaturesPane
from advisor.tui.detail_history import history
from advisor.tui.detail_map import memory
from advisor.tui.detail_options import alternatives
from advisor.tui.detail_pastes import PastesPane
from advisor.tui.detail_texts import nothing, pastes_of
from advisor.tui.detail_why import why_not_huge
from advisor.tui.ink import Ink
from advisor.tui.themes import role_styles

Section = Callable[[Ink, ProcessEntry, HostPlan, CloseUp | None], RenderableType]

SECTIONS: dict[str, tuple[str, Section]] = {
    "advice": ("Advice", lambda ink, process, plan, _: advice(ink, process, plan)),
    "why": ("Why not huge", lambda ink, process, *_: why_not_huge(ink, process)),
    "memory": ("Memory", lambda ink, process, _, close_up: memory(ink, process, close_up)),
    "alternatives": ("Alternatives", lambda ink, process, *_: alternatives(ink, process)),
    "history": ("History", lambda ink, _process, _plan, close_up: history(ink, close_up)),
}
"""Tabs of one text each: id, title, what fills it."""

TEXTS, FEATURES = "texts", "features"
TITLES = {TEXTS: "Texts", FEATURES: "Features"}
"""Tabs that are more than a text."""

TABS = ("advice", "why", "memory", "alternatives", TEXTS, FEATURES, "history")
"""Tabs in their order, which is that of their keys."""

FROM_NEAR = frozenset(("memory", FEATURES, "history"))
"""Tabs that show what the report has not."""


class DetailView(Widget):
    """One process of a report. `show` it anew with each report; what the user looks at stays where it is."""

    DEFAULT_CSS = """
    DetailView { height: 1fr; }
    DetailView #detail-title { height: auto; max-height: 3; padding: 0 1; }
    DetailView #detail-state { height: auto; padding: 0 1; color: $text-warning; text-style: bold; display: none; }
    DetailView.-stale #detail-state { display: block; }
    DetailView TabbedContent { height: 1fr; }
    DetailView TabbedContent TabPane { padding: 0; }
    DetailView VerticalScroll { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    DetailView .section { max-width: 140; }
    DetailView #memory .section, DetailView #history .section { max-width: 100%; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(key), f"tab('{name}')", show=False) for key, name in enumerate(TABS, 1)),
        Binding("left", "turn(-1)", "Tab before", show=False),
        Binding("right", "turn(1)", "Next tab", show=False),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._pid: int | None = None
        self._process: ProcessEntry | None = None
        self._plan: HostPlan | None = None
        self._close_up: CloseUp | None = None
        self._stale: str | None = None
        self._outdated: set[str] = set()
        self._ink = Ink()

    def compose(self) -> ComposeResult:
        yield Static(id="detail-title")
        yield Static(id="detail-state")
        with TabbedContent(initial=TABS[0]):
            for name in TABS:
                with TabPane(TITLES.get(name) or SECTIONS[name][0], id=name):
                    if name == TEXTS:
                        yield PastesPane()
                    elif name == FEATURES:
                        yield FeaturesPane()
                    else:
                        with VerticalScroll():
                            yield Static(classes="section")

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _: self._restyle())
        self._restyle()

    @property
    def process(self) -> ProcessEntry | None:
        """The process as it was last seen."""
        return self._process

    def show(self, report: Report, pid: int, close_up: CloseUp | None = None) -> None:
        """Show process `pid` as the report knows it; the one shown already is updated where it stands.

        Where the report lacks it, or its pid has gone to another process, the last state stays and says so.
        close_up: of whichever process; only that of this one is shown.
        """
        new = pid != self._pid
        if new:
            self.clear()
        self._pid = pid
        found = next((one for one in report.processes if one.pid == pid), None)
        known = self._process
        if found is not None and (known is None or known.start_ticks == found.start_ticks):
            changed = (found, report.plan) != (known, self._plan)
            self._process, self._plan, stale = found, report.plan, None
            if close_up is not None and (close_up.pid, close_up.start_ticks) != (pid, found.start_ticks):
                close_up = None
            nearer, self._close_up = close_up != self._close_up, close_up
        else:
            changed = nearer = False
            stale = self._why_missing(report, pid, reused=found is not None)
        if changed or new or stale != self._stale:
            self._stale = stale
            self._fill()
        elif nearer and self.is_mounted:
            self._outdated |= FROM_NEAR
            self._fill_open_tab()

    def clear(self) -> None:
        """Forget the process; the tab stays, every scroll goes to the top."""
        self._pid = self._process = self._plan = self._close_up = self._stale = None
        if self.is_mounted:
            for scroll in self.query(VerticalScroll):
                scroll.scroll_home(animate=False)

    def focus(self, scroll_visible: bool = True) -> Self:
        """Focus what scrolls in the open tab."""
        target = next((one for one in self._open_tab().query("OptionList, VerticalScroll") if one.focusable), None)
        if target is not None:
            self.screen.set_focus(target, scroll_visible)
        return self

    def action_tab(self, name: str) -> None:
        """Open a tab. The focus goes there at once: what is hidden loses it, and keys with it."""
        self.query_one(TabbedContent).active = name
        self._fill_open_tab()
        self.focus()

    def action_turn(self, step: int) -> None:
        place = TABS.index(self.query_one(TabbedContent).active) + step
        self.action_tab(TABS[place % len(TABS)])

    def on_tabbed_content_tab_activated(self) -> None:
        """A tab was opened, perhaps by a click: then keys go to what it shows."""
        self._fill_open_tab()
        if self.has_focus_within:
            self.focus()

    def _open_tab(self) -> TabPane:
        return self.query_one(f"TabPane#{self.query_one(TabbedContent).active}", TabPane)

    def _why_missing(self, report: Report, pid: int, *, reused: bool) -> str:
        skipped = next((one.reason for one in report.skipped if one.pid == pid), None)
        if reused:
            return f"ended: pid {pid} is another process now; this is its last state"
        if self._process is None:
            return f"process {pid} is not in this report{f': {skipped}' if skipped else ''}"
        if skipped not in (None, "gone"):
            return f"not observed this time: {skipped}; this is what was seen before"
        return "ended: this is its last state"

    def _restyle(self) -> None:
        """Take the theme's styles anew, then draw with them."""
        self._ink = Ink(role_styles(self.app.theme, self.app.theme_variables))
        self._fill()

    def _fill(self) -> None:
        if not self.is_mounted:
            return
        process, plan, ink = self._process, self._plan, self._ink
        self.set_class(self._stale is not None, "-stale")
        self.query_one("#detail-state", Static).update(ink.text(self._stale or ""))
        known = process is not None and plan is not None
        self.query_one(TabbedContent).display = known
        self.query_one("#detail-title", Static).display = known
        if process is None or plan is None:
            return
        self.query_one("#detail-title", Static).update(title(ink, process))
        self._outdated = set(TABS)
        self._fill_open_tab()

    def _fill_open_tab(self) -> None:
        """Draw the open tab if it is behind; those that nobody sees cost nothing."""
        tab, process, plan, ink = self._open_tab(), self._process, self._plan, self._ink
        if tab.id not in self._outdated or process is None or plan is None:
            return
        self._outdated.discard(tab.id)
        if tab.id == TEXTS:
            tab.query_one(PastesPane).show(ink, pastes_of(process, plan), nothing(ink, process))
        elif tab.id == FEATURES:
            tab.query_one(FeaturesPane).show(ink, process, self._close_up)
        else:
            tab.query_one(".section", Static).update(SECTIONS[tab.id][1](ink, process, plan, self._close_up))
