"""How its address space is made: number of VMAs, and memory that it shares with other processes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import polars as pl

from advisor.features.declare import NO_MAPS, byte_count, count, flag
from advisor.features.mappings import IS_ANON, IS_HUGETLB, IS_SHMEM

SHMEM_OBJECT = "smaps: device and inode of shmem VMAs"
HUGETLB_OBJECT = "smaps: device and inode of shared hugetlb VMAs"
NO_LEADER = "it maps no such object, or smaps could not be read"

FEATURES = (
    count("vma_count", "Its VMAs.", "smaps", NO_MAPS),
    count("anon_vma_count", "Its anonymous, heap and stack VMAs.", "smaps", NO_MAPS),
    byte_count("shmem_mapped_bytes", "Virtual size of its shmem VMAs.", "smaps: Size", NO_MAPS),
    byte_count(
        "shared_object_bytes",
        "Virtual size that it maps of its largest shmem object: shared anonymous memory, memfd, SysV or /dev/shm, "
        "at least a PMD page in size. 0: it maps none.",
        SHMEM_OBJECT,
        NO_MAPS,
    ),
    count(
        "sharing_processes",
        "Processes that map that same object, this one included; 0 without one.",
        SHMEM_OBJECT,
        NO_MAPS,
    ),
    byte_count(
        "sharing_page_table_bytes",
        "Page tables of those processes together, as far as known: each maps the object for itself.",
        "sum of page_table_bytes",
        "page tables of none of them are known",
    ),
    flag(
        "sharing_leader",
        "It has the lowest pid of those processes: count the object here and nowhere else.",
        SHMEM_OBJECT,
        NO_LEADER,
    ),
    count(
        "hugetlb_sharing_processes",
        "Processes that map the same hugetlb object as its largest shared one, this one included; 0 without one.",
        HUGETLB_OBJECT,
        NO_MAPS,
    ),
    flag(
        "hugetlb_sharing_leader",
        "It has the lowest pid of those processes: count the hugetlb object here and nowhere else.",
        HUGETLB_OBJECT,
        NO_LEADER,
    ),
)


HOST = "host_number"
"""Column that numbers the hosts of a frame: an object is shared by processes of one host."""

MEASURES = {
    "vma_count": pl.col("count"),
    "anon_vma_count": pl.col("count") * IS_ANON.cast(pl.Int64),
    "shmem_mapped_bytes": pl.col("size") * IS_SHMEM.cast(pl.Int64),
}
"""What one mapping adds to each total of its process."""


class SharedObject(NamedTuple):
    """An object that processes map. bytes_of_row: virtual size by process (row of the process frame)."""

    bytes_of_row: dict[int, int]
    leader_pid: int
    page_table_bytes: int | None


def derive(frame: pl.DataFrame, mappings: pl.DataFrame) -> pl.DataFrame:
    """Add this theme's columns to the process frame, which has pid, page_table_bytes and the number of its host."""
    shared = mappings.filter(pl.col("object").is_not_null() & (IS_SHMEM | (IS_HUGETLB & pl.col("shared")))).select(
        "is_hugetlb", "object", "row", "size"
    )
    parts = sorted(shared.iter_rows())
    shmem = _largest_by_row(frame, [part for is_hugetlb, *part in parts if not is_hugetlb])
    hugetlb = _largest_by_row(frame, [part for is_hugetlb, *part in parts if is_hugetlb])
    rows = [
        (*_shared(row, pid, shmem.get(row)), *_shared(row, pid, hugetlb.get(row))) if known else (None,) * 8
        for row, (pid, known) in enumerate(frame.select("pid", "maps_known").iter_rows())
    ]
    columns = list(zip(*rows, strict=True)) if rows else [()] * 8
    return frame.with_columns(
        pl.Series("shared_object_bytes", columns[0], pl.Int64),
        pl.Series("sharing_processes", columns[1], pl.Int64),
        pl.Series("sharing_page_table_bytes", columns[2], pl.Int64),
        pl.Series("sharing_leader", columns[3], pl.Boolean),
        pl.Series("hugetlb_sharing_processes", columns[5], pl.Int64),
        pl.Series("hugetlb_sharing_leader", columns[7], pl.Boolean),
    )


def _shared(row: int, pid: int, found: SharedObject | None) -> tuple[int, int, int | None, bool | None]:
    """Bytes, processes, page tables and leadership of one process and its largest object."""
    if found is None:
        return 0, 0, 0, None
    return found.bytes_of_row[row], len(found.bytes_of_row), found.page_table_bytes, pid == found.leader_pid


def _largest_by_row(frame: pl.DataFrame, parts: Iterable[Sequence[Any]]) -> dict[int, SharedObject]:
    """By process that maps an object: what it maps most of, the first of equals. parts: object, row, size."""
    bytes_of: dict[tuple[int, str], dict[int, int]] = {}
    hosts = frame[HOST].to_list()
    for name, row, size in parts:
        sizes = bytes_of.setdefault((hosts[row], name), {})
        sizes[row] = sizes.get(row, 0) + size
    pids, tables = frame["pid"].to_list(), frame["page_table_bytes"].to_list()
    largest: dict[int, SharedObject] = {}
    for sizes in bytes_of.values():
        known = [tables[row] for row in sizes if tables[row] is not None]
        shared = SharedObject(sizes, min(pids[row] for row in sizes), sum(known) if known else None)
        for row, size in sizes.items():
            if row not in largest or size > largest[row].bytes_of_row[row]:
                largest[row] = shared
    return largest
