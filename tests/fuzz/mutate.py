"""Sound inputs made unsound, the same ones for the same seed."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

MOST_BYTES = 1 << 20
"""Of a mutated input. Source: own choice. Reason: what is quadratic takes more than a second at this length."""

MOST_EDITS = 6
"""Edits of one input. Source: own choice. Reason: more of them are refused at the first look."""

SELDOM = 0.005
"""Share of inputs that are blown up to MOST_BYTES, which take a hundred times as long."""

HOSTILE = (
    b"", b"\0", b"\n", b"\r\n", b" ", b"\t", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xe2\x80\xae", b"\x1b]0;x\x07",
    b"-", b"-1", b"+1", b"0", b"1e400", b"NaN", b"-Infinity", b"null", b"true", b"{}", b"[]", b'""', b"{", b"}", b"[",
    b"]", b'"', b"\\", b"\\u0000", b"\\ud800", b"%s%n", b"../../etc/passwd", b"[bold]", b"=1+1", b"unlimited", b" kB",
    b":", b",", b"(", b")", b"4294967295", b"4294967296", b"9223372036854775807", b"9223372036854775808",
    b"18446744073709551615", b"18446744073709551616", b"ffffffffffffffff", b"10000000000000000", b"9" * 400,
    b"9" * 5000, b"0.1", b"\x7fELF", b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"PK\x03\x04", "\u0663".encode(), b"A" * 300,
    b"\x00" * 64, b"\xff" * 8,
)  # fmt: skip
"""Bytes that parsers stumble over: ends of number ranges, other formats' beginnings, controls, markup."""

_NUMBER = re.compile(rb"[0-9]+")
_WORD = re.compile(rb"[A-Za-z_]{2,}")

Edit = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds with up to MOST_EDITS edits; seldom a long one."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, MOST_EDITS)):
        rng.choice(EDITS)(rng, data, seeds)
    if rng.random() < SELDOM:
        blow_up(rng, data, seeds)
    return bytes(data[:MOST_BYTES])


def flip_bit(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """One bit, as a bad disk does."""
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def set_bytes(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Some bytes at random."""
    at = rng.randint(0, len(data))
    data[at : at + rng.randint(0, 8)] = rng.randbytes(rng.randint(1, 8))


def put_hostile(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Something hostile in between, or in place of what stands there."""
    at = rng.randint(0, len(data))
    data[at : at + rng.choice((0, 0, 1, 4, 16))] = rng.choice(HOSTILE)


def change_number(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """A number by another one, or by what is none."""
    if found := _some(rng, _NUMBER, data):
        data[found.start() : found.end()] = (
            rng.choice(HOSTILE) if rng.random() < 0.7 else str(rng.getrandbits(70)).encode()
        )


def change_word(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """A word by another one of the same text, or by something hostile."""
    if (found := _some(rng, _WORD, data)) and (other := _some(rng, _WORD, data)):
        data[found.start() : found.end()] = other[0] if rng.random() < 0.7 else rng.choice(HOSTILE)


def cut(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """The end, the beginning, or a part in the middle is lost."""
    begin, end = sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))
    part = rng.choice((slice(begin, None), slice(0, begin), slice(begin, min(end, begin + 200))))
    del data[part]


def move_lines(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """A line comes twice, is lost, or stands elsewhere."""
    lines = bytes(data).split(b"\n")
    line = lines.pop(rng.randrange(len(lines)))
    for _again in range(rng.choice((0, 1, 2))):
        lines.insert(rng.randint(0, len(lines)), line)
    data[:] = b"\n".join(lines)


def splice(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """The beginning of one input and the end of another, or a part of it in between."""
    other = rng.choice(seeds)
    begin, end = sorted((rng.randint(0, len(other)), rng.randint(0, len(other))))
    at = rng.randint(0, len(data))
    data[at : len(data) if rng.random() < 0.5 else at] = other[begin:end]


def nest(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Brackets inside brackets, as deep as no document is."""
    bracket = rng.choice((b"[", b'{"a":', b"(", b"<"))
    at = rng.randint(0, len(data))
    data[at:at] = bracket * rng.choice((2, 100, 2000, 50_000))


def blow_up(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """A part repeated until the input is long."""
    begin = rng.randint(0, len(data))
    part = bytes(data[begin : begin + rng.choice((1, 8, 100, 4096))])
    if part:
        data[begin:begin] = part * ((MOST_BYTES - len(data)) // len(part) if len(data) < MOST_BYTES else 0)


EDITS: tuple[Edit, ...] = (
    flip_bit,
    set_bytes,
    *(put_hostile, put_hostile),
    *(change_number, change_number),
    change_word,
    cut,
    move_lines,
    splice,
    nest,
)
"""What may happen to an input; those that reach furthest come twice."""


def _some(rng: random.Random, what: re.Pattern[bytes], data: bytearray) -> re.Match[bytes] | None:
    """What is found from a place at random on."""
    return what.search(bytes(data), rng.randint(0, len(data)))
