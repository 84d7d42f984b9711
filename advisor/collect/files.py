"""Opening files that belong to other users and to containers, without side effects and without being led astray."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import IO

from advisor.procfs.errors import MalformedError, MissingError
from advisor.procfs.fs import KernelFs, process_error, translate_os_error


def executable_handle(fs: KernelFs, pid: int) -> int:
    """An O_PATH descriptor of the executable of a process. Raises KernelTextError."""
    if fs.is_live:
        return open_path(fs.proc_path(f"{pid}/exe"), os.O_PATH | os.O_CLOEXEC)
    return walk(fs.procfs, [str(pid), "exe"])


def file_handle(fs: KernelFs, pid: int, path: str) -> int:
    """An O_PATH descriptor of a file by its path in the root of a process. Raises KernelTextError."""
    if fs.is_live:
        return walk(fs.proc_path(f"{pid}/root"), path.split("/"))
    return walk(fs.procfs, [str(pid), "root", *path.split("/")])


def regular_status(handle: int, path: str) -> os.stat_result:
    """fstat of a descriptor. Raises MalformedError for anything but a regular file."""
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        raise MalformedError("not a regular file", path=path)
    return status


def open_regular(handle: int, path: str) -> IO[bytes]:
    """A stream of what an O_PATH descriptor stands for: only a file known to be regular opens without effects.

    Raises KernelTextError.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        return open(os.open(f"/proc/self/fd/{handle}", flags), "rb")
    except OSError as error:
        raise translate_os_error(error, path, of_process=False) from error


def open_path(path: str, flags: int) -> int:
    """A descriptor of a file of a process. Raises KernelTextError."""
    try:
        return os.open(path, flags)
    except OSError as error:
        raise process_error(error, path) from error


def walk(root: str, components: Sequence[str]) -> int:
    """An O_PATH descriptor of the file below `root`, reached one component at a time.

    The kernel prints mapped files with links resolved, so a link on the way was put there since; followed
    from here it would leave the process's root, or the captured tree. Raises MissingError for one, or for "..".
    """
    here = open_path(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for component in components:
        if component in ("", "."):
            continue
        path = f"{root}: {component}"
        try:
            if component == "..":
                raise MissingError("the path leaves its root", path=path)
            deeper = os.open(component, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
        except OSError as error:
            raise translate_os_error(error, path, of_process=False) from error
        finally:
            os.close(here)
        here = deeper
        if stat.S_ISLNK(os.fstat(here).st_mode):
            os.close(here)
            raise MissingError("a symbolic link, not followed", path=path)
    return here
