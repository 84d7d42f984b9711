"""smaps line by line: slow, strict, and right for every kernel. The reference for the columnar reader.

Fields are found by name, never by position: their order and number changed between kernels, and vendors add
their own. Source: fs/proc/task_mmu.c (show_map_vma, show_smap), proc_pid_smaps(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from advisor.procfs.errors import IncompleteError, MalformedError
from advisor.procfs.fs import decode
from advisor.units import KIB

FLAGS_FIELD = "VmFlags"
UNKNOWN_ELIGIBLE = -1
MAX_VALUE = (1 << 63) - 1

HEADER = re.compile(rb"([0-9a-f]{1,16})-([0-9a-f]{1,16}) (.*)", re.DOTALL)
TAIL = re.compile(rb"([r-][w-][x-][ps]) +([0-9a-f]+) +([0-9a-f]+:[0-9a-f]+) +(\d+)(?: +(.*?))? *", re.DOTALL)
FIELD_LINE = re.compile(rb"([A-Za-z][A-Za-z0-9_]*):(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Head:
    """A VMA's header without its addresses. inode 0 and name "" is memory without a file.

    name is the path or bracketed name as printed (kernel escapes such as "\\012" and " (deleted)" included).
    """

    permissions: str
    device: str
    inode: int
    name: str

    @property
    def shared(self) -> bool:
        return self.permissions.endswith("s")

    @property
    def writable(self) -> bool:
        return "w" in self.permissions

    @property
    def executable(self) -> bool:
        return "x" in self.permissions


@dataclass(slots=True)
class SmapsLines:
    """Rows of a text, in lists of equal length. fields: all field names, in order of first sight."""

    fields: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    tails: list[bytes] = field(default_factory=list)
    values: list[dict[str, int]] = field(default_factory=list)
    eligible: list[int] = field(default_factory=list)
    flags: list[str | None] = field(default_factory=list)

    def add_header(self, offset: int, start: int, end: int, tail: bytes) -> None:
        self.offsets.append(offset)
        self.starts.append(start)
        self.ends.append(end)
        self.tails.append(tail)
        self.values.append({})
        self.eligible.append(UNKNOWN_ELIGIBLE)
        self.flags.append(None)


def label_and_unit(line: bytes) -> tuple[str, str]:
    """("Rss", "kB") of b"Rss:   12 kB"; the unit is "" where the line has none."""
    label, _, rest = line.partition(b":")
    words = rest.split()
    unit = words[1].decode("ascii", "replace") if len(words) == 2 else ""
    return decode(label), unit


def parse_head(tail: bytes) -> Head:
    """`rw-p 00000000 00:00 0   [heap]` -> Head. Raises MalformedError without line; callers know it."""
    match = TAIL.fullmatch(tail)
    if match is None:
        raise MalformedError(f"not a mapping header: {decode(tail[:80])!r}")
    permissions, _offset, device, inode, name = match.groups()
    return Head(decode(permissions), decode(device), int(inode[:20]), decode(name or b""))


def parse_lines(text: bytes) -> SmapsLines:
    """All VMAs of one text. Raises MalformedError or IncompleteError with the line's number (from 1)."""
    rows = SmapsLines()
    known: set[str] = set()
    offset = 0
    for number, line in enumerate(text.split(b"\n")[:-1], start=1):
        if header := HEADER.fullmatch(line):
            _check_tail(header[3], number)
            rows.add_header(offset, int(header[1], 16), int(header[2], 16), header[3])
        else:
            match = FIELD_LINE.fullmatch(line)
            if match is None or not rows.starts:
                shown = decode(line[:80])
                raise MalformedError(f"neither a mapping header nor a field: {shown!r}", line=number)
            _read_field(rows, known, decode(match[1]), match[2], number)
        offset += len(line) + 1
    if rows.starts and not rows.values[-1]:
        raise IncompleteError("the last mapping has no fields", line=text.count(b"\n"))
    return rows


def _check_tail(tail: bytes, number: int) -> None:
    try:
        parse_head(tail)
    except MalformedError as error:
        error.line = number
        raise


def _read_field(rows: SmapsLines, known: set[str], name: str, rest: bytes, number: int) -> None:
    words = rest.split()
    if name == FLAGS_FIELD:
        rows.flags[-1] = decode(b" ".join(words))
    elif name == "THPeligible":
        rows.eligible[-1] = int(_number(words, name, number) != 0)
    elif len(words) == 2 and words[1] == b"kB":
        value = _number(words[:1], name, number) * KIB
        if name in rows.values[-1] or value > MAX_VALUE:
            raise MalformedError(f"{name} is given twice or out of range", line=number)
        rows.values[-1][name] = value
        if name not in known:
            known.add(name)
            rows.fields.append(name)
    # Anything else (ProtectionKey, Android's "Name:", vendors' text) says nothing about memory: passed over.


def _number(words: list[bytes], name: str, line: int) -> int:
    if len(words) != 1 or not words[0].isdigit() or len(words[0]) > 20:
        raise MalformedError(f"{name} is not a number", line=line)
    return int(words[0])


def parse_smaps_rollup(text: bytes) -> dict[str, int] | None:
    """`/proc/PID/smaps_rollup` (4.14+): field -> bytes. None for a process without memory (empty file).

    Raises MalformedError, IncompleteError.
    """
    if not text:
        return None
    if not text.endswith(b"\n"):
        raise IncompleteError("smaps_rollup ends within a line", line=text.count(b"\n") + 1)
    rows = parse_lines(text)
    if len(rows.starts) != 1:
        raise MalformedError("smaps_rollup has more than one header", line=1)
    return rows.values[0]
