"""The report document, version 1: the contract with everything that reads a report.

Sizes are whole bytes, shares are 0 to 1, rates are per second, times are Unix seconds or UTC in ISO 8601. Unknown
is null and always written. Lists have a stable order. Fields may be added, none is renamed or removed.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from advisor.foreign_json import ForeignJsonError, decode
from advisor.report.host import Host
from advisor.report.plan import HostPlan
from advisor.report.process import ProcessEntry, Totals

SCHEMA: Final = "hugepage-advisor/report/1"
"""Version of the report document. History: 1 = first (0.1.0)."""

SourceKind = Literal["live", "profile", "tree"]

_SURROGATE = re.compile("[\\ud800-\\udfff]")
_ESCAPED_BYTE = 0xDC00
"""PEP 383 stands byte NN as the surrogate U+DCNN."""


class ReportError(Exception):
    """A document is no report of this version; the message says where and why."""


class Tool(Struct, frozen=True):
    """The program that made the report."""

    name: str
    version: str


class SourceCost(Struct, frozen=True):
    """What observing cost, over all samples. share_of_one_cpu: CPU seconds per second; null for one sample."""

    cpu_s: float
    wall_s: float
    share_of_one_cpu: float | None
    smaps_reads: int
    rollup_reads: int
    deferred: int
    budget_share: float | None


class Source(Struct, frozen=True):
    """Where the observations come from: this host now, a saved profile, or a captured tree of kernel files.

    origin: of an imported capture, its form and name; null for others.
    """

    kind: SourceKind
    duration_s: float
    samples: int
    privileged: bool | None
    cost: SourceCost
    observed_at: str | None
    interval_s: float | None
    truncated: bool
    redacted: bool
    origin: str | None = None


class Limitation(Struct, frozen=True):
    """Something that the report cannot know or did not see, and what would show it."""

    id: str
    message: str
    remedy: str | None


class SkippedProcess(Struct, frozen=True):
    """A process that could not be observed: gone, denied, hung, quarantined, malformed, walk-too-long."""

    pid: int
    name: str | None
    reason: str


class Report(Struct, frozen=True):
    """What huge pages do on a host, what should change for whom, and why."""

    schema: Literal["hugepage-advisor/report/1"]
    generated_at: str
    tool: Tool
    source: Source
    host: Host
    plan: HostPlan
    processes: list[ProcessEntry]
    totals: Totals
    limitations: list[Limitation]
    skipped: list[SkippedProcess]


class _Versioned(Struct):
    schema: str


_versioned = msgspec.json.Decoder(_Versioned)
_report = msgspec.json.Decoder(Report)


def decode_report(data: bytes) -> Report:
    """The report in `data` (JSON). Raises ReportError where it is no report, of another version, or malformed."""
    try:
        version = decode(data, _versioned).schema
        if version == SCHEMA:
            return decode(data, _report)
    except ForeignJsonError as error:
        raise ReportError(f"not a {SCHEMA} document: {error}") from error
    raise ReportError(f"schema is {version!r}; this version reads {SCHEMA!r}")


def encode_report(report: Report) -> bytes:
    """Compact JSON, UTF-8, in the order of the fields. A byte of a name that is no UTF-8 is written as `\\xNN`."""
    try:
        return msgspec.json.encode(report)
    except UnicodeEncodeError:
        return msgspec.json.encode(without_surrogates(msgspec.to_builtins(report)))


def without_surrogates(value: Any) -> Any:
    """Plain values; surrogates, which stand for undecodable bytes (PEP 383) and which codecs refuse, as text."""
    if isinstance(value, str):
        return _SURROGATE.sub(_surrogate_as_text, value)
    if isinstance(value, dict):
        return {without_surrogates(key): without_surrogates(item) for key, item in value.items()}
    return [without_surrogates(item) for item in value] if isinstance(value, list) else value


def _surrogate_as_text(match: re.Match[str]) -> str:
    code = ord(match[0])
    return (
        f"\\x{code - _ESCAPED_BYTE:02x}" if _ESCAPED_BYTE + 0x80 <= code <= _ESCAPED_BYTE + 0xFF else f"\\u{code:04x}"
    )
