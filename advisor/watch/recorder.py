"""Writes what is watched to a new profile, for as long as that is asked. What goes wrong ends the recording alone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from pathlib import Path

from msgspec.structs import replace

from advisor.privilege.capabilities import raised
from advisor.profile.codec import ProfileWriter
from advisor.profile.model import Header, Sample
from advisor.watch.frames import Record, Recording
from advisor.watch.window import merged

REMOVED = "the file was removed"


class Recorder:
    """One recording at a time. Used by the thread that samples; `close` may be called by another one."""

    def __init__(self, header: Callable[[], Header], *, redact: bool) -> None:
        self._header, self._redact = header, redact
        self._order = Record(None)
        self._writer: ProfileWriter | None = None
        self._lock = threading.Lock()
        self.state: Recording | None = None
        """Of the newest recording."""

    def obey(self, order: Record, window: Sequence[Sample]) -> None:
        """End or begin a recording where this order is new. Its first sample says all that the window says."""
        if order is self._order:
            return
        self._order = order
        self.close()
        if order.path is not None:
            self.state = Recording(order.path, 0, 0, is_over=False, problem=None)
            with self._may_fail():
                with raised("CAP_DAC_OVERRIDE"):  # where root was asked for a file in a folder of somebody else
                    self._writer = ProfileWriter(Path(order.path), new=True)
                self._writer.write_header(self._header())
                self._write(reduce(merged, window))

    def add(self, sample: Sample) -> None:
        """One more sample; nothing where there is no recording."""
        with self._may_fail():
            self._write(sample)

    def close(self) -> None:
        """End the recording: the file is whole then."""
        with self._may_fail():
            self._end(None)

    def _write(self, sample: Sample) -> None:
        if self._writer is None or self.state is None:
            return
        self._writer.write_sample(sample, redact=self._redact)
        file = self._writer.stat()
        self.state = replace(self.state, samples=self.state.samples + 1, bytes=file.st_size)
        if not file.st_nlink:
            self._end(REMOVED)

    @contextlib.contextmanager
    def _may_fail(self) -> Iterator[None]:
        """One thread at a time; an error of the file system ends the recording and is told."""
        with self._lock:
            try:
                yield
            except OSError as error:
                self._end(error.strerror or str(error))

    def _end(self, problem: str | None) -> None:
        writer, self._writer = self._writer, None
        if self.state is not None and not self.state.is_over:
            self.state = replace(self.state, is_over=True, problem=problem)
        if writer is not None:
            with contextlib.suppress(OSError) if problem else contextlib.nullcontext():
                writer.close()
