"""What applications can do with huge pages, and how to recognise them (`applications.toml`)."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import asdict

from advisor.knowledge.files import load_knowledge
from advisor.knowledge.programs import base_name

COMM_LENGTH = 15
"""Longest process name that the kernel keeps (TASK_COMM_LEN less its NUL, include/linux/sched.h), bytes."""

SIZE_LABELS = {"2M": 2 << 20, "1G": 1 << 30}
"""Bytes of the sizes that applications name in their own settings."""

Kind = Literal["vmm", "database", "cache", "runtime", "search", "network", "storage", "other"]

Stance = Literal[
    "wants-off",
    "wants-madvise",
    "wants-on",
    "avoid-always",
    "self-disables",
    "self-madvises",
    "needs-shmem-thp",
    "neutral",
    "mixed",
    "irrelevant",
    "none-found",
]


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a statement was read; verified False: written down from memory, a hypothesis."""

    where: str
    claim: str
    verified: bool


class Application(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One application. Patterns are fnmatch patterns of base names, command_line regular expressions.

    executables: of the executable; names: of the process, where they differ; libraries: mapped files that alone
    show the application; libraries_required: mapped files without which it is another; require_command_line: one of
    command_line must be found in an argument. explicit: takes pages of a hugetlb pool; explicit_sizes: "any",
    "default" (the host's default pool size) or sizes. settings_2m and settings_1g: lines to paste, with SIZE, MB and
    the like to fill in. pool_size: how many pages it needs, in words; if_pool_short: what happens with too few.
    thp_stance: what its makers say on transparent huge pages, or what it does by itself.
    """

    id: str
    name: str
    kind: Kind
    explicit: bool
    thp_stance: Stance
    sources: list[Source]
    executables: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    command_line: list[str] = field(default_factory=list)
    require_command_line: bool = False
    libraries: list[str] = field(default_factory=list)
    libraries_required: list[str] = field(default_factory=list)
    explicit_sizes: list[Literal["any", "default", "2M", "1G"]] = field(default_factory=list)
    explicit_memory: str | None = None
    settings_2m: list[str] = field(default_factory=list)
    settings_1g: list[str] = field(default_factory=list)
    pool_size: str | None = None
    if_pool_short: str | None = None
    thp_settings: list[str] = field(default_factory=list)
    notes: str | None = None

    def takes_page_size(self, page_bytes: int, default_page_bytes: int | None) -> bool | None:
        """Whether it can use a pool of this page size; None where that hangs on an unknown default pool size."""
        if not self.explicit:
            return False
        if "any" in self.explicit_sizes or page_bytes in {SIZE_LABELS.get(s) for s in self.explicit_sizes}:
            return True
        if "default" not in self.explicit_sizes:
            return False
        return None if default_page_bytes is None else page_bytes == default_page_bytes


class RecognisedApplication(Application, frozen=True, kw_only=True):
    """An application, and how sure it is that a process is it: high by its executable, medium by less."""

    confidence: Literal["high", "medium"]


class ApplicationFile(Struct, frozen=True, forbid_unknown_fields=True):
    application: list[Application]


@functools.cache
def load_applications() -> dict[str, Application]:
    """Every application by id, in the order of the file. Raises KnowledgeError."""
    return {entry.id: entry for entry in load_knowledge("applications.toml", ApplicationFile).application}


def recognise(
    name: str | None,
    executable: str | None,
    command_line: Sequence[str] | None,
    libraries: Iterable[str] | None,
) -> RecognisedApplication | None:
    """The application that a process is, or None.

    name: as in /proc/PID/stat; executable: target of /proc/PID/exe; command_line: arguments, None where unknown or
    redacted; libraries: paths or base names of mapped files. What the executable's name says is of high confidence;
    a process name, which a program can change, or a mapped library alone, is medium. An application that is
    told apart by its arguments or libraries goes before the one it runs on.
    """
    mapped = [base_name(library) for library in libraries or ()]
    file_name = base_name(executable) if executable else None
    candidates = _in_order()
    for entry in candidates:
        if file_name and _any_matches(entry.executables, [file_name]) and _rest_fits(entry, command_line, mapped):
            return _recognised(entry, "high")
    for entry in candidates:
        by_name = name is not None and file_name is None and _name_matches(entry, name)
        by_own_name = name is not None and _any_matches(entry.names, [name])
        by_library = _any_matches(entry.libraries, mapped)
        if (by_name or by_own_name or by_library) and _rest_fits(entry, command_line, mapped):
            return _recognised(entry, "medium")
    return None


@functools.cache
def _in_order() -> list[Application]:
    """The more particular first: those that need arguments or libraries before those that need neither."""
    return sorted(
        load_applications().values(),
        key=lambda entry: not (entry.require_command_line or entry.libraries_required),
    )


def _recognised(entry: Application, confidence: Literal["high", "medium"]) -> RecognisedApplication:
    return RecognisedApplication(**asdict(entry), confidence=confidence)


def _any_matches(patterns: Iterable[str], values: Sequence[str]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns for value in values)


def _name_matches(entry: Application, name: str) -> bool:
    """Process name against executable names, which the kernel cuts off after 15 bytes."""
    if _any_matches(entry.executables, [name]):
        return True
    return len(name) == COMM_LENGTH and any(
        fnmatchcase(name, pattern[:COMM_LENGTH]) for pattern in entry.executables if len(pattern) > COMM_LENGTH
    )


def _rest_fits(entry: Application, command_line: Sequence[str] | None, mapped: Sequence[str]) -> bool:
    """Whether what the entry needs beside a name is there; unknown arguments do not fulfil a requirement."""
    if entry.libraries_required and not _any_matches(entry.libraries_required, mapped):
        return False
    if not entry.require_command_line:
        return True
    patterns = [re.compile(pattern) for pattern in entry.command_line]
    return any(pattern.search(argument) for argument in command_line or () for pattern in patterns)
