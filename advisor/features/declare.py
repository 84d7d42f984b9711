"""What a feature is: one declared column of the feature table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

Scope = Literal["process", "host"]
Value = int | float | str | bool | None
HostValues = Mapping[str, Value]
"""The host columns by name: one value each, the same in every row."""

NO_SMAPS = "smaps and smaps_rollup could not be read, or this kernel does not print the field"
NO_MAPS = "smaps could not be read, so single VMAs are unknown"
NO_VMFLAGS = "smaps could not be read, or has no VmFlags (before 3.8)"
NO_ELIGIBLE = "smaps could not be read, has no THPeligible (before 5.0), or the PMD page size is unknown"
NO_SLOTS = "smaps could not be read, or the PMD page size is unknown"
ONE_SAMPLE = "seen in one sample only: a rate needs two"
NO_RATE = "one sample only, or the counter is absent or went backwards"


def frame_of_rows(rows: Sequence[Sequence[object]], schema: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
    """Rows with the columns of `schema` as a frame, by columns: polars takes rows apart in twice the time."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    series = zip(schema.items(), columns, strict=True)
    return pl.DataFrame([pl.Series(name, values, dtype) for (name, dtype), values in series])


@dataclass(frozen=True, slots=True)
class Feature:
    """A declared column: what it holds, in which unit, where it comes from and what null says.

    scope "host" means that the value belongs to the host and is the same in every row.
    """

    name: str
    dtype: type[pl.DataType]
    unit: str
    meaning: str
    source: str
    null_meaning: str
    scope: Scope = "process"


def byte_count(name: str, meaning: str, source: str, null_meaning: str, scope: Scope = "process") -> Feature:
    """A feature in bytes, a whole number."""
    return Feature(name, pl.Int64, "bytes", meaning, source, null_meaning, scope)


def count(name: str, meaning: str, source: str, null_meaning: str, scope: Scope = "process") -> Feature:
    """A feature that counts things; what it counts is in its meaning."""
    return Feature(name, pl.Int64, "count", meaning, source, null_meaning, scope)


def number(name: str, unit: str, meaning: str, source: str, null_meaning: str, scope: Scope = "process") -> Feature:
    """A real number in the given unit."""
    return Feature(name, pl.Float64, unit, meaning, source, null_meaning, scope)


def share(name: str, meaning: str, source: str, null_meaning: str, scope: Scope = "process") -> Feature:
    """A share between 0 and 1."""
    return number(name, "share 0..1", meaning, source, null_meaning, scope)


def text(name: str, meaning: str, source: str, null_meaning: str, scope: Scope = "process") -> Feature:
    """A name or a word."""
    return Feature(name, pl.String, "text", meaning, source, null_meaning, scope)


def flag(name: str, meaning: str, source: str, null_meaning: str, scope: Scope = "process") -> Feature:
    """A yes or no."""
    return Feature(name, pl.Boolean, "yes/no", meaning, source, null_meaning, scope)
