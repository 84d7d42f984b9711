"""The summary of a fleet, version 1: where CPU time and memory can be saved, by application, host and policy.

Sizes are whole bytes, CPUs are cores kept busy. Unknown is null, and beside each sum stands of how many processes it
is not known. Nothing in it depends on when, where or by how many it was made. Fields may be added, none is renamed.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import Struct

from advisor.report.document import Tool, without_surrogates

SUMMARY_SCHEMA: Final = "hugepage-advisor/summary/1"
"""Version of the summary document. History: 1 = first (0.2.0)."""

INTERVAL_METHOD: Final = "sum-of-bounds"
"""How the interval of a sum is made: the bounds are added, as if all predictions erred in the same direction. One
model, learnt on one kind of machine, made them all, so that their errors are not independent. The interval is exact
where all err together, and too wide where errors cancel out; it is never narrowed by the number of processes."""


class Cores(Struct, frozen=True):
    """CPUs that become free for the same work. median: sum of the single medians. low, high: sums of the bounds."""

    median: float
    low: float
    high: float


class Sums(Struct, frozen=True):
    """Sums over processes. changes: those whose advice changes something; all else but cpu_cores is about them.

    profiles: inputs that hold one of the processes. cpu_cores: in use, null where of none known. saved_cores: null
    where there are changes and the gain of none is known. pool_bytes: pool pages that are needed and not there yet,
    shared memory once. boot_only_bytes: of these, what its host can supply at boot only; profiles_short: inputs with
    such. growth_bytes: what memory may grow by under THP, bloat at risk; growth_prevented_bytes: what THP off keeps
    from growing. *_unknown: of how many of these processes it is not known, and therefore not in the sum.
    """

    processes: int
    changes: int
    profiles: int
    cpu_cores: float | None
    cpu_unknown: int
    saved_cores: Cores | None
    saved_unknown: int
    pool_bytes: int
    pool_unknown: int
    boot_only_bytes: int
    profiles_short: int
    page_table_saved_bytes: int
    page_table_unknown: int
    growth_bytes: int
    growth_prevented_bytes: int
    growth_unknown: int


class ApplicationSums(Struct, frozen=True):
    """One application; what is not recognised stands under its program's name."""

    application: str
    recognised: bool
    sums: Sums


class HostSums(Struct, frozen=True):
    """One host; several profiles of it add up. A host without a name stands under its file's (host null)."""

    host: str | None
    file: str | None
    sums: Sums


class PolicySums(Struct, frozen=True):
    """One policy. changes false: what these processes have already."""

    policy: Literal["leave", "thp", "thp-off", "hugetlb"]
    page_bytes: int | None
    changes: bool
    sums: Sums


class Change(Struct, frozen=True):
    """One change on one host: the processes of one program that should get the same policy."""

    file: str
    host: str | None
    application: str
    recognised: bool
    policy: Literal["leave", "thp", "thp-off", "hugetlb"]
    page_bytes: int | None
    sums: Sums


class Summary(Struct, frozen=True):
    """Where the money is. level: of all intervals. top_cpu: changes with a known gain, most cores first;
    top_memory: those that save most memory (page tables, growth prevented). Applications and hosts: by saved cores.
    """

    schema: Literal["hugepage-advisor/summary/1"]
    tool: Tool
    level: float
    interval_method: Literal["sum-of-bounds"]
    total: Sums
    applications: list[ApplicationSums]
    hosts: list[HostSums]
    policies: list[PolicySums]
    top_cpu: list[Change]
    top_memory: list[Change]


def memory_saved_bytes(sums: Sums) -> int:
    """Page tables that go, and growth that is prevented."""
    return sums.page_table_saved_bytes + sums.growth_prevented_bytes


def encode_summary(summary: Summary) -> bytes:
    """Compact JSON, UTF-8, in the order of the fields. A byte of a name that is no UTF-8 is written as `\\xNN`."""
    return msgspec.json.encode(without_surrogates(msgspec.to_builtins(summary)))
