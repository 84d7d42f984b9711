"""Reads many smaps files into one buffer and parses them together, about 1.5 megabytes at a time.

One parse costs some 150 us whatever its length, which is more than a small process's whole text is worth. So
texts are laid one behind the other into a buffer that is used again, and a text larger than the buffer is parsed in
parts.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from advisor.collect.fold import Folder, merge_mappings
from advisor.procfs.errors import KernelTextError, MalformedError
from advisor.procfs.fs import process_error
from advisor.procfs.smaps import SmapsParser, VmaTable, last_boundary
from advisor.procfs.smaps_lines import Head
from advisor.profile.model import Mapping

PARSE_AT_BYTES = 3 << 19
"""Text gathered before it is parsed. 1.5 MiB: smaller costs more calls, larger leaves the second-level cache."""
BUFFER_BYTES = PARSE_AT_BYTES + (1 << 18)
MAX_INTERNED_HEADS = 10_000
"""Distinct headers remembered between ticks; beyond it the parser starts anew. Source: own choice. Reason: 6 MB at
600 bytes each (tracemalloc); containers that come and go bring new ones, which in time would fill any number."""


@dataclass
class ProcessMaps:
    """smaps of one process: its mappings, the names of the summed fields, and the paths of mapped programs."""

    fields: tuple[str, ...] = ()
    parts: list[list[Mapping]] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    error: KernelTextError | None = None

    @property
    def mappings(self) -> list[Mapping]:
        return self.parts[0] if len(self.parts) == 1 else merge_mappings(self.parts)


class AbandonedError(KernelTextError):
    """The batch was taken over by a successor while this thread was blocked in a read."""

    reason = "hung"


class SmapsBatch:
    """Results appear in `results` (key: pid) once parsed; call `finish` after the last file."""

    def __init__(self, folder: Folder, parser: SmapsParser | None = None) -> None:
        self.folder = folder
        self.parser = SmapsParser() if parser is None or parser.interned > MAX_INTERNED_HEADS else parser
        self.results: dict[int, ProcessMaps] = {}
        self._buffer = bytearray(BUFFER_BYTES)
        self._segments: list[tuple[int, int, int]] = []
        self._fill = 0
        self._lock = threading.Lock()
        self._closed = False
        self._heads: Sequence[Head] = []
        self._is_program = np.zeros(0, np.bool_)

    def read(self, pid: int, path: str) -> int:
        """Append one smaps file; returns its length in bytes. Raises KernelTextError, and forgets its text then."""
        begin = self._fill
        total = 0
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as error:
            raise process_error(error, path) from error
        view = memoryview(self._buffer)
        try:
            while count := os.readv(descriptor, [view[self._fill :]]):
                total += count
                self._fill += count
                if BUFFER_BYTES - self._fill < 1 << 16:
                    begin = self._make_room(pid, begin)
        except OSError as error:
            self._forget(pid, begin)
            raise process_error(error, path) from error
        except KernelTextError:
            self._forget(pid, begin)
            raise
        finally:
            os.close(descriptor)
        with self._lock:
            if self._closed:
                raise AbandonedError("left behind", path=path)
            if self._fill > begin:
                self._segments.append((pid, begin, self._fill))
            else:
                self.results.setdefault(pid, ProcessMaps())
        if self._fill >= PARSE_AT_BYTES:
            self.finish()
        return total

    def _forget(self, pid: int, begin: int) -> None:
        """Drop the text being read, and what of it was parsed already."""
        self._fill = begin
        self.results.pop(pid, None)

    def finish(self) -> None:
        """Parse what is gathered."""
        with self._lock:
            if self._closed:
                raise AbandonedError("left behind")
            segments, self._segments = self._segments, []
        self._fold(memoryview(self._buffer)[: self._fill], segments)
        self._fill = 0

    def successor(self) -> SmapsBatch:
        """A batch with a buffer of its own that keeps all complete results; this one takes no more."""
        with self._lock:
            self._closed = True
            segments, self._segments = self._segments, []
            text = memoryview(self._buffer)[: segments[-1][2] if segments else 0]
        batch = SmapsBatch(self.folder, SmapsParser())
        batch.results = dict(self.results)
        batch._fold(text, segments)
        return batch

    def _make_room(self, pid: int, begin: int) -> int:
        """Parse all that is complete, whole VMAs of the text being read included; returns its new beginning."""
        with self._lock:
            if self._closed:
                raise AbandonedError("left behind")
            cut = last_boundary(self._buffer, begin, self._fill)
            if cut == begin == 0:
                raise MalformedError("a megabyte without a mapping header")
            segments, self._segments = self._segments, []
            if cut > begin:
                segments.append((pid, begin, cut))
        self._fold(memoryview(self._buffer)[:cut], segments)
        rest = self._fill - cut
        self._buffer[:rest] = self._buffer[cut : self._fill]
        self._fill = rest
        return 0

    def _fold(self, text: memoryview, segments: list[tuple[int, int, int]]) -> None:
        if not segments:
            return
        try:
            table = self.parser.parse(text)
        except KernelTextError:
            self._fold_singly(text, segments)
            return
        if table.has_gaps and len(segments) > 1:
            self._fold_singly(text, segments)
        else:
            self._keep(table, segments)

    def _fold_singly(self, text: memoryview, segments: list[tuple[int, int, int]]) -> None:
        """Each text by itself, so that one damaged or unlike file costs no other its result."""
        for pid, begin, end in segments:
            try:
                self._keep(self.parser.parse(text[begin:end]), [(pid, 0, end - begin)])
            except KernelTextError as error:
                self.results[pid] = ProcessMaps(error=error)

    def _keep(self, table: VmaTable, segments: list[tuple[int, int, int]]) -> None:
        starts = [begin for _, begin, _ in segments]
        bounds = [*table.offset.searchsorted(starts).tolist(), len(table)]
        for (pid, _, _), first, last, mappings in zip(
            segments, bounds, bounds[1:], self.folder.fold(table, bounds), strict=False
        ):
            maps = self.results.setdefault(pid, ProcessMaps())
            maps.fields = table.fields
            maps.parts.append(mappings)
            maps.paths.update(self._program_paths(table, first, last))

    def _program_paths(self, table: VmaTable, first: int, last: int) -> list[str]:
        """Paths of the executable mappings in table[first:last]."""
        if len(self._is_program) < len(table.heads) or self._heads is not table.heads:
            self._heads = table.heads
            self._is_program = np.array(["x" in h.permissions and h.name.startswith("/") for h in table.heads])
        heads = table.head[first:last]
        return [table.heads[head].name for head in set(heads[self._is_program[heads]].tolist())]
