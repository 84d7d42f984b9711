"""The one module that opens kernel files, under an injected root.

Everything else in this room is a pure function of bytes. A root other than /proc and /sys is a captured tree.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TypeVar

from advisor.procfs.errors import (
    DeniedError,
    GoneError,
    HungError,
    KernelTextError,
    MissingError,
)

T = TypeVar("T")

LIVE_PROCFS = "/proc"
LIVE_SYSFS = "/sys"

READ_BYTES = 1 << 16
"""Bytes asked of one read(2); seq_file and sysfs hand out about one page whatever is asked."""


def translate_os_error(error: OSError, path: str, *, of_process: bool) -> KernelTextError:
    """The typed error for an OSError met on `path`; ENOENT below a process means that the process is gone."""
    message = os.strerror(error.errno) if error.errno else str(error)
    if error.errno == errno.ESRCH or (error.errno == errno.ENOENT and of_process):
        return GoneError(message, path=path)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return MissingError(message, path=path)
    if error.errno in (errno.EACCES, errno.EPERM):
        return DeniedError(message, path=path)
    return KernelTextError(message, path=path)


class KernelFs:
    """Reads files below one procfs and one sysfs root.

    `reading` is the path opened last, so that a caller who waits for a read can name what it waits for;
    paths in `avoided` hung before and answer HungError at once.
    """

    def __init__(self, procfs: str = LIVE_PROCFS, sysfs: str = LIVE_SYSFS) -> None:
        self.procfs = procfs.rstrip("/") or "/"
        self.sysfs = sysfs.rstrip("/") or "/"
        self.reading = ""
        self.avoided: set[str] = set()

    @property
    def is_live(self) -> bool:
        """True when both roots are this machine's own."""
        return self.procfs == LIVE_PROCFS and self.sysfs == LIVE_SYSFS

    def proc_path(self, name: str) -> str:
        """Full path of a file below the procfs root."""
        return f"{self.procfs}/{name}"

    def sys_path(self, name: str) -> str:
        """Full path of a file below the sysfs root."""
        return f"{self.sysfs}/{name}"

    def read_proc(self, name: str) -> bytes:
        """Bytes of a host-wide file such as "meminfo". Raises MissingError, DeniedError, KernelTextError."""
        return read_file(self.mark(self.proc_path(name)))

    def read_process(self, pid: int, name: str) -> bytes:
        """Bytes of /proc/PID/name. GoneError where the process ended, MissingError where only the file is absent."""
        return read_file(self.mark(self.proc_path(f"{pid}/{name}")), of_process=True)

    def read_sys(self, name: str) -> bytes:
        """Bytes of a file below the sysfs root. Raises as read_proc does."""
        return read_file(self.mark(self.sys_path(name)))

    def list_proc(self, name: str = "") -> list[str]:
        """Sorted names in a folder below the procfs root."""
        return list_folder(self.mark(self.proc_path(name)))

    def list_sys(self, name: str) -> list[str]:
        """Sorted names in a folder below the sysfs root."""
        return list_folder(self.mark(self.sys_path(name)))

    def link_of_process(self, pid: int, name: str) -> str:
        """Target of a symbolic link such as "exe", as text (undecodable bytes kept as backslash escapes)."""
        path = self.mark(self.proc_path(f"{pid}/{name}"))
        try:
            return decode(os.readlink(os.fsencode(path)))
        except OSError as error:
            raise process_error(error, path) from error

    def parse_process(self, pid: int, name: str, parser: Callable[[bytes], T]) -> T:
        """Read and parse; a parser's error gets the file's path."""
        return with_path(self.proc_path(f"{pid}/{name}"), parser, self.read_process(pid, name))

    def parse_proc(self, name: str, parser: Callable[[bytes], T]) -> T:
        """Read and parse a host-wide file; a parser's error gets the file's path."""
        return with_path(self.proc_path(name), parser, self.read_proc(name))

    def parse_sys(self, name: str, parser: Callable[[bytes], T]) -> T:
        """Read and parse a file below the sysfs root; a parser's error gets the file's path."""
        return with_path(self.sys_path(name), parser, self.read_sys(name))

    def mark(self, path: str) -> str:
        """Note that `path` is about to be opened. Raises HungError for a path that hung before."""
        if path in self.avoided:
            raise HungError("did not answer before", path=path)
        self.reading = path
        return path


def decode(raw: bytes) -> str:
    """Kernel text is bytes; what is not UTF-8 stays visible as a backslash escape."""
    return raw.decode("utf-8", "backslashreplace")


def with_path(path: str, parser: Callable[[bytes], T], data: bytes) -> T:
    try:
        return parser(data)
    except KernelTextError as error:
        error.path = error.path or path
        raise


def process_error(error: OSError, path: str) -> KernelTextError:
    """ENOENT below /proc/PID: gone if the folder is gone too, else only this file is missing on this kernel."""
    if error.errno == errno.ENOENT and os.path.isdir(os.path.dirname(path)):
        return translate_os_error(error, path, of_process=False)
    return translate_os_error(error, path, of_process=True)


def read_file(path: str, *, of_process: bool = False) -> bytes:
    """Whole content of one kernel file with raw descriptors: no buffering layer, no stat, no seek."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            first = os.read(descriptor, READ_BYTES)
            if not first:
                return first
            chunks = [first]
            while chunk := os.read(descriptor, READ_BYTES):
                chunks.append(chunk)
            return b"".join(chunks) if len(chunks) > 1 else first
        finally:
            os.close(descriptor)
    except OSError as error:
        raise (
            process_error(error, path) if of_process else translate_os_error(error, path, of_process=False)
        ) from error


def list_folder(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except OSError as error:
        raise translate_os_error(error, path, of_process=False) from error
