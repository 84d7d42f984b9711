"""Where a command's data goes: stdout, or a file that is complete or not there."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import click


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
