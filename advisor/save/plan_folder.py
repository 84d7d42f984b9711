"""Writing a plan's folder: its scripts are run by root, so nobody else may have a hand in it."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from advisor.foreign_json import ForeignJsonError, decode
from advisor.own_file import as_bytes, said_of
from advisor.render.plan_files import APPLY_NAME, FOLDER_SCHEMA, INDEX_NAME, KEPT_NAME, FolderIndex, PlanFile

FOLDER_MODE, FILE_MODE, SCRIPT_MODE = 0o700, 0o600, 0o700
"""Of the user who made the plan alone: it names programs and what they were started with."""

OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH

LARGEST_INDEX = 1 << 20
"""Bytes of an index that are read. Source: own choice. Reason: one of a hundred files has 5 KiB."""

PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Names that an index may list: files of the folder itself."""


_index_decoder = msgspec.json.Decoder(FolderIndex)


class FolderRefused(Exception):
    """The folder is not to be written to; the message names it and says why."""


def write_folder(folder: Path, files: Sequence[PlanFile]) -> None:
    """Write all files below `folder`, which is made, empty, or an earlier plan's that is not in force.

    Each file takes its place at once, the script that applies the plan as the last, when everything else is there.
    The files of an earlier plan are removed. Symbolic links are not followed. Raises FolderRefused, OSError.
    """
    handle = _open_folder(folder)
    beside: dict[str, str] = {}
    try:
        earlier = set(_to_replace(folder, handle))
        for file in files:
            with said_of(folder / file.name):
                _write(handle, file, beside.setdefault(file.name, f".{file.name}.{secrets.token_hex(8)}"))
        for name in earlier - (beside.keys() - {APPLY_NAME}):
            os.unlink(name, dir_fd=handle)
        for name in sorted(beside, key=lambda name: name == APPLY_NAME):
            os.replace(beside[name], name, src_dir_fd=handle, dst_dir_fd=handle)
            del beside[name]
        os.fsync(handle)
    finally:
        for name in beside.values():
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=handle)
        os.close(handle)


def _open_folder(folder: Path) -> int:
    try:
        os.mkdir(folder, FOLDER_MODE)
    except FileExistsError:
        if folder.is_symlink() or not folder.is_dir():
            raise _refusal(folder, "is not a folder, or a symbolic link to one") from None
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    state = os.fstat(handle)
    if state.st_uid != os.geteuid() or state.st_mode & OTHERS_MAY_WRITE:
        os.close(handle)
        raise _refusal(folder, "others can write there, and apply.sh is run by root")
    return handle


def _to_replace(folder: Path, handle: int) -> Iterable[str]:
    """The files of an earlier plan in the folder. Raises FolderRefused where it is somebody else's, or in force."""
    present = set(os.listdir(handle))
    if not present:
        return []
    if INDEX_NAME not in present:
        raise _refusal(folder, "is not empty and holds no earlier plan")
    if KEPT_NAME in present:
        raise _refusal(folder, "holds a plan that was applied: run its undo.sh first, or take another folder")
    return present & set(_index(folder, handle).files)


def _index(folder: Path, handle: int) -> FolderIndex:
    try:
        descriptor = os.open(INDEX_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=handle)
        with os.fdopen(descriptor, "rb") as file:
            index = decode(file.read(LARGEST_INDEX), _index_decoder)
    except (OSError, ForeignJsonError) as error:
        raise _refusal(folder, f"its {INDEX_NAME} is no plan's: {error}") from error
    if index.schema != FOLDER_SCHEMA or not all(PLAIN_NAME.fullmatch(name) for name in index.files):
        raise _refusal(folder, f"its {INDEX_NAME} is of another version")
    return index


def _write(handle: int, file: PlanFile, name: str) -> None:
    mode = SCRIPT_MODE if file.executable else FILE_MODE
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, mode, dir_fd=handle)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(descriptor, mode)
        stream.write(as_bytes(file.text))


def _refusal(folder: Path, why: str) -> FolderRefused:
    return FolderRefused(f"{folder}: {why}")
