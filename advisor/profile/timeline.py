"""Puts delta samples together: what is known of each process and of the host after a sample.

A process record in a sample holds only the sections that changed. Adding the samples in order to a `Timeline`
gives, after each of them, the whole state, with the time at which each section was last read anew. Only the
first counters are kept beside it, for rates; samples themselves are not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from advisor.procfs.facts import PinnedRange, Stat, Status
from advisor.profile.model import (
    Header,
    HostState,
    Mapping,
    ProcessFacts,
    ProcessRecord,
    Profile,
    Sample,
)
from advisor.profile.pages import FolioScan, PageScan, Refusal
from advisor.profile.probes import ProcessProbes

Identity = tuple[int, int]
"""(pid, start_ticks): a pid alone may be used again."""

UNOBSERVED_REASONS = frozenset({"hung", "quarantined"})
"""Reasons of `Skipped` that mean: nothing was read of a process that still lives."""


HOST_SECTIONS = tuple(name for name in HostState.__struct_fields__ if name != "problems")
"""What a host state holds, section by section; problems belong to one sample and are never carried on."""


@dataclass(slots=True)
class ProcessState:
    """All that is known of one living process. Times are `Sample.t_s`; a time is None where its section is.

    `smaps_fields` are the names of `maps[i].values`. `first_stat` is the stat of the sample that first had one.
    `first_anon_huge` is (t_s, bytes) of the first reading of AnonHugePages, kept when a later one replaces it.
    """

    pid: int
    start_ticks: int
    first_seen_t_s: float
    facts: ProcessFacts | None = None
    problems: dict[str, str] | None = None
    stat: Stat | None = None
    stat_t_s: float | None = None
    first_stat: Stat | None = None
    first_stat_t_s: float | None = None
    status: Status | None = None
    status_t_s: float | None = None
    rollup: dict[str, int] | None = None
    rollup_t_s: float | None = None
    maps: list[Mapping] | None = None
    maps_t_s: float | None = None
    smaps_fields: Sequence[str] = ()
    probes: ProcessProbes | None = None
    pages: PageScan | None = None
    folios: FolioScan | None = None
    pinned: list[PinnedRange] | None = None
    refusals: list[Refusal] | None = None
    first_anon_huge: tuple[float, int] | None = None

    @property
    def identity(self) -> Identity:
        return self.pid, self.start_ticks

    @property
    def has_newest_maps(self) -> bool:
        """True when smaps was read, and no earlier than smaps_rollup."""
        return self.maps_t_s is not None and (self.rollup_t_s is None or self.maps_t_s >= self.rollup_t_s)

    @property
    def walked_t_s(self) -> float | None:
        """When its page tables were last walked, by smaps or smaps_rollup."""
        return self.maps_t_s if self.has_newest_maps else self.rollup_t_s

    def anon_huge_bytes(self) -> int | None:
        """AnonHugePages of the newest walk; None where there was none or the kernel does not print it."""
        if not self.has_newest_maps:
            return self.rollup.get("AnonHugePages") if self.rollup is not None else None
        if self.maps is None or "AnonHugePages" not in self.smaps_fields:
            return None
        position = self.smaps_fields.index("AnonHugePages")
        return sum(mapping.values[position] for mapping in self.maps)

    def add(self, record: ProcessRecord, t_s: float, smaps_fields: Sequence[str]) -> None:
        """Take the sections that `record` has; the others stay as they were."""
        if record.facts is not None:
            self.facts = record.facts
        if record.problems is not None:
            self.problems = record.problems
        if record.stat is not None:
            if self.first_stat is None:
                self.first_stat, self.first_stat_t_s = record.stat, t_s
            self.stat, self.stat_t_s = record.stat, t_s
        if record.status is not None:
            self.status, self.status_t_s = record.status, t_s
        if record.probes is not None:
            self.probes = record.probes
        if record.pages is not None:
            self.pages = record.pages
        if record.folios is not None:
            self.folios = record.folios
        if record.pinned is not None:
            self.pinned = record.pinned
        if record.refusals is not None:
            self.refusals = record.refusals
        if record.maps is not None or record.rollup is not None:
            self._add_walk(record, t_s, smaps_fields)

    def _add_walk(self, record: ProcessRecord, t_s: float, smaps_fields: Sequence[str]) -> None:
        if self.first_anon_huge is None and (walked := self.walked_t_s) is not None:
            anon_huge = self.anon_huge_bytes()
            self.first_anon_huge = None if anon_huge is None else (walked, anon_huge)
        if record.maps is not None:
            self.maps, self.maps_t_s, self.smaps_fields = record.maps, t_s, smaps_fields
        if record.rollup is not None:
            self.rollup, self.rollup_t_s = record.rollup, t_s


@dataclass(slots=True)
class Timeline:
    """The state after the samples added so far. Feed it samples in time order; read it at any time.

    host_first and host_last hold, for each section of `HostState` on its own, the first and the newest reading;
    host_first_t_s and host_last_t_s say when that was, by section name. unobserved: pids that the last sample
    could not read although they live. The problems of `host_last` are those of the last sample alone.
    """

    header: Header
    samples: int = 0
    first_t_s: float = 0.0
    last_t_s: float = 0.0
    processes: dict[Identity, ProcessState] = field(default_factory=dict)
    host_first: HostState = field(default_factory=HostState)
    host_last: HostState = field(default_factory=HostState)
    host_first_t_s: dict[str, float] = field(default_factory=dict)
    host_last_t_s: dict[str, float] = field(default_factory=dict)
    unobserved: frozenset[int] = frozenset()
    _identity_of_pid: dict[int, Identity] = field(default_factory=dict)
    _smaps_fields: Sequence[str] = ()

    @property
    def duration_s(self) -> float:
        return self.last_t_s - self.first_t_s

    def add(self, sample: Sample) -> None:
        """Fold one more sample in. Processes that it names as gone, or whose pid has a new owner, are dropped."""
        if self.samples == 0:
            self.first_t_s = sample.t_s
        self.samples += 1
        self.last_t_s = sample.t_s
        if sample.smaps_fields:
            self._smaps_fields = tuple(sample.smaps_fields)
        for record in sample.processes:
            self._add_record(record, sample.t_s)
        for identity in sample.gone:
            self._drop(identity)
        self.unobserved = frozenset(s.pid for s in sample.skipped if s.reason in UNOBSERVED_REASONS)
        self._add_host(sample.host, sample.t_s)

    def observed_until_t_s(self, process: ProcessState) -> float | None:
        """Up to when its counters are known: the last sample, or its last stat when that sample missed it."""
        return process.stat_t_s if process.pid in self.unobserved else self.last_t_s

    def _add_record(self, record: ProcessRecord, t_s: float) -> None:
        identity = record.pid, record.start_ticks
        state = self.processes.get(identity)
        if state is None:
            if (former := self._identity_of_pid.get(record.pid)) is not None:
                self._drop(former)
            state = self.processes[identity] = ProcessState(record.pid, record.start_ticks, t_s)
            self._identity_of_pid[record.pid] = identity
        state.add(record, t_s, self._smaps_fields)

    def _drop(self, identity: Identity) -> None:
        if self.processes.pop((identity[0], identity[1]), None) is not None:
            self._identity_of_pid.pop(identity[0], None)

    def _add_host(self, host: HostState, t_s: float) -> None:
        sections = {name: value for name in HOST_SECTIONS if is_read(value := getattr(host, name))}
        fresh = {name: value for name, value in sections.items() if name not in self.host_first_t_s}
        self.host_first = structs.replace(self.host_first, **fresh)
        self.host_first_t_s.update(dict.fromkeys(fresh, t_s))
        self.host_last = structs.replace(self.host_last, **sections, problems=host.problems)
        self.host_last_t_s.update(dict.fromkeys(sections, t_s))


def is_read(section: object) -> bool:
    """False for what a host state holds where nothing was read: None, or an empty table by default."""
    return section is not None and section != {}


def fold(header: Header, samples: Iterable[Sample]) -> Timeline:
    """The state after the last of a stream of samples; none of them is kept."""
    timeline = Timeline(header)
    for sample in samples:
        timeline.add(sample)
    return timeline


def fold_samples(profile: Profile) -> Timeline:
    """The state after the last sample of a profile."""
    return fold(profile.header, profile.samples)
