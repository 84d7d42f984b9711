"""The application: what its keys do with what is on the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import SystemCommand
from textual.screen import Screen
from textual.widgets import Input

from advisor.report.process import ProcessEntry
from advisor.tui.columns import COLUMNS, Order
from advisor.tui.detail import DetailView
from advisor.tui.filter_field import FilterField
from advisor.tui.groups import GROUPINGS
from advisor.tui.help import HelpScreen
from advisor.tui.host_panel import HostPanel
from advisor.tui.keys import KEYS, commands
from advisor.tui.replay import ReplayBar
from advisor.tui.rows import View
from advisor.tui.source import Source
from advisor.tui.table import ProcessTable
from advisor.tui.themes import DARK, THEMES
from advisor.tui.watch_app import WatchApp
from advisor.tui.what_if import Wanted
from advisor.watch.frames import Seek, WhatIf

if TYPE_CHECKING:
    from advisor.tui.trial_screen import TrialSource
    from advisor.tui.trial_settings import TrialSettings


class AdvisorApp(WatchApp):
    """Shows what a source sends. Give it the source; run it; `return_code` is the exit code."""

    BINDINGS = KEYS

    def __init__(self, source: Source, *, theme: str = DARK, trials: Callable[[], TrialSource] | None = None) -> None:
        """trials: makes a live trial, by default one in a child process."""
        super().__init__(source, theme=theme)
        self._trials = trials
        self._trial_settings: TrialSettings | None = None

    def on_process_table_sort_by(self, message: ProcessTable.SortBy) -> None:
        self._sort(self._view.order.chosen(message.column))

    @on(Input.Changed, "#filter")
    def _filter_by(self, event: Input.Changed) -> None:
        if event.value != self._view.wanted:
            self._look(replace(self._view, wanted=event.value))

    @on(Input.Submitted, "#filter")
    def _filter_is_typed(self) -> None:
        self._place_filter()
        self.query_one(ProcessTable).focus()

    def on_replay_bar_moved(self, message: ReplayBar.Moved) -> None:
        self._source.order(Seek(message.position))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where text is typed, a slash is a slash; what is for the table needs it in sight."""
        match action:
            case "filter":
                return self._opened is None and len(self.screen_stack) == 1 and not isinstance(self.focused, Input)
            case "sort" | "reverse" | "unsorted" | "group":
                return self._opened is None and len(self.screen_stack) == 1
            case "record" | "export" | "policy" | "what_if":
                return len(self.screen_stack) == 1
            case "hold" | "go_on":
                return self._source.is_live and self._held == (action == "go_on")
            case "play" | "pause":
                return not self._source.is_live and self._is_playing == (action == "pause")
        return super().check_action(action, parameters)

    @property
    def _is_playing(self) -> bool:
        return any(bar.is_playing for bar in self.query(ReplayBar))

    def action_filter(self) -> None:
        field = self.query_one(FilterField)
        field.place(is_wanted=True)
        self.screen.set_focus(field)

    async def action_back(self) -> None:
        """Out of the detail, or out of the filter."""
        if self._opened is not None:
            self._opened = None
            self._look_at()
            self.screen_stack[0].remove_class("-detail")
        elif self._view.wanted:
            self._look(replace(self._view, wanted=""))  # at once; the field says so only after what follows here
            self.query_one(FilterField).value = ""
        self._place_filter()
        self.query_one(ProcessTable).focus()

    def action_sort(self, step: int) -> None:
        """By the next column, or the one before; before the first one comes what is at stake."""
        ids = [None, *(column.id for column in COLUMNS)]
        column = ids[(ids.index(self._view.order.column) + step) % len(ids)]
        self._sort(Order() if column is None else Order().chosen(column))

    def action_reverse(self) -> None:
        self._sort(Order(self._view.order.column, not self._view.order.downwards))

    def action_unsorted(self) -> None:
        self._sort(Order())

    def action_sort_by(self, column: str) -> None:
        self._sort(Order().chosen(column))

    def action_group(self) -> None:
        """By application, by cgroup, not at all."""
        self.action_group_by(GROUPINGS[(GROUPINGS.index(self._view.by) + 1) % len(GROUPINGS)])

    def action_group_by(self, by: str | None) -> None:
        self._look(replace(self._view, by=by))

    def action_mark(self) -> None:
        self.query_one(ProcessTable).action_mark()

    def action_unmark_all(self) -> None:
        self.query_one(ProcessTable).action_unmark_all()

    def _sort(self, order: Order) -> None:
        self._look(replace(self._view, order=order))

    def _look(self, view: View) -> None:
        """Look at the processes in this way."""
        self._view = view
        self._show_processes()

    def action_hold(self) -> None:
        self._hold(True)

    def action_go_on(self) -> None:
        self._hold(False)
        if self._newest is not None:
            self._take(self._newest)

    def _hold(self, held: bool) -> None:
        """Whether newer ticks are left to come unseen."""
        self._held = held
        self._show_host()
        self.refresh_bindings()

    def action_play(self) -> None:
        self.query_one(ReplayBar).play()

    def action_pause(self) -> None:
        self.query_one(ReplayBar).pause()

    def on_replay_bar_turned(self) -> None:
        """It plays or pauses now: the footer says what space does."""
        self.refresh_bindings()

    def action_step(self, step: int) -> None:
        self.query_one(ReplayBar).step(step)

    def action_start(self) -> None:
        self.query_one(ReplayBar).go(1)

    def action_end(self) -> None:
        self.query_one(ReplayBar).go_to_end()

    async def action_record(self) -> None:
        """Start recording into a new file, or end that."""
        await self._recording.press(self._newest)

    async def action_export(self) -> None:
        """Write the report on the screen, or its plan, to files."""
        if self.tick is None:
            self.notify("Nothing has been seen yet.", markup=False)
            return
        from advisor.tui.export import ExportScreen

        what_if = not self.tick.what_if.is_empty
        await self.push_screen(ExportScreen(self.tick.report, what_if=what_if), self._exported)

    def _exported(self, path: Path | None) -> None:
        if path is not None:
            self.notify(self._ink.text(f"Written: {path}").plain, markup=False)

    def action_restart(self) -> None:
        """Watch again once the source has ended."""
        if self.query_one(HostPanel).has_failed:
            self._fail(None)
            self._watch()

    def action_trial(self) -> None:
        """A live trial of the process that is looked at."""
        process = self.query_one(ProcessTable).current
        if self._opened is not None:
            process = self.query_one(DetailView).process
        if process is None:
            self.notify("A trial needs one process: go to its line first.", severity="warning")
        elif self.tick is not None:
            from advisor.tui.trial_screen import open_trial  # seldom wanted, and more to import than the first screen

            open_trial(self, self.tick.report, process, self._trials, self._trial_settings, self._keep_settings)

    def _keep_settings(self, settings: TrialSettings | None) -> None:
        self._trial_settings = settings

    def action_policy(self) -> None:
        """Ask which policy the processes that are marked, or the one that is open or under the cursor, shall have."""
        from advisor.tui.policy_screen import PolicyScreen

        if (chosen := self._selected()) and self.tick is not None:
            host = self.tick.report.host
            self.push_screen(PolicyScreen(self._ink, chosen, host, self._asking.what_if), self._want)

    async def action_what_if(self) -> None:
        """Choose for the host, and see what comes of it beside the advice."""
        from advisor.tui.what_if_screen import WhatIfScreen

        if self.tick is not None:
            await self.push_screen(WhatIfScreen())
            self._show_above()

    def action_take_back(self) -> None:
        """Nothing is wanted any more: the advice as it is."""
        self._want(WhatIf())

    def on_wanted(self, message: Wanted) -> None:
        self._want(message.what_if)

    def _selected(self) -> list[ProcessEntry]:
        """The processes that keys are about: the open one, else those chosen in the table."""
        if self._opened is None:
            return self.query_one(ProcessTable).chosen_processes
        process = self.query_one(DetailView).process
        return [process] if process is not None else []

    def _want(self, what_if: WhatIf | None) -> None:
        """Ask for the plan under this; None: nobody chose. The answer is a tick."""
        if what_if is not None and what_if != self._asking.what_if:
            self._asking.want(what_if, self._run)
            self._show_host()
            self._show_above()

    def action_theme(self) -> None:
        """The next of this program's own themes; the palette has all."""
        names = [theme.name for theme in THEMES]
        self.theme = names[(names.index(self.theme) + 1) % len(names)] if self.theme in names else names[0]

    def action_help(self) -> None:
        self.push_screen(HelpScreen())

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What keys do, every column to sort by and what to group by, beside what Textual offers."""
        yield from super().get_system_commands(screen)
        for title, said, action in commands():
            yield SystemCommand(title, said, partial(self.run_action, action))
