"""What one process did from sample to sample: memory, coverage, faults, CPU. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from advisor.procfs.facts import Stat, Status
from advisor.profile.model import ProcessRecord, Profile, Sample
from advisor.profile.timeline import UNOBSERVED_REASONS, Identity, ProcessState
from advisor.report.close_up import CloseUpMoment

MOST_MOMENTS = 240
"""Points of a history. Source: own choice. Reason: more than a wide screen has columns."""

MEMORY_SECTIONS = ("maps", "rollup", "status")
"""Sections of a record that coverage is made of."""

SUMS = ("anon", "shmem", "hugetlb", "anon_huge", "shmem_huge")
"""What coverage is made of."""


def build_history(
    profile: Profile, identity: Identity, known: Mapping[float, float | None] | None = None, most: int = MOST_MOMENTS
) -> list[CloseUpMoment]:
    """From when it was first seen to the last sample.

    known: coverage at times of which a former history of the same process told: summing up a large map takes a
    millisecond, and a window holds dozens.
    """
    first = next((n for n, sample in enumerate(profile.samples) if _record(sample, identity)), None)
    if first is None:
        return []
    wanted = _evenly(first, len(profile.samples) - 1, most)
    state = ProcessState(*identity, profile.samples[first].t_s)
    fields: Sequence[str] = ()
    moments: list[CloseUpMoment] = []
    before: _Counters | None = None
    coverage, outdated = None, True
    for number, sample in enumerate(profile.samples[first:], first):
        fields = sample.smaps_fields or fields
        if (record := _record(sample, identity)) is not None:
            state.add(record, sample.t_s, fields)
            outdated = outdated or any(getattr(record, name) is not None for name in MEMORY_SECTIONS)
        if number not in wanted:
            continue
        if any(one.pid == identity[0] and one.reason in UNOBSERVED_REASONS for one in sample.skipped):
            moments.append(CloseUpMoment(sample.t_s, None, None, None, None, None))
            continue
        if outdated:
            coverage = known[sample.t_s] if known and sample.t_s in known else huge_coverage(state)
            outdated = False
        now = None if state.stat is None else _Counters(sample.t_s, state.stat)
        moments.append(_moment(profile, sample.t_s, state, coverage, before, now))
        before = now or before
    return moments


class _Counters(NamedTuple):
    t_s: float
    stat: Stat


def _record(sample: Sample, identity: Identity) -> ProcessRecord | None:
    pid, start = identity
    return next((one for one in sample.processes if one.pid == pid and one.start_ticks == start), None)


def _evenly(first: int, last: int, most: int) -> frozenset[int]:
    """At most so many of the numbers from first to last, both among them, evenly spread."""
    steps = min(last - first, most - 1)
    between = (first + round(step * (last - first) / steps) for step in range(steps))
    return frozenset((*between, last))


def _moment(
    profile: Profile,
    t_s: float,
    state: ProcessState,
    coverage: float | None,
    before: _Counters | None,
    now: _Counters | None,
) -> CloseUpMoment:
    facts = profile.header.host
    rss = None
    if now is not None and facts.base_page_bytes is not None:
        rss = now.stat.rss_pages * facts.base_page_bytes
    elif state.status is not None:
        rss = state.status.vm_rss_bytes
    minor = major = cpu = None
    if before is not None and now is not None and now.t_s > before.t_s:
        old, new, elapsed = before.stat, now.stat, now.t_s - before.t_s
        minor = (new.minor_faults - old.minor_faults) / elapsed
        major = (new.major_faults - old.major_faults) / elapsed
        ticks = new.user_ticks + new.system_ticks - old.user_ticks - old.system_ticks
        cpu = ticks / facts.clock_ticks_per_s / elapsed
    return CloseUpMoment(t_s, rss, coverage, minor, major, cpu)


def huge_coverage(state: ProcessState) -> float | None:
    """The feature of this name, for one state: the feature table takes twenty times as long for a table of one row.

    Which reading of several counts is the rule of features.totals.newest_total; a test holds the two together.
    """
    status = state.status or Status("")
    rollup = (state.rollup or {}).get
    maps = {} if state.maps is None else _sums(state)

    def newest(mapped: str, summed: int | None, counter: int | None) -> int | None:
        if state.has_newest_maps:
            return _first(maps.get(mapped), counter)
        return _first(summed, counter, maps.get(mapped)) if state.rollup is not None else counter

    anon = newest("anon", rollup("Anonymous"), status.rss_anon_bytes)
    shmem = newest("shmem", None, status.rss_shmem_bytes)
    in_pool = _added(rollup("Shared_Hugetlb"), rollup("Private_Hugetlb"))
    hugetlb = newest("hugetlb", in_pool, status.hugetlb_bytes)
    anon_huge = newest("anon_huge", rollup("AnonHugePages"), None)
    shmem_huge = newest("shmem_huge", rollup("ShmemPmdMapped"), None)
    if shmem is not None and shmem_huge is not None:
        shmem = max(shmem, shmem_huge)
    huge = _added(0 if anon == 0 else anon_huge, 0 if shmem == 0 else shmem_huge, hugetlb)
    whole = _added(anon, shmem, hugetlb)
    return huge / whole if huge is not None and whole else None


def _sums(state: ProcessState) -> dict[str, int | None]:
    """What the mappings add up to; None where the kernel does not print a part. Of no mapping there is none."""
    if not state.maps:
        return dict.fromkeys(SUMS, 0)
    maps, places = state.maps, {name: place for place, name in enumerate(state.smaps_fields)}

    def total(name: str, kind: str | None = None) -> int | None:
        place = places.get(name)
        if place is None:
            return None
        return sum(one.values[place] for one in maps if kind in (None, one.kind))

    is_pool = any(one.kind == "hugetlb" for one in maps)
    in_pool = _added(total("Shared_Hugetlb"), total("Private_Hugetlb"))
    shmem_huge = total("ShmemPmdMapped")
    own, copied = total("Rss", "shmem"), total("Anonymous", "shmem")
    shmem = None if own is None or copied is None else own - copied
    shmem = _added(shmem, (shmem_huge or 0) - (total("ShmemPmdMapped", "shmem") or 0))
    hugetlb = in_pool if is_pool else in_pool or 0
    return dict(zip(SUMS, (total("Anonymous"), shmem, hugetlb, total("AnonHugePages"), shmem_huge), strict=True))


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _added(*values: int | None) -> int | None:
    """The sum; None where a part is unknown."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
