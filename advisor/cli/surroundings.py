"""What a command finds when it starts, mended where it would fail for that alone."""

from __future__ import annotations

import io
import os
import re
import sys

STREAMS = {"stdin": "r", "stdout": "w", "stderr": "w"}
"""By descriptor, from 0 on."""

SIZE = re.compile(r"[1-9][0-9]{0,3}")
"""Columns and lines that a terminal may have; Python, rich and Textual each take other words for numbers."""

OWNER_BITS = 0o700


def make_usable() -> None:
    """For the rest of this process, and for what it starts."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names in another alphabet
    for name in ("COLUMNS", "LINES"):
        if not SIZE.fullmatch(os.environ.get(name, "1")):
            del os.environ[name]
    os.umask(os.umask(OWNER_BITS) & ~OWNER_BITS)  # a folder that its own maker may not enter helps nobody


def _open_closed_streams() -> None:
    """Where one is closed (`>&-`), the next file that is opened gets its number, and all that is said."""
    for number, (name, mode) in enumerate(STREAMS.items()):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
        if getattr(sys, name) is None:
            null = open(os.devnull, mode)  # noqa: SIM115  # until this process ends
            setattr(sys, name, null)
