"""Why memory sits on base pages: every such byte of a process under exactly one named reason."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import polars as pl

from advisor.features import why_reasons as why
from advisor.features.eligibility import measures
from advisor.features.host_thp import pass_s
from advisor.features.mappings import IS_ANON, IS_SHMEM, SHMEM_RESIDENT
from advisor.features.table import Observed, observe
from advisor.features.why_host import CgroupRoom, host_failure, note_of
from advisor.features.why_places import Places
from advisor.features.why_policy import whole_vma_reason
from advisor.features.why_slots import Parts, Vma, divide, host_evidence
from advisor.profile.model import Profile
from advisor.profile.timeline import Identity, ProcessState, fold_samples

REMEDIES = why.REMEDIES
PRECEDENCE = {reason: place for place, reason in enumerate(why.REASONS)}


class Reason(NamedTuple):
    """`bytes` on base pages in `vmas` VMAs for reason `id`. A VMA that several reasons divide counts in each.

    beside_bytes: what the reason concerns beside them and what holds no base pages of this process's own: empty
    address space (not-populated), swap (swapped), page cache (file-pages). wait_s: shortest time in which khugepaged
    looks at everything eligible on this host once. note: facts of this host that belong to the reason.
    """

    id: str
    bytes: int
    vmas: int
    remedy: str
    title: str
    beside_bytes: int | None = None
    wait_s: float | None = None
    note: str | None = None


def why_not_huge(profile: Profile) -> dict[Identity, list[Reason]]:
    """Reasons by process of the last sample, in order of precedence; see `why_not_huge_of`."""
    return why_not_huge_of(observe(fold_samples(profile)))


def why_not_huge_of(observed: Observed) -> dict[Identity, list[Reason]]:
    """For each process whose smaps was read: its base-page anonymous and shmem bytes by reason.

    Base-page bytes of a VMA are Anonymous - AnonHugePages plus resident shmem - ShmemPmdMapped, so the reasons of
    a process add up to its anon_base_bytes + shmem_base_bytes when these come from the same smaps. Where smaps does
    not print AnonHugePages (before 2.6.38) or ShmemPmdMapped (before 4.8), the kernel has no such huge pages.
    smaps does not tell where in a VMA its pages are; `why_slots` says what is made of that.
    Two reasons stand for no base pages and have 0 bytes: not-populated and file-pages.
    A process whose smaps is unknown or has no Anonymous (before 2.6.3x) is absent; one with an empty list has
    nothing on base pages.
    """
    tallies = {row: _Tally() for row, process in enumerate(observed.processes) if _is_divided(process)}
    vmas = _vmas(observed)
    for row, reason, size, count in _simple_parts(vmas).iter_rows():
        tallies[row].add(reason, size, count)
    evidence = host_evidence(observed.host, observed.timeline.host_last, host_failure(observed))
    pmd = evidence.limits.pmd_bytes if evidence.limits is not None else None
    places = [Places.of(process, pmd) for process in observed.processes]
    room = CgroupRoom(observed.timeline.host_last, pmd)
    of_process = [
        evidence if (failure := room.failure(process)) is None else replace(evidence, allocation_failed=failure)
        for process in observed.processes
    ]
    looked_at = vmas.filter(_needs_a_look())
    for vma in looked_at.iter_rows(named=True):
        tallies[vma["row"]].add_parts(divide(_vma(vma, places[vma["row"]]), vma["reason"], of_process[vma["row"]]))
    for row, cache, count in _file_pages(vmas).iter_rows():
        tallies[row].add_beside(why.FILE_PAGES, cache, count)
    wait_s = _pass_s(observed)
    return {
        observed.processes[row].identity: [
            Reason(
                reason,
                tally.bytes.get(reason, 0),
                tally.vmas[reason],
                why.REMEDIES[reason],
                why.TITLES[reason],
                tally.beside.get(reason),
                wait_s if reason == why.NOT_YET else None,
                note_of(reason, observed, of_process[row].allocation_failed),
            )
            for reason in sorted(tally.vmas, key=PRECEDENCE.__getitem__)
        ]
        for row, tally in tallies.items()
    }


@dataclass(slots=True)
class _Tally:
    """Sums of one process by reason; `vmas` has every reason."""

    bytes: dict[str, int] = field(default_factory=dict)
    beside: dict[str, int] = field(default_factory=dict)
    vmas: dict[str, int] = field(default_factory=dict)

    def add(self, reason: str, size: int, vmas: int) -> None:
        self.bytes[reason] = self.bytes.get(reason, 0) + size
        self.vmas[reason] = self.vmas.get(reason, 0) + vmas

    def add_beside(self, reason: str, size: int, vmas: int) -> None:
        self.beside[reason] = self.beside.get(reason, 0) + size
        self.vmas[reason] = self.vmas.get(reason, 0) + vmas

    def add_parts(self, parts: Parts) -> None:
        """Those of one VMA, which counts once a reason."""
        for reason, size in parts.bytes.items():
            self.add(reason, size, 1)
        for reason, size in parts.beside.items():
            self.add_beside(reason, size, int(reason not in parts.bytes))


def _is_divided(process: ProcessState) -> bool:
    """Whether smaps tells anonymous pages from others; an empty smaps has none."""
    return process.maps is not None and (not process.maps or "Anonymous" in process.smaps_fields)


def _vmas(observed: Observed) -> pl.DataFrame:
    """The mappings with their base-page bytes, those of private copies of files apart, and what policy says."""
    anon_base = pl.col("anonymous") - pl.col("anon_huge").fill_null(0)
    shmem_base = SHMEM_RESIDENT - pl.col("shmem_huge").fill_null(0)
    known = observed.mappings.filter(pl.col("anonymous").is_not_null())
    return known.with_columns(
        is_shmem=IS_SHMEM,
        copies=pl.when(IS_ANON).then(0).otherwise(anon_base),
        base=pl.when(IS_ANON).then(anon_base + shmem_base).otherwise(shmem_base),
        huge=pl.when(IS_ANON).then(pl.col("anon_huge")).otherwise(pl.col("shmem_huge")).fill_null(0),
        cache=pl.when(IS_ANON | IS_SHMEM)
        .then(0)
        .otherwise(pl.col("rss") - pl.col("anonymous") - SHMEM_RESIDENT - pl.col("file_huge").fill_null(0)),
        reason=whole_vma_reason(observed),
    )


def _needs_a_look() -> pl.Expr:
    """VMAs with slots: what their page tables or sums of smaps show decides."""
    return (IS_ANON | IS_SHMEM) & (pl.col("reason").is_null() | (pl.col("slot_bytes") > 0))


def _simple_parts(vmas: pl.DataFrame) -> pl.DataFrame:
    """row, reason, bytes, vmas of everything that policy or shape decides for a whole VMA."""
    whole = vmas.filter(~_needs_a_look()).select("row", "count", "reason", size="base")
    copies = vmas.select("row", "count", reason=pl.lit(why.FILE_COPY), size="copies")
    return (
        pl.concat([whole, copies])
        .filter(pl.col("size") > 0)
        .group_by("row", "reason", maintain_order=True)
        .agg(pl.col("size").sum(), vmas=pl.col("count").sum())
    )


def _file_pages(vmas: pl.DataFrame) -> pl.DataFrame:
    """row, bytes, vmas: page cache on base pages in mapped files with room for a huge page."""
    files = vmas.filter((pl.col("kind") == "file") & (pl.col("slot_bytes") > 0) & (pl.col("cache") > 0))
    return files.group_by("row", maintain_order=True).agg(pl.col("cache").sum(), pl.col("count").sum())


def _vma(row: dict[str, Any], places: Places) -> Vma:
    """One row of `_vmas` as what `why_slots` judges; places: what is known of its process by address."""
    start = row["start"] if row["count"] == 1 else None
    shared = [row[name] for name in ("shared_clean", "shared_dirty")]
    return Vma(
        base_bytes=row["base"],
        huge_bytes=row["huge"],
        size=row["size"],
        slot_bytes=row["slot_bytes"] or 0,
        swap_bytes=row["swap"] or 0,
        shared_bytes=None if None in shared else max(sum(shared) - row["huge"], 0),
        referenced_bytes=row["referenced"],
        is_shmem=row["is_shmem"],
        writable=row["writable"],
        advice=row["advice"],
        eligible=row["eligible"],
        userfaultfd=bool(row["userfaultfd"]),
        pinned_slots=places.pinned_slots(start, row["size"]),
        pages=None if row["is_shmem"] else places.pages(start, row["kind"], row["advice"]),
        refusals=places.refusals.get(start, {}) if start is not None else {},
    )


def _pass_s(observed: Observed) -> float | None:
    """Shortest time of one khugepaged pass, as host_khugepaged_pass_s of the feature table."""
    slots = observed.mappings.select(measures(observed.host)["eligible_anon_slot_bytes"].alias("slots"))["slots"]
    return pass_s(int(slots.drop_nulls().sum()) or None, observed.host["host_khugepaged_scan_bytes_per_s"])
