"""Why memory sits on base pages: every such byte of a process under exactly one named reason."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

import polars as pl

from advisor.features.declare import HostValues
from advisor.features.mappings import IS_ANON, IS_SHMEM, SHMEM_RESIDENT
from advisor.features.table import Observed, observe
from advisor.profile.model import HostState, Profile
from advisor.profile.timeline import Identity, ProcessState, fold_samples

NO_THP = "no-thp-in-kernel"
PRCTL = "prctl"
ADVISED_AGAINST = "advised-against"
NOT_ADVISED = "not-advised"
HOST_NEVER = "host-mode-never"
NOT_ENABLED = "file-or-shmem-not-enabled"
TOO_SMALL = "mapping-too-small"
MISALIGNED = "misaligned"
NOT_YET = "eligible-not-yet"
UNKNOWN = "unknown"

REMEDIES = MappingProxyType(
    {
        NO_THP: "This kernel or CPU has no transparent huge pages. hugetlb may still be there: see the pools.",
        PRCTL: "The process or a parent switched THP off with prctl(PR_SET_THP_DISABLE); it is inherited over fork "
        "and exec. Find who sets it (service manager, container runtime, the program itself) and restart without.",
        ADVISED_AGAINST: "The program called madvise(MADV_NOHUGEPAGE) for this memory; some runtimes do so by "
        "themselves. Look for a setting of the runtime or allocator that leaves the choice to the kernel.",
        NOT_ADVISED: "The host gives THP only where a program asks for it. Let the program or its allocator call "
        "madvise(MADV_HUGEPAGE), or set transparent_hugepage/enabled to always.",
        HOST_NEVER: "The host's THP mode for this page size is never. Set transparent_hugepage/enabled to madvise or "
        "always; memory that is there already follows by khugepaged or after a restart.",
        NOT_ENABLED: "Shared memory follows shmem_enabled or the huge= option of its tmpfs mount, not "
        "transparent_hugepage/enabled: switch that on. Private copies of file pages cannot be huge.",
        TOO_SMALL: "The mapping is smaller than one huge page. Let the allocator use larger arenas, or leave it.",
        MISALIGNED: "The memory lies outside of the aligned huge page slots of its mapping. Let the program align "
        "large mappings to the huge page size; kernels from 6.7 on do so by themselves.",
        NOT_YET: "Nothing forbids huge pages here: the slot was used in part before, or no huge page was free. "
        "khugepaged may collapse it later; MADV_COLLAPSE (6.1) does it at once.",
        UNKNOWN: "The kernel does not say: no VmFlags or THPeligible in smaps, no THP switches to read, or "
        "THPeligible 0 with no visible cause, such as PR_THP_DISABLE_EXCEPT_ADVISED (6.18).",
    }
)
"""What can be done, by reason, in order of precedence: memory that two reasons hold for counts under the first."""

MISSING = "missing"
"""Reason of a host problem that says: there is no such file here (errors.MissingError)."""
THP_FOLDER = "transparent_hugepage"
PASSING_MODES = frozenset({"always", "madvise"})
SHMEM_OFF_MODES = frozenset({"never", "deny"})
SHMEM_ADVISE = "advise"


class Reason(NamedTuple):
    """`bytes` on base pages in `vmas` VMAs for reason `id`. A VMA that two reasons divide counts in both."""

    id: str
    bytes: int
    vmas: int
    remedy: str


def why_not_huge(profile: Profile) -> dict[Identity, list[Reason]]:
    """Reasons by process of the last sample, in order of precedence; see `why_not_huge_of`."""
    return why_not_huge_of(observe(fold_samples(profile)))


def why_not_huge_of(observed: Observed) -> dict[Identity, list[Reason]]:
    """For each process whose smaps was read: its base-page anonymous and shmem bytes by reason.

    Base-page bytes of a VMA are Anonymous - AnonHugePages plus resident shmem - ShmemPmdMapped, so the reasons of
    a process add up to its anon_base_bytes + shmem_base_bytes when these come from the same smaps. Where smaps does
    not print AnonHugePages (before 2.6.38) or ShmemPmdMapped (before 4.8), the kernel has no such huge pages.
    smaps does not tell where in a VMA its pages are: as many as fit outside of slots count as misaligned.
    A process whose smaps is unknown or has no Anonymous (before 2.6.3x) is absent; one with an empty list has
    nothing on base pages.
    """
    reasons: dict[Identity, list[Reason]] = {
        process.identity: [] for process in observed.processes if _is_divided(process)
    }
    for row, reason, size, vmas in _parts(observed).iter_rows():
        reasons[observed.processes[row].identity].append(Reason(reason, size, vmas, REMEDIES[reason]))
    return reasons


def _is_divided(process: ProcessState) -> bool:
    """Whether smaps tells anonymous pages from others; an empty smaps has none."""
    return process.maps is not None and (not process.maps or "Anonymous" in process.smaps_fields)


def has_thp(state: HostState) -> bool | None:
    """Whether this kernel has THP; None where its folder was not read, which is not the same as absent."""
    if state.thp is not None:
        return True
    is_missing = any(path.endswith(THP_FOLDER) and why == MISSING for path, why in state.problems.items())
    return False if is_missing else None


def _parts(observed: Observed) -> pl.DataFrame:
    """row, reason, bytes, vmas: only parts that hold something, ordered by row and precedence."""
    order = pl.Enum(list(REMEDIES))
    anon_base = pl.col("anonymous") - pl.col("anon_huge").fill_null(0)
    base = anon_base + SHMEM_RESIDENT - pl.col("shmem_huge").fill_null(0)
    whole = _whole_vma_reason(observed)
    outside = (
        pl.when(pl.col("reason").is_null())
        .then(pl.min_horizontal("base", pl.col("size") - pl.col("slot_bytes")))
        .otherwise(0)
    )
    vmas = observed.mappings.select(
        "row", "count", "size", "slot_bytes", "advice", "eligible", base=base, reason=whole, is_shmem=IS_SHMEM
    )
    vmas = vmas.with_columns(outside=pl.when(pl.col("slot_bytes").is_null()).then(0).otherwise(outside))
    inside_reason = pl.coalesce("reason", _slot_reason(observed.host))
    inside = vmas.select("row", "count", reason=inside_reason, bytes=pl.col("base") - pl.col("outside"))
    misaligned = vmas.select("row", "count", reason=pl.lit(MISALIGNED), bytes="outside")
    return (
        pl.concat([inside, misaligned])
        .filter(pl.col("bytes") > 0)
        .group_by("row", pl.col("reason").cast(order))
        .agg(pl.col("bytes").sum(), vmas=pl.col("count").sum())
        .sort("row", "reason")
    )


def _whole_vma_reason(observed: Observed) -> pl.Expr:
    """The first reason that holds for all of a VMA, null where none does. An unknown condition does not hold."""
    state, host = observed.timeline.host_last, observed.host
    disabled = [
        row
        for row, process in enumerate(observed.processes)
        if process.status is not None and process.status.thp_enabled == 0
    ]
    mode, pmd = host["host_thp_enabled"], pl.lit(host["host_pmd_bytes"], dtype=pl.Int64)
    advised = pl.col("advice") == "hg"
    return (
        pl.when(pl.lit(has_thp(state) is False))
        .then(pl.lit(NO_THP))
        .when(pl.col("row").is_in(disabled))
        .then(pl.lit(PRCTL))
        .when(pl.col("advice") == "nh")
        .then(pl.lit(ADVISED_AGAINST))
        .when(IS_ANON & ~advised & (mode == "madvise"))
        .then(pl.lit(NOT_ADVISED))
        .when(IS_ANON & pl.lit(mode == "never"))
        .then(pl.lit(HOST_NEVER))
        .when(~IS_ANON & (~IS_SHMEM | _shmem_is_off(host)))
        .then(pl.lit(NOT_ENABLED))
        .when((pl.col("count") > 1) | (pl.col("size") < pmd))
        .then(pl.lit(TOO_SMALL))
    )


def _shmem_is_off(host: HostValues) -> pl.Expr:
    """Whether policy keeps a shmem VMA from huge pages. THPeligible knows its mount's huge= option, so it decides.

    Without it shmem_enabled does, which is right for all shmem but mounted tmpfs.
    """
    mode = host["host_shmem_enabled"]
    refused = (pl.col("eligible") == 0) & (pl.col("slot_bytes") > 0)
    if mode in SHMEM_OFF_MODES:
        by_mode = pl.lit(True)
    elif mode == SHMEM_ADVISE:
        by_mode = pl.col("advice") != "hg"
    else:
        by_mode = pl.lit(False)
    return pl.when(pl.col("eligible") > 0).then(False).otherwise(refused.fill_null(False) | by_mode)


def _slot_reason(host: HostValues) -> pl.Expr:
    """For memory inside of slots that no reason above explains: eligible, or the kernel does not tell."""
    mode_passes = host["host_thp_enabled"] in PASSING_MODES
    shmem_passes = host["host_shmem_enabled"] is not None
    told = pl.coalesce(pl.col("eligible") > 0, pl.when(pl.col("advice").is_not_null()).then(True), pl.lit(False))
    policy = pl.when(IS_SHMEM).then(shmem_passes).otherwise(mode_passes)
    known_slots = pl.col("slot_bytes").is_not_null()
    return pl.when(told & policy & known_slots).then(pl.lit(NOT_YET)).otherwise(pl.lit(UNKNOWN))
