"""What applications and the libraries in them can do with huge pages (`applications-*.toml`)."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from advisor.knowledge.files import KnowledgeError, load_knowledge
from advisor.knowledge.versions import (
    VERSION,
    Version,
    checked_version,
    fits_any,
    in_words,
    known_version,
    parse_version,
)

FILES = (
    "applications-virtual-machines.toml",
    "applications-databases.toml",
    "applications-services.toml",
    "applications-java.toml",
    "applications-networks.toml",
    "applications-runtimes.toml",
    "applications-libraries.toml",
)
"""The files of applications, in the order in which their entries are tried and listed."""

SIZE_LABELS = {"2M": 2 << 20, "1G": 1 << 30}
"""Bytes of the sizes that applications name in their own settings."""

Kind = Literal[
    "vmm", "database", "cache", "search", "messages", "web", "storage", "network",
    "runtime", "allocator", "library", "collector", "other",
]  # fmt: skip

Stance = Literal[
    "wants-off",
    "avoid-always",
    "wants-madvise",
    "wants-on",
    "self-disables",
    "self-madvises",
    "asks-if-told",
    "needs-shmem-thp",
    "neutral",
    "mixed",
    "irrelevant",
    "none-found",
]

STANCES: dict[Stance, str] = {
    "wants-off": "its makers want transparent huge pages off for it",
    "avoid-always": "its makers advise against mode always; it never asks for huge pages",
    "wants-madvise": "its makers want the host's mode to be madvise",
    "wants-on": "its makers want mode always",
    "self-disables": "switches transparent huge pages off for itself",
    "self-madvises": "asks for transparent huge pages by itself: mode madvise is enough",
    "asks-if-told": "asks for transparent huge pages where an option says so: mode madvise is enough",
    "needs-shmem-thp": "its memory is shared memory, for which shmem_enabled decides",
    "neutral": "its makers advise neither way",
    "mixed": "its makers advise one way for some systems and the other way for others",
    "irrelevant": "its memory is in pools, or too small for it to matter",
    "none-found": "no word of its makers was found",
}
"""What each stance on transparent huge pages means."""


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a statement was read; verified False: written down from memory, a hypothesis. date: of the page or of the
    commit where known, else of the copy that was read; ISO 8601, possibly without day or month."""

    where: str
    claim: str
    verified: bool
    date: str | None = None


class Word(Struct, frozen=True, forbid_unknown_fields=True):
    """What its makers say of transparent huge pages, or what it does by itself, in some versions.

    versions: alternatives such as ">=1.9.6,<2"; none: every version. architectures: of the host (uname -m); none:
    every one. says: one clause. settings: lines to use. where, date, verified: as in `Source`.
    """

    stance: Stance
    says: str
    where: str
    verified: bool
    date: str | None = None
    versions: list[str] = field(default_factory=list)
    architectures: list[str] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)

    def holds(self, version: Version | None, architecture: str | None) -> bool | None:
        """Whether it is about this version on this host; None where that cannot be told."""
        fit = fits_any(self.versions, version)
        if not self.architectures or fit is False:
            return fit
        if architecture is None:
            return None
        return fit if architecture in self.architectures else False

    @property
    def about(self) -> str:
        """For which versions and architectures it is, as words; "" for all."""
        parts = [in_words(self.versions)] if self.versions else []
        return ", ".join([*parts, *([f"on {' and '.join(self.architectures)}"] if self.architectures else [])])

    @property
    def source(self) -> str:
        """Where it was read, when, and whether that was checked."""
        return show_source(self.where, self.date, self.verified)


class Detector(Struct, frozen=True, forbid_unknown_fields=True):
    """A passive way to see a version, tried in the order of the entry until one answers.

    library: pattern of the mapped file that is looked at; None: the executable. path: a regular expression on its
    path. text: one on the read-only data of the file, or, with `beside`, on the file of that relative path. A group
    is the version, `(VERSION)` any version; `present` is what the text means where it has none, `absent` what it
    means that all of the data was searched in vain. highest: of several, the highest counts. sections: of an ELF
    file to search instead of its read-only data.
    """

    library: str | None = None
    path: str | None = None
    text: str | None = None
    beside: str | None = None
    sections: list[str] = field(default_factory=list)
    present: str | None = None
    absent: str | None = None
    highest: bool = False

    @property
    def pattern(self) -> re.Pattern[bytes]:
        """`text`, compiled; matches nothing where there is none."""
        return re.compile(_spelt_out(self.text).encode() if self.text is not None else b"(?!)")

    def version_in_path(self, path: str) -> str | None:
        """What the path of the file alone says of the version."""
        match = re.search(_spelt_out(self.path), path) if self.path is not None else None
        return checked_version(match[1]) if match else None

    def version_in_texts(self, texts: list[str]) -> str | None:
        """What the matches of `pattern` say of it."""
        if self.present is not None:
            return self.present if texts else None
        versions = [text for text in texts if checked_version(text)]
        return max(versions, key=lambda text: parse_version(text).low) if versions else None


def _spelt_out(pattern: str) -> str:
    return pattern.replace("(VERSION)", f"({VERSION})")


class Application(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One application, or with `part` a library, an allocator or a collector inside of one.

    Patterns are fnmatch patterns of base names; command_line and executable_path are regular expressions.
    executables: of the executable; shared_executables: likewise, but others have that name too, so that it counts
    only with a version found in the file; executable_path: must be found in its path; names: of the process, where
    they differ; libraries: mapped files that alone show it; libraries_required: mapped files without which it is
    another; require_command_line: one of command_line must be found in an argument; symbols: of the executable, any
    of which shows it; instead_of: what it is not, though that would fit as well. runtime: as in `programs.toml`.
    version_of: the entry whose version is its own.

    explicit: takes pages of a hugetlb pool; explicit_sizes: "any", "default" (the host's default pool size) or sizes.
    settings_2m and settings_1g: lines to paste, with SIZE, MB and the like to fill in. pool_size: how many pages it
    needs, in words; if_pool_short: what happens with too few. pool_advised: its makers advise the pool for its large
    memory. pool_unasked: takes pages of any pool without being told; pool_refusal: what keeps it away.

    thp: the word of its makers, the first that holds for a version counts.
    """

    id: str
    name: str
    kind: Kind
    thp: list[Word]
    part: bool = False
    runtime: str | None = None
    executables: list[str] = field(default_factory=list)
    shared_executables: list[str] = field(default_factory=list)
    executable_path: str | None = None
    names: list[str] = field(default_factory=list)
    command_line: list[str] = field(default_factory=list)
    require_command_line: bool = False
    libraries: list[str] = field(default_factory=list)
    libraries_required: list[str] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)
    instead_of: list[str] = field(default_factory=list)
    detect: list[Detector] = field(default_factory=list)
    version_of: str | None = None
    explicit: bool = False
    explicit_sizes: list[Literal["any", "default", "2M", "1G"]] = field(default_factory=list)
    explicit_memory: str | None = None
    settings_2m: list[str] = field(default_factory=list)
    settings_1g: list[str] = field(default_factory=list)
    pool_size: str | None = None
    if_pool_short: str | None = None
    pool_advised: bool = False
    pool_unasked: bool = False
    pool_refusal: str | None = None
    notes: str | None = None
    sources: list[Source] = field(default_factory=list)

    def takes_page_size(self, page_bytes: int, default_page_bytes: int | None) -> bool | None:
        """Whether it can use a pool of this page size; None where that hangs on an unknown default pool size."""
        if not self.explicit:
            return False
        if "any" in self.explicit_sizes or page_bytes in {SIZE_LABELS.get(s) for s in self.explicit_sizes}:
            return True
        if "default" not in self.explicit_sizes:
            return False
        return None if default_page_bytes is None else page_bytes == default_page_bytes

    def words(self, version: str | None, architecture: str | None) -> list[Word]:
        """What holds for this version (a text of `versions.parse_version`) on this architecture: one word, or, where
        that cannot be told, all that may hold; empty where nothing is known of it."""
        known = known_version(version)
        found: list[Word] = []
        for word in self.thp:
            holds = word.holds(known, architecture)
            if holds is not False:
                found.append(word)
            if holds:
                break
        return found

    def stance(self, version: str | None, architecture: str | None) -> Stance | None:
        """The one stance of `words`; None where there is none, or they differ. Who switches THP off in some versions
        wants it off in the others."""
        stances = {word.stance for word in self.words(version, architecture)}
        if stances == {"wants-off", "self-disables"}:
            return "wants-off"
        return stances.pop() if len(stances) == 1 else None


class ApplicationFile(Struct, frozen=True, forbid_unknown_fields=True):
    application: list[Application]


@functools.cache
def load_applications() -> Mapping[str, Application]:
    """Every application and part by id, in the order of `FILES`. Raises KnowledgeError, as for an id given twice."""
    found: dict[str, Application] = {}
    for name in FILES:
        for entry in load_knowledge(name, ApplicationFile).application:
            if entry.id in found:
                raise KnowledgeError(f"{name}: the id {entry.id} is taken")
            found[entry.id] = entry
    return found


def show_source(where: str, date: str | None, verified: bool) -> str:
    """ "redis.conf (2024-07)", with "not verified" where it is a hypothesis."""
    notes = [*([date] if date else []), *([] if verified else ["not verified"])]
    return f"{where} ({', '.join(notes)})" if notes else where
