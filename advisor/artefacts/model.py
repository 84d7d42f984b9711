"""The artefact, and what every artefact needs: size labels, shell quoting, refusal of names that are no names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from msgspec import Struct, field
from msgspec.structs import replace

UNIT_NAME = re.compile(r"[A-Za-z0-9:_.\\][A-Za-z0-9:_.\\@-]*\.service")
"""Names of services that systemd accepts (systemd.unit(5)), less those that begin like an option."""

UNIT_NAME_BYTES = 255
"""Longest unit name (systemd.unit(5))."""

MARK = "# Written by hugepage-advisor."
"""First line of every configuration file, so that its reader knows where it is from."""


class KernelValue(Struct, frozen=True):
    """A kernel file that an artefact's commands write. at_least: what it must say afterwards, a count of pages that
    the kernel may grant in part; None where the write itself says whether it worked."""

    path: str
    at_least: int | None = None


class Artefact(Struct, frozen=True):
    """One piece of configuration to paste.

    id: stable, for reference from a recommendation; kind: which program reads the text (KINDS); title: one line;
    path: the file that the text is the content of, None where it is commands or an excerpt; text and undo end in a
    newline; undo is commands or words that bring back the value that was there. needs_reboot: takes effect at the
    next boot only.

    What a script needs to know to do it: by_hand: the text goes into a file or a command line that only a person
    knows; writes: the kernel files that the commands of `text` write, so that what they said can be kept;
    after: commands that bring a new file in force; undo_before and undo_after: commands to run
    before and after it is taken away; restart: a service
    in which the change has an effect only after a restart, which is left to a person. warnings: what on this host
    works against it, one sentence each.
    """

    id: str
    kind: str
    title: str
    path: str | None
    text: str
    undo: str
    needs_reboot: bool = False
    by_hand: bool = False
    writes: list[KernelValue] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    undo_before: list[str] = field(default_factory=list)
    undo_after: list[str] = field(default_factory=list)
    restart: str | None = None
    warnings: list[str] = field(default_factory=list)


def with_warnings(artefact: Artefact, warnings: Sequence[str]) -> Artefact:
    """The same, with the warnings; a file says them below its first line, too."""
    if not warnings:
        return artefact
    first, _, rest = artefact.text.partition("\n")
    said = [f"# {warning}" for warning in warnings if warning.isprintable()]
    text = lines(first, *said) + rest if artefact.path else artefact.text
    return replace(artefact, text=text, warnings=[*artefact.warnings, *warnings])


def size_label(page_bytes: int) -> str:
    """A page size as the kernel command line takes it: 64K, 2M, 1G. Raises ValueError for a size that is no page."""
    if page_bytes < 1024 or page_bytes & (page_bytes - 1):
        raise ValueError(f"no huge page size: {page_bytes}")
    for unit, bytes_per_unit in (("G", 1 << 30), ("M", 1 << 20)):
        if page_bytes >= bytes_per_unit:
            return f"{page_bytes // bytes_per_unit}{unit}"
    return f"{page_bytes // 1024}K"


def kib(page_bytes: int) -> int:
    """A page size in KiB, as sysfs names its folders. Raises ValueError for a size that is no page."""
    size_label(page_bytes)
    return page_bytes // 1024


def count(value: int, what: str) -> int:
    """A number that may go into a text: not negative, and a number. Raises ValueError."""
    if type(value) is not int or value < 0:
        raise ValueError(f"{what} is no count: {value!r}")
    return value


def unit_name(name: str) -> str:
    """The name of a systemd service. Raises ValueError for whatever could be read as something else."""
    if not UNIT_NAME.fullmatch(name) or len(name.encode()) > UNIT_NAME_BYTES or ".." in name:
        raise ValueError(f"not the name of a systemd service: {name!r}")
    return name


def plain_path(path: str) -> str:
    """An absolute path without "..", empty components or control characters. Raises ValueError.

    Whatever else it holds is for the caller to quote.
    """
    components = path.split("/")[1:]
    if not path.startswith("/") or any(part in ("", ".", "..") for part in components):
        raise ValueError(f"not a plain absolute path: {path!r}")
    if any(not character.isprintable() for character in path):
        raise ValueError(f"control characters in a path: {path!r}")
    return path


def slug(name: str) -> str:
    """A name made fit for an artefact's id: letters, digits, dots and hyphens."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-") or "unnamed"


def echo(value: str | int, path: str) -> str:
    """A shell command that writes a value to a kernel file."""
    return f"echo {shlex.quote(str(value))} > {shlex.quote(path)}"


def lines(*text: str) -> str:
    """The lines as one text that ends in a newline."""
    return "\n".join(text) + "\n"
