"""The screen of a live trial: a form, the question, the trial while it runs, its result. The child does the trial."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, Protocol

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Resize
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Static

from advisor.render.live_text import NARROWEST, render_live_json, render_live_text
from advisor.report.document import Report
from advisor.report.process import ProcessEntry
from advisor.trial.live_document import LiveMetric, LivePlan, LiveTrial, SoFar
from advisor.tui.ask_path import ask_for_text
from advisor.tui.ink import Ink
from advisor.tui.sized import Sized
from advisor.tui.themes import role_styles
from advisor.tui.trial_form import LOOKING, TrialForm
from advisor.tui.trial_settings import SettingsError, TrialSettings
from advisor.tui.trial_text import found, question, running, why_no_trial
from advisor.watch.trial_child import Trier
from advisor.watch.trial_frames import Died, Done, Go, Prepare, Ready, Refused, TrialFrame, Under

CHECKING = "Looking at the process and trying the metric command ..."

GRACE_S = 1.0
"""Seconds that a result cannot be closed. Reason: an escape that was meant to end the trial must not lose it."""

HINTS = {
    "form": "enter goes on, escape closes",
    "ask": "y starts it, n or escape goes back",
    "run": "escape ends it early",
    "result": "w writes the text, J the JSON; escape closes",
    "died": "escape closes",
}
"""States of the screen, and which keys do something in them."""


class TrialSource(Protocol):
    """Makes one live trial. `frames` blocks and is read in a thread; the rest may be called at any time."""

    redact: bool

    def frames(self) -> Iterator[TrialFrame]:
        """What comes of the orders; Done or Died is the last."""

    def order(self, order: Prepare | Go) -> None:
        """Look at a process, or go ahead. Does not wait."""

    def end(self) -> None:
        """End it early. Does not wait."""


def open_trial(
    app: App[None],
    report: Report,
    process: ProcessEntry,
    trials: Callable[[], TrialSource] | None,
    settings: TrialSettings | None,
    keep: Callable[[TrialSettings | None], None],
) -> None:
    """Open the form for this process, or say why there can be no trial.

    trials: makes the source, by default a child process. settings: what was typed the last time, which is handed to
    `keep` when the screen is closed.
    """
    why_not = why_no_trial(report, process.pid)
    if why_not is not None:
        app.notify(Ink().text(why_not).plain, title="No trial", severity="warning", timeout=10, markup=False)
    elif not any(isinstance(screen, TrialScreen) for screen in app.screen_stack):
        source = trials() if trials is not None else Trier()
        app.push_screen(TrialScreen(source, process, settings or TrialSettings()), keep)


class TrialScreen(Sized, ModalScreen[TrialSettings]):
    """One process, one trial. Result: what was typed last, for the next time."""

    DEFAULT_CSS = """
    TrialScreen { align: center middle; }
    TrialScreen #trial-box {
        width: 100%; max-width: 110; height: auto; max-height: 100%;
        background: $surface; border: round $primary; padding: 0 1;
    }
    TrialScreen .trial-scroll { height: auto; max-height: 100%; scrollbar-size-vertical: 1; }
    TrialScreen #trial-answers { height: 1; margin-top: 1; }
    TrialScreen Button { margin-right: 2; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back"),
        Binding("y", "answer(True)", "Yes", show=False),
        Binding("n", "answer(False)", "No", show=False),
        Binding("w", "write(False)", "Write the text", show=False),
        Binding("J", "write(True)", "Write the JSON", show=False),
    ]

    class Came(Message):
        """A frame of the child."""

        def __init__(self, frame: TrialFrame) -> None:
            super().__init__()
            self.frame = frame

    def __init__(self, source: TrialSource, process: ProcessEntry, settings: TrialSettings) -> None:
        super().__init__()
        self._source, self._process, self._settings = source, process, settings
        self._state = "form"
        self._ink = Ink()
        self._unanswered = 0
        self._metric: LiveMetric | None = None
        self._plan: LivePlan | None = None
        self._so_far: SoFar | None = None
        self._came_at = self._shown_at = 0.0
        self._ending = False
        self._done: LiveTrial | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="trial-box"):
            yield TrialForm(self._settings)

    def on_mount(self) -> None:
        self._ink = Ink(role_styles(self.app.theme, self.app.theme_variables))
        box = self.query_one("#trial-box")
        box.border_title = self._ink.text(f"Live trial of {self._process.name} (pid {self._process.pid})")
        box.border_subtitle = HINTS[self._state]
        self._look(TrialSettings(), LOOKING)
        threading.Thread(target=self._read, daemon=True).start()
        self.set_interval(1.0, self._show_running)

    def on_unmount(self) -> None:
        self._source.end()

    def on_resize(self, event: Resize) -> None:  # noqa: ARG002  # that of all screens
        self._show_running()
        self._show_result()

    def _read(self) -> None:
        for frame in self._source.frames():
            self.post_message(self.Came(frame))

    def _look(self, settings: TrialSettings, doing: str) -> None:
        """Ask the child for a look; it answers each with a plan or a refusal. Raises SettingsError."""
        order = settings.order(self._process.pid, self._process.start_ticks, redact=self._source.redact)
        self._metric = order.metric
        self._unanswered += 1
        self._source.order(order)
        self.query_one(TrialForm).say(self._ink.text(doing, "medium"))

    async def on_trial_screen_came(self, message: Came) -> None:
        match message.frame:
            case Ready(plan):
                await self._answered(plan, None)
            case Refused(message=why) if self._state == "run":
                await self._die(why, ran=True)
            case Refused() as refused:
                await self._answered(None, refused)
            case Under(so_far):
                self._so_far, self._came_at = so_far, time.monotonic()
                self._show_running()
            case Done(trial):
                self._done, self._shown_at = trial, time.monotonic()
                await self._turn_to("result", VerticalScroll(Static(id="trial-result"), classes="trial-scroll"))
                self._show_result()
            case Died(why, ran):
                await self._die(why, ran=ran)

    async def _answered(self, plan: LivePlan | None, refused: Refused | None) -> None:
        """A look was answered. Only the answer to the last one counts; the first of all asks nothing yet."""
        self._unanswered -= 1
        if self._unanswered or self._state not in ("form", "checking"):
            return
        form = self.query_one(TrialForm)
        if refused is not None:
            self._state = "form"
            form.refuse(refused.message, {"metric": "command", "steps": "steps"}.get(refused.about))
        elif plan is not None and self._state == "form":
            form.say(found(self._ink, plan))
        elif plan is not None:
            self._plan = plan
            await self._ask(plan)

    def on_trial_form_submitted(self, message: TrialForm.Submitted) -> None:
        if self._state != "form":
            return
        self._settings = message.settings
        try:
            self._look(message.settings, CHECKING)
        except SettingsError as error:
            self.query_one(TrialForm).refuse(str(error), error.field)
            return
        self._state = "checking"

    async def _ask(self, plan: LivePlan) -> None:
        """The question; No is what a careless enter says."""
        no, yes = Button("No", id="trial-no", compact=True), Button("Yes", id="trial-yes", compact=True)
        text = VerticalScroll(
            Static(question(self._ink, plan, self._metric)), classes="trial-scroll", can_focus=False
        )
        await self._turn_to("ask", Vertical(text, Horizontal(no, yes, id="trial-answers"), classes="trial-scroll"))
        no.focus()

    async def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "trial-cancel":
            self.action_leave_now()
        else:
            await self.action_answer(event.button.id == "trial-yes")

    async def action_answer(self, yes: bool) -> None:
        """Start it, or go back to the form."""
        if self._state != "ask":
            return
        if not yes:
            await self._turn_to("form", TrialForm(self._settings))
            if self._plan is not None:
                self.query_one(TrialForm).say(found(self._ink, self._plan))
            return
        await self._turn_to("run", VerticalScroll(Static(id="trial-running"), classes="trial-scroll"))
        self._came_at = time.monotonic()
        self._source.order(Go())
        self._show_running()

    async def _die(self, why: str, *, ran: bool) -> None:
        stays = " What it had moved by then stays on huge pages." if ran else " Nothing was changed."
        await self._turn_to("died", Static(self._ink.text(f"No result: {why}.{stays}", "high")))

    async def _turn_to(self, state: str, *body: Widget) -> None:
        self._state = "turning"  # a clock that ticks meanwhile finds nothing to draw
        box = self.query_one("#trial-box")
        await box.remove_children()
        await box.mount(*body)
        self._state = state
        box.border_subtitle = HINTS[state]
        for one in self.query(".trial-scroll"):
            if one.focusable:
                one.focus()

    def _width(self) -> int:
        """Columns for text: of the box, less a bar to scroll with."""
        return max(self.query_one("#trial-box").size.width - 1, 1)

    def _show_running(self) -> None:
        if self._state != "run" or self._plan is None:
            return
        since = time.monotonic() - self._came_at
        lines = running(self._ink, self._plan, self._so_far, since_s=since, ending=self._ending, width=self._width())
        stays = "" if self._ending else "Escape ends it early. What has been moved by then stays on huge pages."
        lines += [Text(), self._ink.text(stays, "muted")]
        self.query_one("#trial-running", Static).update(Text("\n").join(lines))

    def _show_result(self) -> None:
        if self._done is not None and self._state == "result":
            said = render_live_text(self._done, width=max(self._width(), NARROWEST))
            self.query_one("#trial-result", Static).update(self._ink.lines(said))

    async def action_leave(self) -> None:
        """Back from the question; out of a running trial by ending it, and then by leaving it to its end."""
        if self._state == "ask":
            await self.action_answer(False)
        elif self._state == "run" and not self._ending:
            self._ending = True
            self._source.end()
            self._show_running()
        elif self._state != "result" or time.monotonic() - self._shown_at > GRACE_S:
            self.action_leave_now()

    def action_leave_now(self) -> None:
        self.dismiss(self._settings)

    def action_write(self, as_json: bool) -> None:
        """Ask where to, with the same words and documents as `trial --pid` has."""
        if self._done is None:
            return
        text = render_live_json(self._done) if as_json else render_live_text(self._done)
        name = f"trial-{self._done.pid}.{'json' if as_json else 'txt'}"
        self.app.push_screen(ask_for_text(text, name), self._written)

    def _written(self, path: Path | None) -> None:
        if path is not None:
            self.notify(self._ink.text(f"Written: {path}").plain, markup=False)
