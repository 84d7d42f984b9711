"""The question where to write something to; it is written from here, so that a refusal can be mended at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from advisor.own_file import write_new
from advisor.render.escape import visible
from advisor.tui.ink import Ink
from advisor.tui.sized import Sized


class Refused(Exception):
    """It cannot be written there; the message says why, as the end of a sentence."""


class AskPath(Sized, ModalScreen[Path | None]):
    """Asks for a path and has `write` write there. Result: the path, or None where nobody wanted it.

    write: runs beside the screen; raises Refused, OSError, ValueError where the path will not do.
    """

    DEFAULT_CSS = """
    AskPath { align: center middle; }
    AskPath > Vertical {
        width: 76; max-width: 96%; height: auto; padding: 1 2; background: $surface; border: round $primary;
    }
    AskPath #save-refused { color: $text-error; height: auto; }
    AskPath #save-hint { color: $foreground 70%; }
    """

    AUTO_FOCUS = "#save-path"  # whatever the application does

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "give_up", "Cancel")]

    HINT = "Enter writes it, readable by you alone. Escape cancels."

    def __init__(self, title: str, name: str, write: Callable[[Path], None], *, hint: str = HINT) -> None:
        super().__init__()
        self._heading, self._proposed, self._hint = title, visible(name), hint
        self._write = write

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(self._heading, markup=False)
            yield from self.compose_choice()
            yield Input(self._proposed, id="save-path", select_on_focus=False)
            yield Static("", id="save-refused", markup=False)
            yield Static(self._hint, id="save-hint", markup=False)

    def compose_choice(self) -> ComposeResult:
        """What stands above the path."""
        yield from ()

    def writing(self) -> Callable[[Path], None]:
        """What writes, as chosen by now."""
        return self._write

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()  # it is no filter

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        refused = self.query_one("#save-refused", Static)
        refused.update("Writing ...")
        try:
            path = Path(event.value).expanduser()
            await asyncio.to_thread(self.writing(), path)
        except (Refused, OSError, ValueError, RuntimeError) as error:
            refused.update(Ink().text(_why(error)))
            return
        self.dismiss(path)

    def action_give_up(self) -> None:
        self.dismiss(None)


def ask_for_text(text: str, name: str) -> AskPath:
    """The question for the new file that a text goes to."""
    return AskPath("Write the text to a new file", name, lambda path: write_new(path, text))


def _why(error: Exception) -> str:
    if isinstance(error, FileExistsError):
        return "Not written: there is something of that name already."
    return f"Not written: {error.strerror if isinstance(error, OSError) and error.strerror else error}."
