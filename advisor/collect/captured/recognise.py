"""Whether a path is a capture: cheap, so that a walk over a fleet can ask it of every folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from advisor.collect.captured.layout import COMMANDS_FOLDER, place_of
from advisor.collect.captured.sources import is_archive

ARCHIVE_NAME = re.compile(r"\.(?:tar(?:\.[a-z0-9]{2,4})?|t[bgx]z2?|zip)$")
"""What an archive's name ends in; what it is, its first bytes say."""


def is_capture(path: Path) -> bool:
    """Whether a path looks like a capture, by first bytes or by what lies directly in a folder; cheap, reads no more.

    A folder of profiles is none, nor is a compressed profile. Only importing tells whether it really is one.
    """
    if not path.is_dir():
        return is_archive(path)
    try:
        names = set(os.listdir(path))
    except OSError:
        return False
    if "proc" in names or COMMANDS_FOLDER in names:
        return True
    return any((place := place_of(name)) is not None and place.identifies for name in names) or any(
        name.isdigit() and (path / name / "smaps").exists() for name in names
    )
