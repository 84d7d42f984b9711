"""Which known application a process is, in which version, and what its makers say of huge pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import polars as pl

from advisor.features.declare import flag, frame_of_rows, text
from advisor.features.program import process_name
from advisor.knowledge.applications import Application, Word
from advisor.knowledge.identify import Identity, Signs, identify
from advisor.knowledge.versions import fits, known_version
from advisor.profile.model import ProcessFacts
from advisor.profile.timeline import ProcessState

TABLE = "table of applications (advisor/knowledge/applications-*.toml)"
NOT_KNOWN = "no known application"
VMM_KIND = "vmm"
"""Kind of an application that runs virtual machines."""

GLIBC_ENTRY, GLIBC_WITH_TUNABLE = "glibc-malloc", ">=2.35"
"""The C library's entry, and the releases that have glibc.malloc.hugetlb. Source: glibc NEWS, 2.35."""

KNOWN_PROGRAMS = 4096
"""Programs remembered as identified: hosts of a fleet run the same ones, and one entry is below 2 KiB."""

COLLECTORS = re.compile(r"-XX:\+Use(Z|G1|Shenandoah|Parallel|ParallelOld|Serial|Epsilon|ConcMarkSweep)GC")
"""HotSpot's options that choose a garbage collector (java(1)); the last one on a command line counts."""

COLLECTOR_NAMES = {"Z": "zgc", "ParallelOld": "parallel", "ConcMarkSweep": "cms"}
"""Collectors whose name is not their option's in small letters."""

FEATURES = (
    text("application_id", "The known application that it is.", TABLE, NOT_KNOWN),
    text(
        "application_confidence",
        "high where its executable's name says so, medium where less does.",
        TABLE,
        NOT_KNOWN,
    ),
    text(
        "application_version",
        "Version of the application, or a bound of it (8.0 or later).",
        "paths, read-only data of its files, files beside them",
        "no known application, or no file of it says",
    ),
    text(
        "application_stance",
        "What its makers, or those of a library in it, say of THP for this version: a stance of the table.",
        TABLE,
        "no known application or library, or it hangs on a version that is not known",
    ),
    text("application_says", "Their words; all that may hold where the version is not known.", TABLE, NOT_KNOWN),
    text("application_source", "Where these words were read, and when.", TABLE, NOT_KNOWN),
    text("components", "Known libraries, allocators and runtimes in it, with versions.", TABLE, "none known"),
    text(
        "runtime_version",
        "Version of its language runtime (JDK, Go, Python), or a bound of it.",
        "paths, read-only data of its files, files beside them",
        "no runtime, or no file of it says",
    ),
    text("collector", "Garbage collector of a JVM that its command line chooses.", "cmdline", "none is chosen there"),
    text(
        "asks_for_thp",
        "What in it asks for transparent huge pages without being told.",
        TABLE,
        "nothing known does so",
    ),
    text(
        "takes_pool_unasked",
        "What in it takes pages of any hugetlb pool without being told.",
        TABLE,
        "nothing known does so",
    ),
    text("pool_refusal", "What keeps it away from the pools.", TABLE, "nothing known takes pool pages unasked"),
    flag(
        "malloc_tunable",
        "Its malloc is glibc's and has the tunable glibc.malloc.hugetlb (2.35 and later).",
        "read-only data of the C library",
        "its malloc is not known to be glibc's, or the release is not known",
    ),
    flag("is_vmm", "It runs a virtual machine.", f"{TABLE}: kind vmm", "never null"),
)

SCHEMA: dict[str, type[pl.DataType]] = {feature.name: feature.dtype for feature in FEATURES}


class Known(NamedTuple):
    """An identified process. versions: by entry id, from its files and paths."""

    identity: Identity
    versions: Mapping[str, str]


Versions = tuple[tuple[str, str], ...]
"""What files of a process say of versions: (entry, version)."""


def rows(processes: Sequence[ProcessState], architecture: str | None) -> pl.DataFrame:
    """The columns of `FEATURES`, one row a process in the given order. architecture: of the host, as uname -m."""
    answers = [_row(process_name(process), process.facts, architecture) for process in processes]
    return frame_of_rows(answers, SCHEMA)


def known(name: str | None, facts: ProcessFacts | None) -> Known:
    """Who a process is, by its name and what its facts show."""
    return _known(*_signs(name, facts))


def _signs(name: str | None, facts: ProcessFacts | None) -> tuple[Signs, Versions]:
    if facts is None:
        return Signs(name), ()
    program = facts.program
    elf = program.executable if program is not None else None
    versions = program.versions if program is not None else {}
    signs = Signs(
        name,
        facts.executable,
        tuple(facts.command_line) if facts.command_line is not None else None,
        tuple(facts.libraries or ()),
        frozenset([*elf.exports, *elf.imports]) if elf is not None else frozenset(),
        frozenset(versions),
    )
    return signs, tuple(versions.items())


@lru_cache(maxsize=KNOWN_PROGRAMS)
def _known(signs: Signs, versions: Versions) -> Known:
    identity = identify(signs)
    found = dict(versions)
    for entry in identity.entries:
        version = found.get(entry.version_of or entry.id) or _version_of_path(entry, signs.executable)
        if version is not None:
            found[entry.id] = version
    return Known(identity, found)


def _version_of_path(entry: Application, executable: str | None) -> str | None:
    """What the executable's path says: a profile made before versions were read has no more than this."""
    answers = (
        detector.version_in_path(executable) for detector in entry.detect if executable and detector.library is None
    )
    return next((version for version in answers if version is not None), None)


def _row(name: str | None, facts: ProcessFacts | None, architecture: str | None) -> tuple[object, ...]:
    program = facts.program if facts is not None else None
    runtime, allocator = (program.runtime, program.allocator) if program is not None else (None, None)
    return _answers(*_signs(name, facts), architecture, runtime, allocator)


@lru_cache(maxsize=KNOWN_PROGRAMS)
def _answers(
    signs: Signs, versions: Versions, architecture: str | None, runtime: str | None, allocator: str | None
) -> tuple[object, ...]:
    """One row. The same for all processes of a program, of which a host runs many and a fleet thousands."""
    who = _known(signs, versions)
    application = who.identity.application
    return (
        *((application.id, who.identity.confidence) if application is not None else (None, None)),
        who.versions.get(application.id) if application is not None else None,
        *_word(who, architecture),
        _components(who),
        _runtime_version(who, runtime),
        _collector(signs.command_line),
        _first(who, lambda entry: entry.stance(who.versions.get(entry.id), architecture) == "self-madvises", _named),
        _first(who, lambda entry: entry.pool_unasked, _named),
        _first(who, lambda entry: entry.pool_unasked, lambda entry: entry.pool_refusal),
        _malloc_tunable(who, allocator),
        application is not None and application.kind == VMM_KIND,
    )


def _word(who: Known, architecture: str | None) -> tuple[str | None, str | None, str | None]:
    """Stance, words and source: of the application, or of the first component that has any, for a library speaks for
    a program that nobody knows."""
    for entry in who.identity.entries:
        version = who.versions.get(entry.id)
        words = entry.words(version, architecture)
        if words and (entry is who.identity.application or words[0].stance not in ("neutral", "none-found")):
            says = "; ".join(_phrase(entry, word, version, is_only=len(words) == 1) for word in words)
            return entry.stance(version, architecture), says, "; ".join(dict.fromkeys(w.source for w in words))
    return None, None, None


def _phrase(entry: Application, word: Word, version: str | None, *, is_only: bool) -> str:
    """ "Redis 7.0.15: it switches ...", or for which versions it holds where the version does not tell."""
    about = version or word.about if is_only else word.about or "otherwise"
    return f"{entry.name}{f' {about}' if about else ''}: {word.says}"


def _named(entry: Application) -> str:
    return entry.name


def _first(
    who: Known, holds: Callable[[Application], bool], shown: Callable[[Application], str | None]
) -> str | None:
    return next((shown(entry) for entry in who.identity.entries if holds(entry)), None)


def _components(who: Known) -> str | None:
    names = [
        f"{entry.id} {version}" if (version := who.versions.get(entry.id)) is not None else entry.id
        for entry in who.identity.components
    ]
    return ", ".join(names) or None


def _runtime_version(who: Known, runtime: str | None) -> str | None:
    if runtime is None:
        return None
    versions = (who.versions.get(entry.id) for entry in who.identity.entries if entry.runtime == runtime)
    return next((version for version in versions if version is not None), None)


def _collector(command_line: Sequence[str] | None) -> str | None:
    chosen = [match[1] for argument in command_line or () if (match := COLLECTORS.fullmatch(argument))]
    if not chosen:
        return None
    return COLLECTOR_NAMES.get(chosen[-1], chosen[-1].lower())


def _malloc_tunable(who: Known, allocator: str | None) -> bool | None:
    if allocator != "glibc":
        return None
    version = who.versions.get(GLIBC_ENTRY)
    return fits(GLIBC_WITH_TUNABLE, known_version(version)) if version is not None else None
