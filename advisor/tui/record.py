"""Recording what is on the screen: which file, and what is said of it. The child that watches writes."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable
from pathlib import Path

from msgspec import structs
from textual.app import App

from advisor.render.escape import visible
from advisor.render.numbers import human_bytes, plural
from advisor.tui.ask_path import AskPath, Refused
from advisor.watch.frames import Record, Recording, Tick

SUFFIXES = (".jsonl.zst", ".jsonl.gz", ".jsonl")
"""What a recording's name ends in, as for `record`."""

HINT = "Enter starts, s ends it. Command lines in it are redacted as on the screen. Escape cancels."

ALREADY = {
    "profile": "This is a recording already: its file is what you opened.",
    "tree": "This is a captured tree: nothing changes in it that could be recorded.",
}
"""Why there is nothing to record, by the kind of the report's source."""


class RecordKey:
    """The key that starts and stops: asks, orders, and tells how it went."""

    def __init__(self, app: App[None], order: Callable[[Record], None]) -> None:
        self._app, self._order = app, order
        self.newest: Recording | None = None
        """The newest word on the recording."""

    async def press(self, tick: Tick | None) -> None:
        """Ask where to, and start; or end the recording that is going."""
        refusal = why_not(tick)
        if tick is None or refusal is not None:
            self._app.notify(refusal or "", markup=False)
        elif is_going(self.newest):
            self._order(Record(None))
        else:
            await self._app.push_screen(_ask(tick), self._start)

    def hear(self, recording: Recording | None) -> None:
        """What a new tick says of it."""
        said = news(self.newest, recording)
        self.newest = recording
        if said is not None:
            text, is_trouble = said
            self._app.notify(visible(text), severity="warning" if is_trouble else "information", markup=False)

    def end(self) -> None:
        """Whoever watches has ended, and the recording with it; what was written can be read."""
        if self.newest is not None and is_going(self.newest):
            self.hear(structs.replace(self.newest, is_over=True, problem="the process that watches has ended"))

    def _start(self, path: Path | None) -> None:
        if path is not None:
            self._order(Record(str(path.absolute())))


def why_not(tick: Tick | None) -> str | None:
    """Why nothing can be recorded; None where it can."""
    return "Nothing has been seen yet." if tick is None else ALREADY.get(tick.report.source.kind)


def is_going(recording: Recording | None) -> bool:
    return recording is not None and not recording.is_over


def _ask(tick: Tick) -> AskPath:
    """The question for the new file's name."""
    return AskPath("Record what is seen from now on, in a new file", file_name(tick), check, hint=HINT)


def file_name(tick: Tick) -> str:
    """The host and the time, in characters that are no trouble in a name."""
    host = re.sub(r"[^A-Za-z0-9.-]+", "-", tick.report.host.hostname or "").strip("-.") or "host"
    return f"{host}-{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}{SUFFIXES[0]}"


def check(path: Path) -> None:
    """Whether a recording can begin there; the file is made by the child that watches. Raises Refused, OSError."""
    if not path.name.endswith(SUFFIXES):
        raise Refused(f"the name must end in {', '.join(SUFFIXES)}")
    if os.path.lexists(path):
        raise FileExistsError
    if not path.parent.is_dir():
        raise Refused(f"{path.parent} is no folder")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise Refused(f"{path.parent} may not be written to")


def news(before: Recording | None, now: Recording | None) -> tuple[str, bool] | None:
    """What to tell when a recording has ended, and whether that is trouble; None where there is no news."""
    if now is None or not now.is_over or (before is not None and before.is_over and before.path == now.path):
        return None
    if now.problem is not None:
        kept = f"; {plural(now.samples, 'sample')} can be read" if now.samples else ""
        return f"The recording ended: {now.problem}{kept}.", True
    size = f"{plural(now.samples, 'sample')}, {human_bytes(now.bytes)}"
    return f"Recorded {now.path}: {size}. Open it with hugepage-advisor tui, or report.", False
