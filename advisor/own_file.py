"""Files that are written: readable by their owner alone, whole or not there, through no symbolic link.

Other people may write in the folder, as in /tmp: nothing that they have put there is followed, opened or waited for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

MODE = 0o600
"""What is written names programs and what they were started with."""

LONGEST_PREFIX = 200
"""Characters of the name that an unfinished file shares. Source: NAME_MAX is 255 (limits.h)."""


class Unfinished:
    """A new file beside `path`, under a name that nobody can know before, until it takes that place.

    What stands at `path` stays until then: a reader sees all of the old file or all of the new one. Leaving the block
    by an error, or without `take_place`, takes the new file away. Raises OSError: also where something that is no
    regular file has the name, as a device is never to be replaced by a file, and a link points to somebody else's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name = f".{path.name[:LONGEST_PREFIX]}.{secrets.token_hex(8)}"
        self._is_open = self._is_beside = True
        with said_of(path):
            self._folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                refuse_unless_file(path.name, self._folder, path)
                self.file: BinaryIO = os.fdopen(_create(self._name, self._folder), "wb")
            except BaseException:
                os.close(self._folder)
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def reopened(self) -> str:
        """A path by which a library opens this very file, whoever may rename what lies in the folder."""
        return f"/proc/self/fd/{self.file.fileno()}"

    def take_place(self) -> None:
        """From now on the file is at `path`; it may go on growing. Nothing more happens where it is there already."""
        if not self._is_beside:
            return
        with said_of(self._path):
            self.file.flush()
            os.replace(self._name, self._path.name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._is_beside = False

    def close(self) -> None:
        """Also takes away what has not taken its place. Raises OSError; everything is closed all the same."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            self.file.close()
        finally:
            if self._is_beside:
                with contextlib.suppress(OSError):
                    os.unlink(self._name, dir_fd=self._folder)
            os.close(self._folder)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Unfinished]:
    """The file that is at `path` once the block has ended without an error. Raises OSError."""
    with said_of(path), Unfinished(path) as unfinished:
        yield unfinished
        unfinished.take_place()


def write_whole(path: Path, data: bytes) -> None:
    """The file `path`, new or in place of an old one, at once. Raises OSError."""
    with whole_file(path) as unfinished:
        unfinished.file.write(data)


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet; no symbolic link is followed, neither as the file nor as its folder.

    What cannot be written whole is taken away again. Raises OSError: FileExistsError where anything has that name.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        descriptor = _create(path.name, folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(as_bytes(text))
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(path.name, dir_fd=folder)
            raise
    finally:
        os.close(folder)


def open_new(path: Path) -> BinaryIO:
    """A file that is not there yet, to be written as it comes. Raises OSError, FileExistsError."""
    return os.fdopen(_create(path, None), "wb")


def as_bytes(text: str) -> bytes:
    """UTF-8; a byte of a name that is none is written as `\\xNN`."""
    return text.encode("utf-8", "backslashreplace")


def refuse_unless_file(name: str, folder: int | None, said: Path) -> None:
    """Raises OSError where something has the name that is no regular file. said: what the message calls it."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, "a symbolic link, which is not followed; name the file itself", str(said))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EEXIST, "no regular file, and nothing else is written over", str(said))


@contextlib.contextmanager
def said_of(path: Path) -> Iterator[None]:
    """Errors name the file that was asked for, also where its folder or the unfinished one is to blame."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _create(name: str | Path, folder: int | None) -> int:
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, MODE, dir_fd=folder)
    os.fchmod(descriptor, MODE)  # whatever the umask
    return descriptor
