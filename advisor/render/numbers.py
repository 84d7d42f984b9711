"""Numbers as people read them. Unknown is a word, never 0."""

from __future__ import annotations

UNKNOWN = "unknown"
"""How null reads in a sentence."""

UNKNOWN_SHORT = "?"
"""How null reads in a table."""

BINARY_STEP = 1024
BINARY_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
"""Powers of BINARY_STEP (IEC 80000-13)."""

WHOLE_FROM = 100
"""From here on no decimal is shown. Reason: three significant digits are as exact as a decision needs."""

DURATIONS = (("days", 86400), ("h", 3600), ("min", 60))
"""Name and seconds of the units of `duration`, largest first."""


def human_bytes(size: int | None, unknown: str = UNKNOWN) -> str:
    """A size in its largest binary unit, three digits: 1.5 GiB, 512 MiB, 2 MiB. null reads `unknown`."""
    if size is None:
        return unknown
    value, unit = float(size), 0
    while abs(_rounded(value)) >= BINARY_STEP and unit < len(BINARY_UNITS) - 1:
        value, unit = value / BINARY_STEP, unit + 1
    return f"{_digits(value)} {BINARY_UNITS[unit]}"


def count(number: int | None, unknown: str = UNKNOWN) -> str:
    """A whole number with thousands set apart: 24,682."""
    return unknown if number is None else f"{number:,d}"


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """A counted noun: 1 page, 2 pages."""
    return f"{number:,d} {noun if number == 1 else nouns or noun + 's'}"


def percent(share: float | None, unknown: str = UNKNOWN) -> str:
    """A share of one: 38 %. What is not quite nothing or all does not read as such: <1 %, 99 %."""
    if share is None:
        return unknown
    if 0 < share < 0.005:
        return "<1 %"
    whole = round(share * 100)
    return f"{99 if whole == 100 and share < 1 else whole} %"


def duration(seconds: float | None, unknown: str = UNKNOWN) -> str:
    """A time span in its largest unit: 18.2 h, 2 s."""
    if seconds is None:
        return unknown
    for name, length in DURATIONS:
        if seconds >= length:
            return f"{_digits(seconds / length)} {name}"
    return f"{_digits(seconds)} s"


def rate(per_second: float | None, unknown: str = UNKNOWN) -> str:
    """Events per second, three digits: 0.25/s, 1,200/s."""
    if per_second is None:
        return unknown
    return f"{per_second:,.0f}/s" if per_second >= WHOLE_FROM else f"{per_second:.3g}/s"


def _rounded(value: float) -> float:
    return round(value) if abs(value) >= WHOLE_FROM else round(value, 1)


def _digits(value: float) -> str:
    return f"{_rounded(value):.1f}".removesuffix(".0") if abs(value) < WHOLE_FROM else f"{value:.0f}"
