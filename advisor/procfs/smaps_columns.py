"""The vectorised half of the smaps reader: places of labels and numbers in uniform text, as numpy columns.

Works on text of one layout only; whatever does not fit makes these functions answer None or False, and the
caller turns to the line reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from advisor.procfs.smaps_lines import FLAGS_FIELD, HEADER, UNKNOWN_ELIGIBLE, label_and_unit, parse_lines
from advisor.units import KIB

Int64s = npt.NDArray[np.int64]
UInt64s = npt.NDArray[np.uint64]
Text = bytes | memoryview
"""Whole lines; a view of a buffer that is used again must not be kept."""

NEWLINE = 10
ADDRESS_DIGITS = 12
"""Digits of a user address in nearly every 64-bit mapping; rows of any other width are read singly."""
HEAD_OFFSET = 2 * ADDRESS_DIGITS + 2
MAX_RANGE = 2 * 16 + 3
"""Longest "start-end " with one more byte."""
ANONYMOUS_TAIL = b" 00000000 00:00 0 "
"""What follows the permissions of a mapping without file and name."""
LABEL_WIDTH = 16
"""Columns of "Rss:            " before the value, in every kernel (SEQ_PUT_DEC in task_mmu.c)."""
VALUE_DIGITS = 8
ZERO_DIGITS = np.uint64(int.from_bytes(b"       0", "little"))
UNIT = b" kB\n"
REGULAR_LINE = LABEL_WIDTH + VALUE_DIGITS + len(UNIT)
SHORT_LINE = REGULAR_LINE - 1
"""FilePmdMapped in 5.4 to 5.x was printed one blank short (seen in dumps of 5.4 and 5.5)."""


MAX_FIELDS = 64
"""More lines than this after one header is not smaps (6.18 prints 24)."""

MAX_IRREGULAR_SHARE = 8
"""At most one VMA in eight may be read singly; beyond that the line reader is as fast."""


STEP_BYTES = 1 << 17
"""Bytes compared in one go: their text and the result fit the second-level cache beside the rest."""

MAX_SLICE_BYTES = 128
"""Longest slice compared as words; longer file names are rare and looked at one by one."""
_PLACES = np.arange(MAX_SLICE_BYTES)
PREFIX_MASKS = np.where(np.arange(MAX_SLICE_BYTES + 1)[:, None] > _PLACES, 0xFF, 0).astype(np.uint8).view("<u8")
"""PREFIX_MASKS[n] keeps the first n bytes of a row of words."""
GOLDEN_RATIO = 0x9E3779B97F4A7C15
MULTIPLIERS = np.array(
    [(GOLDEN_RATIO * (2 * place + 1)) % (1 << 64) | 1 for place in range(MAX_SLICE_BYTES // 8)], np.uint64
)
"""Odd factors spread over 64 bits (multiples of 2**64 / golden ratio): sums of words times these tell rows apart."""


@dataclass(slots=True)
class Layout:
    """The lines that every VMA of a text prints after its header, learnt from its first VMA.

    body is the text between header and VmFlags line. It stands unchanged but for its numbers in every VMA
    whose numbers need no more than eight digits. runs: fields in neighbouring lines of equal width, in the
    order of `fields`, as (offset of the end of the first line, number of lines). alike: places in `fields` of
    those whose first eight bytes another field shares.
    """

    labels: list[bytes]
    body: bytes
    fields: tuple[str, ...]
    runs: list[tuple[int, int]]
    alike: list[int]
    eligible_offset: int | None
    has_flags: bool

    @property
    def lines(self) -> int:
        return len(self.labels) + 1


def learn_layout(labels: list[bytes], lines: list[bytes]) -> Layout | None:
    """None where a line is neither a field of usual width nor one of the others that kernels print."""
    has_flags = labels[-1:] == [FLAGS_FIELD.encode()]
    body = lines[:-1] if has_flags else lines
    fields: list[str] = []
    runs: list[tuple[int, int]] = []
    eligible_offset = None
    offset = 0
    for line in body:
        name, unit = label_and_unit(line)
        offset += len(line)
        if unit == "kB" and len(line) in (REGULAR_LINE, SHORT_LINE):
            fields.append(name)
            if runs and runs[-1][0] + runs[-1][1] * REGULAR_LINE == offset:
                runs[-1] = (runs[-1][0], runs[-1][1] + 1)
            else:
                runs.append((offset, 1))
        elif name == "THPeligible":
            eligible_offset = offset - len(b"0\n")
        elif name != "ProtectionKey":
            return None
    if fields[:1] != ["Size"] or len(body[0]) != REGULAR_LINE or len(set(fields)) != len(fields):
        return None
    prefixes = [name[:8] for name in fields]
    alike = [place for place, prefix in enumerate(prefixes) if prefixes.count(prefix) > 1]
    return Layout(labels, b"".join(body), tuple(fields), runs, alike, eligible_offset, has_flags)


def places_of(raw: npt.NDArray[np.uint8], byte: int) -> Int64s:
    """Where this byte stands; in steps whose comparison stays in the cache."""
    steps = range(0, len(raw), STEP_BYTES)
    return np.concatenate([np.flatnonzero(raw[begin : begin + STEP_BYTES] == byte) + begin for begin in steps])


def gather(text: Text, begins: Int64s, length: int) -> npt.NDArray[np.void]:
    """text[begin : begin + length] for every begin, as one contiguous array of void items."""
    everywhere: npt.NDArray[np.void] = np.ndarray(
        (len(text) - length + 1,), np.dtype(f"V{length}"), text, strides=(1,)
    )
    return everywhere[begins]


def distinct_slices(text: Text, begins: Int64s, ends: Int64s) -> tuple[list[bytes], Int64s] | None:
    """(distinct text[begin:end], index of each row's slice in it); None without rows or where two collide.

    Many rows share few slices, and a Python object for each row is what parsing would spend most on. Rows are
    told apart by a 64-bit sum of their words and then compared in full. No slice exceeds MAX_SLICE_BYTES, and
    each begins at least as far from the end of the text.
    """
    lengths = ends - begins
    if not len(begins):
        return None
    width = -(-int(lengths.max()) // 8) * 8 or 8
    words = gather(text, begins, width).view("<u8").reshape(len(begins), width // 8)
    words &= PREFIX_MASKS[lengths, : width // 8]
    keys = (words * MULTIPLIERS[: width // 8]).sum(axis=1)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    if not (words == words[first][inverse]).all() or not (lengths == lengths[first][inverse]).all():
        return None
    slices = [bytes(text[begin:end]) for begin, end in zip(begins[first].tolist(), ends[first].tolist(), strict=True)]
    return slices, inverse


def words_at(bodies: npt.NDArray[np.void], layout: Layout, before_end: int, dtype: str) -> npt.NDArray[Any]:
    """(n, fields): the word that stands `before_end` bytes before the end of each field's line."""
    raw = bodies.view(np.uint8)
    runs = [
        np.ndarray(
            (len(bodies), count),
            np.dtype(dtype),
            raw,
            offset=first_end - before_end,
            strides=(len(layout.body), REGULAR_LINE),
        )
        for first_end, count in layout.runs
    ]
    return runs[0] if len(runs) == 1 else np.concatenate(runs, axis=1)


def labels_agree(bodies: npt.NDArray[np.void], layout: Layout) -> bool:
    """Whether every VMA prints the layout's labels and units at the layout's places.

    Labels are told apart by their first eight bytes; where those are the same (Private_), by the next eight.
    """
    template = np.frombuffer(layout.body, bodies.dtype)
    for before_end, dtype in ((REGULAR_LINE, "<u8"), (len(UNIT), "<u4")):
        found = words_at(bodies, layout, before_end, dtype)
        if not (found == words_at(template, layout, before_end, dtype)).all():
            return False
    alike = layout.alike
    found = words_at(bodies, layout, REGULAR_LINE - 8, "<u8")[:, alike]
    return bool((found == words_at(template, layout, REGULAR_LINE - 8, "<u8")[:, alike]).all())


def field_values(bodies: npt.NDArray[np.void], layout: Layout) -> Int64s | None:
    """(n, fields) bytes: the eight characters before " kB" as a number; None where one is no number.

    About half of all fields are 0 in every VMA of a window; only the others are converted.
    """
    digits = words_at(bodies, layout, VALUE_DIGITS + len(UNIT), "<u8")
    active = np.flatnonzero((digits != ZERO_DIGITS).any(axis=0))
    numbers = eight_digits(digits[:, active])
    if numbers is None:
        return None
    values = np.zeros(digits.shape, np.int64)
    values[:, active] = numbers * KIB
    return values


def eight_digits(characters: UInt64s) -> Int64s | None:
    """Numbers of eight characters each, blanks before digits, most significant first; None where one is neither.

    Adds neighbours pairwise in one 64-bit word, as in D. Lemire, "Quickly parsing eight digits" (2018).
    """
    low = characters & np.uint64(0x0F0F0F0F0F0F0F0F)
    # Blanks are 0x20 and digits 0x30 to 0x39: the same three upper bits, and a lower half of at most nine.
    upper = characters & np.uint64(0xE0E0E0E0E0E0E0E0)
    beyond_nine = low + np.uint64(0x0606060606060606)
    beyond_nine &= np.uint64(0x1010101010101010)
    if beyond_nine.any() or not (upper == np.uint64(0x2020202020202020)).all():
        return None
    low *= np.uint64(10 * 256 + 1)
    low >>= np.uint64(8)
    low &= np.uint64(0x00FF00FF00FF00FF)
    low *= np.uint64(100 * 65536 + 1)
    low >>= np.uint64(16)
    low &= np.uint64(0x0000FFFF0000FFFF)
    low *= np.uint64(10000 * (1 << 32) + 1)
    low >>= np.uint64(32)
    return low.view(np.int64)


def read_singly(entry: bytes, layout: Layout, row: int, values: Int64s, eligible: Int64s) -> bool:
    """Fill one row from a VMA whose lines are wider than usual (values of 95 GiB and up)."""
    lines = parse_lines(entry)
    if len(lines.starts) != 1 or tuple(lines.fields) != layout.fields:
        return False
    values[row] = list(lines.values[0].values())
    eligible[row] = lines.eligible[0]
    return True


def has_usual_range(begins: Int64s, ends: Int64s, raw: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Whether a header line begins with two addresses of twelve digits, as nearly all do on 64-bit kernels."""
    dash, blank = raw[begins + ADDRESS_DIGITS], raw[begins + HEAD_OFFSET - 1]
    usual: npt.NDArray[np.bool_] = (dash == ord("-")) & (blank == ord(" ")) & (ends - begins > HEAD_OFFSET)
    return usual


def addresses(text: Text, begins: Int64s, usual: npt.NDArray[np.bool_]) -> tuple[UInt64s, UInt64s] | None:
    """Start and end of each header line, from two times twelve digits; rows that are not `usual` are read singly.

    The end is read, not start + Size: before 4.12 a stack's header left out the guard page that Size counts.
    """
    ranges = gather(text, begins, HEAD_OFFSET).view(np.uint8)
    places = (0, 4, ADDRESS_DIGITS + 1, ADDRESS_DIGITS + 5)
    eights = [np.ndarray((len(begins),), "<u8", ranges, place, (HEAD_OFFSET,)) for place in places]
    start, start_low, end, end_low = hexadecimal(np.stack(eights))
    for high, low in ((start, start_low), (end, end_low)):
        high <<= np.uint64(16)
        high |= low & np.uint64(0xFFFF)
    for row in np.flatnonzero(~usual).tolist():
        header = HEADER.match(text, int(begins[row]), int(begins[row]) + MAX_RANGE)
        if header is None:
            return None
        start[row], end[row] = int(header[1], 16), int(header[2], 16)
    return start, end


def hexadecimal(words: UInt64s) -> UInt64s:
    """Eight lower-case hexadecimal characters, most significant first in memory, as a number."""
    nibbles = (words & np.uint64(0x0F0F0F0F0F0F0F0F)) + np.uint64(9) * (
        (words >> np.uint64(6)) & np.uint64(0x0101010101010101)
    )
    pairs = ((nibbles << np.uint64(4)) | (nibbles >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    fours = ((pairs << np.uint64(8)) | (pairs >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    return ((fours << np.uint64(16)) | (fours >> np.uint64(32))) & np.uint64(0xFFFFFFFF)


def eligible_of(bodies: npt.NDArray[np.void], layout: Layout) -> Int64s:
    """The one digit of THPeligible (0 or 1 in every kernel), or UNKNOWN_ELIGIBLE."""
    if layout.eligible_offset is None:
        return np.full(len(bodies), UNKNOWN_ELIGIBLE, np.int64)
    rows = bodies.view(np.uint8).reshape(len(bodies), len(layout.body))
    flags: Int64s = (rows[:, layout.eligible_offset] != ord("0")).astype(np.int64)
    return flags
