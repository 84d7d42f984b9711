"""What the executable and the mapped libraries of a process say about its allocator and its runtime.

The files belong to other users and to containers. Each is opened without following links below a root that
the kernel vouches for, never opened at all unless it is a regular file, and read once per inode.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from advisor.collect.files import executable_handle, file_handle, open_regular, regular_status
from advisor.collect.versions import VersionReader
from advisor.knowledge.identify import is_library_of_interest, symbols_of_interest
from advisor.knowledge.programs import DELETED_SUFFIX, LibrarySign, SymbolSign, base_name, program_signs
from advisor.procfs.elf import LIBHUGETLBFS_CALLS, parse_elf
from advisor.procfs.errors import KernelTextError, MalformedError
from advisor.procfs.facts import ElfFacts, ProgramFacts
from advisor.procfs.fs import KernelFs, translate_os_error

CACHE_ENTRIES = 4096
"""ELF files remembered; a busy host runs a few hundred different ones. When full, the oldest is forgotten."""

MADVISE_CALLS = frozenset({"madvise", "process_madvise"})
"""Imports that let a program ask for, or refuse, transparent huge pages itself."""

OWN_ALLOCATOR = "custom"
"""The executable defines malloc itself and nothing says whose it is."""

FileKey = tuple[int, int, int, int]


class _Told(NamedTuple):
    """An answer and the file or symbol that gave it."""

    what: str
    source: str


class _Library(NamedTuple):
    """A library of interest: its sign, base name, and its facts where it was opened and is an ELF file."""

    sign: LibrarySign
    name: str
    elf: ElfFacts | None


def libraries_of_interest(names: Iterable[str]) -> list[str]:
    """Sorted base names, each once, of mapped files that tell of an allocator, runtime or application."""
    signs = program_signs()
    bases = {base_name(path) for path in names}
    return sorted(name for name in bases if is_library_of_interest(name) or signs.of_library(name) is not None)


class ProgramReader:
    """Reads programs below one procfs root; remembers files by device, inode, size and change of content."""

    def __init__(self, fs: KernelFs) -> None:
        self._fs = fs
        self._cache: dict[FileKey, ElfFacts | MalformedError] = {}
        self._versions = VersionReader(fs)

    def read(self, pid: int, executable: str, libraries: Sequence[str]) -> ProgramFacts:
        """Facts of process `pid`. Never raises a KernelTextError: what could not be read is None, and
        `problem` says why the executable could not ("denied", "gone", "missing", "malformed", ...).

        executable is the target of /proc/PID/exe; libraries are paths of mapped files as smaps prints them.
        allocator serves malloc: glibc, musl, jemalloc, tcmalloc, mimalloc, snmalloc, go, or "custom" where
        the executable has its own. runtime owns the heap: jvm, go, python, node, dotnet, erlang, ruby, php;
        None is native code. In a captured tree only files inside the tree are opened.
        """
        problem: str | None = None
        elf: ElfFacts | None = None
        try:
            elf = self._executable(pid, executable)
        except KernelTextError as error:
            problem = error.reason
        mapped = self._libraries(pid, libraries)
        allocator = _allocator(elf, mapped)
        runtime = _runtime(elf, executable, mapped)
        return ProgramFacts(
            executable=elf,
            allocator=allocator.what if allocator else None,
            allocator_source=allocator.source if allocator else None,
            runtime=runtime.what if runtime else None,
            runtime_source=runtime.source if runtime else None,
            imports_madvise=_imports_any(MADVISE_CALLS, elf, mapped),
            imports_hugetlb=_imports_hugetlb(elf, mapped),
            problem=problem,
            versions=self._versions.read(pid, executable, libraries, elf),
        )

    def _executable(self, pid: int, executable: str) -> ElfFacts:
        return self._facts(executable_handle(self._fs, pid), executable)

    def _libraries(self, pid: int, paths: Sequence[str]) -> list[_Library]:
        """Libraries of interest, one of each base name, in the order of the patterns."""
        signs = program_signs()
        found: dict[str, _Library] = {}
        for path in paths:
            name = base_name(path)
            sign = signs.of_library(name) if name not in found else None
            if sign is not None:
                found[name] = _Library(sign, name, self._library(pid, path) if sign.opened else None)
        return sorted(found.values(), key=lambda library: signs.library.index(library.sign))

    def _library(self, pid: int, path: str) -> ElfFacts | None:
        """Facts of a mapped file; None where it was replaced or cannot be read: its name told enough."""
        if path.endswith(DELETED_SUFFIX) or not path.startswith("/"):
            return None
        try:
            return self._facts(file_handle(self._fs, pid, path), path)
        except KernelTextError:
            return None

    def _facts(self, handle: int, path: str) -> ElfFacts:
        """Facts of the file that an O_PATH descriptor stands for; closes the descriptor."""
        try:
            status = regular_status(handle, path)
            key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            known = self._cache.get(key)
            if known is None:
                known = _parse(handle, path)
                self._remember(key, known)
        finally:
            os.close(handle)
        if isinstance(known, MalformedError):
            raise MalformedError(known.message, path=path)
        return known if known.path == path else replace(known, path=path)

    def _remember(self, key: FileKey, facts: ElfFacts | MalformedError) -> None:
        if len(self._cache) >= CACHE_ENTRIES:
            del self._cache[next(iter(self._cache))]
        self._cache[key] = facts


def _parse(handle: int, path: str) -> ElfFacts | MalformedError:
    try:
        with open_regular(handle, path) as stream:
            return parse_elf(stream, path, with_symbols=True, also=symbols_of_interest())
    except MalformedError as error:
        return error
    except OSError as error:
        raise translate_os_error(error, path, of_process=False) from error


@functools.cache
def _symbol_signs(serves: str) -> list[SymbolSign]:
    return [sign for sign in program_signs().symbol if sign.serves == serves]


def _symbol_told(elf: ElfFacts | None, serves: str) -> _Told | None:
    """What the executable's own symbols say; an interpreter may import its entry point from its library."""
    if elf is None:
        return None
    present = {*elf.exports, *elf.imports}
    sign = next((sign for sign in _symbol_signs(serves) if sign.name in present), None)
    return _Told(sign.what, f"{base_name(elf.path)}: {sign.name}") if sign is not None else None


def _library_told(libraries: Sequence[_Library], serves: str) -> _Told | None:
    return next((_Told(lib.sign.what, lib.name) for lib in libraries if lib.sign.serves == serves), None)


def _allocator(elf: ElfFacts | None, libraries: Sequence[_Library]) -> _Told | None:
    """Whoever is mapped to replace malloc comes first, then what is linked in, then Go, then the C library."""
    told = _library_told(libraries, "allocator") or _symbol_told(elf, "allocator")
    if told is not None:
        return told
    if elf is not None and "malloc" in elf.exports:
        return _Told(OWN_ALLOCATOR, f"{base_name(elf.path)}: malloc")
    runtime = _symbol_told(elf, "runtime")
    if runtime is not None and runtime.what == "go":
        return runtime
    return _library_told(libraries, "libc")


def _runtime(elf: ElfFacts | None, executable: str, libraries: Sequence[_Library]) -> _Told | None:
    told = _library_told(libraries, "runtime") or _symbol_told(elf, "runtime")
    if told is not None:
        return told
    sign = program_signs().of_executable(base_name(executable))
    return _Told(sign.what, base_name(executable)) if sign is not None else None


def _imports_any(names: frozenset[str], elf: ElfFacts | None, libraries: Sequence[_Library]) -> bool | None:
    """True where the executable or a library of interest imports one of the names.

    None where the executable is unread or static: what a static program calls is not in its dynamic symbols.
    """
    files = [elf, *(library.elf for library in libraries)]
    if any(not names.isdisjoint(file.imports) for file in files if file is not None):
        return True
    return None if elf is None or elf.static else False


def _imports_hugetlb(elf: ElfFacts | None, libraries: Sequence[_Library]) -> bool | None:
    """Whether the program calls libhugetlbfs, or has it preloaded."""
    if any(library.sign.serves == "pool" for library in libraries):
        return True
    return _imports_any(LIBHUGETLBFS_CALLS, elf, libraries)
