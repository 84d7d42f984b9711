"""The comparison document, version 1: what changed between two reports of one host.

Sizes are whole bytes, shares are 0 to 1, rates are per second. Unknown is null with the reason beside it. Fields may
be added, none is renamed or removed.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import Struct

from advisor.report.document import SourceKind, Tool, without_surrogates

COMPARISON_SCHEMA: Final = "hugepage-advisor/compare/1"
"""Version of the comparison document. History: 1 = first (0.2.0)."""

BOTH = "both"
"""Begins unknown_because where both sides lack a value for the same reason."""

NOT_SEEN = "not in this kernel, or not read"
NO_MTHP = "no mTHP here, or nobody looked"
NO_GAIN = "no gain was predicted"
ABSENT = (NOT_SEEN, NO_MTHP, NO_GAIN)
"""Reasons that no longer observation would remove."""

Value = int | float | str | bool | None
Status = Literal["changed", "same", "unknown"]
Comparable = Literal["yes", "limited", "no"]
MatchedBy = Literal["pid-start", "pid-name", "program-cgroup", "program-order"]


class Side(Struct, frozen=True):
    """One of the two reports. name: as it was given, without folders."""

    name: str
    kind: SourceKind
    observed_at: str | None
    hostname: str | None
    kernel: str | None
    samples: int
    duration_s: float
    processes: int


class Caveat(Struct, frozen=True):
    """Why the two can be compared with limits, or not at all. id: other-host, other-kernel, no-common-process ..."""

    id: str
    message: str


class FieldChange(Struct, frozen=True):
    """One value on both sides. difference: after - before, of numbers.

    unit: bytes, share, per-second, pages, cores, seconds, ms, count, text, flag. status: `same` is also a difference
    too small to mean anything, `unknown` where a side has null; unknown_because says which side and why.
    """

    field: str
    title: str
    unit: str
    before: Value
    after: Value
    difference: int | float | None
    status: Status
    unknown_because: str | None


class ProcessSide(Struct, frozen=True):
    """A process on one side. start_ticks 0: unknown, as in many captures."""

    pid: int
    start_ticks: int
    name: str
    cgroup: str | None
    rss_bytes: int | None
    advice: str


class ProcessChange(Struct, frozen=True):
    """One process on both sides. concerned_bytes: memory that its largest change is about; 0 for no change."""

    before: ProcessSide
    after: ProcessSide
    matched_by: MatchedBy
    concerned_bytes: int
    fields: list[FieldChange]


class Comparison(Struct, frozen=True):
    """What changed from one report to another, the most important first.

    host: every value in a fixed order of importance, changed ones first. processes: those on both sides, by
    concerned_bytes. ended, appeared: those on one side alone, the largest first.
    """

    schema: Literal["hugepage-advisor/compare/1"]
    generated_at: str
    tool: Tool
    before: Side
    after: Side
    comparable: Comparable
    caveats: list[Caveat]
    summary: str
    host: list[FieldChange]
    processes: list[ProcessChange]
    ended: list[ProcessSide]
    appeared: list[ProcessSide]


def encode_comparison(comparison: Comparison) -> bytes:
    """Compact JSON, UTF-8, in the order of the fields. A byte of a name that is no UTF-8 is written as `\\xNN`."""
    return msgspec.json.encode(without_surrogates(msgspec.to_builtins(comparison)))
