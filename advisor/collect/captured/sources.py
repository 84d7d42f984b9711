"""Members of a capture, one after another, from a folder, a tar archive (plain, gz, bz2, xz, zst) or a zip archive.

Archives are read as streams and never extracted; nothing here follows a link or believes a size that a header states.
"""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from advisor.collect.captured.layout import may_hold
from advisor.collect.captured.streams import (
    CHUNK_BYTES,
    CaptureError,
    Expanding,
    Expansion,
    Tar,
    damage_named,
    is_tar,
)
from advisor.procfs.fs import decode
from advisor.regular_file import open_regular

MemberKind = Literal["file", "link", "other"]

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")

MOST_DIRECTORY_BYTES = 256 << 20
"""Of a zip archive's central directory, which Python reads whole: some two million entries."""

_ZIP_TAIL_BYTES = (1 << 16) + 22 + 20 + 56
"""The end records of a zip archive are its last bytes, but for a comment (APPNOTE 4.3.14 to 4.3.16)."""


@dataclass(frozen=True, slots=True)
class Member:
    """One entry. modified: Unix seconds. chunks: its content, read once, before the next member is asked for.

    size: as an archive states it; 0 in a folder, where files of /proc say nothing. target: where a link leads.
    """

    name: str
    kind: MemberKind
    size: int
    modified: float | None
    chunks: Callable[[], Iterator[bytes]]
    target: str = ""


class Source:
    """A capture's members. cut: known after the last one: an archive that ends too early."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cut = False

    def members(self) -> Iterator[Member]:
        """Every entry but folders. Raises CaptureError where the archive is damaged or nothing that is understood."""
        if self.path.is_dir():
            yield from _of_folder(self.path)
            return
        try:
            with open_regular(self.path) as file:
                if file.read(4) in ZIP_MAGIC:
                    yield from _of_zip(file, self.path)
                else:
                    file.seek(0)
                    yield from self._of_tar(file)
        except OSError as error:
            raise CaptureError(f"{self.path}: {error.strerror or error}") from error

    def _of_tar(self, file: IO[bytes]) -> Iterator[Member]:
        stream = Expanding(file, self.path)
        if not is_tar(stream):
            raise CaptureError(f"{self.path}: neither a folder nor a tar or zip archive; name a capture")
        archive = Tar(stream)
        while (entry := archive.next()) is not None:
            if not entry.isdir():
                plain = entry.isreg() and not entry.issparse()
                yield Member(
                    entry.name,
                    "file" if plain else "link" if entry.issym() else "other",
                    entry.size,
                    float(entry.mtime),
                    lambda entry=entry: archive.content(entry),  # type: ignore[misc]
                    entry.linkname,
                )
        self.cut = archive.cut


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or a tar archive, by its first bytes. False for what cannot be read."""
    try:
        with open_regular(path) as file:
            if file.read(4) in ZIP_MAGIC:
                return True
            file.seek(0)
            return is_tar(Expanding(file, path))
    except (OSError, CaptureError):
        return False


def _of_folder(top: Path) -> Iterator[Member]:
    """Files and links below a folder; links to folders are links. What may not be listed is passed over.

    Raises CaptureError for the running host's own root or /proc, which no walk would ever see at one moment.
    """
    if (top / "proc").is_mount() or ((top / "self").is_symlink() and top.is_mount()):
        raise CaptureError(f"{top}: that is a running host; use `record` or `report` on it")
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            entries = sorted(os.scandir(top / folder), key=lambda entry: entry.name)
        except OSError as error:
            if not folder:
                raise CaptureError(f"{top}: {error.strerror}") from error
            continue
        deeper = []
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                if may_hold(name):
                    deeper.append(name)
            else:
                yield _of_entry(entry, name)
        waiting += reversed(deeper)


def _of_entry(entry: os.DirEntry[str], name: str) -> Member:
    kind: MemberKind = "link" if entry.is_symlink() else "file" if entry.is_file(follow_symlinks=False) else "other"
    try:
        about = entry.stat(follow_symlinks=False)
        target = decode(os.readlink(os.fsencode(entry.path))) if kind == "link" else ""
    except OSError:
        return Member(name, "other", 0, None, lambda: iter(()))
    return Member(name, kind, 0, about.st_mtime, lambda: _of_file(entry.path), target)


def _of_file(path: str) -> Iterator[bytes]:
    """Content of a regular file. Raises CaptureError where it may not be read."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise CaptureError(f"{path}: {error.strerror}; make the capture readable") from error
    with open(descriptor, "rb") as file:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            while chunk := file.read(CHUNK_BYTES):
                yield chunk


def _of_zip(file: IO[bytes], path: Path) -> Iterator[Member]:
    with damage_named(path):
        _check_directory(file, path)
        archive = zipfile.ZipFile(file)
    expansion = Expansion(path, path.stat().st_size)
    for entry in archive.infolist():
        if not entry.is_dir():
            yield Member(
                entry.filename,
                "link" if stat.S_ISLNK(entry.external_attr >> 16) else "file",
                entry.file_size,
                None,
                lambda entry=entry: _of_zipped(archive, entry, expansion),  # type: ignore[misc]
            )


def _check_directory(file: IO[bytes], path: Path) -> None:
    """Raises CaptureError where the central directory would not fit the memory."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _ZIP_TAIL_BYTES))
    tail = file.read(_ZIP_TAIL_BYTES)
    end, end64 = tail.rfind(b"PK\x05\x06"), tail.rfind(b"PK\x06\x06")
    stated = [int.from_bytes(tail[end + 12 : end + 16], "little")] if end >= 0 else []
    if end64 >= 0:
        stated = [int.from_bytes(tail[end64 + 40 : end64 + 48], "little")]
    if any(number > MOST_DIRECTORY_BYTES for number in stated):
        raise CaptureError(f"{path}: a zip directory of {stated[0]} bytes; extract what you trust")


def _of_zipped(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, expansion: Expansion) -> Iterator[bytes]:
    with damage_named(expansion.path, entry.filename), archive.open(entry) as file:
        while chunk := file.read(CHUNK_BYTES):
            expansion.charge(len(chunk))
            yield chunk
