"""What the model looks at: numbers made from the feature table, alike on every machine and in every state.

No names, no pids and nothing that only says which host this is. Sizes are seen against the CPU's TLB reach or against
the process's own memory, rates against its CPU time. The same program runs on base pages, THP or a pool: memory is
therefore counted over all of them, and faults are turned into bytes through the page size that its memory has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from advisor.units import MIB

Group = Literal["passive", "referenced", "density", "soft-dirty"]

INPUTS_VERSION = 2
"""Changes whenever an input's formula does, or the scale of the answers: a model never sees a column that it did not
learn."""

LEAST_CPU_CORES = 0.01
"""CPU seconds per second below which rates per CPU second mean nothing. Source: the rules' own for idle processes."""

LEAST_TURNOVER = 1e-4
"""Share of its memory per CPU second below which replacing memory is no activity. Source: own choice. Reason: less
than one whole replacement in three hours of CPU."""


@dataclass(frozen=True, slots=True)
class Input:
    """One number that the model sees. group: what must have been collected for it; passive is always there."""

    name: str
    group: Group
    meaning: str
    expression: pl.Expr

    @property
    def features(self) -> list[str]:
        """The feature columns that it is made from, sorted."""
        return sorted(set(self.expression.meta.root_names()))


def _log2(value: pl.Expr) -> pl.Expr:
    """Binary logarithm; null for what is not positive."""
    return pl.when(value > 0).then(value.log(2.0))


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """part / whole between 0 and 1; null where whole is 0 or either is unknown."""
    return pl.when(whole > 0).then((part / whole).clip(0.0, 1.0))


TOUCHED = pl.col("anon_bytes") + pl.col("shmem_rss_bytes") + pl.col("hugetlb_bytes")
"""Memory that page size is about, whatever it is on today, bytes."""

CORES = pl.when(pl.col("cpu_cores") >= LEAST_CPU_CORES).then(pl.col("cpu_cores"))

COVERAGE = pl.col("huge_coverage")

MEAN_PAGE = 1.0 / ((1.0 - COVERAGE) / pl.col("host_base_page_bytes") + COVERAGE / pl.col("host_pmd_bytes"))
"""Bytes that one fault brings, if new memory gets the pages that the present memory has."""

CHURN = pl.col("minor_faults_per_s") * MEAN_PAGE / CORES
"""Bytes faulted in per CPU second."""

HUGEABLE = pl.col("slotted_anon_bytes") + pl.col("shmem_rss_bytes") + pl.col("hugetlb_bytes")

OTHER_SHARERS = pl.max_horizontal("sharing_processes", "hugetlb_sharing_processes").cast(pl.Float64).clip(1.0) - 1.0
"""Other processes that map its largest shared object."""

SHARED = pl.col("shmem_rss_bytes") + pl.when(pl.col("hugetlb_sharing_processes") > 1).then(
    pl.col("hugetlb_bytes")
).otherwise(0)
"""Memory of it that others may map as well, bytes."""

SPAN = (
    pl.when(pl.col("populated_density") > 0)
    .then(pl.col("slotted_anon_bytes") / pl.col("populated_density"))
    .otherwise(0.0)
    + pl.col("shmem_mapped_bytes")
    + pl.col("hugetlb_mapped_bytes")
)
"""Virtual size of the mappings that could hold huge pages, bytes."""

PASSIVE = (
    Input(
        "base_reach",
        "passive",
        "Memory as a multiple of the TLB reach with base pages, log2.",
        _log2(pl.col("memory_to_base_reach")),
    ),
    Input(
        "pmd_reach",
        "passive",
        "Memory as a multiple of the TLB reach with PMD pages, log2.",
        _log2(pl.col("memory_to_pmd_reach")),
    ),
    Input("cores", "passive", "CPUs that it keeps busy, log2.", _log2(CORES)),
    Input(
        "system_share",
        "passive",
        "Share of its CPU time in the kernel.",
        _share(pl.col("system_cores"), CORES),
    ),
    Input(
        "children_share",
        "passive",
        "CPU time of children that ended meanwhile, as a share of theirs and its own.",
        _share(pl.col("children_cores"), pl.col("children_cores") + CORES),
    ),
    Input("churn", "passive", "MiB faulted in per CPU second, log2 of one more.", (CHURN / MIB + 1.0).log(2.0)),
    Input(
        "turnover",
        "passive",
        "Share of its memory that is faulted in per CPU second, log2.",
        pl.when(TOUCHED > 0).then((CHURN / TOUCHED).clip(LEAST_TURNOVER).log(2.0)),
    ),
    Input(
        "growth",
        "passive",
        "Growth of its RSS per second, as a share of its memory, between -1 and 1.",
        pl.when(TOUCHED > 0).then((pl.col("rss_growth_bytes_per_s") / TOUCHED).clip(-1.0, 1.0)),
    ),
    Input(
        "largest_share",
        "passive",
        "Share of its memory in the one mapping that holds most.",
        _share(pl.col("largest_resident_vma_bytes"), TOUCHED),
    ),
    Input(
        "hugeable_share",
        "passive",
        "Share of its memory in mappings that could hold huge pages.",
        _share(HUGEABLE, TOUCHED),
    ),
    Input("density", "passive", "How full the mappings are that could hold huge pages.", _share(HUGEABLE, SPAN)),
    Input("anon_vmas", "passive", "Anonymous mappings, log2.", _log2(pl.col("anon_vma_count").cast(pl.Float64))),
    Input(
        "file_share",
        "passive",
        "Share of file pages in what it holds.",
        _share(pl.col("file_rss_bytes"), pl.col("resident_memory_bytes")),
    ),
    Input(
        "sharers",
        "passive",
        "Processes that share its memory, log2, by the share of it that is shared.",
        (1.0 + OTHER_SHARERS * _share(SHARED, TOUCHED)).log(2.0),
    ),
    Input("coverage", "passive", "Share of its memory on huge pages today.", COVERAGE),
)

SEES_MEMORY = pl.col("hugetlb_bytes") * 2 < TOUCHED
"""Probes see private and shared pages, not hugetlb ones: a process that lives in a pool is not seen by them."""

REFERENCED = (
    *(
        Input(
            f"touched_{delay_ms}ms",
            "referenced",
            f"Share of its RSS that it touches within {delay_ms} ms.",
            pl.when(SEES_MEMORY).then(pl.col(f"probe_touched_share_{delay_ms}ms")),
        )
        for delay_ms in (1, 16, 256)
    ),
    Input(
        "touch_early",
        "referenced",
        "How what it touches grows from 1 to 16 ms: 1 is a stream, 0 the same pages again.",
        pl.when(SEES_MEMORY).then(pl.col("probe_touch_slope_early")),
    ),
    Input(
        "touch_late",
        "referenced",
        "The same from 16 to 256 ms.",
        pl.when(SEES_MEMORY).then(pl.col("probe_touch_slope_late")),
    ),
)

DENSITY = (
    Input(
        "slot_density",
        "density",
        "How full its populated huge page slots are.",
        pl.when(SEES_MEMORY).then(pl.col("probe_density_mean")),
    ),
    Input(
        "sparse_slots",
        "density",
        "Share of these slots that are nearly empty.",
        pl.when(SEES_MEMORY).then(pl.col("probe_sparse_slot_share")),
    ),
)

SOFT_DIRTY = (
    Input(
        "dirty_scatter",
        "soft-dirty",
        "Huge page slots written to, per page written: 1 is one page a slot.",
        pl.when(SEES_MEMORY).then(pl.col("probe_dirty_scatter")),
    ),
    Input(
        "dirty_rate",
        "soft-dirty",
        "MiB newly written per second, log2 of one more.",
        pl.when(SEES_MEMORY).then((pl.col("probe_dirty_rate") / MIB + 1.0).log(2.0)),
    ),
)

INPUTS: tuple[Input, ...] = (*PASSIVE, *REFERENCED, *DENSITY, *SOFT_DIRTY)

GROUPS: tuple[Group, ...] = ("passive", "referenced", "density", "soft-dirty")
"""In the order in which they are added when it is asked what each of them is worth."""


def inputs_of(groups: tuple[Group, ...]) -> tuple[Input, ...]:
    """The inputs of these groups, in their fixed order."""
    return tuple(one for one in INPUTS if one.group in groups)


def input_frame(frame: pl.DataFrame, inputs: tuple[Input, ...]) -> pl.DataFrame:
    """One column an input and one row a process, Float64, null = unknown.

    frame: the feature table. Raises polars' ColumnNotFoundError where it lacks a column.
    """
    return frame.select(
        pl.when(value.is_finite()).then(value).alias(one.name)
        for one in inputs
        for value in [one.expression.cast(pl.Float64)]
    )
