"""Feature values as words: binary units for bytes, percent for shares, plain numbers for the rest."""

from __future__ import annotations

import string
from collections.abc import Mapping
from functools import cache
from typing import Any

BINARY_STEP = 1024
"""Bytes of one KiB, KiB of one MiB, and so on (IEC 80000-13)."""

BINARY_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
"""Names of the powers of BINARY_STEP."""

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
        literal if name is None else literal + show(name, values[name]) for literal, name in parts(template)
    )


def show_bytes(value: float) -> str:
    """Bytes in the largest binary unit that leaves at least one: 1536 MiB is "1.5 GiB", 2 MiB is "2 MiB"."""
    size, unit = float(value), 0
    while abs(size) >= BINARY_STEP and unit < len(BINARY_UNITS) - 1:
        size /= BINARY_STEP
        unit += 1
    return f"{size:.1f}".removesuffix(".0") + f" {BINARY_UNITS[unit]}"


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
    if isinstance(value, str):
        return value
    if name.endswith("_bytes_per_s"):
        return f"{show_bytes(value)}/s"
    if name.endswith("_bytes"):
        return show_bytes(value)
    if name.endswith(SHARE_ENDINGS):
        return show_share(value)
    if name.endswith("_avg10"):
        return f"{value:.1f} %"
    if name.endswith("_s") and not name.endswith("_per_s"):
        return show_seconds(value)
    return f"{value:,d}" if isinstance(value, int) else show_number(value)


def show_number(value: float) -> str:
    """Three significant digits, thousands set apart: 0.0123, 1.5, 300,000."""
    return f"{value:,.0f}" if abs(value) >= WHOLE_FROM else f"{value:.3g}"


WHOLE_FROM = 1000
"""From here on no decimal is shown, and no exponent."""


SHARE_ENDINGS = ("_share", "_coverage", "_density", "_share_since_boot")
"""Endings of the names of features whose unit is a share, 0 to 1."""
