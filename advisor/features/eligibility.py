"""What the kernel would let become huge, where alignment prevents it, and what it could cost in memory."""

from __future__ import annotations

import polars as pl

from advisor.features.declare import (
    NO_ELIGIBLE,
    NO_SLOTS,
    NO_VMFLAGS,
    HostValues,
    byte_count,
    flag,
    share,
)
from advisor.features.mappings import IS_ANON, IS_PRIVATE, IS_SHMEM, SHMEM_RESIDENT
from advisor.features.totals import ratio

SLOTS = "smaps: address range, KernelPageSize; sysfs hpage_pmd_size"

FEATURES = (
    byte_count(
        "thp_eligible_bytes",
        "Aligned PMD slots (virtual) in anonymous, heap and shmem VMAs that may get PMD-size THP by today's "
        "policy. Where smaller THP sizes are on, THPeligible 1 may be about those alone (6.8), so the policy of the "
        "PMD size must allow it too. Eligible does not mean that it will get one.",
        "smaps: THPeligible, VmFlags; sysfs enabled of the PMD size",
        NO_ELIGIBLE,
    ),
    byte_count(
        "thp_eligible_anon_rss_bytes",
        "Anonymous bytes resident in eligible anonymous and heap VMAs.",
        "smaps: Anonymous where eligible as in thp_eligible_bytes",
        NO_ELIGIBLE,
    ),
    byte_count(
        "thp_eligible_resident_bytes",
        "Anonymous and shmem bytes resident in eligible VMAs.",
        "smaps: Anonymous, Rss where eligible as in thp_eligible_bytes",
        NO_ELIGIBLE,
    ),
    byte_count(
        "shmem_eligible_bytes", "Aligned PMD slots in eligible shmem VMAs.", "smaps: THPeligible", NO_ELIGIBLE
    ),
    byte_count("slot_bytes", "Aligned PMD slots in anonymous and heap VMAs, virtual.", SLOTS, NO_SLOTS),
    byte_count(
        "slotted_anon_bytes",
        "Anonymous bytes in anonymous and heap VMAs with at least one slot.",
        SLOTS,
        NO_SLOTS,
    ),
    byte_count("unslotted_anon_bytes", "Anonymous bytes in anonymous and heap VMAs without a slot.", SLOTS, NO_SLOTS),
    byte_count(
        "alignment_loss_bytes",
        "Upper bound of the anonymous bytes that no slot can cover: for each anonymous or heap VMA the smaller of "
        "its size outside of slots and its base-page bytes (what is huge lies inside slots).",
        "sum of min(Anonymous - AnonHugePages, Size - slots) over VMAs",
        NO_SLOTS,
    ),
    share(
        "populated_density",
        "How densely the slotted, writable anonymous VMAs are used. Low: huge pages would bloat. Reservations "
        "(PROT_NONE) do not count.",
        "sum of Anonymous / sum of Size over writable anonymous and heap VMAs with a slot",
        "it has no such VMA, smaps could not be read, or the PMD page size is unknown",
    ),
    byte_count(
        "huge_page_growth_bound_bytes",
        "Upper bound of RSS growth if each slot that holds a page became huge. By VMA (anonymous, heap) with slots "
        "L, size S, Anonymous A, AnonHugePages H: min(L - max(H, A - (S - L)), (A - H) x (PMD / base page - 1)), "
        "not below 0: all slots full, or each base page alone in its slot.",
        "smaps: Size, Anonymous, AnonHugePages; hpage_pmd_size; base page size",
        "smaps could not be read, or a page size is unknown",
    ),
    byte_count(
        "advised_bytes",
        "Virtual size of anonymous VMAs with MADV_HUGEPAGE.",
        "smaps: VmFlags hg, Size",
        NO_VMFLAGS,
    ),
    byte_count(
        "advised_anon_rss_bytes",
        "Anonymous bytes in VMAs with MADV_HUGEPAGE.",
        "smaps: VmFlags hg",
        NO_VMFLAGS,
    ),
    byte_count(
        "advised_anon_huge_bytes",
        "AnonHugePages in VMAs with MADV_HUGEPAGE.",
        "smaps: VmFlags hg",
        NO_VMFLAGS,
    ),
    byte_count(
        "advised_against_bytes",
        "Virtual size of anonymous VMAs with MADV_NOHUGEPAGE.",
        "smaps: VmFlags nh",
        NO_VMFLAGS,
    ),
    byte_count(
        "advised_against_anon_bytes",
        "Anonymous bytes in VMAs with MADV_NOHUGEPAGE. Go sets it by itself on parts of its heap.",
        "smaps: VmFlags nh, Anonymous",
        NO_VMFLAGS,
    ),
    flag(
        "thp_disabled_by_process",
        "THP is off by prctl(PR_SET_THP_DISABLE), its own or inherited over fork and exec. 6.18's mode 'except where "
        "advised' does not show.",
        "status: THP_enabled is 0 (5.0)",
        "status could not be read or has no THP_enabled",
    ),
)

HAS_SLOT = pl.col("slot_bytes") > 0


def pmd_eligible(host: HostValues) -> pl.Expr:
    """Whether a VMA may get PMD-size THP: THPeligible and, where mTHP makes that ambiguous, the PMD size's policy.

    From 6.8 on THPeligible is 1 if any enabled size fits (thp_vma_allowable_orders), mTHP included.
    """
    eligible = pl.col("eligible") > 0
    if not host["host_mthp_enabled"]:
        return eligible
    mode = host["host_thp_enabled"]
    if mode == "always":
        return eligible
    permitted = pl.col("advice") == "hg" if mode == "madvise" else pl.lit(False)
    return eligible & (IS_SHMEM | permitted)


def measures(host: HostValues) -> dict[str, pl.Expr]:
    """What one mapping adds to each total of its process; null is unknown."""
    pmd = pl.lit(host["host_pmd_bytes"], dtype=pl.Int64)
    eligible = pmd_eligible(host) & HAS_SLOT
    anonymous, size, slots = pl.col("anonymous"), pl.col("size"), pl.col("slot_bytes")
    base_bytes = anonymous - pl.col("anon_huge").fill_null(0)
    dense = HAS_SLOT & pl.col("writable")
    advised, against = pl.col("advice") == "hg", pl.col("advice") == "nh"
    return {
        "thp_eligible_bytes": _where(IS_PRIVATE | IS_SHMEM, eligible, slots),
        "thp_eligible_anon_rss_bytes": _where(IS_PRIVATE, eligible, anonymous),
        "thp_eligible_resident_bytes": _where(IS_PRIVATE, eligible, anonymous)
        + _where(IS_SHMEM, eligible, SHMEM_RESIDENT),
        "shmem_eligible_bytes": _where(IS_SHMEM, eligible, slots),
        "eligible_anon_slot_bytes": _where(IS_PRIVATE, eligible, slots),
        "slot_bytes": pl.when(IS_PRIVATE).then(slots).otherwise(0),
        "slotted_anon_bytes": _where(IS_PRIVATE, HAS_SLOT, anonymous),
        "unslotted_anon_bytes": _where(IS_PRIVATE, ~HAS_SLOT, anonymous),
        "alignment_loss_bytes": pl.when(IS_PRIVATE).then(_smaller(base_bytes, size - slots)).otherwise(0),
        "dense_anon_bytes": _where(IS_PRIVATE, dense, anonymous),
        "dense_size_bytes": _where(IS_PRIVATE, dense, size),
        "huge_page_growth_bound_bytes": _where(IS_PRIVATE, HAS_SLOT, _growth_bound(host, pmd)),
        "advised_bytes": _where(IS_ANON, advised, size),
        "advised_anon_rss_bytes": _where(IS_ANON, advised, anonymous),
        "advised_anon_huge_bytes": _where(IS_ANON, advised, pl.col("anon_huge")),
        "advised_against_bytes": _where(IS_ANON, against, size),
        "advised_against_anon_bytes": _where(IS_ANON, against, anonymous),
    }


def derive(frame: pl.DataFrame) -> pl.DataFrame:
    """Add this theme's columns to the process frame."""
    return frame.with_columns(
        populated_density=ratio(pl.col("dense_anon_bytes"), pl.col("dense_size_bytes")),
        thp_disabled_by_process=pl.col("status_thp_enabled") == 0,
    )


def _where(concerned: pl.Expr, condition: pl.Expr, value: pl.Expr) -> pl.Expr:
    """value where both hold, 0 where one does not; null where `condition` is unknown for a concerned VMA."""
    return pl.when(~concerned).then(0).when(condition).then(value).when(~condition).then(0)


def _smaller(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """The smaller of two; null where either is unknown (min_horizontal would pass over the unknown one)."""
    return pl.when(left <= right).then(left).when(left > right).then(right)


def _growth_bound(host: HostValues, pmd: pl.Expr) -> pl.Expr:
    """Formula of huge_page_growth_bound_bytes for one VMA; its reasons are in the declaration."""
    base_page = pl.lit(host["host_base_page_bytes"], dtype=pl.Int64)
    anonymous, huge, slots = pl.col("anonymous"), pl.col("anon_huge").fill_null(0), pl.col("slot_bytes")
    outside = pl.col("size") - slots
    filled = -_smaller(-huge, outside - anonymous)
    spread = (anonymous - huge) * (pmd // base_page - 1)
    return _smaller(slots - filled, spread).clip(lower_bound=0)
