"""Archives as bounded streams: how much may come out of them, how deep a header may be believed, what is damaged."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol, Self

import zstandard

from advisor.profile.codec import ProfileError

CHUNK_BYTES = 1 << 20
"""Read at once."""

FREE_BYTES = 1 << 30
"""What any archive may expand to, bytes. Source: own choice. Reason: a second or two of decompression."""

MOST_TIMES = 300
"""Times its own size that a larger one may expand to. Source: own choice. Reason: sosreports expand 5 to 30 times,
smaps alone 60 times with xz; zeros 1,000 (gz) to 7,000 times (xz)."""

MOST_XZ_BYTES = 256 << 20
"""Memory for xz, bytes; level -9 needs 65 MiB."""

MOST_EMPTY_READS = 100
"""At the end of an archive. Source: own choice. Reason: who reads it asks two or three times."""

MOST_HEADER_BYTES = 1 << 20
"""Of an extended tar header, which Python reads whole: long names and times need hundreds of bytes."""

_EXTENDED = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip

_DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, zstandard.ZstdError, gzip.BadGzipFile, EOFError,
    NotImplementedError, RuntimeError, ValueError, OverflowError,
)  # fmt: skip
"""What the readers of archives raise for damaged, hostile or encrypted ones. bz2 raises OSError."""


class CaptureError(ProfileError):
    """A capture that cannot be used. The message names the file, the place and the remedy."""


class _Bytes(Protocol):
    def read1(self, size: int = ..., /) -> bytes: ...


@contextmanager
def damage_named(path: Path, place: str = "") -> Iterator[None]:
    """Turns what readers of archives raise into a CaptureError with the file and the place."""
    try:
        yield
    except CaptureError:
        raise
    except (*_DAMAGE, OSError) as error:
        where = f"{path}: {place}" if place else str(path)
        raise CaptureError(f"{where}: {error}; use an undamaged copy, without a password") from error


class Expansion:
    """Counts what comes out of an archive. `charge` raises CaptureError for what only a bomb holds."""

    def __init__(self, path: Path, packed_bytes: int) -> None:
        self.path = path
        self.most = max(FREE_BYTES, packed_bytes * MOST_TIMES)
        self.bytes = 0

    def charge(self, number: int) -> None:
        self.bytes += number
        if self.bytes > self.most:
            raise CaptureError(
                f"{self.path}: expands to more than {self.most} bytes, {MOST_TIMES} times its size; extract what you "
                "trust of it and import the folder"
            )


class Expanding:
    """The decompressed bytes of a file, by its first bytes. cut: it ended inside a compressed stream."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self.path = path
        self.cut = False
        self._source = _decompressing(file)
        self._expansion = Expansion(path, path.stat().st_size)
        self._ahead = b""
        self._empty_reads = 0

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end. Raises CaptureError; EOFError where somebody does not take the end
        for one: tarfile skips what an entry says that it has, by reading as often as that is long."""
        if self._ahead:
            now, self._ahead = self._ahead[:size], self._ahead[size:]
            return now
        with damage_named(self.path):
            try:
                data = self._source.read1(size)
            except EOFError:
                self.cut, data = True, b""
        self._expansion.charge(len(data))
        self._empty_reads = 0 if data else self._empty_reads + 1
        if self._empty_reads > MOST_EMPTY_READS:
            self._empty_reads = 0
            raise EOFError("an entry that is larger than the archive")
        return data

    def peek(self, size: int) -> bytes:
        """The next bytes, which stay to be read."""
        while len(self._ahead) < size:
            kept, self._ahead = self._ahead, b""
            more = self.read(size)
            self._ahead = kept + more
            if not more:
                break
        return self._ahead[:size]


class _Xz:
    """LZMAFile with a limit on memory, which it does not take; one stream after another."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder = self._new()

    def _new(self) -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=MOST_XZ_BYTES)

    def read1(self, size: int = CHUNK_BYTES, /) -> bytes:
        while True:
            if self._decoder.eof:
                rest = self._decoder.unused_data.lstrip(b"\0") or self._file.read(CHUNK_BYTES).lstrip(b"\0")
                if not rest:
                    return b""
                self._decoder = self._new()
            else:
                rest = self._file.read(CHUNK_BYTES) if self._decoder.needs_input else b""
                if self._decoder.needs_input and not rest:
                    raise EOFError("the compressed stream has no end")
            if data := self._decoder.decompress(rest, size):
                return data


def _decompressing(file: IO[bytes]) -> _Bytes:
    magic = file.read(6)
    file.seek(0)
    if magic[:4] == zstandard.MAGIC_NUMBER.to_bytes(4, "little"):
        return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    if magic[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=file, mode="rb")
    if magic[:3] == b"BZh":
        return bz2.BZ2File(file)
    if magic == b"\xfd7zXZ\0":
        return _Xz(file)
    return file  # type: ignore[return-value]  # a buffered file has read1


class _Entry(tarfile.TarInfo):
    """An entry whose extended headers are bounded: Python would read them whole, whatever size they state.

    What is no header, in the middle of an archive, is damage, half of one is a cut: Python takes both for the end.
    """

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tar)
        except tarfile.TruncatedHeaderError as error:  # type: ignore[attr-defined]  # not in the type stubs
            raise EOFError("half a header") from error
        except tarfile.InvalidHeaderError as error:  # type: ignore[attr-defined]
            raise ValueError(f"damaged at byte {tar.offset} of the archive") from error

    def _proc_member(self, tar: tarfile.TarFile) -> Any:
        if self.type in _EXTENDED and self.size > MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"an extended header of {self.size} bytes")
        return super()._proc_member(tar)  # type: ignore[misc]  # not in the type stubs


class Tar:
    """Entries of a tar stream, each to be read before the next. cut: the archive ended too early."""

    def __init__(self, stream: Expanding) -> None:
        self._stream = stream
        self.cut = False
        with damage_named(stream.path, "not an archive that is understood"):
            self._archive = tarfile.open(  # noqa: SIM115  # one stream, closed by who opened it
                fileobj=stream, mode="r|", tarinfo=_Entry
            )  # type: ignore[call-overload]

    def next(self) -> tarfile.TarInfo | None:
        """The next entry; None after the last whole one."""
        entry: tarfile.TarInfo | None
        with damage_named(self._stream.path):
            try:
                entry = self._archive.next()
            except (tarfile.ReadError, EOFError):
                if not self._at_end():
                    raise
                self.cut, entry = True, None
        if entry is None:
            while self._stream.read(CHUNK_BYTES):
                pass  # to the end: only there its checksum is
        self._archive.members.clear()  # it keeps every entry that it has seen
        self.cut |= self._stream.cut
        return entry

    def content(self, entry: tarfile.TarInfo) -> Iterator[bytes]:
        """Bytes of a regular entry; ends early, as cut, where the archive does."""
        file = self._archive.extractfile(entry)
        while file is not None:
            with damage_named(self._stream.path, entry.name):
                try:
                    chunk = file.read(CHUNK_BYTES)
                except (tarfile.ReadError, EOFError):
                    if not self._at_end():
                        raise
                    self.cut, chunk = True, b""
            if not chunk:
                return
            yield chunk

    def _at_end(self) -> bool:
        return not self._stream.read(1)


def is_tar(stream: Expanding) -> bool:
    """Whether a stream begins with a tar header, by its checksum. An empty archive counts, too."""
    block = stream.peek(tarfile.BLOCKSIZE)
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # not in the type stubs
        return len(block) == tarfile.BLOCKSIZE
    except (tarfile.TarError, ValueError):
        return False
    return True
