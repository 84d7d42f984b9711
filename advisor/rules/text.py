"""Feature values as words: binary units for bytes, percent for shares, plain numbers for the rest."""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

BINARY_STEP_BITS = 10
"""1024 bytes are one KiB, 1024 KiB one MiB, and so on (IEC 80000-13)."""

BINARY_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
"""Names of these powers of 1024."""

UNKNOWN = "unknown"
"""How a null value reads."""


@cache
def parts(template: str) -> tuple[tuple[str, str | None], ...]:
    """A message template as literal text, each piece with the {feature} that follows it."""
    return tuple((literal, name) for literal, name, _, _ in string.Formatter().parse(template))


def placeholders(template: str) -> set[str]:
    """Names of the {features} that a message template uses."""
    return {name for _, name in parts(template) if name}


def fill(template: str, values: Mapping[str, Any]) -> str:
    """The template with each {feature} replaced by its value in words."""
    return "".join(
        [literal if name is None else literal + show(name, values[name]) for literal, name in parts(template)]
    )


def show_bytes(value: float) -> str:
    """Bytes in the largest binary unit that leaves at least one: 1536 MiB is "1.5 GiB", 2 MiB is "2 MiB"."""
    _, bits = math.frexp(value)
    unit = min(max(bits - 1, 0) // BINARY_STEP_BITS, len(BINARY_UNITS) - 1)
    return f"{value / (1 << BINARY_STEP_BITS * unit):.1f}".removesuffix(".0") + f" {BINARY_UNITS[unit]}"


def show_share(value: float) -> str:
    """A share of one in percent, with one decimal below ten percent: 0.004 is "0.4 %"."""
    percent = value * 100
    return f"{percent:.1f}".removesuffix(".0") + " %" if abs(percent) < 10 else f"{percent:.0f} %"


def show_seconds(value: float) -> str:
    """A duration in the largest of days, hours, minutes and seconds that leaves at least one."""
    for name, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if value >= length:
            return f"{value / length:.1f}".removesuffix(".0") + f" {name}"
    return f"{value:.1f}".removesuffix(".0") + " s"


def show(name: str, value: Any) -> str:
    """One feature's value in words. The unit is in the feature's name, as the naming convention demands."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else _in_unit_of(name)(value)


@cache
def _in_unit_of(name: str) -> Callable[[float], str]:
    """What puts the numbers of this feature into words."""
    if name.endswith("_bytes_per_s"):
        return lambda value: f"{show_bytes(value)}/s"
    if name.endswith("_bytes"):
        return show_bytes
    if name.endswith(SHARE_ENDINGS):
        return show_share
    if name.endswith("_avg10"):
        return lambda value: f"{value:.1f} %"
    return show_seconds if name.endswith("_s") and not name.endswith("_per_s") else show_number


def show_number(value: float) -> str:
    """A whole number as it is, others by three significant digits; thousands set apart: 0.0123, 1.5, 300,000."""
    if isinstance(value, int):
        return f"{value:,d}"
    return f"{value:,.0f}" if abs(value) >= WHOLE_FROM else f"{value:.3g}"


WHOLE_FROM = 1000
"""From here on no decimal is shown, and no exponent."""


SHARE_ENDINGS = ("_share", "_coverage", "_density", "_share_since_boot")
"""Endings of the names of features whose unit is a share, 0 to 1."""
