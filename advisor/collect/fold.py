"""VMAs -> the mappings that a profile keeps: what can hold a huge page singly, everything else folded by kind.

A VMA smaller than a huge page can never be backed by one, so several hundred libraries and small mappings of a
process become a handful of rows whose sums are exact. That is what makes an unchanged host cheap to store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from advisor.procfs.smaps import VmaTable
from advisor.procfs.smaps_lines import Head
from advisor.profile.model import Mapping

Int64s = npt.NDArray[np.int64]

KINDS = ("anon", "heap", "stack", "shmem", "file", "hugetlb", "device", "special")
ADVICE = ("", "hg", "nh", None)
"""MADV_HUGEPAGE, MADV_NOHUGEPAGE, none of both, and unknown (kernels before 3.8 print no VmFlags)."""

FALLBACK_SINGLE_BYTES = 2 << 20
"""Smallest VMA kept singly where the host states no PMD size (no THP): 2 MiB, the smallest PMD page but s390x's."""

MAX_SINGLES = 1024
"""Single mappings kept for one process, largest first: a row costs about 100 bytes in a profile, and runtimes
with more large mappings than this (ZGC, MongoDB) have them alike."""

SHMEM_PREFIXES = ("/memfd:", "/dev/shm/", "/run/shm/", "/SYSV", "[anon_shmem")  # noqa: S108 (names, not files to open)
"""Names of memory without a disk file: memfd_create(2), shm_open(3), shmget(2), PR_SET_VMA on shared memory."""


def kind_of(head: Head) -> str:
    """Kind by name alone; VmFlags and page size decide hugetlb and device beyond it."""
    name = head.name
    if not name:
        return "anon"
    if name.startswith("["):
        return _kind_of_bracketed(name)
    if name.startswith("/anon_hugepage"):
        return "hugetlb"
    if name.startswith("/dev/zero"):
        return "shmem" if head.shared else "anon"
    if name.startswith(SHMEM_PREFIXES):
        return "shmem"
    return "device" if name.startswith(("/dev/", "anon_inode:")) else "file"


def _kind_of_bracketed(name: str) -> str:
    for prefix, kind in (
        ("[heap", "heap"),
        ("[stack", "stack"),
        ("[anon_shmem", "shmem"),
        ("[anon:", "anon"),
    ):
        if name.startswith(prefix):
            return kind
    return "special"


@dataclass(slots=True)
class Folder:
    """Folds tables of one host.

    pmd_bytes: the THP size, None without THP. base_page_bytes: None where a captured tree does not say; then the
    smallest page size among a table's VMAs stands for it.
    """

    pmd_bytes: int | None
    base_page_bytes: int | None
    _heads: _HeadFacts = field(default_factory=lambda: _HeadFacts([]))

    def fold(self, table: VmaTable, bounds: Sequence[int]) -> list[list[Mapping]]:
        """Mappings of each process; bounds are the row numbers at which processes begin, and len(table).

        Rows come in a stable order: by the key of their kind, then by address.
        """
        if not len(table):
            return [[] for _ in bounds[1:]]
        process = np.repeat(np.arange(len(bounds) - 1), np.diff(np.asarray(bounds)))
        columns = self._columns(table)
        size = table.end - table.start
        single = (size >= np.uint64(self.pmd_bytes or FALLBACK_SINGLE_BYTES)) | (columns.kind == HUGETLB)
        group = _group_key(columns, single)
        order = np.lexsort((group, process))
        first = np.flatnonzero(np.diff(process[order], prepend=-1) | np.diff(group[order], prepend=-1))
        sums = np.add.reduceat(np.maximum(table.values, 0)[order], first, axis=0)
        sizes = np.add.reduceat(size[order], first)
        slots = np.add.reduceat(columns.slot_bytes[order], first)
        counts = np.diff(first, append=len(order))
        rows = order[first]
        result: list[list[Mapping]] = [[] for _ in bounds[1:]]
        listed = zip(
            process[rows].tolist(),
            rows.tolist(),
            counts.tolist(),
            sizes.tolist(),
            slots.tolist(),
            sums.tolist(),
            strict=True,
        )
        for owner, row, count, total, slot, values in listed:
            start = int(table.start[row]) if single[row] else None
            result[owner].append(_mapping(table, columns, row, count, start, total, slot, values))
        return result

    def _columns(self, table: VmaTable) -> _Columns:
        if self._heads.heads is not table.heads:
            self._heads = _HeadFacts(table.heads)
        kind, shared, writable = self._heads.columns()[:, table.head]
        flags = np.array([_flag_facts(letters) for letters in table.flag_sets], np.int64)
        advice, locked, hugetlb, device = flags[table.flags].T
        page = table.column("KernelPageSize")
        page_bytes = np.full(len(table), -1, np.int64) if page is None else page
        kind[device == 1] = KINDS.index("device")
        kind[(hugetlb == 1) | (page_bytes > (self.base_page_bytes or page_bytes.min()))] = HUGETLB
        slots = self._slot_bytes(table)
        return _Columns(kind, advice, locked, page_bytes, shared, writable, table.eligible, slots)

    def _slot_bytes(self, table: VmaTable) -> Int64s:
        """Bytes of whole aligned PMD-size ranges within each VMA; -1 where there is no THP."""
        if self.pmd_bytes is None:
            return np.full(len(table), -1, np.int64)
        pmd = np.uint64(self.pmd_bytes)
        first = table.start // pmd + (table.start % pmd != 0)
        last = table.end // pmd
        slots = np.where(last > first, last - first, np.uint64(0)) * pmd
        return slots.astype(np.int64)


HUGETLB = KINDS.index("hugetlb")


@dataclass(slots=True)
class _HeadFacts:
    """(kind, shared, writable) of each header of a growing list; headers seen before are not judged again."""

    heads: Sequence[Head]
    _known: list[tuple[int, int, int]] = field(default_factory=list)

    def columns(self) -> Int64s:
        """(3, number of headers)."""
        for head in self.heads[len(self._known) :]:
            self._known.append((KINDS.index(kind_of(head)), int(head.shared), int(head.writable)))
        return np.array(self._known, np.int64).T


@dataclass(slots=True)
class _Columns:
    kind: Int64s
    advice: Int64s
    locked: Int64s
    page_bytes: Int64s
    shared: Int64s
    writable: Int64s
    eligible: Int64s
    slot_bytes: Int64s


def _mapping(
    table: VmaTable,
    columns: _Columns,
    row: int,
    count: int,
    start: int | None,
    size: int,
    slot_bytes: int,
    values: list[int],
) -> Mapping:
    head = table.heads[int(table.head[row])]
    single = start is not None
    locked, page, eligible = (
        int(columns.locked[row]),
        int(columns.page_bytes[row]),
        int(columns.eligible[row]),
    )
    return Mapping(
        kind=KINDS[int(columns.kind[row])],
        count=count,
        start=start,
        size=size,
        page_bytes=page if page > 0 else None,
        advice=ADVICE[int(columns.advice[row])],
        eligible=eligible if eligible >= 0 else None,
        shared=head.shared,
        writable=head.writable,
        locked=bool(locked) if locked >= 0 else None,
        slot_bytes=slot_bytes if slot_bytes >= 0 else None,
        name=head.name if single else "",
        object=f"{head.device}:{head.inode}" if single and head.inode else None,
        values=values,
    )


def _flag_facts(letters: str | None) -> tuple[int, int, int, int]:
    """(index into ADVICE, locked or -1, hugetlb, device) of one set of VmFlags."""
    if letters is None:
        return ADVICE.index(None), -1, 0, 0
    flags = letters.split()
    advice = "hg" if "hg" in flags else "nh" if "nh" in flags else ""
    return ADVICE.index(advice), int("lo" in flags), int("ht" in flags), int("io" in flags or "pf" in flags)


def _group_key(columns: _Columns, single: npt.NDArray[np.bool_]) -> Int64s:
    """Equal for VMAs of one process that are folded together; unique for single ones."""
    key = columns.kind
    for column, width in (
        (columns.advice, 4),
        (columns.eligible + 1, 4),
        (columns.shared, 2),
        (columns.writable, 2),
        (columns.locked + 1, 4),
    ):
        key = key * width + column
    rows = np.arange(len(key))
    return np.where(single, (1 << 32) + rows, key)


def merge_mappings(parts: Iterable[Sequence[Mapping]]) -> list[Mapping]:
    """Mappings of one process that was folded in several parts; keeps at most MAX_SINGLES single ones."""
    singles = [mapping for part in parts for mapping in part]
    folded = [mapping for mapping in singles if mapping.start is None]
    singles = sorted((m for m in singles if m.start is not None), key=lambda m: (-m.size, m.start))
    kept = sorted(singles[:MAX_SINGLES], key=lambda m: m.start or 0)
    merged: dict[tuple[object, ...], Mapping] = {}
    for mapping in folded + singles[MAX_SINGLES:]:
        key = _fold_key(mapping)
        merged[key] = _added(merged[key], mapping) if key in merged else _anonymised(mapping)
    return [*merged.values(), *kept]


def _fold_key(mapping: Mapping) -> tuple[object, ...]:
    return (
        mapping.kind,
        mapping.page_bytes,
        mapping.advice,
        mapping.eligible,
        mapping.shared,
        mapping.writable,
        mapping.locked,
    )


def _anonymised(mapping: Mapping) -> Mapping:
    if mapping.start is None:
        return mapping
    return _replaced(mapping, mapping.count, mapping.size, mapping.slot_bytes, mapping.values)


def _added(left: Mapping, right: Mapping) -> Mapping:
    slots = None if left.slot_bytes is None else left.slot_bytes + (right.slot_bytes or 0)
    values = [a + b for a, b in zip(left.values, right.values, strict=True)]
    return _replaced(left, left.count + right.count, left.size + right.size, slots, values)


def _replaced(mapping: Mapping, count: int, size: int, slot_bytes: int | None, values: list[int]) -> Mapping:
    return Mapping(
        kind=mapping.kind,
        count=count,
        start=None,
        size=size,
        page_bytes=mapping.page_bytes,
        advice=mapping.advice,
        eligible=mapping.eligible,
        shared=mapping.shared,
        writable=mapping.writable,
        locked=mapping.locked,
        slot_bytes=slot_bytes,
        name="",
        object=None,
        values=values,
    )
