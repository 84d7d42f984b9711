"""Signs of allocators and runtimes: base names of files and symbols (`programs.toml`)."""

from __future__ import annotations

import functools
import os
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct, field

from advisor.knowledge.files import load_knowledge

DELETED_SUFFIX = " (deleted)"
"""The kernel appends it to the path of a file that was unlinked or replaced while mapped (d_path)."""


class LibrarySign(Struct, frozen=True, forbid_unknown_fields=True):
    """A mapped file by base name. serves: allocator, runtime, libc, pool (asks for huge pages), language.

    A language library proves nothing alone: programs that are no interpreters embed it too. `opened` is whether the
    file's own symbols say something that its name does not.
    """

    pattern: str
    serves: Literal["allocator", "runtime", "libc", "pool", "language"]
    what: str = field(name="is")

    @property
    def opened(self) -> bool:
        return self.serves != "libc"


class ExecutableSign(Struct, frozen=True, forbid_unknown_fields=True):
    """An executable by base name."""

    pattern: str
    serves: Literal["runtime"]
    what: str = field(name="is")


class SymbolSign(Struct, frozen=True, forbid_unknown_fields=True):
    """A dynamic symbol or marker section of the executable."""

    name: str
    serves: Literal["allocator", "runtime"]
    what: str = field(name="is")


class ProgramSigns(Struct, frozen=True, forbid_unknown_fields=True):
    """All signs, in the order of the file; the first match wins."""

    library: list[LibrarySign]
    executable: list[ExecutableSign]
    symbol: list[SymbolSign]

    def of_library(self, base_name: str) -> LibrarySign | None:
        return next((sign for sign in self.library if fnmatchcase(base_name, sign.pattern)), None)

    def of_executable(self, base_name: str) -> ExecutableSign | None:
        return next((sign for sign in self.executable if fnmatchcase(base_name, sign.pattern)), None)


@functools.cache
def program_signs() -> ProgramSigns:
    """The signs of `programs.toml`. Raises KnowledgeError."""
    return load_knowledge("programs.toml", ProgramSigns)


def base_name(path: str) -> str:
    """Last component of a path as /proc shows it, without " (deleted)"."""
    return os.path.basename(path.removesuffix(DELETED_SUFFIX))
