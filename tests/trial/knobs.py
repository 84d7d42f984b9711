"""A constructed host with settings that a journal may change."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from advisor.trial.groups import boot_id
from advisor.trial.journal import Journal, LeftOver, restore_left_over
from advisor.trial.record import Owner, header, line_of
from advisor.trial.state import journal_name

MODE = "always [madvise] never\n"


class Host:
    """Settings below `knobs`, journals below `state`."""

    def __init__(self, root: Path) -> None:
        self.knobs, self.state = root / "knobs", root / "state"
        self.knobs.mkdir()
        self.mode, self.number = self.knobs / "enabled", self.knobs / "number"
        self.mode.write_text(MODE)
        self.number.write_text("7\n")

    def journal(self) -> Journal:
        return Journal(self.state, roots=(self.knobs,))

    def restore(self) -> list[LeftOver]:
        return restore_left_over(self.state, roots=(self.knobs,))

    def left(self) -> list[Path]:
        return sorted(self.state.glob("*.journal"))

    def plant(self, *entries: dict[str, Any], owner: Owner | None = None, tail: bytes = b"") -> Path:
        """A journal with these lines, of a trial that runs no more unless `owner` says otherwise."""
        self.state.mkdir(mode=0o755, exist_ok=True)
        owner = owner or Owner(dead_pid(), 1, boot_id())
        path = self.state / journal_name(owner.pid, owner.start_ticks)
        path.touch(mode=0o600)
        path.write_bytes(b"".join(map(line_of, [header(owner), *entries])) + tail)
        return path

    def change(self, path: Path, before: str, during: str) -> dict[str, Any]:
        return {"change": str(path), "before": before, "during": during}


def dead_pid() -> int:
    ended = subprocess.Popen(["true"])
    ended.wait()
    return ended.pid


def in_child(work: Callable[[], None]) -> int:
    """Run `work` in a forked child that ends without any clearing up; answers its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
