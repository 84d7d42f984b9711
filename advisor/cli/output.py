"""Where a command's data goes: stdout, or a file that is complete or not there."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import TypedDict

import click

from advisor.cli.errors import CommandError, ExitCode


class Look(TypedDict):
    """What text may hold where it goes: colours and hyperlinks, and characters beyond ASCII."""

    color: bool
    unicode: bool


def look_of(path: Path | None) -> Look:
    """Of stdout, where `path` is None: colours on a terminal alone. A file is plain and UTF-8."""
    if path is not None:
        return Look(color=False, unicode=True)
    return Look(color=sys.stdout.isatty(), unicode="utf" in (sys.stdout.encoding or "").lower())


def check_output(path: Path | None) -> None:
    """Before what takes long: that its result cannot be written there. Raises CommandError."""
    if path is not None and not os.access(path.parent, os.W_OK | os.X_OK):
        raise CommandError(f"{path}: cannot be written: {path.parent} is no folder to write in", ExitCode.FAILED)


def write_output(text: str, path: Path | None) -> None:
    """Write to stdout, or to a file of mode 0600 that appears at once when it is whole.

    A symbolic link at `path` is replaced, never followed. Raises OSError.
    """
    if not text.endswith("\n"):
        text += "\n"
    if path is None:
        click.echo(text, nl=False)
        return
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, stat.S_IRUSR | stat.S_IWUSR)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
