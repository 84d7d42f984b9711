"""Reasons that hold for a whole VMA by what smaps, status and sysfs say: its shape, its advice, prctl, the host."""

from __future__ import annotations

import polars as pl

from advisor.features import why_reasons as why
from advisor.features.declare import HostValues
from advisor.features.mappings import IS_ANON, IS_PRIVATE, IS_SHMEM
from advisor.features.table import Observed
from advisor.profile.model import HostState

MISSING = "missing"
"""Reason of a host problem that says: there is no such file here (errors.MissingError)."""
THP_FOLDER = "transparent_hugepage"
SHMEM_OFF_MODES = frozenset({"never", "deny"})
SHMEM_ON_MODES = frozenset({"always", "force"})
SHMEM_ADVISE = "advise"
MOUNTED = "^/(dev|run)/shm/"
"""Names of shmem in a mounted tmpfs, which follows its huge= option."""
ALWAYS, MADVISE, NEVER = "always", "madvise", "never"


def has_thp(state: HostState) -> bool | None:
    """Whether this kernel has THP; None where its folder was not read, which is not the same as absent."""
    if state.thp is not None:
        return True
    is_missing = any(path.endswith(THP_FOLDER) and reason == MISSING for path, reason in state.problems.items())
    return False if is_missing else None


def whole_vma_reason(observed: Observed) -> pl.Expr:
    """The first reason that holds for all of a VMA, null where none does. An unknown condition does not hold.

    Before the reasons of policy stand those that no policy could change: copies of file pages, a VMA smaller than
    one huge page, and one without a whole aligned slot.
    """
    host = observed.host
    mode, pmd = host["host_thp_enabled"], pl.lit(host["host_pmd_bytes"], dtype=pl.Int64)
    advised = pl.col("advice") == "hg"
    shmem_mode = host["host_shmem_enabled"]
    return (
        pl.when(pl.lit(has_thp(observed.timeline.host_last) is False))
        .then(pl.lit(why.NO_THP))
        .when(~IS_ANON & ~IS_SHMEM)
        .then(pl.lit(why.FILE_COPY))
        .when((pl.col("count") > 1) | (pl.col("size") < pmd))
        .then(pl.lit(why.TOO_SMALL))
        .when(pl.col("slot_bytes") == 0)
        .then(pl.lit(why.MISALIGNED))
        .when(pl.col("row").is_in(_disabled_rows(observed)))
        .then(pl.lit(why.PRCTL))
        .when(pl.col("advice") == "nh")
        .then(pl.lit(why.ADVISED_AGAINST))
        .when(pl.col("row").is_in(_except_advised_rows(observed)) & ~advised)
        .then(pl.lit(why.PRCTL_EXCEPT_ADVISED))
        .when(IS_ANON & ~advised & (mode == MADVISE))
        .then(pl.lit(why.NOT_ADVISED))
        .when(IS_ANON & pl.lit(mode == NEVER))
        .then(pl.lit(why.HOST_NEVER))
        .when(IS_SHMEM & ~advised & (pl.col("eligible").fill_null(0) == 0) & pl.lit(shmem_mode == SHMEM_ADVISE))
        .then(pl.lit(why.SHMEM_NOT_ADVISED))
        .when(_is_at_odds_with_its_file(host))
        .then(pl.lit(why.MISALIGNED))
        .when(IS_SHMEM & _shmem_is_off(host))
        .then(pl.lit(why.SHMEM_OFF))
    )


def _disabled_rows(observed: Observed) -> list[int]:
    """Processes whose THP is off altogether: THP_enabled of status (5.0) is 0."""
    return [
        row
        for row, process in enumerate(observed.processes)
        if process.status is not None and process.status.thp_enabled == 0
    ]


def _except_advised_rows(observed: Observed) -> list[int]:
    """Processes under PR_THP_DISABLE_EXCEPT_ADVISED, which status does not show (it prints THP_enabled 1).

    Told by THPeligible: in mode always an anonymous VMA that has room for a huge page and neither advice is eligible,
    unless the process switched THP off except where advised (vma_thp_disabled in include/linux/huge_mm.h, 6.18). One
    eligible VMA without advice disproves it.
    """
    if observed.host["host_thp_enabled"] != ALWAYS:
        return []
    telling = observed.mappings.filter(IS_PRIVATE & (pl.col("advice") == "") & (pl.col("slot_bytes") > 0))
    of_process = telling.group_by("row").agg(
        refused=(pl.col("eligible") == 0).all(), known=pl.col("eligible").count()
    )
    proven = of_process.filter(pl.col("refused") & (pl.col("known") > 0))["row"].to_list()
    return [row for row in proven if _enabled(observed, row)]


def _enabled(observed: Observed, row: int) -> bool:
    """Whether status says that THP is not switched off altogether: a kernel before 5.0 has no such prctl mode."""
    status = observed.processes[row].status
    return status is not None and status.thp_enabled == 1


def _is_at_odds_with_its_file(host: HostValues) -> pl.Expr:
    """Whether a shmem VMA lies askew: at an address that differs from its place in the file by no whole huge page.

    smaps does not tell the place. But where policy lets this memory be huge and there is room, nothing else makes
    THPeligible 0 (thp_vma_suitable_order in include/linux/huge_mm.h). A mounted tmpfs has a policy of its own.
    """
    mode = host["host_shmem_enabled"]
    allowed = pl.lit(mode in SHMEM_ON_MODES) | (pl.lit(mode == SHMEM_ADVISE) & (pl.col("advice") == "hg"))
    mounted = pl.col("name").str.contains(MOUNTED)
    return IS_SHMEM & allowed & ~mounted & (pl.col("eligible") == 0) & (pl.col("slot_bytes") > 0)


def _shmem_is_off(host: HostValues) -> pl.Expr:
    """Whether policy keeps a shmem VMA from huge pages. THPeligible knows its mount's huge= option, so it decides.

    Without it shmem_enabled does, which is right for all shmem but mounted tmpfs.
    """
    mode = host["host_shmem_enabled"]
    refused = (pl.col("eligible") == 0) & (pl.col("slot_bytes") > 0)
    by_mode = pl.lit(mode in SHMEM_OFF_MODES)
    return pl.when(pl.col("eligible") > 0).then(False).otherwise(refused.fill_null(False) | by_mode)
