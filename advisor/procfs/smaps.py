"""`/proc/PID/smaps` and `smaps_rollup`: bytes -> columns.

A process with 40,000 VMAs prints 30 MB of smaps, and the kernel needs about 3 us to print one VMA. Parsing
must be cheap beside that, so text in which every VMA prints the same lines (what one kernel always prints) is
read by columns with numpy. Anything else (vendor fields in some VMAs, edited dumps, damage) goes to
`smaps_lines`, the plain line-by-line reader, which is also the reference that tests hold this one against.

Source: fs/proc/task_mmu.c (show_smap), proc_pid_smaps(5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from advisor.procfs.errors import IncompleteError, MalformedError
from advisor.procfs.smaps_columns import (
    ANONYMOUS_TAIL,
    HEAD_OFFSET,
    MAX_FIELDS,
    MAX_IRREGULAR_SHARE,
    MAX_SLICE_BYTES,
    NEWLINE,
    Int64s,
    Layout,
    Text,
    UInt64s,
    addresses,
    distinct_slices,
    eligible_of,
    field_values,
    gather,
    has_usual_range,
    labels_agree,
    learn_layout,
    places_of,
    read_singly,
)
from advisor.procfs.smaps_lines import FLAGS_FIELD, Head, SmapsLines, parse_head, parse_lines

WINDOW_BYTES = 1 << 20
"""Text parsed in one go: large enough to spread the cost of about 60 numpy calls over some 1,400 VMAs, small
enough that its temporaries stay near the second-level cache."""


@dataclass(slots=True)
class VmaTable:
    """VMAs of one text, as columns of equal length n (one row a VMA, in the order printed).

    offset: where the VMA's header begins in the text. start, end: addresses (uint64). head: index into `heads`.
    flags: index into `flag_sets` (blank separated VmFlags letters, None where the kernel prints none).
    eligible: THPeligible, -1 where absent.
    fields: names as the kernel prints them; values: (n, len(fields)) bytes, -1 where a VMA lacks the field, which
    only happens if has_gaps.
    """

    fields: tuple[str, ...]
    offset: Int64s
    start: UInt64s
    end: UInt64s
    head: Int64s
    flags: Int64s
    eligible: Int64s
    values: Int64s
    heads: Sequence[Head]
    flag_sets: Sequence[str | None]
    has_gaps: bool = False

    def __len__(self) -> int:
        return len(self.start)

    def column(self, name: str) -> Int64s | None:
        """Values of one field in bytes, or None where this kernel does not print it."""
        return self.values[:, self.fields.index(name)] if name in self.fields else None

    def total(self, name: str) -> int | None:
        """Sum of one field over all VMAs, bytes; None where no VMA prints it."""
        column = self.column(name)
        if column is None or not (column >= 0).any():
            return None
        return int(column[column >= 0].sum())


class _Ids(dict[bytes, int]):
    """bytes -> small number, given out in order of first sight; `items_seen` is the way back."""

    def __init__(self) -> None:
        super().__init__()
        self.items_seen: list[bytes] = []

    def __missing__(self, key: bytes) -> int:
        number = self[key] = len(self.items_seen)
        self.items_seen.append(key)
        return number


@dataclass(slots=True)
class SmapsParser:
    """Parses many texts of one host; headers and flag sets seen before are not parsed again."""

    _head_ids: _Ids = field(default_factory=_Ids)
    _flag_ids: _Ids = field(default_factory=_Ids)
    _heads: list[Head] = field(default_factory=list)
    _flag_sets: list[str | None] = field(default_factory=list)
    _layout: Layout | None = None

    @property
    def interned(self) -> int:
        """Number of different headers kept; make a new parser when it grows beyond what is useful."""
        return len(self._heads)

    def parse(self, text: Text) -> VmaTable:
        """One or several whole smaps texts, one after the other. Raises MalformedError, IncompleteError."""
        if not len(text):
            return self._table_of_lines(SmapsLines())
        if text[-1] != NEWLINE:
            whole = bytes(text)
            parse_lines(whole[: whole.rfind(b"\n") + 1])  # damage before the cut is named first
            raise IncompleteError("smaps text ends within a line", line=whole.count(b"\n") + 1)
        if len(text) > 2 * WINDOW_BYTES:
            return self._parse_windows(bytes(text))
        table = self._try_columns(text, 0)
        return self._table_of_lines(parse_lines(bytes(text))) if table is None else table

    def _parse_windows(self, text: bytes) -> VmaTable:
        """A text of many windows, cut between VMAs."""
        tables, begin = [], 0
        while begin < len(text):
            end = len(text)
            if end - begin > 2 * WINDOW_BYTES:
                end = last_boundary(text, begin, begin + WINDOW_BYTES)
            table = self._try_columns(text[begin:end], begin)
            if table is None:
                return self._table_of_lines(parse_lines(text))
            tables.append(table)
            begin = end
        return self._joined(tables, text)

    def _joined(self, tables: list[VmaTable], text: bytes) -> VmaTable:
        first = tables[0]
        if any(table.fields != first.fields for table in tables):
            return self._table_of_lines(parse_lines(text))
        return VmaTable(
            fields=first.fields,
            offset=np.concatenate([table.offset for table in tables]),
            start=np.concatenate([table.start for table in tables]),
            end=np.concatenate([table.end for table in tables]),
            head=np.concatenate([table.head for table in tables]),
            flags=np.concatenate([table.flags for table in tables]),
            eligible=np.concatenate([table.eligible for table in tables]),
            values=np.concatenate([table.values for table in tables]),
            heads=self._heads,
            flag_sets=self._flag_sets,
        )

    def _try_columns(self, text: Text, offset: int) -> VmaTable | None:
        try:
            return self._parse_columns(text, offset)
        except MalformedError:
            # The line reader names the line; what this text has left among the known headers is forgotten.
            self._head_ids, self._heads = _Ids(), []
            return None

    def _parse_columns(self, text: Text, offset: int) -> VmaTable | None:
        """The columnar reader; None where the text is not uniform and must be read line by line."""
        raw = np.frombuffer(text, np.uint8)
        newlines = places_of(raw, NEWLINE)
        layout = self._layout_for(text, newlines[: MAX_FIELDS + 1].tolist())
        if layout is None or len(newlines) % layout.lines:
            return None
        ends = newlines.reshape(-1, layout.lines)
        begins = np.empty(len(ends), np.int64)
        begins[0] = 0
        np.add(ends[:-1, -1], 1, out=begins[1:])
        body_begins = ends[:, 0] + 1
        body_ends = ends[:, -2 if layout.has_flags else -1] + 1
        irregular = np.flatnonzero(body_ends - body_begins != len(layout.body))
        if len(irregular) * MAX_IRREGULAR_SHARE > len(ends):
            return None
        bodies = gather(text, np.minimum(body_begins, len(text) - len(layout.body)), len(layout.body))
        if len(irregular):
            bodies[irregular] = np.frombuffer(layout.body, bodies.dtype)[0]
        usual = has_usual_range(begins, ends[:, 0], raw)
        ranges = addresses(text, begins, usual)
        values = field_values(bodies, layout)
        if not labels_agree(bodies, layout) or values is None or ranges is None:
            return None
        eligible = eligible_of(bodies, layout)
        for row in irregular.tolist():
            if not read_singly(bytes(text[begins[row] : ends[row, -1] + 1]), layout, row, values, eligible):
                return None
        return VmaTable(
            fields=layout.fields,
            offset=begins + offset,
            start=ranges[0],
            end=ranges[1],
            head=self._heads_of(text, begins, ends[:, 0], usual),
            flags=self._flags_of(text, body_ends, ends[:, -1], layout),
            eligible=eligible,
            values=values,
            heads=self._heads,
            flag_sets=self._flag_sets,
        )

    def _layout_for(self, text: Text, ends: list[int]) -> Layout | None:
        """The layout of the text's first VMA, reusing the last one where its labels are the same."""
        lines: list[bytes] = []
        for before, end in pairwise(ends):
            line = bytes(text[before + 1 : end + 1])
            if not line[:1].isupper():
                break
            lines.append(line)
        labels = [line.partition(b":")[0] for line in lines]
        if self._layout is None or self._layout.labels != labels:
            self._layout = learn_layout(labels, lines)
        return self._layout

    def _heads_of(self, text: Text, begins: Int64s, ends: Int64s, usual: npt.NDArray[np.bool_]) -> Int64s:
        """Index into `heads` for each header line."""
        tails = begins + HEAD_OFFSET
        anonymous = usual & (ends - tails == 4 + len(ANONYMOUS_TAIL))
        rows = np.flatnonzero(anonymous)
        tail_texts = gather(text, tails[rows], 4 + len(ANONYMOUS_TAIL))
        kinds, inverse = np.unique(tail_texts.view(f"S{4 + len(ANONYMOUS_TAIL)}"), return_inverse=True)
        head_ids = self._head_ids
        result = np.empty(len(begins), np.int64)
        result[rows] = np.array([head_ids[kind] for kind in kinds.tolist()], np.int64)[inverse]
        named = np.flatnonzero(usual & ~anonymous)
        result[named] = _ids_of(text, tails[named], ends[named], head_ids)
        for row in np.flatnonzero(~usual).tolist():
            result[row] = head_ids[bytes(text[begins[row] : ends[row]]).partition(b" ")[2]]
        self._learn_heads()
        return result

    def _learn_heads(self) -> None:
        self._heads.extend(parse_head(tail) for tail in self._head_ids.items_seen[len(self._heads) :])

    def _flags_of(self, text: Text, begins: Int64s, ends: Int64s, layout: Layout) -> Int64s:
        if not layout.has_flags:
            self._learn_flags(b"", None)
            return np.full(len(begins), self._flag_ids[b""], np.int64)
        result = _ids_of(text, begins + len(FLAGS_FIELD) + 1, ends, self._flag_ids)
        for letters in self._flag_ids.items_seen[len(self._flag_sets) :]:
            self._flag_sets.append(letters.decode("ascii", "replace").strip())
        return result

    def _learn_flags(self, key: bytes, letters: str | None) -> int:
        if self._flag_ids[key] == len(self._flag_sets):
            self._flag_sets.append(letters)
        return self._flag_ids[key]

    def _table_of_lines(self, lines: SmapsLines) -> VmaTable:
        """The reference reader's rows as columns, with this parser's numbering of headers and flag sets."""
        fields = tuple(lines.fields)
        values = np.full((len(lines.starts), len(fields)), -1, np.int64)
        for row, present in enumerate(lines.values):
            for name, value in present.items():
                values[row, fields.index(name)] = value
        flag_ids = [
            self._learn_flags(b"" if letters is None else b" " + letters.encode(), letters) for letters in lines.flags
        ]
        head_ids = [self._head_ids[tail] for tail in lines.tails]
        self._learn_heads()
        return VmaTable(
            fields=fields,
            offset=np.array(lines.offsets, np.int64),
            start=np.array(lines.starts, np.uint64),
            end=np.array(lines.ends, np.uint64),
            head=np.array(head_ids, np.int64),
            flags=np.array(flag_ids, np.int64),
            eligible=np.array(lines.eligible, np.int64),
            values=values,
            heads=self._heads,
            flag_sets=self._flag_sets,
            has_gaps=bool((values < 0).any()),
        )


def parse_smaps(text: bytes) -> VmaTable:
    """One smaps text -> its VMAs as columns. Raises MalformedError or IncompleteError with the line."""
    return SmapsParser().parse(text)


def last_boundary(text: bytes | bytearray, begin: int, end: int) -> int:
    """Offset of the last header line that starts within text[begin:end]; `begin` where there is none."""
    size_line = text.rfind(b"\nSize:", begin, end)
    if size_line < 0:
        return begin
    return text.rfind(b"\n", begin, size_line) + 1 or begin


def _ids_of(text: Text, begins: Int64s, ends: Int64s, ids: _Ids) -> Int64s:
    """Number of text[begin:end] for each row."""
    result = np.empty(len(begins), np.int64)
    short = (ends - begins <= MAX_SLICE_BYTES) & (begins + MAX_SLICE_BYTES <= len(text))
    if found := distinct_slices(text, begins[short], ends[short]):
        slices, inverse = found
        result[short] = np.array([ids[piece] for piece in slices], np.int64)[inverse]
    else:
        short[:] = False
    for row in np.flatnonzero(~short).tolist():
        result[row] = ids[bytes(text[begins[row] : ends[row]])]
    return result
