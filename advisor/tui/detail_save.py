"""The question where to write a text to; the file is written here, so that a refusal can be mended at once."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from advisor.tui.ink import Ink
from advisor.tui.save import write_new


class AskPath(ModalScreen[Path | None]):
    """Asks for a path and writes `text` there. Result: the path, or None where nobody wanted it."""

    DEFAULT_CSS = """
    AskPath { align: center middle; }
    AskPath > Vertical {
        width: 72; max-width: 96%; height: auto; padding: 1 2; background: $surface; border: round $primary;
    }
    AskPath #save-refused { color: $text-error; height: auto; }
    AskPath #save-hint { color: $foreground 70%; }
    """

    AUTO_FOCUS = "#save-path"  # whatever the application does

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "give_up", "Cancel")]

    def __init__(self, text: str, name: str) -> None:
        super().__init__()
        self._text = text
        self._name = name

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static("Write the text to a new file", markup=False)
            yield Input(self._name, id="save-path", select_on_focus=False)
            yield Static("", id="save-refused", markup=False)
            yield Static("Enter writes it, readable by you alone. Escape cancels.", id="save-hint", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        try:
            path = Path(event.value).expanduser()
            write_new(path, self._text)
        except (OSError, ValueError, RuntimeError) as error:
            self.query_one("#save-refused", Static).update(Ink().text(_why(error)))
            return
        self.dismiss(path)

    def action_give_up(self) -> None:
        self.dismiss(None)


def _why(error: Exception) -> str:
    if isinstance(error, FileExistsError):
        return "Not written: there is something of that name already."
    return f"Not written: {error.strerror if isinstance(error, OSError) and error.strerror else error}."
