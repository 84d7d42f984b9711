"""Versions of what a process runs, from paths and files alone: nothing is ever executed or asked."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from fnmatch import fnmatchcase

from advisor.collect.files import executable_handle, file_handle, open_regular, regular_status
from advisor.knowledge.applications import Application, Detector
from advisor.knowledge.identify import candidates
from advisor.knowledge.programs import DELETED_SUFFIX, base_name
from advisor.procfs.elf_text import READ_ONLY_DATA, search_elf_text
from advisor.procfs.errors import KernelTextError
from advisor.procfs.facts import ElfFacts
from advisor.procfs.fs import KernelFs

CACHE_ENTRIES = 4096
"""Searches remembered; one a file and a text. When full, the oldest is forgotten."""

BESIDE_BYTES = 1 << 16
"""Bytes read of a file beside a library. Source: a JDK's `release` has about 1.6 KiB."""

SearchKey = tuple[int, int, int, int, str]


class VersionReader:
    """Reads versions below one procfs root; remembers searches by device, inode, size, change of content and text."""

    def __init__(self, fs: KernelFs) -> None:
        self._fs = fs
        self._cache: dict[SearchKey, str | None] = {}

    def read(self, pid: int, executable: str, libraries: Sequence[str], elf: ElfFacts | None) -> dict[str, str]:
        """By id of the table of applications, each version that a file tells; what no file tells is left out.

        executable: target of /proc/PID/exe; libraries: paths of mapped files; elf: facts of the executable.
        Never raises a KernelTextError: a file that cannot be read tells nothing.
        """
        symbols = [*elf.exports, *elf.imports] if elf is not None else []
        found: dict[str, str] = {}
        for entry in candidates(executable, libraries, symbols):
            version = self._version(pid, entry, executable, libraries)
            if version is not None:
                found[entry.id] = version
        return found

    def _version(self, pid: int, entry: Application, executable: str, libraries: Sequence[str]) -> str | None:
        for detector in entry.detect:
            path = _file_of(detector, executable, libraries)
            if path is None:
                continue
            version = detector.version_in_path(path)
            if version is None and detector.text is not None:
                version = self._from_content(pid, detector, path, is_executable=detector.library is None)
            if version is not None:
                return version
        return None

    def _from_content(self, pid: int, detector: Detector, path: str, *, is_executable: bool) -> str | None:
        if path.endswith(DELETED_SUFFIX) and not is_executable:
            return None
        try:
            if detector.beside is not None:
                place = posixpath.normpath(posixpath.join(posixpath.dirname(path), detector.beside))
                handle = file_handle(self._fs, pid, place)
            elif is_executable:
                handle = executable_handle(self._fs, pid)
            else:
                handle = file_handle(self._fs, pid, path)
            return self._searched(handle, detector, path)
        except (KernelTextError, OSError):
            return None

    def _searched(self, handle: int, detector: Detector, path: str) -> str | None:
        """What the text of a detector says in the file of an O_PATH descriptor; closes the descriptor."""
        try:
            status = regular_status(handle, path)
            key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, detector.text or "")
            if key not in self._cache:
                if len(self._cache) >= CACHE_ENTRIES:
                    del self._cache[next(iter(self._cache))]
                self._cache[key] = None  # a file that fails once is not searched again
                self._cache[key] = _search(handle, detector, path)
            return self._cache[key]
        finally:
            os.close(handle)


def _file_of(detector: Detector, executable: str, libraries: Sequence[str]) -> str | None:
    if detector.library is None:
        return executable
    return next((path for path in libraries if fnmatchcase(base_name(path), detector.library)), None)


def _search(handle: int, detector: Detector, path: str) -> str | None:
    with open_regular(handle, path) as stream:
        if detector.beside is not None:
            match = detector.pattern.search(stream.read(BESIDE_BYTES))
            return detector.version_in_texts([match[1].decode("ascii", "replace")]) if match else None
        sections = detector.sections or READ_ONLY_DATA
        found = search_elf_text(stream, path, detector.pattern, sections, every=detector.highest)
    version = detector.version_in_texts(found.texts)
    return detector.absent if version is None and found.complete and not found.texts else version
