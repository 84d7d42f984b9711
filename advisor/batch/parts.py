"""How a batch is cut into chunks, and what has been done of it: the folder of parts.

Chunks depend on the list of inputs alone, never on how many do the work or who: so the parts, and what is put
together from them, are the same bytes for any number of jobs, for any order of arguments, and for Dask.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from advisor import __version__
from advisor.batch.inputs import URL_MARK, InputError
from advisor.foreign_json import ForeignJsonError, decode
from advisor.own_file import write_whole

CHUNK_FILES = 12
"""Inputs that are scored together. Source: measured, hosts of 300 processes. Reason: queries are planned once a
chunk, so that 8 need some 3 % more CPU, and 4 some 15; two workers hold 566 MiB with 16 and 443 with 8."""

PLAN_FILE = "plan.json"
ROWS, ERRORS = "rows.parquet", "errors.json"
PARTS_SUFFIX = ".parts"

OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class PartsError(Exception):
    """The folder of parts cannot be used; the message says why and what helps."""


class _Plan(Struct):
    """What the parts in a folder are of."""

    version: str
    model: str
    inputs: str
    chunks: int


def chunks_of(files: Sequence[str]) -> list[list[str]]:
    """The files in chunks, in order."""
    return [list(files[begin : begin + CHUNK_FILES]) for begin in range(0, len(files), CHUNK_FILES)]


class Parts:
    """A folder with what came of each chunk. A part is there whole or not at all."""

    def __init__(self, folder: Path, files: Sequence[str], model: str) -> None:
        self.folder = folder
        self.chunks = chunks_of(files)
        self._plan = _Plan(__version__, model, _digest(files), len(self.chunks))

    def begin(self, *, resume: bool) -> None:
        """Make the folder, or go on with it. Raises PartsError where there is one that was not asked for, or of
        something else; OSError."""
        plan_file = self.folder / PLAN_FILE
        if not os.path.lexists(self.folder):
            self.folder.mkdir(mode=0o700)
            write_whole(plan_file, msgspec.json.encode(self._plan))
            return
        state = os.lstat(self.folder)
        if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & OTHERS_MAY_WRITE:
            raise PartsError(f"{self.folder}: not a folder of yours alone; look at it and remove it")
        if not resume:
            raise PartsError(f"{self.folder}: left by an interrupted run; --resume goes on with it, or remove it")
        try:
            found = decode(plan_file.read_bytes(), msgspec.json.Decoder(_Plan))
        except (OSError, ForeignJsonError) as error:
            raise PartsError(f"{plan_file}: not the plan of a batch ({error}); remove the folder") from error
        if found != self._plan:
            raise PartsError(f"{self.folder}: of other inputs, another version or another model; remove it")

    def missing(self) -> list[int]:
        """Numbers of the chunks that are still to be done. The last file of a part is its list of errors."""
        return [number for number in range(len(self.chunks)) if not self._file(number, ERRORS).exists()]

    @property
    def started(self) -> bool:
        """Whether anything is done."""
        return len(self.missing()) < len(self.chunks)

    def abandon(self) -> None:
        """Of a run that failed: where nothing is done, the folder goes, as there is nothing to resume."""
        if not self.started:
            shutil.rmtree(self.folder, ignore_errors=True)

    def add(self, number: int, rows: bytes, errors: Sequence[InputError]) -> None:
        """Keep what came of a chunk; a second answer, as of a worker that was thought dead, changes nothing."""
        write_whole(self._file(number, ROWS), rows)
        write_whole(self._file(number, ERRORS), msgspec.json.encode(errors))

    def rows(self) -> list[Path]:
        """Parquet files of rows, in order."""
        return [self._file(number, ROWS) for number in range(len(self.chunks))]

    def errors(self) -> Iterator[InputError]:
        """Errors of all chunks, in order."""
        for number in range(len(self.chunks)):
            yield from msgspec.json.decode(self._file(number, ERRORS).read_bytes(), type=list[InputError])

    def _file(self, number: int, name: str) -> Path:
        return self.folder / f"{number:06}.{name}"


def _digest(files: Sequence[str]) -> str:
    """Of names, sizes and times of the inputs: whether they are those of an earlier run."""
    digest = hashlib.sha256()
    for name in files:
        digest.update(os.fsencode(name) + b"\0")
        if URL_MARK not in name:
            try:
                state = os.stat(name)
            except OSError:
                continue  # gone since it was found: the error of whoever reads it
            digest.update(f"{state.st_size} {state.st_mtime_ns}\0".encode())
    return digest.hexdigest()
