"""The application: state flows one way, from a source in a thread, one tick a message, to what is on the screen."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import App, ComposeResult, SystemCommand
from textual.containers import Vertical
from textual.events import Event, Paste
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, Static

from advisor.render.escape import visible
from advisor.render.numbers import count
from advisor.report.process import ProcessEntry
from advisor.tui.asking import Asking
from advisor.tui.columns import COLUMNS, Order
from advisor.tui.detail import DetailView
from advisor.tui.filter_field import FilterField
from advisor.tui.groups import GROUPINGS
from advisor.tui.help import HelpScreen
from advisor.tui.host_panel import HostPanel
from advisor.tui.ink import Ink
from advisor.tui.key_bar import KeyBar
from advisor.tui.keys import KEYS, commands
from advisor.tui.live_screen import LiveScreen
from advisor.tui.record import RecordKey
from advisor.tui.replay import ReplayBar
from advisor.tui.rows import View
from advisor.tui.source import Source
from advisor.tui.table import ProcessTable
from advisor.tui.themes import DARK, THEMES, role_styles
from advisor.tui.what_if import Wanted
from advisor.watch.frames import Frame, LookAt, Problem, Seek, Tick, WhatIf

if TYPE_CHECKING:
    from advisor.tui.trial_screen import TrialSource
    from advisor.tui.trial_settings import TrialSettings

INTERRUPTED = 130
"""What the shell is told after Ctrl-C or SIGTERM, as every command of this program does."""

LOADING = "Looking at this host ..."
OPENING = "Opening the recording ..."


class AdvisorApp(App[None]):
    """Shows what a source sends. Give it the source; run it; `return_code` is the exit code."""

    TITLE = "hugepage-advisor"
    AUTO_FOCUS = None

    CSS = """
    #empty { height: 1fr; content-align: center middle; display: none; }
    #detail { display: none; }
    .-empty #empty { display: block; }
    .-empty #processes, .-detail #processes, .-detail #empty, .-detail #strip { display: none; }
    .-detail #detail { display: block; }
    """

    BINDINGS = KEYS

    class Came(Message):
        """A frame of the source, or None once there will be none."""

        def __init__(self, frame: Frame | None, run: int) -> None:
            super().__init__()
            self.frame, self.run = frame, run

    def __init__(self, source: Source, *, theme: str = DARK, trials: Callable[[], TrialSource] | None = None) -> None:
        """trials: makes a live trial, by default one in a child process."""
        super().__init__()
        self._trials = trials
        self._trial_settings: TrialSettings | None = None
        for known in THEMES:
            self.register_theme(known)
        self._first_theme = theme
        self._source = source
        self._run = 0
        self.tick: Tick | None = None
        """What is on the screen."""
        self._newest: Tick | None = None
        self._view = View()
        self._opened: int | None = None
        self._looked_at: tuple[int, int | None] = (0, None)
        self._held = False
        self._asking = Asking(source)
        self._ink = Ink()
        self._recording = RecordKey(self, source.order)

    def compose(self) -> ComposeResult:
        yield HostPanel(self.TITLE or "")
        with Vertical(id="body"):
            yield Static(LOADING if self._source.is_live else OPENING, id="empty")
            yield ProcessTable(id="processes")
        yield FilterField(id="filter")
        yield ReplayBar(id="replay")
        yield KeyBar()

    def on_mount(self) -> None:
        self.theme = self._first_theme
        self.theme_changed_signal.subscribe(self, lambda _: self._restyle())
        # Stopped meanwhile, the screen is empty, and a tick draws only what it changes.
        self.app_resume_signal.subscribe(self, lambda _: self.screen.refresh())
        self._restyle()
        self.screen.add_class("-empty")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Only the main thread may take signals; elsewhere, as in tests, whoever runs the loop has them.
            with contextlib.suppress(RuntimeError, ValueError):
                loop.add_signal_handler(number, self.action_interrupt)
        self.call_after_refresh(self._watch)  # what watches takes a CPU for a second: first the screen, then that

    def on_unmount(self) -> None:
        self._source.close()

    @property
    def failure(self) -> Exception | None:
        """What ended it unexpectedly."""
        return self._exception

    def _fatal_error(self) -> None:
        """Textual's own prints a screenful of code and values of variables; whoever runs this says it in one line."""
        self._close_messages_no_wait()

    async def on_event(self, event: Event) -> None:
        """What is pasted may be anybody's name: it comes into a field as it is spelt on the screen."""
        if isinstance(event, Paste):
            event.text = "\n".join(visible(line.replace("\t", " ")) for line in event.text.splitlines())
        await super().on_event(event)

    def on_resize(self) -> None:
        self._show_host()

    def _watch(self) -> None:
        """Read the source in a thread of its own, which is left alone when the application ends."""
        self._run += 1
        threading.Thread(target=self._read, args=(self._run,), daemon=True).start()

    def _read(self, run: int) -> None:
        for frame in self._source.frames():
            self.post_message(self.Came(frame, run))
        self.post_message(self.Came(None, run))

    def on_advisor_app_came(self, message: Came) -> None:
        """One frame of the source. What a former run of it still sends is of no interest."""
        frame = message.frame
        if message.run != self._run:
            return
        if isinstance(frame, Tick):
            self._recording.hear(frame.recording)
            self._newest = frame
            self._fail(None)
            self._asking.hear(frame, self._run)
            self._look_at()
            if not self._held or self.tick is None or frame.what_if != self.tick.what_if:
                self._take(frame)
            else:
                self._show_host()
        elif isinstance(frame, Problem):
            self.query_one(ReplayBar).pause()
            self._recording.end()
            self._show_host()
            self._fail(frame)

    def _take(self, tick: Tick) -> None:
        """Show this tick."""
        self.tick = tick
        self._show_host()
        self._show_processes()
        if self._opened is not None:
            self.query_one(DetailView).show(tick.report, self._opened, tick.close_up)
        if tick.length is not None:
            self.query_one(ReplayBar).show(tick.position, tick.length)
        self._show_above()

    def _look_at(self) -> None:
        """Have the source send the process of the detail from near: asked for once, and anew of each run of it."""
        wanted = (self._run, self._opened)
        if wanted != self._looked_at and (self._opened is not None or self._looked_at[1] is not None):
            self._source.order(LookAt(self._opened))
        self._looked_at = wanted

    def _show_host(self) -> None:
        if self.tick is not None:
            width, held = max(self.size.width - 2, 20), self._held and self._source.is_live
            asked = self._asking.in_words(self.tick)
            self.query_one(HostPanel).show(
                self.tick, self._recording.newest, self._ink, width, held=held, asked=asked
            )

    def _show_above(self) -> None:
        """On the screens above the first one."""
        for screen in self.screen_stack:
            if isinstance(screen, LiveScreen) and screen.is_mounted and self.tick is not None:
                screen.take(self.tick, self._asking.what_if, self._ink)

    def _show_processes(self) -> None:
        tick = self.tick
        if tick is None:
            return
        table, empty = self.query_one(ProcessTable), self.query_one("#empty", Static)
        table.show(tick.report, self._view, self._ink)
        found = bool(table.rows)
        self.screen_stack[0].set_class(not found, "-empty")
        if not found:
            all_of = count(len(tick.report.processes))
            empty.update(
                self._ink.text(f"None of {all_of} processes matches {self._view.wanted!r}. Escape shows all.")
                if tick.report.processes
                else self._ink.text("No process can be seen here.")
            )
        if self._opened is None and self.focused is None and found:
            self.call_after_refresh(table.focus)

    def _fail(self, problem: Problem | None) -> None:
        """Say why nothing more comes; where nothing came at all, in the middle of the screen, too."""
        self.query_one(HostPanel).fail(problem, self._ink, seen=self.tick is not None)
        if problem is not None and self.tick is None:
            self.query_one("#empty", Static).update(self._ink.text(problem.message))

    def _restyle(self) -> None:
        """Take the theme's colours, then draw with them."""
        self._ink = Ink(role_styles(self.theme, self.theme_variables))
        if self.tick is not None:
            self._take(self.tick)

    async def on_process_table_chosen(self, message: ProcessTable.Chosen) -> None:
        """Open the detail view; it is made when it is first wanted, since that takes longer than the first screen."""
        if self.tick is not None:
            if not self.query(DetailView):
                await self.query_one("#body").mount(DetailView(id="detail"))
            detail = self.query_one(DetailView)
            self._opened = message.process.pid
            self.screen_stack[0].add_class("-detail")
            self._place_filter()
            detail.show(self.tick.report, self._opened, self.tick.close_up)
            self._look_at()
            self.call_after_refresh(detail.focus)

    def on_process_table_sort_by(self, message: ProcessTable.SortBy) -> None:
        self._sort(self._view.order.chosen(message.column))

    @on(Input.Changed, "#filter")
    def _filter_by(self, event: Input.Changed) -> None:
        self._look(replace(self._view, wanted=event.value))

    @on(Input.Submitted, "#filter")
    def _filter_is_typed(self) -> None:
        self._place_filter()
        self.query_one(ProcessTable).focus()

    def _place_filter(self) -> None:
        """In sight while it filters the table that is in sight."""
        self.query_one(FilterField).display = bool(self._view.wanted) and self._opened is None

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
        field.display = True  # not by a class, which would take a refresh: the next key is for the filter already
        self.screen.set_focus(field)

    async def action_back(self) -> None:
        """Out of the detail, or out of the filter."""
        if self._opened is not None:
            self._opened = None
            self._look_at()
            self.screen_stack[0].remove_class("-detail")
        else:
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

    def action_interrupt(self) -> None:
        self.exit(return_code=INTERRUPTED)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What keys do, every column to sort by and what to group by, beside what Textual offers."""
        yield from super().get_system_commands(screen)
        for title, said, action in commands():
            yield SystemCommand(title, said, partial(self.run_action, action))
