"""What is on the screen: state flows one way, from a source in a thread, one tick a message, to the widgets."""

from __future__ import annotations

import asyncio
import contextlib
import threading

from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.events import Event, Paste
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from advisor.interrupts import INTERRUPTING
from advisor.render.escape import visible
from advisor.render.numbers import count
from advisor.tui.asking import Asking
from advisor.tui.detail import DetailView
from advisor.tui.filter_field import FilterField
from advisor.tui.garbage import LOOK_S, look
from advisor.tui.host_panel import HostPanel
from advisor.tui.ink import Ink
from advisor.tui.key_bar import KeyBar
from advisor.tui.live_screen import LiveScreen
from advisor.tui.record import RecordKey
from advisor.tui.replay import ReplayBar
from advisor.tui.rows import View
from advisor.tui.sized import Sized
from advisor.tui.source import Source
from advisor.tui.table import ProcessTable
from advisor.tui.themes import DARK, THEMES, role_styles
from advisor.watch.frames import Frame, LookAt, Problem, Tick

INTERRUPTED = 130
"""What the shell is told after Ctrl-C or SIGTERM, as every command of this program does."""

LOADING = "Looking at this host ..."
OPENING = "Opening the recording ..."


class FirstScreen(Sized, Screen[None]):
    """The host and its processes; all others lie above it."""


class WatchApp(App[None]):
    """Shows what a source sends, and opens what is chosen. What the keys do is `AdvisorApp`'s."""

    TITLE = "hugepage-advisor"
    AUTO_FOCUS = None

    CSS = """
    #empty { height: 1fr; content-align: center middle; display: none; }
    #detail { display: none; }
    .-empty #empty { display: block; }
    .-empty #processes, .-detail #processes, .-detail #empty, .-detail #strip { display: none; }
    .-detail #detail { display: block; }
    """

    class Came(Message):
        """A frame of the source, or None once there will be none."""

        def __init__(self, frame: Frame | None, run: int) -> None:
            super().__init__()
            self.frame, self.run = frame, run

    def __init__(self, source: Source, *, theme: str = DARK) -> None:
        super().__init__()
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

    def get_default_screen(self) -> FirstScreen:
        return FirstScreen()

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
        for number in INTERRUPTING:
            # Only the main thread may take signals; elsewhere, as in tests, whoever runs the loop has them.
            with contextlib.suppress(RuntimeError, ValueError):
                loop.add_signal_handler(number, self.action_interrupt)
        self.set_interval(LOOK_S, look)
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

    def on_watch_app_came(self, message: Came) -> None:
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

    def _place_filter(self) -> None:
        """In sight while it filters the table that is in sight."""
        self.query_one(FilterField).place(bool(self._view.wanted) and self._opened is None)

    def action_interrupt(self) -> None:
        self.exit(return_code=INTERRUPTED)
