"""The dynamic symbols of an ELF file: a few names looked up in its hash table, within a budget.

An object for each of the 75,000 dynamic symbols of a large program would take seconds; a lookup takes
microseconds. The file may be hostile: whatever its tables say, the work is bounded in bytes and in time.
"""

from __future__ import annotations

import io
import struct
import time
from collections.abc import Iterator
from typing import IO, NamedTuple

from advisor.procfs.errors import MalformedError

MAX_READ_BYTES = 16 << 20
"""Bytes read from one file in all. Large programs need about 5 MiB, most of it symbol names."""

MAX_READ_SECONDS = 0.5
"""CPU seconds of this thread spent on one file. A large program needs about 15 ms. Not wall time, which a busy host
stretches: the sampler's own deadline ends a read that a slow disk holds up."""

MAX_IMPORTS = 1 << 16
"""Undefined symbols examined. Chromium imports about 3,000."""

MAX_CHAIN = 256
"""Symbols of one hash bucket examined. Linkers size the table for an average of about four."""

MAX_NAME_BYTES = 256
"""Bytes read of one symbol name; no name of interest is longer."""


class BoundedFile(io.RawIOBase):
    """The file with a budget: a read that goes past it, or comes too late, fails."""

    def __init__(self, stream: IO[bytes], limit_bytes: int = MAX_READ_BYTES) -> None:
        self._stream = stream
        self._limit = limit_bytes
        self._left = limit_bytes
        self._deadline = time.thread_time() + MAX_READ_SECONDS

    def read(self, size: int = -1, /) -> bytes:
        if size < 0 or size > self._left:
            raise MalformedError(f"needs more than {self._limit} bytes to be read")
        if time.thread_time() > self._deadline:
            raise MalformedError(f"takes more than {MAX_READ_SECONDS} s of CPU to read")
        self._left -= size
        return self._stream.read(size)

    def read_at(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes at `offset`. Raises MalformedError where the file is shorter."""
        self.seek(offset)
        data = self.read(size)
        if len(data) != size:
            raise MalformedError(f"ends before byte {offset + size}")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def string_at(strings: bytes, offset: int) -> bytes:
    """The name at `offset`; empty where it is too long to be of interest."""
    end = strings.find(b"\0", offset, offset + MAX_NAME_BYTES)
    return strings[offset:end] if end >= 0 else b""


class TablePlaces(NamedTuple):
    """File offsets of the tables that the dynamic section names (None: not there), and the string table.

    symbols_end is where the table after the symbols begins: no tag says how many symbols there are.
    """

    symbols: int
    symbols_end: int
    gnu_hash: int | None
    strings: bytes


class SymbolTable:
    """The dynamic symbol table where the dynamic section says that it is, as the loader sees it."""

    def __init__(self, file: BoundedFile, places: TablePlaces, *, little_endian: bool, is_64: bool) -> None:
        order = "<" if little_endian else ">"
        self._file = file
        self._word = struct.Struct(order + "I")
        # nbuckets, symoffset, bloom_size; bloom_shift is for those who use the filter.
        self._hash_header = struct.Struct(order + "3I4x")
        self._bloom_word_bytes = 8 if is_64 else 4
        # st_name, then st_shndx after skipping what is between (Elf64_Sym and Elf32_Sym, elf.h).
        self._symbol = struct.Struct(order + ("I2xH16x" if is_64 else "I10xH"))
        self._places = places

    def look_up(self, names: frozenset[str]) -> Iterator[tuple[str, bool]]:
        """(name, defined here) of each wanted name that is in the table."""
        places = self._places
        if places.gnu_hash is None:
            yield from self._scan(self._all_symbols(), names)
            return
        buckets, first_hashed, bloom_words = self._hash_header.unpack(
            self._file.read_at(places.gnu_hash, self._hash_header.size)
        )
        bucket_table = places.gnu_hash + self._hash_header.size + bloom_words * self._bloom_word_bytes
        if buckets == 1 and self._read_word(bucket_table) == 0:
            # A table of no symbols says that the first hashed one is number 1 (binutils bfd/elflink.c).
            yield from self._scan(self._all_symbols(), names)
            return
        yield from self._scan(first_hashed, names)
        for name in sorted(names) if buckets else ():
            defined = self._find_hashed(name.encode(), bucket_table, buckets, first_hashed)
            if defined is not None:
                yield name, defined

    def _all_symbols(self) -> int:
        return max(0, self._places.symbols_end - self._places.symbols) // self._symbol.size

    def _scan(self, count: int, names: frozenset[str]) -> Iterator[tuple[str, bool]]:
        """The first `count` symbols, one by one: those before a hash table's first are the imports."""
        if count > MAX_IMPORTS:
            raise MalformedError(f"{count} symbols to go through")
        wanted = {name.encode(): name for name in names}
        for offset, section in self._symbol.iter_unpack(
            self._file.read_at(self._places.symbols, count * self._symbol.size)
        ):
            name = wanted.get(string_at(self._places.strings, offset)) if offset else None
            if name is not None:
                yield name, section != 0

    def _find_hashed(self, name: bytes, bucket_table: int, buckets: int, first_hashed: int) -> bool | None:
        """Whether the symbol is defined in this file; None where it is not in the hash table."""
        wanted = gnu_hash(name)
        index = self._read_word(bucket_table + 4 * (wanted % buckets))
        if index < first_hashed:
            return None
        chain_table = bucket_table + 4 * buckets
        for position in range(index, index + MAX_CHAIN):
            value = self._read_word(chain_table + 4 * (position - first_hashed))
            if value | 1 == wanted | 1:
                offset, section = self._symbol.unpack(
                    self._file.read_at(self._places.symbols + position * self._symbol.size, self._symbol.size)
                )
                if string_at(self._places.strings, offset) == name:
                    return bool(section)
            if value & 1:
                return None
        raise MalformedError(f"a hash bucket of more than {MAX_CHAIN} symbols")

    def _read_word(self, offset: int) -> int:
        word: int = self._word.unpack(self._file.read_at(offset, 4))[0]
        return word


def gnu_hash(name: bytes) -> int:
    """Hash of DT_GNU_HASH: h = h * 33 + c from 5381, 32 bits (glibc elf/dl-lookup.c)."""
    value = 5381
    for byte in name:
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value
