"""JSON that somebody else may have made: decoded into a type, or one error that says why it cannot be.

msgspec already refuses NaN, Infinity and 1e400. Added are what it lets through or raises as something else: nesting
deeper than the stack (RecursionError), text that is no UTF-8, and integers that fit no 64 bits, on which whatever
computes with them would fail far from the file. How long a text may be is its reader's to say: it knows what is
usual.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

LARGEST, SMALLEST = (1 << 63) - 1, -(1 << 63)
"""Of an integer. Source: the parsers of kernel files take no other as a fact (`procfs.text.LARGEST_NUMBER`), and
tables have 64 bits with a sign."""

_DIGITS_ALIKE = bytes.maketrans(b"0123456789", b"0" * 10)
_TOO_LARGE_DIGITS = b"0" * 19
"""What no integer beyond these bounds is without, all digits alike: most texts need no second look. A regular
expression for 19 digits takes ten times as long, and twice as long as decoding."""


class ForeignJsonError(ValueError):
    """A text that is no JSON of this type, or holds what no such document holds; says what and where."""


def decode(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The value. Raises ForeignJsonError."""
    try:
        value = decoder.decode(data)
        if _TOO_LARGE_DIGITS in data.translate(_DIGITS_ALIKE):
            _check_numbers(msgspec.json.decode(data))
    except msgspec.ValidationError as error:
        raise ForeignJsonError(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ForeignJsonError(f"not JSON: {error}") from error
    except RecursionError as error:
        raise ForeignJsonError("nested deeper than any document of this kind") from error
    return value


def _check_numbers(value: Any) -> None:
    """Every integer, also of fields that are not known here."""
    left = [("$", value)]
    while left:
        place, one = left.pop()
        if isinstance(one, dict):
            left += [(f"{place}.{name[:80]}", item) for name, item in one.items()]
        elif isinstance(one, list):
            left += [(f"{place}[{number}]", item) for number, item in enumerate(one)]
        elif isinstance(one, int) and not SMALLEST <= one <= LARGEST:
            raise ForeignJsonError(f"a number that fits no 64 bits - at `{place}`")
