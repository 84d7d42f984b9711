"""The form of a trial: what to measure by and how long, with what was found out about the process."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import Button, Input, Select, Static

from advisor.tui.ink import Ink
from advisor.tui.trial_settings import TrialSettings
from advisor.tui.trial_text import METRIC_HELP

LOOKING = "Looking at the process ..."

FIELDS = {
    "command": "Metric command",
    "steps": "Steps, % of its memory",
    "window": "Seconds of a window",
    "windows": "Windows at each dose",
}
"""Inputs by id: their labels."""

CHOICES = {
    "kind": ("It prints", {"rate": "a rate of the moment", "counter": "a count that grows"}),
    "better": ("Better is", {"higher": "higher", "lower": "lower"}),
}
"""What to choose from, by id: label, then value and words of each choice."""


class TrialForm(VerticalScroll):
    """Asks; says `Submitted`, as typed. What is wrong with it is said in its first lines."""

    DEFAULT_CSS = """
    TrialForm { height: auto; max-height: 100%; scrollbar-size-vertical: 1; }
    TrialForm #trial-said { height: auto; margin-bottom: 1; }
    TrialForm.-refused #trial-said { color: $text-error; text-style: bold; }
    TrialForm .trial-row { height: 1; }
    TrialForm .trial-label { width: 24; color: $foreground 70%; }
    TrialForm Input { width: 1fr; background: $panel; }
    TrialForm Select { width: 28; }
    TrialForm #trial-help { color: $foreground 70%; height: auto; margin: 0 0 1 2; }
    TrialForm #trial-buttons { height: 1; margin-top: 1; }
    TrialForm Button { margin-right: 2; }
    """

    class Submitted(Message):
        """Somebody wants to go on with this."""

        def __init__(self, settings: TrialSettings) -> None:
            super().__init__()
            self.settings = settings

    def __init__(self, settings: TrialSettings) -> None:
        super().__init__(can_focus=False)
        self._first = settings

    def compose(self) -> ComposeResult:
        yield Static(LOOKING, id="trial-said", markup=False)
        yield self._input("command")
        yield Static(METRIC_HELP, id="trial-help", markup=False)
        for name, (label, choices) in CHOICES.items():
            with Horizontal(classes="trial-row"):
                yield Static(label, classes="trial-label", markup=False)
                yield Select[str](
                    [(words, value) for value, words in choices.items()],
                    value=getattr(self._first, name),
                    allow_blank=False,
                    compact=True,
                    id=f"trial-{name}",
                )
        for name in ("steps", "window", "windows"):
            yield self._input(name)
        with Horizontal(id="trial-buttons"):
            yield Button("Go on", id="trial-go", variant="primary", compact=True)
            yield Button("Cancel", id="trial-cancel", compact=True)

    def _input(self, name: str) -> Horizontal:
        label = Static(FIELDS[name], classes="trial-label", markup=False)
        return Horizontal(
            label,
            Input(getattr(self._first, name), id=f"trial-{name}", compact=True, select_on_focus=False),
            classes="trial-row",
        )

    def on_mount(self) -> None:
        self.query_one("#trial-command", Input).focus()

    @property
    def settings(self) -> TrialSettings:
        """As typed and chosen."""
        typed = {name: self.query_one(f"#trial-{name}", Input).value for name in FIELDS}
        chosen = {name: self.query_one(f"#trial-{name}", Select).value for name in CHOICES}
        return TrialSettings(**typed, **chosen)  # type: ignore[arg-type]  # the choices are those of its fields

    def say(self, text: Text) -> None:
        """What was found out."""
        self.remove_class("-refused")
        self.query_one("#trial-said", Static).update(text)

    def refuse(self, message: str, field: str | None = None) -> None:
        """Why it does not go on; the field to mend is focused."""
        self.add_class("-refused")
        self.query_one("#trial-said", Static).update(Ink().text(f"Not possible: {message}. Nothing was changed."))
        self.scroll_home(animate=False)
        if field is not None:
            self.query_one(f"#trial-{field}", Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._submit()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "trial-go":
            event.stop()
            self._submit()

    def _submit(self) -> None:
        self.post_message(self.Submitted(self.settings))
