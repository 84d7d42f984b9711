"""Sample and Profile: what was observed, raw. Nothing here is derived; features are computed from it later.

A process record in a sample holds only the sections that changed since the sample before, so a process in
which nothing happened costs nothing. `timeline.py` puts the sections together again.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from advisor.procfs.configuration import HostConfiguration
from advisor.procfs.facts import (
    BuddyZone,
    CgroupHugetlb,
    CgroupMembership,
    CgroupMemory,
    Cpu,
    HugetlbPool,
    Limit,
    NumaPlacement,
    Pagetypes,
    PinnedRange,
    Pressure,
    ProgramFacts,
    Stat,
    Status,
    Thp,
    TlbLevel,
    Zone,
)
from advisor.profile.pages import FolioScan, KhugepagedLooks, PageScan, Refusal
from advisor.profile.probes import ProcessProbes

PROFILE_SCHEMA = "hugepage-advisor/profile/1"
"""Version of the profile format. History: 1 = first (0.1.0)."""


SYNTHETIC = "synthetic"
"""What `Header.origin` of a made-up profile begins with. Such profiles are for load alone: training refuses them."""


MOST_BYTES = 1 << 57
"""What no size on any machine exceeds. Source: Documentation/arch/x86/x86_64/5level-paging.rst. Reason: addresses of
57 bits are the widest of the architectures that Linux runs on; even VmallocTotal stays below."""

Size = Annotated[int, Meta(ge=0, le=MOST_BYTES)]
"""Bytes of mapped memory. A profile with another number is damaged: sums would hide it."""


BasePage = Annotated[int, Meta(ge=1 << 10, le=1 << 20)]
"""Bytes of a base page. Source: Linux has 4 KiB to 256 KiB (arch/*/Kconfig). Reason: others are damage."""


LAST_TIME_S = 253_402_300_799
"""The last second of the year 9999, in Unix seconds: no later one has a date (datetime.MAXYEAR)."""

WallTime = Annotated[float, Meta(ge=0, le=LAST_TIME_S)]
"""Unix seconds. A profile with another number is damaged."""


class Mapping(Struct, frozen=True, array_like=True):
    """One VMA, or several small VMAs of one process that agree in everything a page policy depends on.

    A VMA that can hold a huge page (size >= the PMD page) or is hugetlb is kept alone (count 1, start known);
    smaller ones are folded by key (count > 1 or start None). `values` are the smaps fields in the order of
    `Sample.smaps_fields`, bytes, summed over the folded VMAs.

    kind: anon | heap | stack | shmem | file | hugetlb | device | special.
    advice: "hg" MADV_HUGEPAGE, "nh" MADV_NOHUGEPAGE, "" neither, None where VmFlags is absent (before 3.8).
    eligible: smaps THPeligible, None where absent (before 5.0).
    slot_bytes: bytes of whole aligned PMD-size slots inside, summed; None where the PMD size is unknown.
    object: "dev:inode" of a mapped object, kept for single VMAs with an inode.
    userfaultfd: armed by userfaultfd(2) (VmFlags um, uw or ui); None where VmFlags is absent or was not looked at.
    noreserve: MAP_NORESERVE, of hugetlb only; None for others, without VmFlags, and in profiles before it was read.
    executable: of a single VMA; None where folded, and in profiles before it was read.
    """

    kind: str
    count: int
    start: int | None
    size: Size
    page_bytes: int | None
    advice: str | None
    eligible: int | None
    shared: bool
    writable: bool
    locked: bool | None
    slot_bytes: int | None
    name: str
    object: str | None
    values: list[Size]
    userfaultfd: bool | None = None
    noreserve: bool | None = None
    executable: bool | None = None


class ProcessFacts(Struct, frozen=True, omit_defaults=True):
    """What stays the same while a process keeps its identity. command_line is redacted when saved by default.

    executable is the target of /proc/PID/exe as text; libraries are base names of mapped files that matter
    (allocators, runtimes, libc). user is None where the uid has no name here. numa: as of the last walk, on hosts
    with several NUMA nodes only.
    """

    name: str
    uid: int | None = None
    user: str | None = None
    ppid: int | None = None
    executable: str | None = None
    command_line: list[str] | None = None
    cgroup: list[CgroupMembership] | None = None
    limits: list[Limit] | None = None
    libraries: list[str] | None = None
    program: ProgramFacts | None = None
    numa: NumaPlacement | None = None


class ProcessRecord(Struct, frozen=True, omit_defaults=True):
    """The sections of one process that were read anew and differ. Identity is (pid, start_ticks).

    rollup: smaps_rollup fields, bytes. problems: file name -> reason of KernelTextError ("denied", "hung", ...).
    probes: only where they were asked for. pages: of processes with much anonymous memory, when it first is seen and
    when it changed much (0.2.0); folios: of these, where the host has mTHP (0.2.0). pinned: where status has VmPin,
    the buffers known to be pinned, which are those of io_uring (0.2.0). refusals: of khugepaged, where it was
    listened to (0.2.0).
    """

    pid: int
    start_ticks: int
    facts: ProcessFacts | None = None
    stat: Stat | None = None
    status: Status | None = None
    rollup: dict[str, Size] | None = None
    maps: list[Mapping] | None = None
    problems: dict[str, str] | None = None
    probes: ProcessProbes | None = None
    pages: PageScan | None = None
    folios: FolioScan | None = None
    pinned: list[PinnedRange] | None = None
    refusals: list[Refusal] | None = None


class Skipped(Struct, frozen=True):
    """A process that could not be observed, and why: gone, denied, hung, quarantined, malformed, walk-too-long."""

    pid: int
    name: str | None
    reason: str
    detail: str | None = None


class HostFacts(Struct, frozen=True, omit_defaults=True):
    """What does not change while the profile is made. systemd_version: None where init is another, or unknown.

    configuration: None where it was not recorded. hidepid: /proc hides processes from those who may not trace them.
    in_pid_namespace: only processes of a container could be seen. Both None where it is unknown: of captured trees.
    """

    hostname: str | None = None
    kernel: str | None = None
    arch: str | None = None
    boot_id: str | None = None
    base_page_bytes: BasePage | None = None
    clock_ticks_per_s: Annotated[int, Meta(ge=1, le=1 << 20)] = 100
    cpu: Cpu | None = None
    tlb: list[TlbLevel] = field(default_factory=list)
    virtualization: str | None = None
    nodes: list[int] | None = None
    systemd_version: int | None = None
    configuration: HostConfiguration | None = None
    hidepid: bool | None = None
    in_pid_namespace: bool | None = None


class ZoneBlocks(Struct, frozen=True, array_like=True):
    """Blocks of the PMD page size in one zone: what a look at the flags of their pages found (/proc/kpageflags).

    blocks: whole aligned blocks in the zone's span; looked_at: of these, spread evenly. All other counts are of the
    blocks looked at. movable: those in which all memory is free or can be moved; unnamed: those that would be, but
    for pages of which the kernel names nothing (free ones on a list of one CPU, or plain allocations of its own);
    blank: those with no other page (not initialised, not accepted). Pages: free_pages and file_pages (page cache) in
    movable and unnamed blocks, stuck_free_pages in the rest, unnamed_pages anywhere but in blank blocks.
    cpu_list_pages: free pages on lists per CPU in the whole zone, None where zoneinfo did not say.
    """

    node: int
    zone: str
    blocks: int
    looked_at: int
    movable: int
    unnamed: int
    blank: int
    free_pages: int
    stuck_free_pages: int
    file_pages: int
    unnamed_pages: int
    cpu_list_pages: int | None


class ZoneRanges(Struct, frozen=True, array_like=True):
    """Aligned ranges of one gigantic page in one zone, all pages looked at until one forbids it.

    movable, unnamed: as in `ZoneBlocks`; blank: those with more unnamed pages than the lists per CPU hold. blocked:
    the others, by what was met first. unread: those in which nothing forbidding was met before the time ran out.
    """

    node: int
    zone: str
    page_bytes: int
    movable: int
    unnamed: int
    blank: int
    unread: int
    blocked: dict[str, int]


class Contiguity(Struct, frozen=True):
    """Whether physical memory could be made into huge pages: one look, at one sample. cpu_s: what it cost."""

    block_bytes: int
    zones: list[ZoneBlocks]
    ranges: list[ZoneRanges]
    cpu_s: float


class HostState(Struct, frozen=True, omit_defaults=True):
    """What the host-wide files said at one sample. meminfo in bytes, HugePages_* in pages; None is unreadable.

    cgroup_memory: cgroups with a memory limit, of the processes seen; None in profiles before it was read.
    hugetlb_in_memcg: hugetlb pages count in memory.max (mount option memory_hugetlb_accounting).
    """

    meminfo: dict[str, int] | None = None
    vmstat: dict[str, int] | None = None
    buddyinfo: list[BuddyZone] | None = None
    zoneinfo: list[Zone] | None = None
    pagetypeinfo: Pagetypes | None = None
    thp: Thp | None = None
    pools: list[HugetlbPool] | None = None
    pressure: dict[str, Pressure] = field(default_factory=dict)
    node_meminfo: dict[int, dict[str, int]] = field(default_factory=dict)
    cgroup_hugetlb: list[CgroupHugetlb] = field(default_factory=list)
    cgroup_memory: list[CgroupMemory] | None = None
    hugetlb_in_memcg: bool | None = None
    khugepaged_ticks: int | None = None
    uptime_s: float | None = None
    khugepaged_looks: KhugepagedLooks | None = None
    problems: dict[str, str] = field(default_factory=dict)
    contiguity: Contiguity | None = None


class Cost(Struct, frozen=True):
    """What making this sample cost the sampler: CPU and wall seconds, and which reads were made or put off."""

    cpu_s: float
    wall_s: float
    smaps_reads: int = 0
    rollup_reads: int = 0
    deferred: int = 0


class Sample(Struct, frozen=True, omit_defaults=True):
    """One tick. t_s: seconds on the monotonic clock since the profile began; wall_time: Unix seconds."""

    t_s: float
    wall_time: WallTime
    host: HostState
    cost: Cost
    smaps_fields: list[str] = field(default_factory=list)
    processes: list[ProcessRecord] = field(default_factory=list)
    gone: list[tuple[int, int]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


class Capture(Struct, frozen=True, omit_defaults=True):
    """What a profile was imported from (0.2.0). form: sosreport | smem | proc (the content of /proc) | tree.

    cut: the archive ended too early, what came before was taken. links: wanted entries that were links or devices.
    """

    form: str
    cut: bool = False
    links: int = 0


class Header(Struct, frozen=True, omit_defaults=True):
    """First line of a profile. source: live | tree. budget_share: the sampler's budget, share of one CPU.

    origin: what it was made from, in words or as a name; SYNTHETIC in front: made up. capture: None for what was not
    imported.
    """

    schema: str
    tool_version: str
    created_at: str
    source: str
    host: HostFacts
    interval_s: float | None = None
    budget_share: float | None = None
    privileged: bool | None = None
    redacted: bool = True
    origin: str | None = None
    capture: Capture | None = None


class Profile(Struct, frozen=True):
    """A header and its samples, in time order. truncated: the file ended inside a sample, which was dropped."""

    header: Header
    samples: list[Sample]
    truncated: bool = False
