"""Profiles on disk: a header line, then one line a sample, as JSON lines, plain or compressed.

Every sample is flushed as a complete compressed block, so that a file whose writer was killed reads up to its
last whole sample. Unknown fields are ignored (a newer minor version may add some); another schema is refused.
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import msgspec
import zstandard

from advisor.foreign_json import ForeignJsonError, decode
from advisor.own_file import Unfinished, open_new, said_of
from advisor.procfs.facts import Limit
from advisor.profile.model import PROFILE_SCHEMA, Header, ProcessFacts, ProcessRecord, Profile, Sample
from advisor.profile.redact_sample import redacted_sample
from advisor.regular_file import open_regular

ZSTD_LEVEL = 10
"""A sample of 300 processes compresses to the size of level 19 plus 6 % in a tenth of the time."""

SUFFIXES = (".jsonl", ".jsonl.zst", ".jsonl.gz")
"""What a profile's name ends in: plain, zstd, gzip."""

MAX_LINE_BYTES = 256 << 20
"""One sample of 10,000 processes with 100 mappings each is about 100 MiB; more is damage or an attack."""

MAX_HEADER_BYTES = 16 << 20
"""A header is a few KiB, with the configuration of the host some 100; what inflates beyond this is no profile."""

READ_BYTES = 1 << 20

ZSTD_LONGEST_HEADER = 18
"""Bytes of a zstd frame's header at most. Source: RFC 8878, 3.1.1."""


class _FactsWithoutLimits(ProcessFacts, frozen=True):
    """Half of the text of facts are limits: they are passed over, as they are looked for under another name."""

    limits: list[Limit] | None = msgspec.field(default=None, name="limits that are read")


class _RecordWithoutLimits(ProcessRecord, frozen=True):
    facts: _FactsWithoutLimits | None = None


class _SampleWithoutLimits(Sample, frozen=True):
    processes: list[_RecordWithoutLimits] = msgspec.field(default_factory=list)  # type: ignore[assignment]


_encoder = msgspec.json.Encoder()
_header_decoder = msgspec.json.Decoder(Header)
_sample_decoder = msgspec.json.Decoder(Sample)
_without_limits_decoder = msgspec.json.Decoder(_SampleWithoutLimits)


_Sink = BinaryIO | gzip.GzipFile | zstandard.ZstdCompressionWriter
_Source = io.BufferedReader | gzip.GzipFile | zstandard.ZstdDecompressionReader


class ProfileError(Exception):
    """A profile that cannot be used. The message names the file, the place and the remedy."""


class ProfileWriter:
    """Writes a profile as it is made. `path` ends in one of SUFFIXES; the file gets mode 0600.

    A file that is there stays until the first sample is written, and is replaced by one that holds it. whole: it
    stays until `close`, and also after an error. new: FileExistsError where there is something of that name already.
    """

    def __init__(self, path: Path, *, new: bool = False, whole: bool = False) -> None:
        self._path = path
        self._unfinished = None if new else Unfinished(path)
        self._file = open_new(path) if self._unfinished is None else self._unfinished.file
        self._sink = _compressing(path, self._file)
        self._is_kept_back = whole

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(is_whole=kind is None)

    def write_header(self, header: Header) -> None:
        self._write_line(_encoder.encode(header))

    def write_sample(self, sample: Sample, *, redact: bool) -> None:
        """Append one whole sample; when this returns, a killed writer does not lose it."""
        self._write_line(_encoder.encode(redacted_sample(sample) if redact else sample))
        if self._unfinished is not None and not self._is_kept_back:
            self._unfinished.take_place()

    def stat(self) -> os.stat_result:
        """Of the file: its size, and whether it still has a name."""
        return os.fstat(self._file.fileno())

    @property
    def is_in_place(self) -> bool:
        """Whether its name still leads to it; once a sample is written. Raises OSError."""
        try:
            return os.path.samestat(self.stat(), os.stat(self._path))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """The file is whole then. Raises OSError; it is closed all the same."""
        self._close(is_whole=True)

    def _close(self, *, is_whole: bool) -> None:
        try:
            if self._sink is not self._file:
                self._sink.close()
            if self._unfinished is not None and self._is_kept_back and is_whole:
                self._unfinished.take_place()
        finally:
            (self._unfinished or self._file).close()

    def _write_line(self, line: bytes) -> None:
        with said_of(self._path):
            self._sink.write(line)
            self._sink.write(b"\n")
            if isinstance(self._sink, zstandard.ZstdCompressionWriter):
                self._sink.flush(zstandard.FLUSH_BLOCK)
            else:
                self._sink.flush()
            self._file.flush()


class ProfileReader:
    """Reads a profile sample by sample. `truncated` and `damage` are known after the last one.

    opened: its bytes, where it is no file of this machine; path is its name then. truncated: it ended inside a
    sample. damage: what its decompression complained of; None where the file is whole, or was cut off and no more.
    """

    def __init__(self, path: Path | str, opened: io.BufferedReader | None = None) -> None:
        self.path = path
        self.truncated = False
        self.damage: str | None = None
        self._opened = opened
        self._lines = self._read_lines()
        first = next(self._lines, None)
        if first is None:
            said = "holds no whole line" if self.damage is None else f"damaged: {self.damage}"
            raise ProfileError(f"{path}: {said}; record it again")
        self.header = self._decode_header(first)

    def samples(self, *, limits: bool = True) -> Iterator[Sample]:
        """Samples in time order. Raises ProfileError for a line that is no sample.

        limits: False leaves out what /proc/PID/limits said, which no advice stands on, for a sixth of the time less.
        """
        decoder: msgspec.json.Decoder[Any] = _sample_decoder if limits else _without_limits_decoder
        for number, line in enumerate(self._lines, start=2):
            try:
                yield decode(line, decoder)
            except ForeignJsonError as error:
                raise ProfileError(f"{self.path}:{number}: not a sample ({error}); use an undamaged copy") from error

    def _decode_header(self, line: bytes) -> Header:
        try:
            header = decode(line, _header_decoder)
        except ForeignJsonError as error:
            raise ProfileError(f"{self.path}:1: not a profile header ({error}); is this a profile?") from error
        if header.schema != PROFILE_SCHEMA:
            raise ProfileError(
                f"{self.path}:1: schema {header.schema!r}, this version reads {PROFILE_SCHEMA!r}; "
                "use the version of hugepage-advisor that made it"
            )
        return header

    def _read_lines(self) -> Iterator[bytes]:
        pending, number = bytearray(), 1
        for chunk in self._read_chunks():
            begin = 0
            while (end := chunk.find(b"\n", begin)) >= 0:
                pending += chunk[begin:end]
                yield bytes(pending)
                pending.clear()
                begin, number = end + 1, number + 1
            pending += chunk[begin:]
            most = MAX_LINE_BYTES if number > 1 else MAX_HEADER_BYTES
            if len(pending) > most:
                raise ProfileError(f"{self.path}:{number}: a line of more than {most} bytes; not a profile")
        if pending:
            self.truncated = True

    def _read_chunks(self) -> Iterator[bytes]:
        """Decompressed text; ends quietly, as truncated, where a compressed stream is cut off or damaged."""
        try:
            with self._opened or open_regular(self.path) as file:
                source = _decompressing(file)
                # read1 hands out what a cut-off stream still held before it complains about the cut.
                while chunk := source.read1(READ_BYTES):
                    yield chunk
                self.truncated = isinstance(source, zstandard.ZstdDecompressionReader) and not _is_whole(file)
        except EOFError:
            self.truncated = True
        except (zlib.error, zstandard.ZstdError, gzip.BadGzipFile) as error:
            self.truncated, self.damage = True, str(error)
        except OSError as error:
            raise ProfileError(f"{self.path}: {error.strerror or error}") from error


def load_profile(path: Path) -> Profile:
    """The whole profile in memory. Raises ProfileError; one without any sample is an error too."""
    reader = ProfileReader(path)
    samples = list(reader.samples())
    if not samples:
        raise ProfileError(f"{path}: holds no whole sample; record for longer")
    return Profile(reader.header, samples, reader.truncated)


def _compressing(path: Path, file: BinaryIO) -> _Sink:
    if path.suffix == ".zst":
        compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True)
        return compressor.stream_writer(file, closefd=False)
    if path.suffix == ".gz":
        return gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0)
    return file


def _decompressing(file: io.BufferedReader) -> _Source:
    """By the first bytes, not by the name: profiles get renamed in tickets."""
    magic = file.read(4)
    file.seek(0)
    if magic == zstandard.MAGIC_NUMBER.to_bytes(4, "little"):
        return zstandard.ZstdDecompressor().stream_reader(file)
    if magic[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=file, mode="rb")
    return file


def _is_whole(file: io.BufferedReader) -> bool:
    """Whether a zstd frame has its last block: the decompressor itself says nothing of a frame that just stops.

    Blocks are walked by their headers, 3 bytes each: last, type (1 = one byte repeated), size (RFC 8878, 3.1.1).
    """
    end = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(ZSTD_LONGEST_HEADER)
    place = zstandard.frame_header_size(head)
    checksum = 4 if zstandard.get_frame_parameters(head).has_checksum else 0
    while place + 3 <= end:
        file.seek(place)
        header = int.from_bytes(file.read(3), "little")
        place += 3 + (1 if header >> 1 & 3 == 1 else header >> 3)
        if header & 1:
            return place + checksum <= end
    return False
