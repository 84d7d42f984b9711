"""One input to what can be scored: a profile folded to its last sample, a report document, or a capture."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from advisor.batch.inputs import SUFFIXES, URL_MARK, InputError
from advisor.batch.plausible import implausible
from advisor.collect.captured.recognise import ARCHIVE_NAME, is_capture
from advisor.profile.codec import ProfileError, ProfileReader
from advisor.profile.timeline import Timeline, fold
from advisor.regular_file import open_regular
from advisor.report.document import SCHEMA as REPORT_SCHEMA
from advisor.report.document import Report, ReportError, decode_report

MOST_REPORT_BYTES = 256 << 20
"""A report of 10,000 processes is some 100 MiB; more is no report."""

PEEK_BYTES = 4096
"""Enough to find the schema of a report, which is its first field."""


MOST_FETCHED_BYTES = 4 << 30
"""Of an archive behind a URL. Source: own choice. Reason: sosreports have up to some hundred MiB; temporary folders
are often as small as half of the memory."""

READ_BYTES = 1 << 20


class DamagedError(Exception):
    """An input of which nothing can be used; `error` says where and why."""

    def __init__(self, error: InputError) -> None:
        super().__init__(error.reason)
        self.error = error


class Loaded(NamedTuple):
    """What one input holds. cut: what is to be said of a recording or an archive that ended too early."""

    content: Timeline | Report
    cut: InputError | None


def load(file: str, base: str = "") -> Loaded:
    """Reads a profile sample by sample, so that memory does not grow with its length. Raises DamagedError.

    base: folder of a relative name; errors have the name as it is given.
    """
    place = file if URL_MARK in file else os.path.join(base, file)
    try:
        if URL_MARK in file and ARCHIVE_NAME.search(file):
            return _fetched_capture(file)
        if _may_be_capture(place) and is_capture(Path(place)):
            return _capture(file, place)
        with _open(place) as opened:
            head = opened.peek(PEEK_BYTES)[:PEEK_BYTES]
            if head.lstrip()[:1] == b"{" and REPORT_SCHEMA.encode() in head:
                return Loaded(_report(opened), None)
            return _profile(file, opened)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DamagedError(InputError(file, "", reason)) from error
    except ReportError as error:
        raise DamagedError(InputError(file, "", str(error))) from error
    except ProfileError as error:
        raise DamagedError(_of_profile(file, str(error).replace(place, file))) from error


def _may_be_capture(file: str) -> bool:
    """By its name, so that no profile is looked at twice."""
    return URL_MARK not in file and (not file.endswith(SUFFIXES) or os.path.isdir(file))


def _capture(file: str, place: str) -> Loaded:
    from advisor.collect.captured.importing import profile_of_capture  # the sampler, which profiles do not need

    profile = profile_of_capture(Path(place))
    cut = profile.header.capture is not None and profile.header.capture.cut
    said = InputError(file, "", "the archive is cut off; scored as far as it goes", scored=True)
    return Loaded(fold(profile.header, profile.samples), said if cut else None)


def _fetched_capture(url: str) -> Loaded:
    """An archive behind a URL, which is looked into more than once: through a temporary file."""
    with tempfile.NamedTemporaryFile(prefix="hugepage-advisor-") as here:
        with _open(url) as opened:
            while chunk := opened.read(READ_BYTES):
                if here.tell() > MOST_FETCHED_BYTES:
                    raise ValueError(f"more than {MOST_FETCHED_BYTES} bytes; fetch it, and score the file")
                here.write(chunk)
        here.flush()
        if not is_capture(Path(here.name)):
            raise ValueError("named like an archive, and none")
        try:
            return _capture(url, here.name)
        except ProfileError as error:
            raise ProfileError(str(error).replace(here.name, url)) from error


def _report(opened: io.BufferedReader) -> Report:
    data = opened.read(MOST_REPORT_BYTES + 1)
    if len(data) > MOST_REPORT_BYTES:
        raise ReportError(f"more than {MOST_REPORT_BYTES} bytes; not a report")
    return decode_report(data)


def _profile(file: str, opened: io.BufferedReader) -> Loaded:
    reader = ProfileReader(file, opened)
    timeline = fold(reader.header, reader.samples(limits=False))
    if reader.damage is not None:
        raise DamagedError(InputError(file, f"after sample {timeline.samples}", f"damaged: {reader.damage}"))
    if not timeline.samples:
        raise DamagedError(InputError(file, "", "holds no whole sample; record for longer"))
    if (odd := implausible(timeline)) is not None:
        raise DamagedError(InputError(file, *odd))
    cut = InputError(file, f"after sample {timeline.samples}", "cut off; scored as of there", scored=True)
    return Loaded(timeline, cut if reader.truncated else None)


def _of_profile(file: str, message: str) -> InputError:
    """The reader's own words, with the line as the place: "FILE:3: not a sample ..."."""
    said = message.removeprefix(file).removeprefix(":").strip()
    line, separator, rest = said.partition(":")
    if separator and line.isdigit():
        return InputError(file, f"line {line}", rest.strip())
    return InputError(file, "", said)


def _open(file: str) -> AbstractContextManager[io.BufferedReader]:
    if URL_MARK not in file:
        return open_regular(file)
    import fsspec

    opened = fsspec.open(file, "rb").open()
    return io.BufferedReader(opened)
