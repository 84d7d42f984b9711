"""The folder of journals and its lock, opened so that nobody else can have prepared it.

Everything is opened relative to the folder's own descriptor and without following links.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from contextlib import suppress
from pathlib import Path

from advisor.trial.errors import SettingError

STATE_DIRECTORY = Path("/run/hugepage-advisor")
"""On a tmpfs: like the kernel's settings, what lies there does not survive a reboot."""

LARGEST_JOURNAL = 4 << 20
"""Bytes of a journal that are read: a trial of ten thousand runs writes about 1 MiB."""

FOLDER_MODE = 0o755
"""Everybody may see that a trial was killed; only the owner may write."""

FILE_MODE = 0o600

LOCK = "lock"

_NAME = re.compile(r"trial-([0-9]{1,10})-([0-9]{1,19})\.journal")


def journal_name(pid: int, start_ticks: int) -> str:
    """File name of a trial's journal; it names the owner for those who may not read the file."""
    return f"trial-{pid}-{start_ticks}.journal"


def owner_of(name: str) -> tuple[int, int] | None:
    """(pid, start_ticks) by a journal's name; None for any other name."""
    match = _NAME.fullmatch(name)
    return (int(match.group(1)), int(match.group(2))) if match else None


class JournalFile:
    """One journal, open for appending. `directory` is the descriptor of its folder, which stays the caller's."""

    def __init__(self, directory: int, name: str, *, new: bool) -> None:
        """Raises OSError; SettingError where an old file is not plainly ours."""
        flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        flags |= os.O_CREAT | os.O_EXCL if new else 0
        self._directory, self._name = directory, name
        self._descriptor = os.open(name, flags, FILE_MODE, dir_fd=directory)
        found = os.fstat(self._descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or not _is_ours_alone(found):
            self.close()
            raise SettingError(f"{name}: not a journal of ours; look at it and remove it")

    def read(self) -> bytes:
        """Everything, up to LARGEST_JOURNAL."""
        return os.pread(self._descriptor, LARGEST_JOURNAL, 0)

    def append(self, line: bytes) -> None:
        """All of the line is on disk, or OSError and none of it is in the file."""
        size = os.fstat(self._descriptor).st_size
        try:
            while line:  # a short write says nothing; the next one says why
                line = line[os.write(self._descriptor, line) :]
            os.fsync(self._descriptor)
        except OSError:
            self.cut(size)
            raise

    def cut(self, size: int) -> None:
        """Drop what lies behind `size` bytes: a line without its end would spoil the next one."""
        os.ftruncate(self._descriptor, size)

    def remove(self) -> None:
        """Take the file away and close it."""
        with suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._directory)
        self.close()

    def close(self) -> None:
        os.close(self._descriptor)


def open_directory(directory: Path, *, create: bool) -> int:
    """A descriptor of the folder. Raises OSError; SettingError where others can write in it."""
    if create:
        with suppress(FileExistsError):
            directory.mkdir(FOLDER_MODE)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not _is_ours_alone(os.fstat(descriptor)):
        os.close(descriptor)
        raise SettingError(f"{directory}: others could have written here; look at it and remove it")
    return descriptor


def take_lock(directory: int) -> int | None:
    """A descriptor that holds the lock of the folder until it is closed or this process ends; None: another has it.

    Raises OSError.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(LOCK, flags, FILE_MODE, dir_fd=directory)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def journal_names(directory: int | Path) -> list[str]:
    """Names of the journals in the folder, in order. Raises OSError."""
    with os.scandir(directory) as entries:
        return sorted(entry.name for entry in entries if _NAME.fullmatch(entry.name))


def _is_ours_alone(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
