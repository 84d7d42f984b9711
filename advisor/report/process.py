"""A process's part of the report document: its memory, the advice for it, and why it is not huge."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from advisor.report.reasons import DecidedBy, Evidence, Level, PolicyName, Reason

Share = Annotated[float, Meta(ge=0, le=1)]


class ExpectedGain(Struct, frozen=True):
    """Share of time saved for the same work: 0.12 = 12 % less time. low to high holds with probability level."""

    median: float
    low: float
    high: float
    level: Share


class Alternative(Struct, frozen=True):
    """A policy that was not chosen, and why not; with what it would cost, each as in the recommendation.

    page_table_bytes_after: of this process under this policy, an estimate.
    """

    policy: PolicyName
    page_bytes: int | None
    expected_gain: ExpectedGain | None
    why_not: str
    pages: int | None = None
    bloat_bytes: int | None = None
    bloat_basis: str | None = None
    page_table_bytes_after: int | None = None


class RecommendationEntry(Struct, frozen=True):
    """The advice for one process. pages: of page_bytes, for hugetlb; pages_basis says what was counted.

    bloat_bytes: the most that the policy can make resident memory grow (thp), that it prevents (thp-off), or that
    whole pages cost by rounding up (hugetlb). bloat_basis: pages (counted in a scan) or smaps (a bound that may be
    far too high), for thp and thp-off. reasons: the deciding one first. changes: false where the policy is what the
    process has already. page_table_bytes_after: its page tables with the whole plan carried out, an estimate.
    gigantic_verdict: whether pages larger than the PMD page would do more; null where its memory is too little.
    """

    policy: PolicyName
    page_bytes: int | None
    pages: int | None
    expected_gain: ExpectedGain | None
    confidence: Level
    decided_by: DecidedBy
    override_reason: str | None
    bloat_bytes: int | None
    reasons: list[Reason]
    alternatives: list[Alternative]
    artefacts: list[str]
    pages_basis: str | None
    changes: bool
    bloat_basis: str | None = None
    page_table_bytes_after: int | None = None
    gigantic_verdict: str | None = None


class BloatAt(Struct, frozen=True):
    """What khugepaged would add to resident memory at a value of max_ptes_none."""

    max_ptes_none: int
    bytes: int


class BloatForecast(Struct, frozen=True):
    """Growth of resident memory if THP were on, from the populated pages of each huge page slot.

    fault_bytes: the program started anew under THP, touching what it has touched, without what it once had and gave
    back; fault_most_bytes: every populated slot full, the most that it can be, by which rules and advice go.
    khugepaged_bytes: collapsing what is there, at the host's max_ptes_none; by_max_ptes_none: at others.
    reclaimable_bytes: of fault_most_bytes, what shrink_underused takes back under memory pressure; null before 6.12.
    basis: pagemap-scan or pagemap. complete: false where unscanned_bytes of resident memory were not looked at, of
    which nothing is said.
    """

    fault_bytes: int
    khugepaged_bytes: int | None
    max_ptes_none: int | None
    basis: str
    complete: bool
    by_max_ptes_none: list[BloatAt]
    reclaimable_bytes: int | None
    unscanned_bytes: int
    fault_most_bytes: int


class WhyNotHuge(Struct, frozen=True):
    """Memory on base pages: how much, in how many VMAs, why it is not on huge ones, what would help.

    title: the reason in words. beside_bytes: what else the reason concerns and what is no base page of this process's
    own: empty address space (not-populated), swap (swapped), page cache (file-pages). wait_s: the shortest time in
    which khugepaged looks at everything eligible on this host once. note: facts of this host that belong to it.
    """

    reason: str
    bytes: int | None
    vmas: int | None
    remedy: str | None
    title: str | None = None
    beside_bytes: int | None = None
    wait_s: float | None = None
    note: str | None = None


class Application(Struct, frozen=True):
    """The application that a process was recognised as. version: as its files say, or a bound (8.0 or later).

    thp_stance: what its makers say of THP for this version; null where that hangs on a version that is not known.
    """

    id: str
    name: str
    confidence: Level
    version: str | None = None
    thp_stance: str | None = None


class Component(Struct, frozen=True):
    """A known library, allocator, runtime or collector in a process."""

    id: str
    name: str
    version: str | None


class MthpSize(Struct, frozen=True):
    """Bytes in large folios of page_bytes that page table entries map whole: anonymous, of these at a multiple of
    their size, and page cache with shmem (thpmaps: anon-thp-pte-aligned-<size>kB and so on)."""

    page_bytes: int
    bytes: int
    aligned_bytes: int
    file_bytes: int


class Memory(Struct, frozen=True):
    """One process's memory as the kernel counts it. rss excludes hugetlb; *_huge are mapped by whole PMD entries.

    huge_coverage: share of anonymous, shared and hugetlb memory that is on huge pages. mthp: large folios that no PMD
    maps, by size; null where nobody looked: the host has none, no CAP_SYS_ADMIN, a captured tree, little memory.
    mthp_partial_bytes: anonymous, in folios of which not all pages are mapped side by side. mthp_complete: false
    where the time was over before the last page. What a PMD maps is in anon_huge_bytes and the like instead.
    """

    rss_bytes: int | None
    anon_bytes: int | None
    anon_huge_bytes: int | None
    shmem_huge_bytes: int | None
    file_huge_bytes: int | None
    hugetlb_bytes: int | None
    swap_bytes: int | None
    page_table_bytes: int | None
    thp_eligible_bytes: int | None
    pss_bytes: int | None
    shmem_rss_bytes: int | None
    file_rss_bytes: int | None
    locked_bytes: int | None
    huge_coverage: float | None
    measured_by: str | None
    mthp: list[MthpSize] | None = None
    mthp_partial_bytes: int | None = None
    mthp_complete: bool | None = None


class ProbeCost(Struct, frozen=True):
    """What one probe of a process cost. lock_s: its page faults and mappings stood still for so long."""

    wall_s: float
    cpu_s: float
    lock_s: float


class Probed(Struct, frozen=True):
    """What opt-in probes found. features: those of them that are known; costs and problems: by the probe's name, a
    probe is in one of the two."""

    features: dict[str, Evidence]
    costs: dict[str, ProbeCost]
    problems: dict[str, str]


class ProcessEntry(Struct, frozen=True):
    """One process. start_time: Unix seconds; start_ticks with pid names it for good. command_line: redacted. probes:
    null where none was asked for. bloat_forecast: null where the pages of the process were not scanned. components:
    known libraries, allocators and runtimes in it, besides the application. *_faults_per_s: null for one sample.
    """

    pid: int
    start_time: int | None
    name: str
    user: str | None
    cgroup: str | None
    application: Application | None
    memory: Memory
    recommendation: RecommendationEntry
    why_not_huge: list[WhyNotHuge]
    start_ticks: int
    executable: str | None
    command_line: list[str] | None
    allocator: str | None
    runtime: str | None
    thp_disabled: bool | None
    cpu_cores: float | None
    at_stake_bytes: int | None
    probes: Probed | None = None
    bloat_forecast: BloatForecast | None = None
    components: list[Component] = field(default_factory=list)
    minor_faults_per_s: float | None = None
    major_faults_per_s: float | None = None


class Totals(Struct, frozen=True):
    """Sums over the listed processes. A shared page counts in each process that maps it, as in smaps.

    unknown: for each field, in how many processes it is unknown (those are left out of the sum).
    """

    processes: int
    rss_bytes: int
    anon_bytes: int
    anon_huge_bytes: int
    shmem_huge_bytes: int
    file_huge_bytes: int
    hugetlb_bytes: int
    swap_bytes: int
    page_table_bytes: int
    unknown: dict[str, int]
