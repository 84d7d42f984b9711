"""One process from near: what is too much to be in a report for each of thousands."""

from __future__ import annotations

from msgspec import Struct

from advisor.report.reasons import Evidence


class CloseUpVma(Struct, frozen=True):
    """One mapping, or a run of small ones (vmas > 1), and what its resident bytes are on.

    name: as in smaps, "" for anonymous memory. base, mthp, pmd and hugetlb add up to the resident bytes; mthp null
    where nobody looked at folios, base then holds it too. advice: the madvise flag, "hugepage" or "nohugepage".
    """

    start: int
    size_bytes: int
    vmas: int
    kind: str
    name: str
    rss_bytes: int
    base_bytes: int
    mthp_bytes: int | None
    pmd_bytes: int
    hugetlb_bytes: int
    swap_bytes: int
    thp_eligible: bool | None
    advice: str | None


class CloseUpFeature(Struct, frozen=True):
    """One column of the feature table. value null: not known."""

    name: str
    value: Evidence
    unit: str
    meaning: str


class CloseUpMoment(Struct, frozen=True):
    """The process at one sample. Rates are since the sample before; null where they cannot be told."""

    t_s: float
    rss_bytes: int | None
    huge_coverage: float | None
    minor_faults_per_s: float | None
    major_faults_per_s: float | None
    cpu_cores: float | None


class CloseUp(Struct, frozen=True):
    """vmas: by address, null with its reason where the map was not read; history: oldest first."""

    pid: int
    start_ticks: int
    vmas: list[CloseUpVma] | None
    vmas_missing: str | None
    features: list[CloseUpFeature]
    history: list[CloseUpMoment]
