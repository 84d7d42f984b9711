"""The tab Texts: the artefacts of one process as a list, the chosen one below, to copy or to write to a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from advisor.tui.ask_path import ask_for_text
from advisor.tui.detail_texts import Paste, entry, text, undo_text
from advisor.tui.ink import Ink


class PastesPane(Widget):
    """Shows the texts that it is given. The chosen one stays chosen while there is one of its id."""

    DEFAULT_CSS = """
    PastesPane { height: 1fr; layout: vertical; }
    PastesPane OptionList, PastesPane OptionList:focus {
        height: auto; max-height: 6; border: none; padding: 0 1; background: transparent;
    }
    PastesPane VerticalScroll { height: 1fr; padding: 1 1 0 1; }
    PastesPane Static { max-width: 140; }
    PastesPane.-empty OptionList { display: none; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "copy", "Copy text"),
        Binding("u", "copy_undo", "Copy undo"),
        Binding("w", "write", "Write to file"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._pastes: Sequence[Paste] = ()
        self._ink = Ink()

    def compose(self) -> ComposeResult:
        yield OptionList()
        with VerticalScroll():
            yield Static()

    @property
    def chosen(self) -> Paste | None:
        """The text that keys act on."""
        place = self.query_one(OptionList).highlighted
        return self._pastes[place] if place is not None and place < len(self._pastes) else None

    def show(self, ink: Ink, pastes: Sequence[Paste], nothing: Text) -> None:
        """Show these texts; `nothing` where there is none."""
        before, options = self.chosen, self.query_one(OptionList)
        same = (n for n, one in enumerate(pastes) if before is not None and one.artefact.id == before.artefact.id)
        self._ink, self._pastes = ink, pastes
        self.set_class(not pastes, "-empty")
        with self.prevent(OptionList.OptionHighlighted):
            options.set_options(Option(entry(ink, paste)) for paste in pastes)
            options.highlighted = next(same, 0) if pastes else None
        self.query_one(Static).update(text(ink, self.chosen) if self.chosen else nothing)
        self.refresh_bindings()

    def on_option_list_option_highlighted(self) -> None:
        if self.chosen is not None:
            self.query_one(Static).update(text(self._ink, self.chosen))
            self.query_one(VerticalScroll).scroll_home(animate=False)
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - the signature of Textual
        """Keys are shown for what can be done: nothing without a text, no undo where none is said."""
        chosen = self.chosen if self.is_mounted else None
        if action in ("copy", "write"):
            return chosen is not None
        if action == "copy_undo":
            return chosen is not None and bool(undo_text(chosen.artefact))
        return True

    def action_copy(self) -> None:
        if self.chosen is not None:
            self._copy(self.chosen.artefact.text, "text")

    def action_copy_undo(self) -> None:
        if self.chosen is not None:
            self._copy(undo_text(self.chosen.artefact), "undo")

    def action_write(self) -> None:
        if self.chosen is not None:
            self.app.push_screen(ask_for_text(self.chosen.artefact.text, self.chosen.file_name), self._written)

    def _copy(self, said: str, what: str) -> None:
        """By OSC 52, which a terminal may ignore: hence no promise that it is in the clipboard."""
        self.app.copy_to_clipboard(said)
        self.notify(f"Sent the {what} to the terminal's clipboard", markup=False)

    def _written(self, path: Path | None) -> None:
        if path is not None:
            self.notify(self._ink.text(f"Written: {path}").plain, markup=False)
