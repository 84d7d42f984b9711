"""Values of kernel files, as commands for now and as a tmpfiles.d file for every boot."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from msgspec import Struct

from advisor.artefacts.model import MARK, Artefact, KernelValue, echo, lines

TMPFILES_FOLDER = "/etc/tmpfiles.d"
"""Read at boot before sysinit.target; type w writes to a file if it exists (tmpfiles.d(5))."""

FIRST = "00"
"""Of two files that write the same path, the first by name is applied and the other is ignored with a message in the
log (tmpfiles.d(5); seen with systemd 252)."""

SYSFS_PATH = re.compile(r"/sys/[A-Za-z0-9_./-]+")
"""Paths that this module writes to: none needs quoting in any of the formats."""

VALUE = re.compile(r"[a-z0-9_+]+")
"""Switches (always, defer+madvise, within_size) and numbers."""


class KernelWrite(Struct, frozen=True):
    """One value to write. previous: what the file says now, None where that is unknown."""

    path: str
    value: str
    previous: str | None

    def __post_init__(self) -> None:
        if not SYSFS_PATH.fullmatch(self.path) or ".." in self.path:
            raise ValueError(f"not a file below /sys: {self.path!r}")
        for value in (self.value, self.previous):
            if value is not None and not VALUE.fullmatch(value):
                raise ValueError(f"not a value of a kernel switch: {value!r}")


def write_now(
    id: str,
    title: str,
    writes: Sequence[KernelWrite],
    *notes: str,
    check: bool = False,
    before: Sequence[str] = (),
    times: int = 1,
) -> Artefact:
    """Commands that write the values at once, after the commands `before`.

    check: read each file again, as the kernel may grant less. times: how often each value is written.
    """
    commands = list(before)
    for write in writes:
        commands += [echo(write.value, write.path)] * times
        if check:
            commands.append(f"cat {write.path}    # must say {write.value}: less means that not enough was free")
    return Artefact(
        id=id,
        kind="shell",
        title=title,
        path=None,
        text=lines(*(f"# {note}" for note in notes), *commands),
        undo=lines(*(undo_command(write) for write in reversed(writes))),
        writes=[KernelValue(write.path, int(write.value) if check else None) for write in writes],
    )


def write_at_boot(id: str, title: str, name: str, writes: Sequence[KernelWrite], *notes: str) -> Artefact:
    """A tmpfiles.d file that writes the values at every boot. name: of the file, without folder and suffix."""
    path = f"{TMPFILES_FOLDER}/{FIRST}-{name}.conf"
    return Artefact(
        id=id,
        kind="tmpfiles",
        title=title,
        path=path,
        text=lines(
            MARK,
            f"# In force at every boot, and at once with: systemd-tmpfiles --create {shlex.quote(path)}",
            *(f"# {note}" for note in notes),
            *(f"w {write.path} - - - - {write.value}" for write in writes),
        ),
        undo=lines(f"rm {shlex.quote(path)}", *(undo_command(write) for write in reversed(writes))),
    )


def undo_command(write: KernelWrite) -> str:
    if write.previous is None:
        return f"# the value that {write.path} had before is not known; it comes back with the next boot"
    return echo(write.previous, write.path)
