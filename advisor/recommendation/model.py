"""What a recommendation and a plan are made of. Field names are those of the report document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, overload

from msgspec import Struct, field

from advisor.artefacts.model import Artefact


class Gain(Struct, frozen=True):
    """Predicted gain: 0.12 is 12 % less time for the same work. level: that of low..high (0.9 = 90 %)."""

    median: float
    low: float
    high: float
    level: float


class Told(Protocol):
    """What there is to read of a reason. A finding of a rule is one: its words are made when they are read.

    remedy: what to do about it; None where no rule stands behind the reason.
    """

    @property
    def message(self) -> str: ...
    @property
    def remedy(self) -> str | None: ...
    @property
    def evidence(self) -> Mapping[str, Any]: ...
    @property
    def sources(self) -> Sequence[str]: ...


class Words(Struct, frozen=True):
    """A reason's words that are there already."""

    message: str
    remedy: str | None = None
    evidence: dict[str, Any] = {}
    sources: list[str] = []


class Reason(Struct, frozen=True):
    """One finding as text and data. status: matched | cannot-tell; severity: info | low | medium | high."""

    rule: str
    status: str
    severity: str
    told: Told

    @property
    def message(self) -> str:
        return self.told.message

    @property
    def remedy(self) -> str | None:
        return self.told.remedy

    @property
    def evidence(self) -> Mapping[str, Any]:
        return self.told.evidence

    @property
    def sources(self) -> Sequence[str]:
        return self.told.sources


class Alternative(Struct, frozen=True):
    """A policy that was proposed and not chosen, and why; with what it would cost, as in `Recommendation`.

    page_table_bytes_after: the page tables of this process under it, an estimate; None: not known.
    """

    policy: str
    page_bytes: int | None
    expected_gain: Gain | None
    why_not: str
    pages: int | None = None
    bloat_bytes: int | None = None
    bloat_basis: str | None = None
    page_table_bytes_after: int | None = None


class Alternatives(Sequence[Alternative]):
    """Alternatives that are made when somebody looks at them: those of a whole batch are seen by hardly anybody."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], list[Alternative]]) -> None:
        self._make = make
        self._made: list[Alternative] | None = None

    def _all(self) -> list[Alternative]:
        if self._made is None:
            self._made = self._make()
        return self._made

    @overload
    def __getitem__(self, place: int) -> Alternative: ...
    @overload
    def __getitem__(self, place: slice) -> list[Alternative]: ...
    def __getitem__(self, place: int | slice) -> Alternative | list[Alternative]:
        return self._all()[place]

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[Alternative]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._all() == list(other)


class Recommendation(Struct, frozen=True):
    """The decision for one process.

    policy: leave | thp | thp-off | hugetlb. page_bytes and pages: None where the policy has no page size, or
    where they cannot be computed; pages_basis says what was counted. expected_gain: None without a model.
    bloat_bytes: upper bound of the growth that the policy risks (thp), prevents (thp-off), or costs by
    rounding up (hugetlb); bloat_basis: pages (counted in a scan) or smaps (a bound), for thp and thp-off.
    reasons: the deciding one first. limited: the host has no room for something that would be better; an alternative
    says what.
    """

    policy: str
    page_bytes: int | None
    pages: int | None
    pages_basis: str | None
    expected_gain: Gain | None
    confidence: str
    decided_by: str
    override_reason: str | None
    bloat_bytes: int | None
    reasons: list[Reason]
    alternatives: Sequence[Alternative]
    artefacts: list[str]
    bloat_basis: str | None = None
    limited: bool = False


class ProcessAdvice(Struct, frozen=True):
    """A recommendation and whom it is for. at_stake_bytes is for sorting (`decide.at_stake_bytes`).

    moved_bytes: resident on base pages, that the advice puts on huge ones (`sizing.moved_bytes`).
    page_table_bytes_after: its page tables with the whole plan carried out, an estimate; None: not known.
    changes: false where the policy is what the process has already.
    """

    pid: int
    start_ticks: int
    recommendation: Recommendation
    at_stake_bytes: int
    moved_bytes: int = 0
    page_table_bytes_after: int | None = None
    changes: bool = False


class Tenant(Struct, frozen=True):
    """What a process needs and how the plan gives it; several that are alike in all of it are one tenant.

    needs: thp | shmem-thp | base-pages | pool. met: whether it gets that. gets_by: already | host-mode | own-advice |
    shmem-mode | allocator | application | program (it must be changed itself) | prctl | memory-thp; None where
    nothing gives it. how: that in a sentence, or why not. loses: what it would have with the host to itself and does
    not get; None for nothing. restart: takes effect when it is started anew. artefacts: ids of the texts for it.
    """

    name: str
    service: str | None
    needs: str
    page_bytes: int | None
    met: bool
    gets_by: str | None
    how: str
    loses: str | None
    restart: bool
    pids: tuple[int, ...] = ()
    artefacts: tuple[str, ...] = ()


class ThpPlan(Struct, frozen=True):
    """THP switches of the host as they should be; a value equal to today's is no change, None is unknown.

    khugepaged: file name below khugepaged/ -> new value, only what changes. changed: names of what changes. denied:
    why the mode gives huge pages to nobody else; None where everybody who needs them gets them. enabled_page_bytes:
    the page size whose own switch `enabled` is about, None for the host-wide one, which it follows by default.
    """

    enabled: str | None
    defrag: str | None
    shmem_enabled: str | None
    khugepaged: dict[str, int]
    changed: list[str]
    reason: str
    denied: str | None = None
    enabled_page_bytes: int | None = None


class PoolTerm(Struct, frozen=True):
    """One summand of a pool's size. kind: in-use (used or reserved now) | new (for pid) | headroom | kept (unused
    pages that stay) | asked (more that somebody asked for) | surplus (negative: in use beyond what was asked for,
    which stay until they are freed); why: of the headroom, and of how the pages of a process were counted."""

    kind: str
    pages: int
    pid: int | None = None
    why: str | None = None


class PoolPlan(Struct, frozen=True):
    """How many pages one pool should have. node None: over all nodes. when: runtime | boot.

    current_pages: the pool's size today, surplus_pages included, which the kernel added on demand (None unknown): to
    write today's size again, write current_pages - surplus_pages. for_pids: the processes that new or existing pages
    serve. terms: add up to pages. compact_first: fewer pages are free in one piece than are missing, so that memory
    must be compacted before.
    """

    page_bytes: int
    node: int | None
    pages: int
    current_pages: int | None
    when: str
    for_pids: list[int]
    surplus_pages: int = 0
    terms: list[PoolTerm] = field(default_factory=list)
    compact_first: bool = False

    @property
    def held_pages(self) -> int:
        """What the kernel holds once this size is written: pages in use cannot be taken away."""
        return self.pages - sum(term.pages for term in self.terms if term.kind == "surplus")


class CgroupPlan(Struct, frozen=True):
    """A limit of a cgroup that does not go with the plan. controller: hugetlb | memory.

    limit_bytes: as it is; needed_bytes: as it should be. required: the plan fails without it; else it is an offer.
    page_bytes: of the pool that a hugetlb limit is about. reason: the arithmetic.
    """

    path: str
    controller: str
    page_bytes: int | None
    limit_bytes: int | None
    needed_bytes: int
    required: bool
    for_pids: list[int]
    reason: str


class Risk(Struct, frozen=True):
    """What can go wrong although, or because, the plan is carried out. severity: low | medium | high."""

    id: str
    severity: str
    message: str
    remedy: str


class GuestPlan(Struct, frozen=True):
    """A virtual machine as this host sees it. backing: hugetlb | thp | base | mixed, now and with the plan.

    inside: what its own administrator should do for both stages of translation to be huge.
    """

    pid: int
    name: str
    ram_bytes: int | None
    backing: str
    planned_backing: str
    page_bytes: int | None
    inside: str


class NodeMemory(Struct, frozen=True):
    """One NUMA node before and after, bytes. available: an estimate from the node's meminfo; None unknown."""

    node: int
    total_bytes: int | None
    pool_before_bytes: int
    pool_after_bytes: int
    available_before_bytes: int | None
    available_after_bytes: int | None


class MemoryState(Struct, frozen=True):
    """Where the host's memory is, bytes. None: unknown.

    pool_bytes: all hugetlb pools. huge_bytes: memory mapped by huge pages. base_bytes: anonymous and shared
    memory on base pages, summed over processes (shared pages count once a process). available_bytes:
    MemAvailable.
    """

    pool_bytes: int | None
    huge_bytes: int | None
    base_bytes: int | None
    available_bytes: int | None


class BeforeAfter(Struct, frozen=True):
    """The host's memory today, and with the plan carried out. nodes: by NUMA node, where there are several."""

    before: MemoryState
    after: MemoryState
    nodes: list[NodeMemory] = field(default_factory=list)


class PageTables(Struct, frozen=True):
    """Bytes of page tables today, and as estimated with the plan carried out. None: unknown."""

    before: int | None
    after: int | None


class Asked(Struct, frozen=True):
    """One thing that somebody asked for. kind: policy | thp-mode | pool; what: in words. granted: the plan has it.

    note: why it has not, or what the advice is unasked; None where nothing is to be said.
    """

    kind: str
    what: str
    granted: bool
    note: str | None
    pid: int | None = None
    policy: str | None = None
    page_bytes: int | None = None
    pages: int | None = None
    thp_enabled: str | None = None


class Plan(Struct, frozen=True):
    """The host's sum of all recommendations. summary: lines that show the arithmetic.

    thp_growth_bytes: what THP may add to memory at most; None where that is unknown for a process that it reaches.
    """

    summary: list[str]
    thp: ThpPlan
    pools: list[PoolPlan]
    memory: BeforeAfter
    page_table_bytes: PageTables
    artefacts: list[Artefact] = field(default_factory=list)
    tenants: list[Tenant] = field(default_factory=list)
    risks: list[Risk] = field(default_factory=list)
    cgroups: list[CgroupPlan] = field(default_factory=list)
    guests: list[GuestPlan] = field(default_factory=list)
    asked_for: list[Asked] = field(default_factory=list)
    thp_growth_bytes: int | None = None
