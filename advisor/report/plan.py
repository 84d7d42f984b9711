"""The plan's part of the report document: what changes on the host, and the text that does it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from advisor.report.reasons import PolicyName

When = Literal["runtime", "boot"]

Backing = Literal["hugetlb", "thp", "base", "mixed", "unknown"]

Needs = Literal["thp", "shmem-thp", "base-pages", "pool"]

GetsBy = Literal[
    "already",
    "host-mode",
    "own-advice",
    "shmem-mode",
    "allocator",
    "application",
    "program",
    "prctl",
    "memory-thp",
]


class PlanThp(Struct, frozen=True):
    """The switches of transparent huge pages as they should be; null: unknown. changed: names of those that change.

    khugepaged: file name below khugepaged/ -> new value, only what changes. denied: why who needs huge pages and gets
    none does not. enabled_page_bytes: the page size whose own switch `enabled` is about; null: the host-wide one.
    """

    enabled: str | None
    defrag: str | None
    shmem_enabled: str | None
    khugepaged: dict[str, int]
    changed: list[str]
    reason: str | None
    denied: str | None = None
    enabled_page_bytes: int | None = None


class PoolTerm(Struct, frozen=True):
    """One summand of a pool's size. kind: in-use is used or reserved now; new is for pid; kept are unused pages that
    stay; asked are more that somebody asked for; surplus is negative: in use beyond what was asked for, which stay
    until they are freed. why: of the headroom, and what was counted for a process."""

    kind: Literal["in-use", "new", "headroom", "kept", "asked", "surplus"]
    pages: int
    pid: int | None
    why: str | None


class PlanPool(Struct, frozen=True):
    """A pool's size after the plan, in pages. node null: over all nodes. for_pids: the processes it serves.

    current_pages: today, surplus_pages included, which the kernel added on demand. terms: add up to pages.
    """

    page_bytes: int
    node: int | None
    pages: int
    when: When
    for_pids: list[int]
    current_pages: int | None
    surplus_pages: int = 0
    terms: list[PoolTerm] = field(default_factory=list)


class PlanCgroup(Struct, frozen=True):
    """A limit of a cgroup that does not go with the plan: too low for a pool, or higher than is needed any more.

    page_bytes: of the pool that a hugetlb limit is about. needed_bytes: what it should be. required: the plan fails
    without it; otherwise an offer. reason: the arithmetic.
    """

    path: str
    controller: Literal["hugetlb", "memory"]
    page_bytes: int | None
    limit_bytes: int | None
    needed_bytes: int
    required: bool
    for_pids: list[int]
    reason: str


class PlanRisk(Struct, frozen=True):
    """What can go wrong with the plan or because it is not carried out, with its numbers, and what to do about it."""

    id: str
    severity: Literal["low", "medium", "high"]
    message: str
    remedy: str


class PlanGuest(Struct, frozen=True):
    """A virtual machine on this host. backing: what most of its RAM is on, now and with the plan.

    inside: what its own administrator should do, so that both stages of translation are huge.
    """

    pid: int
    name: str
    ram_bytes: int | None
    backing: Backing
    planned_backing: Backing
    page_bytes: int | None
    inside: str


class NodeMemory(Struct, frozen=True):
    """One NUMA node, bytes. available: estimated from its meminfo, as the kernel prints no MemAvailable by node."""

    node: int
    total_bytes: int | None
    pool_before_bytes: int
    pool_after_bytes: int
    available_before_bytes: int | None
    available_after_bytes: int | None


class MemoryState(Struct, frozen=True):
    """Where the host's memory is, bytes. pool: all hugetlb pools; available: MemAvailable.

    huge: memory mapped by huge pages; base: anonymous and shared memory on base pages, summed over processes.
    """

    pool_bytes: int | None
    huge_bytes: int | None
    base_bytes: int | None
    available_bytes: int | None


class PlanMemory(Struct, frozen=True):
    """The host's memory today, and as computed with the plan carried out; nodes: where there are several."""

    before: MemoryState
    after: MemoryState
    nodes: list[NodeMemory] = field(default_factory=list)


class PlanPageTables(Struct, frozen=True):
    """Bytes of page tables today, and as estimated with the plan carried out."""

    before: int | None
    after: int | None


class KernelValue(Struct, frozen=True):
    """A kernel file that commands write; at_least: what it must say afterwards, a count of pages."""

    path: str
    at_least: int | None


class PlanTenant(Struct, frozen=True):
    """What processes need and how they get it: one entry for those that are alike in all of it.

    needs: thp and shmem-thp are transparent huge pages of anonymous and of shared memory. gets_by: already, by the
    host's mode, its own madvise (own-advice), the mode for shared memory, an option of its allocator or application,
    a change of the program itself, or switched off by prctl or systemd's MemoryTHP=; null where nothing gives it.
    how: that in a sentence, or why not. loses: what it does not get and would have with the host to itself. restart:
    in force after it is started anew. artefacts: ids of the texts for it.
    """

    pids: list[int]
    name: str
    service: str | None
    needs: Needs
    page_bytes: int | None
    met: bool
    gets_by: GetsBy | None
    how: str
    loses: str | None
    restart: bool
    artefacts: list[str]


class Artefact(Struct, frozen=True):
    """Configuration text that does one part of the plan, where it goes, and the text that undoes it.

    path: the file that `text` is the content of; null: commands or an excerpt. by_hand: goes into a file or command
    line that only a person knows. writes: kernel files that the commands write. after: commands that bring the file
    in force; undo_before, undo_after: commands to run before and after it is taken away. restart: the service to
    restart when it suits. warnings: what on this host works against it.
    """

    id: str
    kind: str
    title: str
    path: str | None
    text: str
    undo: str | None
    needs_reboot: bool
    by_hand: bool = False
    writes: list[KernelValue] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    undo_before: list[str] = field(default_factory=list)
    undo_after: list[str] = field(default_factory=list)
    restart: str | None = None
    warnings: list[str] = field(default_factory=list)


class PlanAsked(Struct, frozen=True):
    """One thing that somebody asked for, in place of what would be advised. what: in words. granted: the plan has it.

    note: why it has not, or what it is today or would be unasked. pid and policy: of a process (page_bytes null: a
    pool of the PMD size); page_bytes and pages: of a pool, in all; thp_enabled: the host's mode.
    """

    kind: Literal["policy", "thp-mode", "pool"]
    what: str
    granted: bool
    note: str | None
    pid: int | None = None
    policy: PolicyName | None = None
    page_bytes: int | None = None
    pages: int | None = None
    thp_enabled: str | None = None


class HostPlan(Struct, frozen=True):
    """What should change on the host as a whole. summary: one sentence; arithmetic: lines that show the sums.

    tenants: every process with a need of its own, most at stake first, and how it gets that. risks: the gravest
    first. cgroups: limits to raise, then those that can be lowered. guests: the virtual machines on this host.
    asked_for: what somebody wants in place of advice; empty where this is advice alone. thp_growth_bytes: what THP
    may add to memory at most, with those whom a change to mode always exposes; null: unknown for one of these.
    """

    summary: str
    thp: PlanThp
    pools: list[PlanPool]
    memory: PlanMemory
    page_table_bytes: PlanPageTables
    artefacts: list[Artefact]
    arithmetic: list[str]
    tenants: list[PlanTenant] = field(default_factory=list)
    risks: list[PlanRisk] = field(default_factory=list)
    cgroups: list[PlanCgroup] = field(default_factory=list)
    guests: list[PlanGuest] = field(default_factory=list)
    asked_for: list[PlanAsked] = field(default_factory=list)
    thp_growth_bytes: int | None = None
