"""Writing the report on the screen, or its plan, to files: what, where, and the writing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from advisor.own_file import write_new
from advisor.report.document import Report
from advisor.save.plan_folder import FolderRefused, write_folder
from advisor.tui.ask_path import AskPath, Refused

TEXT_COLUMNS = 80
"""Of the report as text: as in a ticket, and as `report -o` writes it."""


@dataclass(frozen=True)
class Format:
    """One thing to write. ending: of the proposed name."""

    title: str
    ending: str
    write: Callable[[Report, Path], None]


def _plan(report: Report, folder: Path) -> None:
    from advisor.render.plan_files import plan_files

    try:
        write_folder(folder, plan_files(report))
    except FolderRefused as refusal:
        raise Refused(str(refusal)) from refusal


def _json(report: Report, path: Path) -> None:
    from advisor.render.json import render_json

    write_new(path, render_json(report))


def _markdown(report: Report, path: Path) -> None:
    from advisor.render.markdown import render_markdown

    write_new(path, render_markdown(report))


def _html(report: Report, path: Path) -> None:
    from advisor.render.html import render_html

    write_new(path, render_html(report))


def _text(report: Report, path: Path) -> None:
    from advisor.render.text import render_text

    write_new(path, render_text(report, width=TEXT_COLUMNS, color=False, unicode=True, details=False))


FORMATS = (
    Format("The plan: a folder with apply.sh and undo.sh", "-plan", _plan),
    Format("The report as JSON", "-report.json", _json),
    Format("The report as Markdown", "-report.md", _markdown),
    Format("The report as a web page", "-report.html", _html),
    Format("The report as text", "-report.txt", _text),
)


def file_name(report: Report, form: Format) -> str:
    """The host and what it is, in characters that are no trouble in a name."""
    host = re.sub(r"[^A-Za-z0-9.-]+", "-", report.host.hostname or "").strip("-.") or "host"
    return f"{host}{form.ending}"


class ExportScreen(AskPath):
    """Asks what to write and where. Up and down choose what, also while the path is typed."""

    DEFAULT_CSS = """
    ExportScreen OptionList, ExportScreen OptionList:focus {
        height: auto; border: none; padding: 1 0 0 0; background: transparent;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "choose(-1)", "What before", show=False),
        Binding("down", "choose(1)", "Next what", show=False),
    ]

    def __init__(self, report: Report, *, what_if: bool) -> None:
        said = "Export what is on the screen" + (", the what-if included" if what_if else "")
        super().__init__(said, file_name(report, FORMATS[0]), partial(FORMATS[0].write, report))
        self._report = report

    def compose_choice(self) -> ComposeResult:
        yield OptionList(*(Option(form.title) for form in FORMATS), markup=False)

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = 0

    @property
    def chosen(self) -> Format:
        return FORMATS[self.query_one(OptionList).highlighted or 0]

    def action_choose(self, step: int) -> None:
        options = self.query_one(OptionList)
        options.highlighted = (FORMATS.index(self.chosen) + step) % len(FORMATS)

    def on_option_list_option_highlighted(self) -> None:
        """Mark what is chosen; propose another name, unless somebody has typed one."""
        options = self.query_one(OptionList)
        for place, form in enumerate(FORMATS):
            options.replace_option_prompt_at_index(place, f"{'>' if form is self.chosen else ' '} {form.title}")
        field = self.query_one(Input)
        if field.value == self._proposed:
            field.value = self._proposed = file_name(self._report, self.chosen)
            field.cursor_position = len(field.value)

    def on_option_list_option_selected(self) -> None:
        """A click or enter on what to write: then where."""
        self.query_one(Input).focus()

    def writing(self) -> Callable[[Path], None]:
        return partial(self.chosen.write, self._report)
