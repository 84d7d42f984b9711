"""One process from near: what is too much to be in a report for each of thousands."""

from __future__ import annotations

from msgspec import Struct

from advisor.report.reasons import Evidence


class CloseUpVma(Struct, frozen=True):
    """One mapping, or several summed into one entry (vmas > 1), and what its memory is on. Bytes.

    start: of the first; null for mappings below the PMD size, of which a profile keeps sums by kind. kind: as in a
    profile (anon, heap, stack, shmem, file, hugetlb, device, special), or mixed. name: as in smaps, "" where it has
    none or they differ. page_bytes: smallest page of the mapping. base, mthp, anon_huge and file_huge add up to rss;
    hugetlb is beside it, as in the kernel. mthp: in whole large folios that no PMD maps; null where nobody looked at
    folios, and base then holds them. Others are null where this kernel does not print them; base, where huge pages
    are not known. thp_eligible, and advice (the madvise flag: "hugepage", "nohugepage", "" for none): null where not
    known or mixed.
    """

    start: int | None
    size_bytes: int
    vmas: int
    kind: str
    name: str
    page_bytes: int | None
    rss_bytes: int
    base_bytes: int | None
    mthp_bytes: int | None
    anon_huge_bytes: int | None
    file_huge_bytes: int | None
    hugetlb_bytes: int | None
    swap_bytes: int | None
    thp_eligible: bool | None
    advice: str | None


class CloseUpFeature(Struct, frozen=True):
    """One column of the feature table. value null: not known, and null_meaning says why that can be.

    scope: process, or host where all processes have the same value.
    """

    name: str
    value: Evidence
    unit: str
    meaning: str
    null_meaning: str
    scope: str


class CloseUpMoment(Struct, frozen=True):
    """The process at one sample. Rates are since the moment before; null where they cannot be told.

    rss_bytes: by the counter that is read at each sample, so it can differ a little from the sum over mappings.
    """

    t_s: float
    rss_bytes: int | None
    huge_coverage: float | None
    minor_faults_per_s: float | None
    major_faults_per_s: float | None
    cpu_cores: float | None


class CloseUp(Struct, frozen=True):
    """vmas: by address, those without one last; null with its reason where the map was not read. vmas_age_s: seconds
    since it was; where the totals of the report are newer (vmas_newest false), sums differ from them. history: oldest
    first, evenly thinned where there are very many samples.
    """

    pid: int
    start_ticks: int
    vmas: list[CloseUpVma] | None
    vmas_missing: str | None
    vmas_age_s: float | None
    vmas_newest: bool
    features: list[CloseUpFeature]
    history: list[CloseUpMoment]
