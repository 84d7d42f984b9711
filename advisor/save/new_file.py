"""Writing a text to a new file that its owner alone can read."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

MODE = 0o600
"""Texts name programs and what they were started with."""


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet; no symbolic link is followed, neither as the file nor as its folder.

    What cannot be written whole is taken away again. Raises OSError: FileExistsError where anything has that name.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path.name, flags, MODE, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode("utf-8", "backslashreplace"))
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(path.name, dir_fd=folder)
            raise
    finally:
        os.close(folder)
