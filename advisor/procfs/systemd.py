"""The version of systemd, from what process 1 has mapped: no program is run and no file outside /proc is opened."""

from __future__ import annotations

import re

_SHARED_LIBRARY = re.compile(rb"/libsystemd-shared-([0-9]{1,5})[.~-]")
"""Its own code is in a library that carries the version: libsystemd-shared-252.so, -257.7-1.fc42.so."""


def parse_systemd_version(maps: bytes) -> int | None:
    """Major version of systemd from /proc/1/maps; None where process 1 is another program."""
    found = _SHARED_LIBRARY.search(maps)
    return int(found[1]) if found else None
