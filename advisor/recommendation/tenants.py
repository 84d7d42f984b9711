"""Who needs what of the host's pages, and the means by which each process gets its own.

A host-wide switch is one answer for all. A process that needs another one gets it by a switch of its own: prctl or
MemoryTHP= against huge pages, an allocator's or a runtime's option for them. What no means gives is named, with who
loses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from advisor.knowledge.versions import fits, known_version
from advisor.recommendation.model import Alternative, PoolPlan, ProcessAdvice, Recommendation, Tenant, ThpPlan
from advisor.recommendation.sizing import base_bytes, concerns_shmem
from advisor.rules import RULES, Policy
from advisor.rules.text import show_bytes

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""

ADVISABLE_ALLOCATORS = ("glibc", "jemalloc")
"""Allocators that advise their memory when told by the environment. Source: glibc manual,
glibc.malloc.hugetlb=1 (2.35+); jemalloc TUNING, thp:always."""

ADVISABLE_RUNTIMES = ("jvm",)
"""Runtimes with a switch that advises the heap. Source: java(1), -XX:+UseTransparentHugePages."""

ADVISABLE_APPLICATIONS = ("memcached",)
"""Applications with such an option. Source: memcached(1), -L, which advises the memory of its cache."""

OWN_SWITCH = {"redis": ">=6.2", "valkey": ""}
"""Servers that switch THP off for themselves, by disable-thp, and the versions that know it: an older one does not
start with an option that it does not know. Source: redis.conf."""

REFUSING_ALLOCATORS = ("jemalloc", "mimalloc")
"""Allocators that keep their memory from THP when told by the environment. Source: jemalloc TUNING, thp:never;
mimalloc, MIMALLOC_ALLOW_THP."""

KEEPS_THP = frozenset({"thp-already-covers", "application-keeps-thp"})
"""Rules that match where THP serves a process now, so that it must stay."""

KEEPS_SHMEM_THP = frozenset({"shmem-already-huge"})
"""The same for shared memory and its own switch."""

KEEPS_OFF = frozenset({"thp-disabled-by-process", "thp-limited-to-advised", "advised-against-huge-pages"})
"""Rules that match where a process is out of the reach of every host mode: by prctl, or by advice against."""

BY_RISK = frozenset({"growth-exceeds-available"})
"""Rules that forbid huge pages because of what they might cost the host, not because the process needs base pages.
Such a process counts among those that a generous mode exposes."""

MEMORY_THP_SYSTEMD = 260
"""Version of systemd that knows MemoryTHP= (systemd NEWS, v260)."""

SERVICE_SUFFIX = ".service"
"""Ending of a cgroup that systemd made for a service."""

USER_SLICE = "/user.slice/"
"""Services below it belong to a user's own systemd, whose drop-ins lie elsewhere."""

MOST = 0.5
"""Share of memory. Source: the rules' own. Reason: what a process does with half of its memory is what it is like."""


class Need(StrEnum):
    """What a process should have: what it is advised, or what it has and must keep."""

    THP = "thp"
    SHMEM_THP = "shmem-thp"
    BASE_PAGES = "base-pages"
    POOL = "pool"


class Means(StrEnum):
    """By what a process gets it. The first three take nothing from the operator but the plan's host-wide part."""

    ALREADY = "already"
    HOST_MODE = "host-mode"
    OWN_ADVICE = "own-advice"
    SHMEM_MODE = "shmem-mode"
    ALLOCATOR = "allocator"
    APPLICATION = "application"
    PROGRAM = "program"
    PRCTL = "prctl"
    MEMORY_THP = "memory-thp"


NO_ROOM = "the host has no room for this pool beside those with more at stake"
"""Why a pool that suits a process is not advised after all."""

POOL_TOO_SMALL = "the pool that was asked for has no pages left for it beside those with more at stake"
"""Why a pool that suits a process is not advised after all."""

MODE_DENIES = "the THP mode that was asked for gives it no huge pages"
"""Why THP that suits a process is not advised after all."""

WITHOUT_RESTART = frozenset({Means.ALREADY})
"""Means in force for a process that keeps running. All others hold for memory that is touched after a restart."""

SWITCHED_OFF_BY = frozenset({Means.PRCTL, Means.MEMORY_THP, Means.APPLICATION, Means.ALLOCATOR})
"""Means by which a process that needs base pages gets them whatever the host's mode."""


class Wanting(NamedTuple):
    """A process with a need: its row, advice and need."""

    row: Row
    advice: ProcessAdvice
    need: Need

    @property
    def recommendation(self) -> Recommendation:
        return self.advice.recommendation


def wanting(rows: Sequence[Row], advice: Sequence[ProcessAdvice]) -> list[Wanting]:
    """The processes with a need, in the order of the rows. All others take what the host gives."""
    found = (Wanting(row, one, need) for row, one in zip(rows, advice, strict=True) if (need := need_of(one)))
    return list(found)


def need_of(one: ProcessAdvice) -> Need | None:
    """What a process needs by its advice; left alone, what it must keep or be kept from."""
    advised = one.recommendation
    if advised.policy == Policy.HUGETLB:
        return Need.POOL
    if advised.policy == Policy.THP:
        return Need.SHMEM_THP if concerns_shmem(advised) else Need.THP
    if advised.policy == Policy.THP_OFF:
        return Need.BASE_PAGES
    if (denied := denied_policy(advised)) is not None:
        return Need.POOL if denied.policy == Policy.HUGETLB else Need.THP
    matched = _matched(advised)
    if any(name in RULES and Policy.THP in RULES[name].forbids for name in matched - BY_RISK):
        return Need.BASE_PAGES
    if matched & KEEPS_THP:
        return Need.THP
    return Need.SHMEM_THP if matched & KEEPS_SHMEM_THP else None


def denied_policy(advised: Recommendation) -> Alternative | None:
    """What a process that is left alone would have, had nobody asked for another mode or pool; None for others."""
    if advised.policy != Policy.LEAVE or not advised.limited:
        return None
    return next((other for other in advised.alternatives if other.why_not in (MODE_DENIES, POOL_TOO_SMALL)), None)


def service_of(row: Row) -> str | None:
    """The system service that a process belongs to, by its cgroup; None for sessions and user services."""
    cgroup = row["cgroup"]
    if not cgroup or f"{cgroup}/".startswith(USER_SLICE):
        return None
    name = str(cgroup).rpartition("/")[2]
    return name if name.endswith(SERVICE_SUFFIX) else None


def thp_means(row: Row, mode: str | None, now: str | None) -> Means | None:
    """How a process gets THP for anonymous memory under a host mode that may differ from today's."""
    if row["thp_disabled_by_process"] or mode not in ("always", "madvise"):
        return None
    if mode == now and _has_thp(row):
        return Means.ALREADY
    if mode == "always":
        return Means.HOST_MODE
    if advises_itself(row):
        return Means.OWN_ADVICE
    if row["runtime"] in ADVISABLE_RUNTIMES or row["application_id"] in ADVISABLE_APPLICATIONS:
        return Means.APPLICATION
    can_be_told = row["allocator"] in ADVISABLE_ALLOCATORS and row["malloc_tunable"] is not False
    return Means.ALLOCATOR if can_be_told else None


def base_means(one: Wanting, mode: str | None) -> Means | None:
    """How a process stays on base pages under a host mode. None: the mode is unknown and no switch is advised.

    Where the advice is to switch THP off for it, whatever the host's mode, that is how.
    """
    row = one.row
    if row["thp_disabled_by_process"]:
        return Means.ALREADY
    if one.recommendation.policy != Policy.THP_OFF:
        if _matched(one.recommendation) & KEEPS_OFF:
            return Means.ALREADY
        if mode == "never" or (mode == "madvise" and not row["advised_bytes"]):
            return Means.ALREADY
        if mode is None:
            return None
    return _switch(row)


def advises_itself(row: Row) -> bool:
    """The process asks for THP on most of the memory that could have it; monitors do so for their guests."""
    slotted = row["slotted_anon_bytes"] or 0
    return bool(row["is_vmm"] or (row["advised_bytes"] and (row["advised_anon_rss_bytes"] or 0) >= MOST * slotted))


def _switch(row: Row) -> Means:
    """The application's own switch, else systemd's or the allocator's, else prctl by whoever starts the program."""
    if row["application_id"] in OWN_SWITCH and _has_own_switch(row):
        return Means.APPLICATION
    knows = (row["host_systemd_version"] or 0) >= MEMORY_THP_SYSTEMD
    if knows and service_of(row) is not None:
        return Means.MEMORY_THP
    return Means.ALLOCATOR if row["allocator"] in REFUSING_ALLOCATORS else Means.PRCTL


def _has_own_switch(row: Row) -> bool:
    """Whether its version knows the option; one that is unknown is taken for a recent one."""
    return fits(OWN_SWITCH[row["application_id"]], known_version(row["application_version"])) is not False


def _has_thp(row: Row) -> bool:
    return (row["anon_huge_bytes"] or 0) > MOST * (row["slotted_anon_bytes"] or row["anon_bytes"] or 0)


def _matched(recommendation: Recommendation) -> frozenset[str]:
    """Rules that matched."""
    return frozenset(reason.rule for reason in recommendation.reasons if reason.status == "matched")


def pool_means(row: Row, recommendation: Recommendation) -> Means:
    """How a process gets its memory into a pool."""
    if row["hugetlb_mapped_bytes"] and row["hugetlb_page_bytes"] == recommendation.page_bytes:
        return Means.ALREADY
    if row["application_id"] or row["runtime"] in ADVISABLE_RUNTIMES:
        return Means.APPLICATION
    return Means.ALLOCATOR if row["allocator"] == "glibc" else Means.PROGRAM


def means_of(one: Wanting, mode: str | None, shmem_mode: str | None) -> Means | None:
    """By what this process gets its own under these host modes; None where nothing gives it."""
    row, now = one.row, one.row["host_thp_enabled"]
    if one.need is Need.THP:
        return thp_means(row, mode, now)
    if one.need is Need.BASE_PAGES:
        return base_means(one, mode)
    if one.need is Need.POOL:
        return pool_means(row, one.recommendation) if one.recommendation.policy == Policy.HUGETLB else None
    if one.recommendation.policy == Policy.LEAVE:
        return Means.ALREADY
    return Means.SHMEM_MODE if shmem_mode not in (None, "never", "deny") else None


HOW: Mapping[tuple[Need, Means], str] = {
    (Need.THP, Means.ALREADY): "It has them, and the plan leaves that as it is.",
    (Need.THP, Means.HOST_MODE): "Mode always gives them to memory touched after its next start.",
    (Need.THP, Means.OWN_ADVICE): "It asks for them itself, and mode madvise gives them to who asks.",
    (Need.THP, Means.ALLOCATOR): "Its allocator asks for them when its environment says so; for memory from malloc.",
    (Need.THP, Means.APPLICATION): "It asks for them by an option of its own.",
    (Need.SHMEM_THP, Means.ALREADY): "It has them, and the plan leaves that as it is.",
    (Need.SHMEM_THP, Means.SHMEM_MODE): "shmem_enabled, which is for shared memory only, gives them.",
    (Need.BASE_PAGES, Means.ALREADY): "Neither it nor the planned mode asks for huge pages, or it has them off.",
    (Need.BASE_PAGES, Means.PRCTL): "Started with THP off (prctl PR_SET_THP_DISABLE), whatever the host's mode.",
    (Need.BASE_PAGES, Means.APPLICATION): "An option of its own switches THP off for it, whatever the host's mode.",
    (Need.BASE_PAGES, Means.ALLOCATOR): "Its allocator refuses them when its environment says so.",
    (Need.BASE_PAGES, Means.MEMORY_THP): "MemoryTHP=disable of its service, whatever the host's mode.",
    (Need.POOL, Means.ALREADY): "It maps pages of the pool; the plan keeps them.",
    (Need.POOL, Means.APPLICATION): "Its own configuration switches that on.",
    (Need.POOL, Means.ALLOCATOR): "glibc's malloc takes pages of the pool when its environment says so.",
    (Need.POOL, Means.PROGRAM): "The program itself must map pages of the pool.",
}
"""What each means does, in a sentence."""


def tenants(found: Iterable[Wanting], thp: ThpPlan, pools: Sequence[PoolPlan] = ()) -> list[Tenant]:
    """What each process needs and how it gets it, most at stake first; those alike in all of it are one entry.

    thp and pools: the plan, with the sizes of pools that were asked for.
    """
    alike: dict[_Terms, list[int]] = {}
    short = frozenset(pool.page_bytes for pool in pools if pool.held_pages > pool.pages)
    for one in sorted(found, key=lambda one: (-one.advice.at_stake_bytes, one.advice.pid)):
        alike.setdefault(_terms(one, thp, short), []).append(one.advice.pid)
    return [_tenant(terms, thp, pids) for terms, pids in alike.items()]


class _Terms(NamedTuple):
    """What tells tenants apart."""

    name: str
    service: str | None
    need: Need
    page_bytes: int | None
    means: Means | None
    loses: str | None


def _terms(one: Wanting, thp: ThpPlan, short: frozenset[int]) -> _Terms:
    row, advised = one.row, one.recommendation
    means = means_of(one, thp.enabled, thp.shmem_enabled)
    denied = denied_policy(advised)
    page = advised.page_bytes if denied is None else denied.page_bytes
    return _Terms(row["name"] or "", service_of(row), one.need, page, means, _lost(one, means, short))


def _tenant(terms: _Terms, thp: ThpPlan, pids: Iterable[int]) -> Tenant:
    name, service, need, page, means, loses = terms
    why = f"{POOL_TOO_SMALL[0].upper()}{POOL_TOO_SMALL[1:]}." if need is Need.POOL else thp.denied or ""
    return Tenant(
        name=name,
        service=service,
        needs=need.value,
        page_bytes=page,
        met=means is not None,
        gets_by=means.value if means is not None else None,
        how=HOW[need, means] if means is not None else why,
        loses=loses,
        restart=means is not None and means not in WITHOUT_RESTART,
        pids=tuple(sorted(pids)),
    )


def _lost(one: Wanting, means: Means | None, short: frozenset[int]) -> str | None:
    """What the process would have with the host to itself and does not get; None where it gets all.

    short: page sizes of which fewer pages were asked for than are in use.
    """
    if means is None:
        row = one.row
        if one.need is Need.BASE_PAGES:
            return f"It may grow by up to {show_bytes(row['huge_page_growth_bytes'] or 0)}."
        lost = denied_policy(one.recommendation) or one.recommendation
        if one.need is Need.POOL:
            size = row["shared_object_bytes"] if row["sharing_leader"] is not None else base_bytes(row)
            return f"A pool for {show_bytes(size or 0)}{_worth(lost)}."
        kind = "shmem_base_bytes" if one.need is Need.SHMEM_THP else "slotted_anon_bytes"
        return f"Huge pages for {show_bytes(row[kind] or 0)}{_worth(lost)}."
    if means is Means.ALREADY and one.need is Need.POOL and one.recommendation.page_bytes in short:
        return "Its pages when it is started anew, if others come first: fewer were asked for than are in use."
    if not one.recommendation.limited:
        return None
    said = [other.why_not for other in one.recommendation.alternatives]
    refused = next((why for why in said if why in (NO_ROOM, POOL_TOO_SMALL)), None)
    return f"A pool: {refused}." if refused else None


def _worth(lost: Recommendation | Alternative) -> str:
    """What it would gain, as the end of a sentence; empty where that is not known."""
    return "" if lost.expected_gain is None else f", about {lost.expected_gain.median:.0%} of its time"
