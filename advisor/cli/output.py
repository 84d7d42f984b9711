"""Where a command's data goes: stdout, or a file that is complete or not there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TypedDict

import click

from advisor.cli.errors import CommandError, ExitCode
from advisor.cli.talk import unless_gone
from advisor.own_file import as_bytes, refuse_unless_file, write_whole

USUAL_WIDTH = 80
"""Columns of a terminal whose size is unknown, and of text in a ticket."""


class Look(TypedDict):
    """What text may hold where it goes: colours and hyperlinks, and characters beyond ASCII."""

    color: bool
    unicode: bool


def text_width(path: Path | None) -> int:
    """Columns of text that goes there: the terminal's, else COLUMNS (see surroundings.py), else USUAL_WIDTH."""
    if path is None and sys.stdout.isatty():
        return os.get_terminal_size(sys.stdout.fileno()).columns
    return int(os.environ.get("COLUMNS", USUAL_WIDTH))


def look_of(path: Path | None) -> Look:
    """Of stdout, where `path` is None: colours on a terminal alone. A file is plain and UTF-8."""
    if path is not None:
        return Look(color=False, unicode=True)
    return Look(color=sys.stdout.isatty(), unicode="utf" in (sys.stdout.encoding or "").lower())


def check_output(path: Path | None) -> None:
    """Before what takes long: that its result cannot be written there. Raises CommandError, OSError."""
    if path is None:
        return
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise CommandError(f"{path}: cannot be written: {path.parent} is no folder to write in", ExitCode.FAILED)
    refuse_unless_file(str(path), None, path)


def write_output(text: str, path: Path | None) -> None:
    """Write to stdout, or to a file of mode 0600 that appears at once when it is whole. Raises OSError."""
    if not text.endswith("\n"):
        text += "\n"
    if path is None:
        with unless_gone(sys.stdout):
            click.echo(text, nl=False)
    else:
        write_whole(path, as_bytes(text))
