"""The one module that opens kernel files, under an injected root.

Everything else in this room is a pure function of bytes. A root other than /proc and /sys is a captured tree.
"""

from __future__ import annotations

import errno
import os
import stat
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

MOST_CONFIGURATION_BYTES = 1 << 20
"""Bytes read of one configuration file. Source: own choice. Reason: real ones are below 100 KiB."""

MOST_COMMAND_LINE_BYTES = 1 << 16
"""Bytes read of a command line. Source: own choice. Reason: a process may have megabytes, and, by prctl(PR_SET_MM),
all of its memory for one; nobody reads, and nothing recognises a program by, more than the first few KiB."""

MOST_CAPTURED_BYTES = 1 << 30
"""Of a file in a captured tree. Source: own choice. Reason: smaps of a million mappings is as much; a file that is
all holes may be any size."""

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
    paths in `avoided` hung before and answer HungError at once. `config_root` is the folder that holds etc, usr and
    boot of the same host ("" on the live host): given, or the folder that a captured tree's proc, sys and etc share;
    None where there is no such folder.
    """

    def __init__(self, procfs: str = LIVE_PROCFS, sysfs: str = LIVE_SYSFS, config_root: str | None = None) -> None:
        self.procfs = procfs.rstrip("/") or "/"
        self.sysfs = sysfs.rstrip("/") or "/"
        self.config_root = config_root if config_root is not None else self._shared_root()
        self._roots = tuple(filter(None, (self.procfs, self.sysfs, self.config_root)))
        self.reading = ""
        self.avoided: set[str] = set()

    @property
    def is_live(self) -> bool:
        """True when both roots are this machine's own."""
        return self.procfs == LIVE_PROCFS and self.sysfs == LIVE_SYSFS

    def _shared_root(self) -> str | None:
        if self.is_live:
            return ""
        root = os.path.dirname(os.path.abspath(self.procfs))
        shared = root == os.path.dirname(os.path.abspath(self.sysfs)) and root != "/"
        return root if shared and os.path.isdir(f"{root}/etc") else None

    def read_config(self, name: str) -> bytes:
        """Bytes of a configuration file such as "etc/default/grub". Raises as read_proc does.

        Missing are also what is no regular file, and what a link leads to outside of a captured tree.
        """
        return self.ask(read_regular_file, self._config_path(name))

    def list_config(self, name: str) -> list[str]:
        """Sorted names in a folder of configuration files. Raises as read_proc does."""
        return self.ask(list_folder, self._config_path(name))

    def has_config(self, name: str) -> bool:
        """Whether there is such a file or folder."""
        return self.config_root is not None and os.path.lexists(f"{self.config_root}/{name}")

    def _config_path(self, name: str) -> str:
        path = f"{self.config_root}/{name}"
        if self.config_root is None:
            raise MissingError("no configuration was captured", path=name)
        if self.config_root and not os.path.realpath(path).startswith(f"{os.path.realpath(self.config_root)}/"):
            raise MissingError("leads out of the captured tree", path=path)
        return path

    def proc_path(self, name: str) -> str:
        """Full path of a file below the procfs root."""
        return f"{self.procfs}/{name}"

    def sys_path(self, name: str) -> str:
        """Full path of a file below the sysfs root."""
        return f"{self.sysfs}/{name}"

    def read_proc(self, name: str) -> bytes:
        """Bytes of a host-wide file such as "meminfo". Raises MissingError, DeniedError, KernelTextError."""
        return self.ask(read_file, self.proc_path(name))

    def read_process(self, pid: int, name: str) -> bytes:
        """Bytes of /proc/PID/name. GoneError where the process ended, MissingError where only the file is absent."""
        return self.ask(read_file_of_process, self.proc_path(f"{pid}/{name}"))

    def read_command_line(self, pid: int) -> bytes:
        """The first MOST_COMMAND_LINE_BYTES of /proc/PID/cmdline. Raises as read_process does."""
        return self.ask(read_beginning_of_process, self.proc_path(f"{pid}/cmdline"))

    def read_sys(self, name: str) -> bytes:
        """Bytes of a file below the sysfs root. Raises as read_proc does."""
        return self.ask(read_file, self.sys_path(name))

    def list_proc(self, name: str = "") -> list[str]:
        """Sorted names in a folder below the procfs root."""
        return self.ask(list_folder, self.proc_path(name))

    def list_sys(self, name: str) -> list[str]:
        """Sorted names in a folder below the sysfs root."""
        return self.ask(list_folder, self.sys_path(name))

    def link_of_process(self, pid: int, name: str) -> str:
        """Target of a symbolic link such as "exe", as text (undecodable bytes kept as backslash escapes)."""
        return self.ask(read_link_of_process, self.proc_path(f"{pid}/{name}"))

    def parse_process(self, pid: int, name: str, parser: Callable[[bytes], T]) -> T:
        """Read and parse; a parser's error gets the file's path."""
        return with_path(self.proc_path(f"{pid}/{name}"), parser, self.read_process(pid, name))

    def parse_proc(self, name: str, parser: Callable[[bytes], T]) -> T:
        """Read and parse a host-wide file; a parser's error gets the file's path."""
        return with_path(self.proc_path(name), parser, self.read_proc(name))

    def parse_sys(self, name: str, parser: Callable[[bytes], T]) -> T:
        """Read and parse a file below the sysfs root; a parser's error gets the file's path."""
        return with_path(self.sys_path(name), parser, self.read_sys(name))

    def ask(self, question: Callable[[str], T], path: str) -> T:
        """What is asked of the kernel about one path."""
        return question(self.mark(path, opens=question is not read_link_of_process))

    def mark(self, path: str, *, opens: bool = True) -> str:
        """Note that `path` is about to be opened, or read as a link. Raises HungError for a path that hung before,
        MissingError for one that is not to be opened in a tree that somebody else made."""
        if path in self.avoided:
            raise HungError("did not answer before", path=path)
        if opens and not self.is_live:
            self._check_captured(path)
        self.reading = path
        return path

    def _check_captured(self, path: str) -> None:
        """Raises MissingError where it leads out of the tree, or to what may never end."""
        place = os.path.realpath(path)
        if not any(os.path.commonpath((place, root)) == root for root in map(os.path.realpath, self._roots)):
            raise MissingError("leads out of the captured tree", path=path)
        try:
            found = os.stat(place)
        except OSError:
            return  # so it ends when it is opened
        if stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode) or found.st_size > MOST_CAPTURED_BYTES:
            raise MissingError("no file of a kernel", path=path)


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


def read_file_of_process(path: str) -> bytes:
    """As `read_file`; GoneError where the process has ended."""
    return read_file(path, of_process=True)


def read_beginning_of_process(path: str) -> bytes:
    """At most MOST_COMMAND_LINE_BYTES; the kernel hands a command line out in pieces of a page."""
    try:
        with open(path, "rb", buffering=0) as file:
            chunks, left = [], MOST_COMMAND_LINE_BYTES
            while left and (chunk := file.read(left)):
                chunks.append(chunk)
                left -= len(chunk)
            return b"".join(chunks)
    except OSError as error:
        raise process_error(error, path) from error


def read_link_of_process(path: str) -> str:
    try:
        return decode(os.readlink(os.fsencode(path)))
    except OSError as error:
        raise process_error(error, path) from error


def read_regular_file(path: str) -> bytes:
    """Content of a regular file, MOST_CONFIGURATION_BYTES of it at most; a FIFO or device is never waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise MissingError("not a regular file", path=path)
            return os.read(descriptor, MOST_CONFIGURATION_BYTES)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise translate_os_error(error, path, of_process=False) from error


def list_folder(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except OSError as error:
        raise translate_os_error(error, path, of_process=False) from error
