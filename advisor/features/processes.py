"""Counters of every process as one frame: the raw material of the themes that is not in VMAs."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

import polars as pl

from advisor.features.declare import frame_of_rows
from advisor.features.totals import FROM_COUNTERS, FROM_MAPS, FROM_ROLLUP
from advisor.procfs.facts import Stat, Status
from advisor.profile.timeline import ProcessState, Timeline

ROLLUP_COLUMNS = {
    "rollup_rss": "Rss",
    "rollup_pss": "Pss",
    "rollup_anon": "Anonymous",
    "rollup_swap": "Swap",
    "rollup_anon_huge": "AnonHugePages",
    "rollup_shmem_huge": "ShmemPmdMapped",
    "rollup_file_huge": "FilePmdMapped",
    "rollup_shared_hugetlb": "Shared_Hugetlb",
    "rollup_private_hugetlb": "Private_Hugetlb",
}
"""Column -> field of smaps_rollup."""

STATUS_COLUMNS = {
    "status_rss": "vm_rss_bytes",
    "status_peak_rss": "vm_hwm_bytes",
    "status_anon": "rss_anon_bytes",
    "status_file": "rss_file_bytes",
    "status_shmem": "rss_shmem_bytes",
    "status_swap": "vm_swap_bytes",
    "status_locked": "vm_locked_bytes",
    "status_vsize": "vm_size_bytes",
    "status_hugetlb": "hugetlb_bytes",
    "status_page_tables": "vm_pte_bytes",
    "status_thp_enabled": "thp_enabled",
}
"""Column -> attribute of `Status`."""

_status_attributes = attrgetter(*STATUS_COLUMNS.values())

STAT_TYPES: dict[str, type[pl.DataType]] = {
    "stat_rss_pages": pl.Int64,
    "stat_vsize": pl.Int64,
    "minor_faults": pl.Int64,
    "major_faults": pl.Int64,
    "cpu_s": pl.Float64,
    "system_s": pl.Float64,
    "children_minor_faults": pl.Int64,
    "children_cpu_s": pl.Float64,
}
"""What `_stat_row` gives, in its order."""

SCHEMA: dict[str, type[pl.DataType]] = {
    "row": pl.UInt32,
    "memory_source": pl.String,
    "maps_known": pl.Boolean,
    "walked_t_s": pl.Float64,
    "first_walked_t_s": pl.Float64,
    "first_anon_huge": pl.Int64,
    "elapsed_s": pl.Float64,
    "start_s": pl.Float64,
    **STAT_TYPES,
    **{f"first_{name}": dtype for name, dtype in STAT_TYPES.items()},
    **dict.fromkeys(STATUS_COLUMNS, pl.Int64),
    **dict.fromkeys(ROLLUP_COLUMNS, pl.Int64),
}
"""One row a process, in the order given to `counter_frame`."""


def counter_frame(timeline: Timeline, processes: Sequence[ProcessState]) -> pl.DataFrame:
    """The columns in `SCHEMA`; `row` numbers the processes from 0."""
    ticks = timeline.header.host.clock_ticks_per_s
    rows = [
        (
            row,
            memory_source(process),
            process.maps is not None,
            process.walked_t_s,
            *(process.first_anon_huge or (None, None)),
            _elapsed_s(timeline, process),
            process.start_ticks / ticks,
            *_stat_row(process.stat, ticks),
            *_stat_row(process.first_stat, ticks),
            *_status_row(process.status),
            *_rollup_row(process.rollup),
        )
        for row, process in enumerate(processes)
    ]
    return frame_of_rows(rows, SCHEMA)


def memory_source(process: ProcessState) -> str:
    """Which reading its memory totals come from; `totals.newest_total` says what follows."""
    if process.has_newest_maps:
        return FROM_MAPS
    return FROM_ROLLUP if process.rollup is not None else FROM_COUNTERS


def _elapsed_s(timeline: Timeline, process: ProcessState) -> float | None:
    until = timeline.observed_until_t_s(process)
    if until is None or process.first_stat_t_s is None:
        return None
    return until - process.first_stat_t_s


def _stat_row(stat: Stat | None, ticks: int) -> tuple[int | float | None, ...]:
    if stat is None:
        return (None,) * len(STAT_TYPES)
    user, system = stat.children_user_ticks, stat.children_system_ticks
    return (
        stat.rss_pages,
        stat.vsize_bytes,
        stat.minor_faults,
        stat.major_faults,
        (stat.user_ticks + stat.system_ticks) / ticks,
        stat.system_ticks / ticks,
        stat.children_minor_faults,
        None if user is None or system is None else (user + system) / ticks,
    )


def _status_row(status: Status | None) -> tuple[int | None, ...]:
    if status is None:
        return (None,) * len(STATUS_COLUMNS)
    columns: tuple[int | None, ...] = _status_attributes(status)
    return columns


def _rollup_row(rollup: dict[str, int] | None) -> tuple[int | None, ...]:
    if rollup is None:
        return (None,) * len(ROLLUP_COLUMNS)
    return tuple(rollup.get(field) for field in ROLLUP_COLUMNS.values())
