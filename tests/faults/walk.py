"""A command on a host of which one file after another fails, and whether it ends as it should."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, NamedTuple

from advisor.profile.codec import ProfileError, load_profile
from tests.fake_proc import FakeProc
from tests.faults.inject import failing, run, watch, watched
from tests.faults.tree import make_host
from tests.in_process import shipped_model

ENDED = (0, 3, 4)
"""Exit codes: done; its target is gone or denied; nothing can be used."""

VARYING = (".generated_at", ".source.cost", ".source.observed_at")

REPORT = "report"
TUI = "tui"
COMMANDS: dict[str, Callable[[Path], Sequence[str]]] = {
    REPORT: lambda _: (REPORT, "--json", "--duration", "0"),
    "plan": lambda scratch: ("plan", "--duration", "0", "-o", str(scratch / "plan")),
    "record": lambda scratch: ("record", "--duration", "0", "-o", str(scratch / "profile.jsonl")),
    "import": lambda scratch: ("import", str(scratch / "host"), "-o", str(scratch / "profile.jsonl")),
    "trial": lambda _: ("trial", "--json", "--rounds", "1", "--", "/bin/true"),
    TUI: lambda _: (),
}
"""Arguments of each, given the folder that holds the host; `import` reads it as a captured tree. The interface is
the process that looks at the host for it."""

LIVE: dict[str, tuple[bool, ...]] = dict.fromkeys(COMMANDS, (True, False)) | {"import": (False,), "trial": (True,)}
"""Whether on a live host, on a captured tree, or on either."""


UNTOLD = frozenset((way, "cmdline") for way in ("empty", "cut", "garbage"))
"""What cannot be told from what the kernel prints of other processes. Nor can half of a number that is alone in its
file: copies made by hand have no line ends."""


class Ground(NamedTuple):
    """A host, the same as it was, what a command opens of it, and what it says while nothing fails."""

    scratch: Path
    host: FakeProc
    command: str
    live: bool
    opened: list[str]
    sound: CompletedProcess[str]

    def run(self) -> CompletedProcess[str]:
        """The command, as often as wanted."""
        shutil.rmtree(self.scratch / "plan", ignore_errors=True)
        (self.scratch / "profile.jsonl").unlink(missing_ok=True)
        if self.command == TUI:
            return watched(self.host, live=self.live)
        return run(self.host, *COMMANDS[self.command](self.scratch), live=self.live)


def ground(scratch: Path, command: str, *, live: bool) -> Ground:
    """Runs the command once on a whole host, below an empty folder."""
    shipped_model()  # what is imported with it looks at this host
    host = make_host(scratch / "host")
    shutil.copytree(scratch / "host", scratch / "pristine", symlinks=True)
    first = Ground(scratch, host, command, live, [], CompletedProcess([], 0))
    with watch.below(scratch / "host"):
        sound = first.run()
        opened = sorted(watch.opened)
    if sound.returncode != 0:
        raise RuntimeError(f"{command} of a whole host: {sound.stderr}")
    return first._replace(opened=opened, sound=sound)


def wrongs(there: Ground, way: str, part: slice = slice(None)) -> Iterator[str]:
    """What went wrong, file by file."""
    root = str(there.host.procfs.parent)
    for path in there.opened[part]:
        place = path.removeprefix(root)
        with failing(there.host, there.scratch / "pristine", path, way):
            try:
                done = there.run()
            except Exception as error:
                yield f"{place}: {type(error).__name__}: {error}"
                continue
        whole = there.scratch / "pristine" / place.lstrip("/")
        is_one_word = whole.is_file() and len(whole.read_bytes().split()) == 1
        if (said := _wrong(there, done, (way, Path(place).name), is_one_word=is_one_word)) is not None:
            yield f"{place}: {said}"


def _wrong(there: Ground, done: CompletedProcess[str], what: tuple[str, str], *, is_one_word: bool) -> str | None:
    if done.returncode not in ENDED:
        return f"ended with {done.returncode}: {done.stderr[-300:]!r}"
    if done.returncode:
        more = set(done.stderr.splitlines()) - set(there.sound.stderr.splitlines())
        return None if len(more) == 1 else f"not one line: {done.stderr!r}"
    if there.command in (REPORT, TUI) and what not in UNTOLD and not (what[0] == "cut" and is_one_word):
        told = is_told(json.loads(done.stdout), json.loads(there.sound.stdout))
        return None if told else "the report differs, and says nothing of it"
    if there.command in ("record", "import"):
        try:
            load_profile(there.scratch / "profile.jsonl")
        except ProfileError as error:
            return f"what it wrote cannot be read: {error}"
    return None


def flat(value: Any, place: str = "") -> dict[str, Any]:
    """Every value by where it stands."""
    if isinstance(value, dict):
        return {path: one for name, item in value.items() for path, one in flat(item, f"{place}.{name}").items()}
    if isinstance(value, list):
        return {path: one for n, item in enumerate(value) for path, one in flat(item, f"{place}[{n}]").items()}
    return {place: value}


def facts(report: dict[str, Any]) -> dict[str, Any]:
    """Every value, without those that differ each time."""
    found = flat(report)
    return {path: value for path, value in found.items() if not path.startswith(VARYING) and "start_time" not in path}


def is_told(report: dict[str, Any], sound: dict[str, Any]) -> bool:
    """Whether a report that lacks something says so: in words, or as a null where there was a value."""
    if (report["limitations"], report["skipped"]) != (sound["limitations"], sound["skipped"]):
        return True
    now, before = facts(report), facts(sound)
    return now == before or any(value is None and before.get(path, 0) is not None for path, value in now.items())
