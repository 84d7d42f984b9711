"""Copies the wanted files of a capture to a folder of its own, within limits, and says which host they are of."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from advisor.collect.captured.layout import COMMANDS_FOLDER, Place, place_of
from advisor.collect.captured.recognise import ARCHIVE_NAME
from advisor.collect.captured.sources import Member, Source
from advisor.collect.captured.streams import CaptureError
from advisor.profile.model import LAST_TIME_S

LONGEST_TARGET_CHARS = 4096
"""Of a link such as /proc/PID/exe, which is kept as text. Source: PATH_MAX (include/uapi/linux/limits.h)."""

NAMED_ROOTS = 3
"""Hosts that a message names of a capture that holds several."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a capture is looked at and kept. Source: own choice. Reason: some ten times what the largest hosts
    need (10,000 processes with eight files each, smaps of 65,530 VMAs with 800 bytes each, sosreports of 200,000
    files), and a bound on what a hostile one costs: disk, time, inodes."""

    entries: int = 4_000_000
    files: int = 1_000_000
    file_bytes: int = 1 << 30
    bytes: int = 8 << 30


@dataclass(slots=True)
class _Root:
    """What was kept of one folder that may stand for a host."""

    number: int
    areas: Counter[str] = field(default_factory=Counter)
    pid_files: set[str] = field(default_factory=set)
    modified: float | None = None


@dataclass(frozen=True, slots=True)
class Staged:
    """The copy of one host's files. form: sosreport | smem | proc | tree. links: wanted entries that were no files.

    modified: Unix seconds at which the capture was made, by the newest of its files of /proc (the kernel stamps each
    when it is first looked at, and copies keep that); None where no time was kept. cut: the archive ended too early.
    """

    procfs: Path
    sysfs: Path
    form: str
    modified: float | None
    links: int
    cut: bool

    @property
    def commands(self) -> Path:
        return self.sysfs.parent / COMMANDS_FOLDER


@contextmanager
def staged(path: Path, limits: Limits) -> Iterator[Staged]:
    """The capture's wanted files, on disk as long as the block runs. Raises CaptureError."""
    with TemporaryDirectory(prefix="hugepage-advisor-import-") as folder:
        yield _Stager(path, Path(folder), limits).run()


class _Stager:
    def __init__(self, path: Path, folder: Path, limits: Limits) -> None:
        self.path = path
        self.folder = folder
        self.limits = limits
        self.roots: dict[str, _Root] = {}
        self.entries = self.files = self.bytes = self.links = 0
        self.archives: list[str] = []

    def run(self) -> Staged:
        source = Source(self.path)
        for member in source.members():
            self.entries += 1
            self._check(self.entries, self.limits.entries, "entries", "import the folder that holds proc and sys")
            place = place_of(member.name)
            if place is not None:
                self._take(member, place)
            elif ARCHIVE_NAME.search(member.name):
                self.archives.append(member.name)
        return self._chosen(cut=source.cut)

    def _take(self, member: Member, place: Place) -> None:
        is_exe = place.pid is not None and place.path.endswith("/exe")
        if member.kind != "file" and not (is_exe and member.kind == "link"):
            self.links += not is_setting(place)
            return
        if is_exe and member.kind != "link":
            return  # the program itself: what it can do is not looked at in a capture
        self.files += 1
        self._check(self.files, self.limits.files, "files of processes and settings", "import a part of it")
        root = self.roots.setdefault(place.root, _Root(len(self.roots)))
        target = self.folder / str(root.number) / ("" if place.area == "host" else place.area) / place.path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not is_exe:
                self._copy(member, target)
            elif 0 < len(member.target) < LONGEST_TARGET_CHARS and "\0" not in member.target:
                target.unlink(missing_ok=True)
                target.symlink_to(member.target)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            remedy = "free some disk there, or set TMPDIR to another folder" if full else "use an undamaged copy"
            raise CaptureError(
                f"{self.path}: {member.name}: cannot be copied to {self.folder} ({error.strerror}); {remedy}"
            ) from error
        if os.path.lexists(target):
            self._note(root, place, member)

    def _copy(self, member: Member, target: Path) -> None:
        """Writes a file, and takes it away again where the archive ended inside it."""
        written = 0
        with open(target, "wb") as file:
            for chunk in member.chunks():
                written += len(chunk)
                self.bytes += len(chunk)
                self._check(written, self.limits.file_bytes, f"bytes in {member.name}", "is that a file of /proc?")
                self._check(self.bytes, self.limits.bytes, "bytes of wanted files", "import a part of it")
                file.write(chunk)
        if written < member.size:
            target.unlink()

    def _note(self, root: _Root, place: Place, member: Member) -> None:
        if place.identifies:
            root.areas[place.area] += 1
            times = [when for when in (root.modified, member.modified) if when and 0 < when <= LAST_TIME_S]
            root.modified = max(times, default=None)
        elif place.path.startswith(COMMANDS_FOLDER):
            root.areas[COMMANDS_FOLDER] += 1
        if place.pid is not None:
            root.pid_files.add(os.path.basename(place.path))

    def _check(self, number: int, most: int, what: str, remedy: str) -> None:
        if number > most:
            raise CaptureError(f"{self.path}: more than {most} {what}; {remedy}")

    def _chosen(self, *, cut: bool) -> Staged:
        """The one host that the capture is of: trees before contents of /proc, and the one nearest to the top."""
        found = [(area, name) for name, root in self.roots.items() for area in ("proc", "flat") if root.areas[area]]
        if not found:
            inside = (
                f"it holds archives ({self.archives[0]}): import each"
                if self.archives
                else ("a capture has proc/meminfo or proc/PID/smaps in it, or is the content of /proc")
            )
            raise CaptureError(f"{self.path}: no files of /proc in it; {inside}")
        if not self.bytes:
            raise CaptureError(
                f"{self.path}: all its files are empty, as tar makes them of /proc itself; copy with cp, then archive"
            )
        area = "proc" if any(area == "proc" for area, _ in found) else "flat"
        names = sorted(name for of, name in found if of == area)
        nearest = min(depth(name) for name in names)
        names = [name for name in names if depth(name) == nearest]
        if len(names) > 1:
            some = ", ".join(names[:NAMED_ROOTS]) + (" ..." if len(names) > NAMED_ROOTS else "")
            raise CaptureError(f"{self.path}: {len(names)} hosts in one capture ({some}); import each by itself")
        root = self.roots[names[0]]
        at = self.folder / str(root.number)
        return Staged(at / area, at / "sys", _form(root, area), root.modified, self.links, cut)


def is_setting(place: Place) -> bool:
    """Of what administrators wrote, where links are usual: to units of other folders, to /dev/null."""
    return place.area == "host" and not place.path.startswith("sys/")


def depth(name: str) -> int:
    """Folders above the one that stands for the host."""
    return name.count("/") + bool(name)


def _form(root: _Root, area: str) -> str:
    if root.areas[COMMANDS_FOLDER]:
        return "sosreport"
    if area == "proc":
        return "tree"
    return "smem" if root.pid_files and root.pid_files <= {"smaps", "cmdline", "stat"} else "proc"
