"""Versions as ranges: what a file says of a program's version is often only a part of it, or a bound."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

OR_LATER = " or later"
BEFORE = "before "

VERSION = r"[0-9]{1,5}(?:\.[0-9]{1,5}){0,3}"
"""A version as a regular expression: numbers and dots, bounded, as it comes from files of anybody."""

KNOWN_VERSIONS = 1024
"""Version texts whose meaning is kept: more than the programs of a fleet have, few enough to be nothing."""

Parts = tuple[int, ...]

_SPEC = re.compile(rf"(>=|<)({VERSION})")
_NUMBER = re.compile(VERSION)


class Version(NamedTuple):
    """What is known of a version: at least `low` and, where that is known, below `high`. "15" is [15, 16)."""

    low: Parts
    high: Parts | None

    def at_least(self, bound: Parts) -> bool | None:
        """Whether it is `bound` or later; None where it may be either."""
        if self.low >= bound:
            return True
        return False if self.high is not None and self.high <= bound else None


def parse_version(text: str) -> Version:
    """ "7.0.15", "15" (any 15), "8.0 or later", "before 8.0". Raises ValueError for anything else."""
    if text.startswith(BEFORE):
        return Version((), _parts(text.removeprefix(BEFORE)))
    if text.endswith(OR_LATER):
        return Version(_parts(text.removesuffix(OR_LATER)), None)
    parts = _parts(text)
    return Version(parts, (*parts[:-1], parts[-1] + 1))


@lru_cache(maxsize=KNOWN_VERSIONS)
def known_version(text: str | None) -> Version | None:
    """What is known of a version by a text that anybody may have written; None where it is none."""
    checked = checked_version(text) if text is not None else None
    return parse_version(checked) if checked is not None else None


def checked_version(text: str) -> str | None:
    """The text if it is a version, else None: what a file of anybody says goes into reports."""
    try:
        parse_version(text)
    except ValueError:
        return None
    return text


def fits(spec: str, version: Version | None) -> bool | None:
    """Whether a version fits ">=2.2.6,<3" (all must hold; "" fits any); None where that cannot be told.

    Raises ValueError for a specification of another form.
    """
    answers = [_fits_one(one, version) for one in spec.split(",") if spec]
    if False in answers:
        return False
    return None if None in answers else True


def fits_any(specs: list[str], version: Version | None) -> bool | None:
    """The same for alternatives; no alternatives fit any version."""
    answers = [fits(spec, version) for spec in specs] or [True]
    if True in answers:
        return True
    return None if None in answers else False


def in_words(specs: list[str]) -> str:
    """[">=1.9.6,<2", ">=3.2.6"] as "1.9.6 to before 2, 3.2.6 or later"; "" for every version."""
    return ", ".join(_in_words(spec) for spec in specs)


def _in_words(spec: str) -> str:
    bounds = dict(_SPEC.findall(spec))
    low, high = bounds.get(">="), bounds.get("<")
    if low and high:
        return f"{low} to {BEFORE}{high}"
    return f"{low}{OR_LATER}" if low else f"{BEFORE}{high}"


def _fits_one(spec: str, version: Version | None) -> bool | None:
    found = _SPEC.fullmatch(spec)
    if found is None:
        raise ValueError(f"not a bound of a version: {spec!r}")
    if version is None:
        return None
    reached = version.at_least(_parts(found[2]))
    return reached if found[1] == ">=" or reached is None else not reached


def _parts(text: str) -> Parts:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"not a version: {text!r}")
    return tuple(int(part) for part in text.split("."))
