"""What a command keeps of root's capabilities. It gives up all others first: before anything is read or imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisor.privilege.capabilities import keep_only, without
from advisor.privilege.needs import READ, WRITE

LEFT_ALONE = frozenset({"tui", "trial", "train", "evaluate", "show"})
"""Commands that keep everything: a trial changes settings and runs the user's commands, which the interface can start
as well (its child that reads the host gives up what it does not need by itself, advisor/watch/start.py); `model`
reads what was measured here."""

WATCH = frozenset({"report", "plan", "record"})
"""Commands that watch the host, unless a profile is named."""

READ_ALL, WRITE_ALL = READ[0], WRITE[0]
WRITE_ANYWHERE = (WRITE_ALL, "CAP_FOWNER")
"""The second to replace somebody's file in a folder such as /tmp, where only its owner may (the sticky bit)."""


def keep_what_is_needed(command: str, given: Mapping[str, Any], roots: tuple[str, str]) -> None:
    """For a command with these parameters, of which `output` or `folder` is what it writes."""
    if command in LEFT_ALONE:
        return
    kept = {READ_ALL}  # profiles and captures of other users
    output = given.get("output") or given.get("folder")
    if output is not None and not may_write_beside(output):
        kept |= {*WRITE_ANYWHERE}
    if command not in WATCH or given.get("profile") is not None:
        keep_only(kept)
        return
    from advisor.collect.capabilities import keep_to_watch

    if given.get("probes"):
        kept.add(WRITE_ALL)  # clear_refs of others
    keep_to_watch(roots, with_frames=bool(given.get("trace")), also=kept)


def may_write_beside(path: Path) -> bool:
    """Whether the file can be made or replaced without the capability to write everywhere."""
    if os.path.lexists(path) and path.lstat().st_uid != os.geteuid():
        return False
    with without((WRITE_ALL,)):
        return os.access(path.parent, os.W_OK | os.X_OK, effective_ids=True)
