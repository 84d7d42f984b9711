"""Which files are meant: files, folders, globs and URLs become one sorted list, and errors for what is none.

A folder that is a capture (`advisor.collect.captured`) counts as one input.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import force_setattr

from advisor.collect.captured.recognise import ARCHIVE_NAME, is_capture
from advisor.profile.redact import redact_name
from advisor.profile.secret_names import REDACTED
from advisor.regular_file import NO_FILE

SUFFIXES = (".jsonl", ".jsonl.zst", ".jsonl.gz", ".json")
"""Names that count in a folder: profiles as `record` writes them, and reports of `report --json`; and archives of
captures, see `counts`. What is named outright may have any name."""

URL_MARK = "://"

_USER = re.compile(r"(://)[^\s/#\"']*@")

GLOB_MARKS = frozenset("*?[")


class InputError(Struct, frozen=True):
    """An input that could not be used whole. place: line or byte, "" where the file as such is meant. scored: whether
    what could be read of it is in the rows all the same, as with a recording that was cut off."""

    file: str
    place: str
    reason: str
    scored: bool = False

    def __post_init__(self) -> None:
        force_setattr(self, "file", as_text(self.file))
        force_setattr(self, "reason", as_text(self.reason))


class Inputs(NamedTuple):
    """What was found: files in order, each once, and what is none."""

    files: list[str]
    errors: list[InputError]


def as_text(name: str) -> str:
    """A name of a file as text that JSON and parquet can hold: bytes that are no UTF-8 are written out (`\\xff`).

    What opens a URL is hidden, as rows and errors are passed on: its user, and secrets after its question mark.
    """
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if URL_MARK not in text:
        return text
    place, mark, query = text.partition("?")
    return _USER.sub(rf"\1{REDACTED}@", place) + redact_name(mark + query)


def counts(name: str) -> bool:
    """Whether a file in a folder is taken for an input, by its name."""
    return name.endswith(SUFFIXES) or ARCHIVE_NAME.search(name) is not None


def find_inputs(arguments: Iterable[str], output: Path | None = None) -> Inputs:
    """The files behind paths, folders, globs and URLs. Sorted by name, so that the order of arguments is none.

    A file that has several names is taken once, by the first of them. Folders are walked with their links, each once.
    output: where the table goes; it and what is written beside it are no inputs, though they lie in a folder that is.
    """
    found: dict[tuple[int, int] | str, str] = {}
    errors: dict[str, InputError] = {}
    own = None if output is None else os.path.realpath(output)
    for name in sorted(_names(arguments, errors)):
        if own is not None and os.path.basename(own) in name and _is_of(own, os.path.realpath(name)):
            continue
        identity = name if URL_MARK in name else _identity(name, errors)
        if identity is not None:
            found.setdefault(identity, name)
    return Inputs(sorted(found.values()), sorted(errors.values(), key=lambda error: error.file))


def _is_of(output: str, path: str) -> bool:
    """Whether it is the output, a file beside it (its errors, one that is not whole yet), or one of its parts."""
    folder, name = os.path.split(output)
    rest = path.removeprefix(os.path.join(folder, "")).removeprefix(".")
    return rest == name or rest.startswith((f"{name}.", f"{name}/"))


def _names(arguments: Iterable[str], errors: dict[str, InputError]) -> Iterator[str]:
    for argument in dict.fromkeys(arguments):
        if URL_MARK in argument:
            yield from _of_url(argument, errors)
        elif os.path.isdir(argument):
            yield from _of_folder(argument, errors)
        elif GLOB_MARKS & set(argument) and not os.path.lexists(argument):
            matches = glob.glob(argument, recursive=True)
            if not matches:
                errors[argument] = InputError(argument, "", "no file matches")
            for match in matches:
                yield from _of_folder(match, errors) if os.path.isdir(match) else [match]
        else:
            yield argument


def _of_folder(folder: str, errors: dict[str, InputError]) -> Iterator[str]:
    """Profiles, reports and captures anywhere below. A folder that is named like one, or holds none, is an error."""
    visited: set[tuple[int, int]] = set()
    found = False
    for path, folders, files in os.walk(folder, followlinks=True, onerror=lambda e: _refuse(e, errors)):
        state = os.stat(path)
        if (state.st_dev, state.st_ino) in visited:
            folders.clear()
            continue
        visited.add((state.st_dev, state.st_ino))
        if is_capture(Path(path)):
            found = True
            folders.clear()
            yield path
            continue
        for name in folders:
            if name.endswith(SUFFIXES) and not is_capture(Path(path, name)):
                where = os.path.join(path, name)
                errors[where] = InputError(where, "", "a folder, named like a profile")
        for name in files:
            if counts(name):
                found = True
                yield os.path.join(path, name)
    if not found and not any(name.startswith(folder) for name in errors):
        errors[folder] = InputError(folder, "", f"no profile, report or capture in it ({', '.join(SUFFIXES)})")


def _refuse(error: OSError, errors: dict[str, InputError]) -> None:
    where = str(error.filename)
    errors[where] = InputError(where, "", error.strerror or str(error))


def _identity(name: str, errors: dict[str, InputError]) -> tuple[int, int] | None:
    """Which file or folder it is; None with an error where it is neither: a pipe would be waited for for ever."""
    try:
        state = os.stat(name)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        errors[name] = InputError(name, "", reason)
        return None
    if not (stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode)):
        errors[name] = InputError(name, "", NO_FILE)
        return None
    return state.st_dev, state.st_ino


def _of_url(url: str, errors: dict[str, InputError]) -> Iterator[str]:
    """Files behind a URL, with globs and folders, through fsspec. Raises ImportError where that is not installed."""
    import fsspec

    try:
        files, path = fsspec.core.url_to_fs(url)
        places = files.glob(path) if GLOB_MARKS & set(path) else files.find(path)
    except (OSError, ValueError, ImportError) as error:
        errors[url] = InputError(url, "", str(error))
        return
    wanted = [place for place in places if place == path or counts(place)]
    if not wanted:
        errors[url] = InputError(url, "", "no file there")
    for place in wanted:
        yield files.unstrip_protocol(place)
