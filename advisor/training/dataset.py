"""The measured data set: one line a configuration, with what every policy gave and what the profiler saw meanwhile.

`.jsonl.zst`: each line is a compressed frame of its own, so that campaigns append and files of several machines can
be joined with `cat`. A writer that was killed leaves at most one broken frame at the end, which the next one removes.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec
import zstandard
from msgspec import Struct, field

from advisor.foreign_json import ForeignJsonError, decode
from advisor.profile.codec import MAX_LINE_BYTES
from advisor.profile.model import SYNTHETIC, Header, Profile, Sample
from advisor.trial.document import Environment, Trial
from advisor.trial.summary import NOISY_SPREAD

MEASUREMENT_SCHEMA = "hugepage-advisor/measurement/1"
"""Version of a line. History: 1 = first (0.2.0)."""

ZSTD_LEVEL = 19
"""A line of 200 KiB becomes 13 KiB in 40 ms, once in a minute of measuring; level 12 makes it 8 % larger."""

READ_BYTES = 1 << 16

CUT = "ends inside a line; the next campaign into this file removes what is left of it, or copy it again"

LASTING_FACTS = (
    "kernel",
    "arch",
    "cpu_model",
    "cpus",
    "virtualization",
    "memory_total_bytes",
    "base_page_bytes",
    "thp_page_bytes",
    "libc",
)
"""What makes two campaigns' machines the same one; settings and load differ from run to run."""


class DatasetError(Exception):
    """A data set that cannot be used. The message names the file, the line and the remedy."""


class StateProfile(Struct, frozen=True):
    """What the profiler saw while the command ran under one policy: `state` is the policy's name."""

    state: str
    header: Header
    samples: list[Sample]

    @property
    def profile(self) -> Profile:
        return Profile(self.header, self.samples)


class Measurement(Struct, frozen=True):
    """One configuration measured on one machine.

    command: as the family's file has it, with its parameters, and {build}, {programs}, {python} for the folders of
    this machine. campaign_environment: id of the machine, from `environment_id`. unprofiled: policy -> why there is
    no profile of it.
    """

    schema: str
    id: str
    family: str
    title: str
    about: str
    steady: bool
    parameters: dict[str, str | int | float]
    working_set_bytes: int
    command: list[str]
    campaign_environment: str
    environment: Environment
    trial: Trial
    profiles: list[StateProfile]
    unprofiled: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """What was measured, and on which machine."""
        return self.id, self.campaign_environment


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Measurement)


def environment_id(environment: Environment) -> str:
    """12 hexadecimal digits that are the same for campaigns on the same kind of machine and kernel."""
    facts = _encoder.encode([getattr(environment, name) for name in LASTING_FACTS])
    return hashlib.sha256(facts).hexdigest()[:12]


def noisy_policies(measurement: Measurement) -> dict[str, float]:
    """Policies whose counted runs lie so far apart that they tell little, with their relative spread."""
    return {
        summary.policy: summary.spread
        for summary in measurement.trial.summaries
        if summary.spread is not None and summary.spread > NOISY_SPREAD
    }


def grouped(measurements: Iterable[Measurement]) -> dict[tuple[str, str], list[Measurement]]:
    """By configuration and machine, in the order of first sight: one that was measured twice keeps both."""
    groups: dict[tuple[str, str], list[Measurement]] = {}
    for measurement in measurements:
        groups.setdefault(measurement.key, []).append(measurement)
    return groups


def read_all(paths: Iterable[Path]) -> Iterator[Measurement]:
    """The lines of several data sets, one after another. Raises DatasetError."""
    for path in paths:
        yield from read_dataset(path)


def read_dataset(path: Path) -> Iterator[Measurement]:
    """The lines of one data set, compressed or plain, one at a time. Raises DatasetError."""
    for number, line in enumerate(_lines(path), 1):
        try:
            measurement = decode(line, _decoder)
        except ForeignJsonError as error:
            raise DatasetError(f"{path}:{number}: not a measurement ({error}); take an undamaged copy") from error
        if measurement.schema != MEASUREMENT_SCHEMA:
            raise DatasetError(
                f"{path}:{number}: schema {measurement.schema!r}, this version reads {MEASUREMENT_SCHEMA!r}; "
                "measure it again, or use the version that made it"
            )
        if any((state.header.origin or "").startswith(SYNTHETIC) for state in measurement.profiles):
            raise DatasetError(f"{path}:{number}: a synthetic profile, for load alone; take measurements only")
        yield measurement


def _lines(path: Path) -> Iterator[bytes]:
    pending = bytearray()
    for chunk in _chunks(path):
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            pending += part
            yield bytes(pending)
            pending.clear()
        pending += rest
        if len(pending) > MAX_LINE_BYTES:
            raise DatasetError(f"{path}: a line of more than {MAX_LINE_BYTES} bytes; this is no data set")
    if pending:
        raise DatasetError(
            f"{path}: ends inside a line; the next campaign into this file removes it, or copy it again"
        )


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file:
            compressed = file.read(4) == zstandard.MAGIC_NUMBER.to_bytes(4, "little")
            file.seek(0)
            if compressed:
                yield from _whole_text(path, file)
                return
            while chunk := file.read(READ_BYTES):
                yield chunk
    except zstandard.ZstdError as error:
        raise DatasetError(f"{path}: damaged ({error}); take an undamaged copy") from error
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror or error}; name a data set that can be read") from error


def _whole_text(path: Path, file: BinaryIO) -> Iterator[bytes]:
    whole = 0
    for text, end in _frames(file):
        whole = end
        yield text
    if whole < os.fstat(file.fileno()).st_size:
        raise DatasetError(f"{path}: {CUT}")


def _frames(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Decompressed text, and how many bytes of the file are whole frames so far."""
    whole = position = 0
    frame = zstandard.ZstdDecompressor().decompressobj()
    while chunk := file.read(READ_BYTES):
        while chunk:
            text = frame.decompress(chunk)
            rest = frame.unused_data if frame.eof else b""
            position += len(chunk) - len(rest)
            if frame.eof:
                whole = position
                frame = zstandard.ZstdDecompressor().decompressobj()
            yield text, whole
            chunk = rest


class DatasetWriter:
    """Appends to a `.jsonl.zst` data set, each line on disk before `append` returns. Raises DatasetError.

    repaired_bytes: what an interrupted writer had left at the end, and was cut off.
    """

    def __init__(self, path: Path) -> None:
        if not path.name.endswith(".jsonl.zst"):
            raise DatasetError(f"{path}: a data set is appended to as .jsonl.zst; choose such a name")
        self._path = path
        try:
            self._file = open(path, "ab")  # noqa: SIM115 (closed by close)
        except OSError as error:
            raise DatasetError(f"{path}: {error.strerror or error}; name a place that can be written") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            whole = whole_frames_bytes(path)
            self.repaired_bytes = self._file.tell() - whole
            self._file.truncate(whole)
        except BaseException as error:
            self._file.close()
            if isinstance(error, BlockingIOError):
                raise DatasetError(f"{path}: another campaign writes to it; wait, or choose another name") from error
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, measurement: Measurement) -> int:
        """Bytes that the line takes. What could not be written whole is taken back."""
        frame = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compress(
            _encoder.encode(measurement) + b"\n"
        )
        descriptor = self._file.fileno()
        before = os.fstat(descriptor).st_size
        try:
            written = os.write(descriptor, frame)
            if written < len(frame):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        except OSError as error:
            os.ftruncate(descriptor, before)
            raise DatasetError(f"{self._path}: {error.strerror}; make room, and go on with --skip-done") from error
        return len(frame)

    def close(self) -> None:
        self._file.close()


def whole_frames_bytes(path: Path) -> int:
    """How much of the file is whole compressed frames. Raises DatasetError where it begins with something else."""
    whole = 0
    with open(path, "rb") as file:
        try:
            for _, end in _frames(file):
                whole = end
        except zstandard.ZstdError as error:
            if whole == 0:
                raise DatasetError(f"{path}: not a compressed data set; choose another name") from error
    return whole
