"""Profiles built by hand, for tests: name only what matters, the rest is a quiet x86_64 host."""

from __future__ import annotations

from typing import Any

from advisor.procfs.facts import Stat, Status, Thp
from advisor.profile.model import (
    PROFILE_SCHEMA,
    Cost,
    Header,
    HostFacts,
    HostState,
    Mapping,
    ProcessFacts,
    ProcessRecord,
    Profile,
    Sample,
    Skipped,
)
from advisor.units import KIB, MIB

BASE_PAGE = 4 * KIB
PMD = 2 * MIB

SMAPS_FIELDS = [
    "Rss",
    "Pss",
    "Anonymous",
    "Swap",
    "AnonHugePages",
    "ShmemPmdMapped",
    "FilePmdMapped",
    "Shared_Hugetlb",
    "Private_Hugetlb",
]


def mapping(
    kind: str = "anon",
    size: int = 0,
    *,
    count: int = 1,
    start: int | None = 0,
    page_bytes: int | None = BASE_PAGE,
    advice: str | None = "",
    eligible: int | None = 0,
    shared: bool = False,
    writable: bool = True,
    locked: bool | None = False,
    slot_bytes: int | None = None,
    pmd: int | None = PMD,
    object: str | None = None,
    fields: list[str] = SMAPS_FIELDS,
    **values: int,
) -> Mapping:
    """One VMA. Keyword arguments named as smaps fields are its values; slots as if it began at a slot."""
    if slot_bytes is None and pmd is not None:
        slot_bytes = size // pmd * pmd if count == 1 else 0
    return Mapping(
        kind, count, start, size, page_bytes, advice, eligible, shared, writable, locked, slot_bytes, "", object,
        [values.get(field, 0) for field in fields],
    )  # fmt: skip


def stat(
    *,
    minor_faults: int = 0,
    major_faults: int = 0,
    ticks: int = 0,
    rss_pages: int = 0,
    start_ticks: int = 100,
) -> Stat:
    return Stat("prog", "S", 1, 0, minor_faults, major_faults, ticks, 0, 1, start_ticks, 0, rss_pages)


def process(pid: int = 10, start_ticks: int = 100, **sections: Any) -> ProcessRecord:
    """A record with a name, and the sections given."""
    sections.setdefault("facts", ProcessFacts("prog"))
    return ProcessRecord(pid, start_ticks, **sections)


def thp(**settings: Any) -> Thp:
    defaults: dict[str, Any] = {"enabled": "always", "defrag": "madvise", "shmem_enabled": "never", "pmd_bytes": PMD}
    return Thp(**(defaults | settings))


def host_state(**sections: Any) -> HostState:
    sections.setdefault("thp", thp())
    return HostState(**sections)


def sample(
    *processes: ProcessRecord,
    t_s: float = 0.0,
    host: HostState | None = None,
    fields: list[str] = SMAPS_FIELDS,
    gone: list[tuple[int, int]] | None = None,
    skipped: list[Skipped] | None = None,
) -> Sample:
    return Sample(
        t_s=t_s,
        wall_time=1e9 + t_s,
        host=host if host is not None else host_state(),
        cost=Cost(0.0, 0.0),
        smaps_fields=fields,
        processes=list(processes),
        gone=gone or [],
        skipped=skipped or [],
    )


def header(**facts: Any) -> Header:
    settings: dict[str, Any] = {"hostname": "here", "base_page_bytes": BASE_PAGE, "nodes": [0]} | facts
    return Header(PROFILE_SCHEMA, "0.1.0", "2026-01-01T00:00:00Z", "live", HostFacts(**settings), privileged=True)


def profile(*samples: Sample, **facts: Any) -> Profile:
    """A profile of the given samples; keyword arguments are host facts."""
    return Profile(header(**facts), list(samples))


def status(**lines: Any) -> Status:
    return Status("prog", **lines)
