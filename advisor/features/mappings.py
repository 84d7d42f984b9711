"""All VMAs of all processes as one frame, and the words in which themes speak of a VMA.

A *measure* is what one mapping adds to a total of its process; `sum_measures` adds them up, so that the rule for
unknown parts is in one place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import polars as pl
from msgspec import structs

from advisor.profile.model import Mapping
from advisor.profile.timeline import ProcessState

SMAPS_COLUMNS = {
    "rss": "Rss",
    "pss": "Pss",
    "anonymous": "Anonymous",
    "swap": "Swap",
    "anon_huge": "AnonHugePages",
    "shmem_huge": "ShmemPmdMapped",
    "file_huge": "FilePmdMapped",
    "shared_hugetlb": "Shared_Hugetlb",
    "private_hugetlb": "Private_Hugetlb",
    "referenced": "Referenced",
    "shared_clean": "Shared_Clean",
    "shared_dirty": "Shared_Dirty",
}
"""Column of the mapping frame -> field of smaps, as the kernel prints it (fs/proc/task_mmu.c)."""

MAPPING_TYPES: dict[str, type[pl.DataType]] = {
    "kind": pl.String,
    "count": pl.Int64,
    "start": pl.UInt64,
    "size": pl.Int64,
    "page_bytes": pl.Int64,
    "advice": pl.String,
    "eligible": pl.Int64,
    "shared": pl.Boolean,
    "writable": pl.Boolean,
    "locked": pl.Boolean,
    "slot_bytes": pl.Int64,
    "name": pl.String,
    "object": pl.String,
    "userfaultfd": pl.Boolean,
    "noreserve": pl.Boolean,
}
"""Fields of `Mapping` that features use."""

SCHEMA: dict[str, type[pl.DataType]] = {
    "row": pl.UInt32,
    **MAPPING_TYPES,
    **dict.fromkeys(SMAPS_COLUMNS, pl.Int64),
    **dict.fromkeys(("is_private", "is_anon", "is_shmem", "is_hugetlb"), pl.Boolean),
}
"""One row a mapping; `row` is the position of its process."""

PRIVATE_KINDS = ("anon", "heap")
IS_PRIVATE = pl.col("is_private")
"""Anonymous VMAs other than the stack: the ones that a page policy is about."""
IS_ANON = pl.col("is_anon")
"""These and the stack."""
IS_SHMEM = pl.col("is_shmem")
IS_HUGETLB = pl.col("is_hugetlb")
HUGETLB_RESIDENT = (
    pl.when(IS_HUGETLB)
    .then(pl.col("shared_hugetlb") + pl.col("private_hugetlb"))
    .otherwise((pl.col("shared_hugetlb") + pl.col("private_hugetlb")).fill_null(0))
)
"""Resident hugetlb bytes. A VMA that is no hugetlb holds none, also on kernels that do not print the fields."""
SHMEM_RESIDENT = (
    pl.when(IS_SHMEM).then(pl.col("rss") - pl.col("anonymous")).otherwise(pl.col("shmem_huge").fill_null(0))
)
"""Resident pages known to be shmem: all but the private copies of a shmem VMA; of others what is PMD-mapped shmem."""


def mapping_frame(processes: Sequence[ProcessState]) -> pl.DataFrame:
    """One row a recorded mapping, in the order of `processes`; columns as in `SCHEMA`."""
    blocks = [_block(rows, fields, processes) for fields, rows in _rows_by_fields(processes).items()]
    if not blocks:
        return pl.DataFrame(schema=SCHEMA)
    kind = pl.col("kind")
    return pl.concat(blocks).with_columns(
        is_private=kind.is_in(PRIVATE_KINDS),
        is_anon=kind.is_in((*PRIVATE_KINDS, "stack")),
        is_shmem=kind == "shmem",
        is_hugetlb=kind == "hugetlb",
    )


def _rows_by_fields(processes: Sequence[ProcessState]) -> dict[tuple[str, ...], list[int]]:
    """Row numbers of the processes with maps, by the smaps fields that their values have: one kernel, one key."""
    rows: dict[tuple[str, ...], list[int]] = {}
    for row, process in enumerate(processes):
        if process.maps:
            rows.setdefault(tuple(process.smaps_fields), []).append(row)
    return rows


def _block(rows: Iterable[int], fields: tuple[str, ...], processes: Sequence[ProcessState]) -> pl.DataFrame:
    lists = [(row, processes[row].maps or []) for row in rows]
    mappings = list(chain.from_iterable(maps for _, maps in lists))
    attributes = dict(zip(Mapping.__struct_fields__, zip(*map(structs.astuple, mappings), strict=True), strict=True))
    values = dict(zip(fields, zip(*attributes["values"], strict=True), strict=True))
    series = [pl.Series("row", [row for row, maps in lists for _ in maps], pl.UInt32)]
    series += [pl.Series(name, attributes[name], dtype) for name, dtype in MAPPING_TYPES.items()]
    absent = pl.Series([None], dtype=pl.Int64).new_from_index(0, len(mappings))
    for name, smaps_name in SMAPS_COLUMNS.items():
        known = smaps_name in values
        series.append(pl.Series(name, values[smaps_name], pl.Int64) if known else absent.alias(name))
    return pl.DataFrame(series)


def sum_measures(mappings: pl.DataFrame, measures: dict[str, pl.Expr], maxima: dict[str, pl.Expr]) -> pl.DataFrame:
    """One row a process that has mappings: the sum of each measure, the largest of each of `maxima`.

    A sum of which one part is unknown is unknown.
    """
    sums = (pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum()).alias(name) for name in measures)
    largest = (pl.col(name).max() for name in maxima)
    # Lazily, because then polars works out once what measures have in common.
    parts = mappings.lazy().select("row", **measures, **maxima)
    return parts.group_by("row").agg(*sums, *largest).collect()
