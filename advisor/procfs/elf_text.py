"""Searching the read-only data of an ELF file, where programs keep the text of their version.

The file may be hostile: what is read is bounded in bytes and in time, and a pattern sees one piece at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import IO, Any, NamedTuple, cast

from advisor.procfs.elf import read_sections, read_segments
from advisor.procfs.elf_symbols import BoundedFile
from advisor.procfs.errors import MalformedError

MAX_SEARCH_BYTES = 64 << 20
"""Bytes of one file that are searched. Source: own choice. Reason: large servers have 20 to 40 MiB of read-only data,
which is a tenth of a second once for a file."""

PIECE_BYTES = 1 << 20
"""Bytes in memory at a time."""

OVERLAP_BYTES = 512
"""Bytes that a piece repeats of the one before: the longest text that is found whole wherever it lies."""

MAX_TEXTS = 1000
"""Distinct matches kept of one file. Source: own choice. Reason: a server names a few dozen versions."""

READ_ONLY_DATA = (".rodata",)
"""Sections with a program's constants (System V ABI, special sections)."""

WRITABLE = 0x2
"""PF_W of a program header (elf.h)."""


class TextFound(NamedTuple):
    """texts: distinct matches (the group where the pattern has one) in the order of the file; complete: all of the
    data was searched, or the first match ended it."""

    texts: list[str]
    complete: bool


def search_elf_text(
    stream: IO[bytes],
    path: str,
    pattern: re.Pattern[bytes],
    sections: Sequence[str] = READ_ONLY_DATA,
    *,
    every: bool = False,
) -> TextFound:
    """What a pattern matches in these sections, or in all data that is only read where the file names none.

    every: all matches, not the first alone. Raises MalformedError for what is no ELF file, is broken, or needs more
    than the bounds allow.
    """
    from elftools.elf.elffile import ELFFile

    file = BoundedFile(stream, MAX_SEARCH_BYTES + PIECE_BYTES)
    texts: dict[str, None] = {}
    try:
        ranges, complete = _within_bounds(_ranges(ELFFile(cast("IO[bytes]", file)), file, sections))
        for piece in _pieces(file, ranges):
            for match in pattern.finditer(piece):
                texts[(match[1] if pattern.groups else match[0]).decode("ascii", "replace")] = None
                if not every or len(texts) >= MAX_TEXTS:
                    return TextFound(list(texts), True)
    except MalformedError as error:
        error.path = error.path or path
        raise
    except Exception as error:
        # pyelftools lets assertions, struct, index, unicode and recursion errors of a broken file through.
        raise MalformedError(f"not a readable ELF file: {type(error).__name__}: {error}", path=path) from error
    return TextFound(list(texts), complete)


def _ranges(elf: Any, file: BoundedFile, sections: Sequence[str]) -> list[tuple[int, int]]:
    """(offset, size) in the file of what is searched."""
    named = [header for name, header in read_sections(elf, file) if name in sections]
    found = [(h["sh_offset"], h["sh_size"]) for h in named if h["sh_type"] != "SHT_NOBITS"]
    if found or tuple(sections) != READ_ONLY_DATA:
        return found
    return [
        (segment["p_offset"], segment["p_filesz"])
        for segment in read_segments(elf)
        if segment["p_type"] == "PT_LOAD" and not segment["p_flags"] & WRITABLE
    ]


def _within_bounds(ranges: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], bool]:
    left, kept = MAX_SEARCH_BYTES, []
    for offset, size in ranges:
        kept.append((offset, min(size, left)))
        left -= min(size, left)
    return kept, sum(size for _, size in ranges) <= MAX_SEARCH_BYTES


def _pieces(file: BoundedFile, ranges: Sequence[tuple[int, int]]) -> Iterator[bytes]:
    for offset, size in ranges:
        file.seek(offset)
        tail = b""
        while size > 0:
            data = file.read(min(size, PIECE_BYTES))
            if not data:
                raise MalformedError("ends inside its read-only data")
            size -= len(data)
            yield tail + data
            tail = data[-OVERLAP_BYTES:]
