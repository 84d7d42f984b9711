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

USERFAULTFD_FLAGS = frozenset(("um", "uw", "ui"))
"""VmFlags of a VMA armed by userfaultfd: missing, write-protect, minor (fs/proc/task_mmu.c show_smap_vma_flags)."""

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
        group = columns.group_key(single)
        key = (process << PROCESS_SHIFT) | group
        order = np.argsort(key)
        key = key[order]
        first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
        values = np.maximum(table.values, 0) if table.has_gaps else table.values
        rows = order[first]
        result: list[list[Mapping]] = [[] for _ in bounds[1:]]
        listed = zip(
            process[rows].tolist(),
            table.head[rows].tolist(),
            np.diff(first, append=len(order)).tolist(),
            np.where(single, table.start, NO_START)[rows].tolist(),
            np.add.reduceat(size[order], first).tolist(),
            np.add.reduceat(columns.slot_bytes[order], first).tolist(),
            columns.facts[:, rows].T.tolist(),
            np.add.reduceat(values[order], first, axis=0).tolist(),
            strict=True,
        )
        for owner, head, count, start, total, slots, facts, sums in listed:
            result[owner].append(_mapping(table.heads[head], facts, count, start, total, slots, sums))
        return result

    def _columns(self, table: VmaTable) -> _Columns:
        if self._heads.heads is not table.heads:
            self._heads = _HeadFacts(table.heads)
        kind, shared, writable = self._heads.columns()[:, table.head]
        flags = np.array([_flag_facts(letters) for letters in table.flag_sets], np.int64)
        advice, locked, hugetlb, device, userfaultfd, noreserve = flags[table.flags].T
        page = table.column("KernelPageSize")
        page_bytes = np.full(len(table), -1, np.int64) if page is None else page
        kind[device == 1] = KINDS.index("device")
        kind[(hugetlb == 1) | (page_bytes > (self.base_page_bytes or page_bytes.min()))] = HUGETLB
        noreserve = np.where(kind == HUGETLB, noreserve, -1)
        facts = np.stack((kind, page_bytes, advice, table.eligible, shared, writable, locked, userfaultfd, noreserve))
        return _Columns(facts, self._slot_bytes(table))

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
SINGLE_KEY = 1 << 32
"""Keys of single VMAs begin here, in the order of rows; those of folded ones are below 2**15."""
PROCESS_SHIFT = 33
"""Keys of one process's VMAs lie below this bit: a table has fewer than 2**32 rows."""
NO_START = (1 << 64) - 1
"""In place of the start address of folded VMAs; no VMA begins at the last byte."""


@dataclass(slots=True)
class _HeadFacts:
    """(kind, shared, writable) of each header of a growing list; headers seen before are not judged again."""

    heads: Sequence[Head]
    _known: Int64s = field(default_factory=lambda: np.zeros((3, 0), np.int64))

    def columns(self) -> Int64s:
        """(3, number of headers)."""
        new = [
            (KINDS.index(kind_of(head)), int(head.shared), int(head.writable))
            for head in self.heads[self._known.shape[1] :]
        ]
        if new:
            self._known = np.concatenate((self._known, np.array(new, np.int64).T), axis=1)
        return self._known


@dataclass(slots=True)
class _Columns:
    """facts: (9, n) kind, page bytes, advice, eligible, shared, writable, locked, userfaultfd, noreserve.

    VMAs equal in all are folded. Hugetlb ones stand alone, and only they have the last.
    """

    facts: Int64s
    slot_bytes: Int64s

    @property
    def kind(self) -> Int64s:
        kind: Int64s = self.facts[0]
        return kind

    def group_key(self, single: npt.NDArray[np.bool_]) -> Int64s:
        """Equal for VMAs of one process that are folded together; unique for single ones."""
        kind, _page, advice, eligible, shared, writable, locked, armed, _noreserve = self.facts
        key = kind
        for column, width in (
            (advice, 4),
            (eligible + 1, 4),
            (shared, 2),
            (writable, 2),
            (locked + 1, 4),
            (armed + 1, 4),
        ):
            key = key * width + column
        return np.where(single, SINGLE_KEY + np.arange(len(key)), key)


def _mapping(
    head: Head, facts: list[int], count: int, start: int, size: int, slot_bytes: int, values: list[int]
) -> Mapping:
    kind, page, advice, eligible, shared, writable, locked, userfaultfd, noreserve = facts
    single = start != NO_START
    return Mapping(
        KINDS[kind],
        count,
        start if single else None,
        size,
        page if page > 0 else None,
        ADVICE[advice],
        eligible if eligible >= 0 else None,
        shared == 1,
        writable == 1,
        locked == 1 if locked >= 0 else None,
        slot_bytes if slot_bytes >= 0 else None,
        head.name if single else "",
        f"{head.device}:{head.inode}" if single and head.inode else None,
        values,
        userfaultfd == 1 if userfaultfd >= 0 else None,
        noreserve == 1 if noreserve >= 0 else None,
        head.executable if single else None,
    )


def _flag_facts(letters: str | None) -> tuple[int, int, int, int, int, int]:
    """(index into ADVICE, locked or -1, hugetlb, device, userfaultfd or -1, noreserve or -1) of a set of VmFlags."""
    if letters is None:
        return ADVICE.index(None), -1, 0, 0, -1, -1
    flags = set(letters.split())
    advice = "hg" if "hg" in flags else "nh" if "nh" in flags else ""
    return (
        ADVICE.index(advice),
        int("lo" in flags),
        int("ht" in flags),
        int("io" in flags or "pf" in flags),
        int(not flags.isdisjoint(USERFAULTFD_FLAGS)),
        int("nr" in flags),
    )


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
        mapping.userfaultfd,
        mapping.noreserve,
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
        userfaultfd=mapping.userfaultfd,
        noreserve=mapping.noreserve,
    )
