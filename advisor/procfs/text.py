"""Steps that the parsers of this room share: whole lines, bounded numbers, names, optional files.

Parsers raise MalformedError or IncompleteError with the line counted from 1, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from advisor.procfs.errors import IncompleteError, KernelTextError, MalformedError, MissingError
from advisor.procfs.fs import KernelFs
from advisor.units import KIB

T = TypeVar("T")

LARGEST_NUMBER = (1 << 63) - 1
"""Largest number that is taken as a fact: counts and bytes are kept as signed 64-bit integers downstream."""

"""Bytes in the kernel's "kB" (proc_pid_status(5), proc_meminfo(5))."""

_NODE_LIST = re.compile(r"[0-9]{1,5}(?:-[0-9]{1,5})?(?:,[0-9]{1,5}(?:-[0-9]{1,5})?)*")
"""A list as %*pbl prints it (lib/vsprintf.c): 0-1,3."""

_OCTAL = re.compile(rb"\\([0-7]{3})")
_FOLDER_SIZE = re.compile(r"hugepages-([0-9]{1,15})kB")


def whole_lines(data: bytes) -> list[bytes]:
    """The lines without their ends. The kernel ends every line, so text that does not was cut off."""
    if not data:
        raise IncompleteError("the file is empty", line=1)
    if not data.endswith(b"\n"):
        raise IncompleteError("the last line has no end", line=data.count(b"\n") + 1)
    return data[:-1].split(b"\n")


def parse_number(token: bytes, line: int | None = None) -> int:
    """A decimal number of 0 to 2**63-1; raises MalformedError for anything else."""
    if token.isdigit() and len(token) <= 19:
        number = int(token)
        if number <= LARGEST_NUMBER:
            return number
    raise MalformedError(f"not a number of 0 to 2**63-1: {token[:40]!r}", line=line)


def parse_kib(token: bytes, line: int | None = None) -> int:
    """A number of the kernel's kB, as bytes."""
    number = parse_number(token, line) * KIB
    if number > LARGEST_NUMBER:
        raise MalformedError(f"more than 2**63-1 bytes: {token[:40]!r} kB", line=line)
    return number


def parse_name(token: bytes, line: int | None = None) -> str:
    """A kernel identifier: printable ASCII, not empty."""
    name = token.decode("ascii", "replace")
    if not name or "\ufffd" in name or not name.isprintable():
        raise MalformedError(f"not a name: {token[:40]!r}", line=line)
    return name


def parse_value(data: bytes) -> int:
    """The only number of a sysfs attribute. A copy made by hand may lack the end of the line."""
    return parse_number(data.strip(), 1)


def parse_page_size(data: bytes) -> int:
    """A page size that a sysfs attribute says, in bytes: a power of two."""
    size = parse_value(data)
    if size.bit_count() != 1:
        raise MalformedError(f"not a page size: {size}", line=1)
    return size


def parse_word(data: bytes) -> str:
    """The only line of a sysfs attribute or of a file below /proc/sys, without the blanks around it."""
    return parse_name(data.strip(), 1)


def page_bytes_of_folder(name: str) -> int | None:
    """Page size in bytes that a folder name such as "hugepages-2048kB" states; None for any other name."""
    match = _FOLDER_SIZE.fullmatch(name)
    return int(match.group(1)) * KIB if match else None


def read_optional(fs: KernelFs, name: str, parser: Callable[[bytes], T], problems: dict[str, str] | None) -> T | None:
    """A sysfs attribute that this kernel may not have: None where absent.

    Any other failure is raised, or, where `problems` is given, noted there as path below sysfs -> reason.
    """
    try:
        return fs.parse_sys(name, parser)
    except MissingError:
        return None
    except KernelTextError as error:
        if problems is None:
            raise
        problems[name] = error.reason
        return None


def list_optional(fs: KernelFs, name: str, problems: dict[str, str] | None) -> list[str]:
    """Names in a sysfs folder; empty where the folder is absent. Other failures as in `read_optional`."""
    try:
        return fs.list_sys(name)
    except MissingError:
        return []
    except KernelTextError as error:
        if problems is None:
            raise
        problems[name] = error.reason
        return []


def node_list(text: str) -> list[int]:
    """Numbers of a list as the kernel prints it: "0-1,3" is 0, 1, 3. Raises ValueError for another text."""
    if not _NODE_LIST.fullmatch(text):
        raise ValueError(f"not a list of numbers: {text[:40]!r}")
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        numbers += range(int(first), int(last if dash else first) + 1)
    return numbers


def parse_uptime(data: bytes) -> float:
    """`/proc/uptime`: seconds since boot, suspended time included (proc(5)). Raises MalformedError."""
    words = data.split()
    try:
        seconds = float(words[0])
    except (IndexError, ValueError):
        raise MalformedError("the first word is no number of seconds", line=1) from None
    if not 0 <= seconds < float("inf"):
        raise MalformedError("the uptime is out of range", line=1)
    return seconds


_VERSION = re.compile(rb"Linux version (\S+) ")


def parse_version(data: bytes) -> str:
    """`/proc/version`: the kernel's release, which is uname -r. Raises MalformedError."""
    match = _VERSION.match(data)
    if match is None:
        raise MalformedError("does not begin with Linux version", line=1)
    return parse_name(match[1], 1)


def without_octal(data: bytes) -> bytes:
    """A path of /proc/mounts, which prints blanks and backslashes in octal (fs/proc_namespace.c mangle)."""
    return _OCTAL.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), data)
