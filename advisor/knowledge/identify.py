"""Which known application a process is, and which known libraries, allocators and runtimes are in it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

from advisor.knowledge.applications import Application, load_applications
from advisor.knowledge.programs import base_name

COMM_LENGTH = 15
"""Longest process name that the kernel keeps (TASK_COMM_LEN less its NUL, include/linux/sched.h), bytes."""

Sureness = Literal["high", "medium"]


class Signs(NamedTuple):
    """What a process shows of itself. Unknown is None or empty.

    name: as in /proc/PID/stat; executable: target of /proc/PID/exe; command_line: arguments, None where unknown or
    redacted; libraries: paths or base names of mapped files; symbols: of interest in the executable; found: ids of
    entries whose version was found in its files.
    """

    name: str | None = None
    executable: str | None = None
    command_line: tuple[str, ...] | None = None
    libraries: tuple[str, ...] = ()
    symbols: frozenset[str] = frozenset()
    found: frozenset[str] = frozenset()


class Identity(NamedTuple):
    """application: what the process is, None where unknown; confidence: high by its executable, medium by less.
    components: what else of the table is in it, the most particular first."""

    application: Application | None
    confidence: Sureness | None
    components: tuple[Application, ...]

    @property
    def entries(self) -> tuple[Application, ...]:
        """The application, if there is one, and the components."""
        return (*((self.application,) if self.application else ()), *self.components)


def identify(signs: Signs) -> Identity:
    """The application and components that fit.

    What the executable's name says is of high confidence; a process name, which a program can change, a symbol or a
    mapped library alone is medium. An entry that needs more (arguments, libraries, a path) goes before those that
    need less; all but the first of equal confidence are components.
    """
    mapped = tuple(base_name(library) for library in signs.libraries)
    fitting = [(entry, sure) for entry in _in_order() if (sure := _fits(entry, signs, mapped)) is not None]
    replaced = {id for entry, _ in fitting for id in entry.instead_of}
    fitting = [(entry, sure) for entry, sure in fitting if entry.id not in replaced]
    whole = sorted(((e, sure) for e, sure in fitting if not e.part), key=lambda one: one[1] != "high")
    application, confidence = whole[0] if whole else (None, None)
    return Identity(application, confidence, tuple(entry for entry, _ in fitting if entry is not application))


def candidates(executable: str, libraries: Iterable[str], symbols: Iterable[str]) -> list[Application]:
    """Entries that a process with these files may turn out to be, whatever its arguments, by what can be opened."""
    file_name, present = base_name(executable), frozenset(symbols)
    mapped = [base_name(library) for library in libraries]
    return [
        entry
        for entry in load_applications().values()
        if _any_matches([*entry.executables, *entry.shared_executables], [file_name])
        or _any_matches([*entry.libraries, *entry.libraries_required], mapped)
        or not present.isdisjoint(entry.symbols)
    ]


@functools.cache
def symbols_of_interest() -> frozenset[str]:
    """Symbols by which an entry is recognised."""
    return frozenset(symbol for entry in load_applications().values() for symbol in entry.symbols)


def is_library_of_interest(name: str) -> bool:
    """Whether an entry is recognised by a mapped file of this base name."""
    return _library_pattern().fullmatch(name) is not None


@functools.cache
def _library_pattern() -> re.Pattern[str]:
    """All library patterns in one: it is asked for every mapped file of every process."""
    from fnmatch import translate

    entries = load_applications().values()
    patterns = dict.fromkeys(p for entry in entries for p in (*entry.libraries, *entry.libraries_required))
    return re.compile("|".join(translate(pattern) for pattern in patterns))


@functools.cache
def _in_order() -> list[Application]:
    """The more particular first: those that need more than a name before those that do not."""
    return sorted(load_applications().values(), key=lambda entry: not _is_particular(entry))


def _is_particular(entry: Application) -> bool:
    return bool(
        entry.require_command_line or entry.libraries_required or entry.executable_path or entry.shared_executables
    )


def _fits(entry: Application, signs: Signs, mapped: Sequence[str]) -> Sureness | None:
    """How sure it is that the entry is (in) this process; None where it is not."""
    if not _requirements_met(entry, signs, mapped):
        return None
    file_name = base_name(signs.executable) if signs.executable else None
    if file_name and _any_matches(entry.executables, [file_name]):
        return "high"
    if file_name and entry.id in signs.found and _any_matches(entry.shared_executables, [file_name]):
        return "high"
    by_name = signs.name is not None and file_name is None and _name_matches(entry, signs.name)
    by_own_name = signs.name is not None and _any_matches(entry.names, [signs.name])
    by_library = _any_matches(entry.libraries, mapped)
    by_symbol = not signs.symbols.isdisjoint(entry.symbols)
    by_arguments_alone = entry.part and entry.require_command_line
    return "medium" if by_name or by_own_name or by_library or by_symbol or by_arguments_alone else None


def _requirements_met(entry: Application, signs: Signs, mapped: Sequence[str]) -> bool:
    """Whether what the entry needs beside a name is there; what is unknown does not fulfil a requirement."""
    if entry.libraries_required and not _any_matches(entry.libraries_required, mapped):
        return False
    if entry.executable_path and not re.search(entry.executable_path, signs.executable or ""):
        return False
    if not entry.require_command_line:
        return True
    arguments = signs.command_line or ()
    return any(re.search(pattern, argument) for pattern in entry.command_line for argument in arguments)


def _any_matches(patterns: Iterable[str], values: Sequence[str]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns for value in values)


def _name_matches(entry: Application, name: str) -> bool:
    """Process name against executable names, which the kernel cuts off after 15 bytes."""
    if _any_matches(entry.executables, [name]):
        return True
    return len(name) == COMM_LENGTH and any(
        fnmatchcase(name, pattern[:COMM_LENGTH]) for pattern in entry.executables if len(pattern) > COMM_LENGTH
    )
