"""Which slots of a process to collapse, in which order: from its smaps and page tables to steps of growing dose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from advisor.procfs.fs import KernelFs
from advisor.procfs.smaps import VmaTable, parse_smaps
from advisor.procfs.smaps_lines import Head
from advisor.trial.live_document import Eligible
from advisor.trial.live_pages import PIECE_BYTES, PageReader

MIN_POPULATED_SHARE = 0.5
"""Of a slot's bytes. Emptier slots are left out. Source: own choice. Reason: collapsing fills the holes, and from
half on a slot gains less huge memory that is used than memory that is not."""

DEFAULT_STEPS = (0.25, 0.5, 1.0)
"""Shares of the eligible bytes. Reason: three points tell a straight response from chance, and each takes as long
to measure as the baseline."""

GOLDEN_RATIO = (5**0.5 - 1) / 2
"""Fractional parts of its multiples spread most evenly over 0 to 1 whatever their number (Weyl sequence)."""

REFUSING_FLAGS = frozenset({"ht", "io", "pf", "mm", "um", "uw", "ui"})
"""VmFlags of memory that is no matter for collapsing: hugetlb, device and raw frames, watched by userfaultfd."""

SHARED_MEMORY_NAMES = ("/dev/shm/", "/SYSV", "/memfd:", "/dev/zero")  # noqa: S108  # read in smaps, not opened
"""Beginnings of the names of shared memory without a file on disk (tmpfs at its usual place, System V, memfd,
shared anonymous)."""

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Area:
    """A VMA that can be collapsed: where its first aligned slot begins, how many whole slots it has, how many bytes
    of it are mapped huge, how many it shares since a fork."""

    start: int
    slots: int
    huge_bytes: int = 0
    forked_bytes: int = 0


@dataclass(frozen=True)
class Choice:
    """Slots to collapse, in the order of collapsing, with the bytes that each lacks; and the sums to tell."""

    starts: Int64s
    missing: Int64s
    eligible: Eligible

    def step(self, before: float, dose: float) -> slice:
        """The slots that take the dose from `before` to `dose` (shares of 1)."""
        return slice(round(before * len(self.starts)), round(dose * len(self.starts)))


def parse_steps(text: str) -> tuple[float, ...]:
    """Percentages such as "25,50,100" as shares. Raises ValueError where they do not grow within 0 to 100."""
    steps = tuple(float(word) / 100 for word in text.split(","))
    if not all(0 < step <= 1 for step in steps) or any(after <= before for before, after in pairwise(steps)):
        raise ValueError("steps are percentages that grow, above 0 and at most 100")
    return steps


def choose(fs: KernelFs, pid: int, slot_bytes: int) -> Choice:
    """What can be collapsed now. Raises KernelTextError (GoneError, DeniedError ...)."""
    areas, refused_bytes = fs.parse_process(pid, "smaps", lambda text: areas_of(text, slot_bytes))
    with PageReader(fs, pid) as reader:
        starts, populated, huge_slots = _look(reader, areas, slot_bytes)
    forked_bytes = sum(area.forked_bytes for area in areas)
    return choose_slots(starts, populated, slot_bytes, huge_slots * slot_bytes, refused_bytes, forked_bytes)


def areas_of(text: bytes, slot_bytes: int) -> tuple[list[Area], int]:
    """VMAs of a smaps text with room for a slot, and the resident bytes of those that refuse (MADV_NOHUGEPAGE)."""
    table = parse_smaps(text)
    areas, refused_bytes = [], 0
    resident = table.column("Rss")
    for row in range(len(table)):
        flags = (table.flag_sets[int(table.flags[row])] or "").split()
        head = table.heads[int(table.head[row])]
        if not is_collapsible(head) or REFUSING_FLAGS.intersection(flags):
            continue
        if head.shared and (int(table.start[row]) - _file_offset(text, int(table.offset[row]))) % slot_bytes:
            continue  # a huge page of a file has its place in the file, which must be aligned in memory too
        start = -(-int(table.start[row]) // slot_bytes) * slot_bytes
        slots = (int(table.end[row]) - start) // slot_bytes
        if slots < 1 or resident is None or resident[row] <= 0:
            continue
        if "nh" in flags:
            refused_bytes += int(resident[row])
        else:
            areas.append(Area(start, slots, _huge_bytes(table, row), 0 if head.shared else _forked_bytes(table, row)))
    return areas, refused_bytes


def _file_offset(text: bytes, header: int) -> int:
    """Where in its file a VMA begins: third word of its header line (fs/proc/task_mmu.c show_vma_header_prefix)."""
    return int(text[header : text.index(b"\n", header)].split()[2], 16)


def _huge_bytes(table: VmaTable, row: int) -> int:
    return _sum(table, row, "AnonHugePages", "ShmemPmdMapped")


def _forked_bytes(table: VmaTable, row: int) -> int:
    """Private memory that other processes map too: left from a fork, and copied where it is collapsed."""
    return _sum(table, row, "Shared_Clean", "Shared_Dirty")


def _sum(table: VmaTable, row: int, *names: str) -> int:
    columns = map(table.column, names)
    return sum(max(int(column[row]), 0) for column in columns if column is not None)


def is_collapsible(head: Head) -> bool:
    """Writable memory without a file on disk: heap, private anonymous, or shared memory; not the stack.

    Read-only memory is left alone: some kernels refuse it, and it is seldom what a service works on.
    """
    if not head.writable:
        return False
    if head.shared:
        return head.name.startswith(SHARED_MEMORY_NAMES)
    return head.inode == 0 and (head.name in ("", "[heap]") or head.name.startswith("[anon:"))


def _look(reader: PageReader, areas: Sequence[Area], slot_bytes: int) -> tuple[Int64s, Int64s, int]:
    """Starts and populated bytes of all slots that hold something and are not huge yet; how many are huge.

    Where the kernel cannot tell which slots are huge (before 6.7), a VMA of which half is huge is left out whole;
    below that, a huge slot collapses at once and to no effect.
    """
    starts, populated, huge_slots = [], [], 0
    for area in areas:
        for piece in _pieces(area, slot_bytes):
            seen = reader.slots(piece.start, piece.slots, slot_bytes)
            if seen.huge is None and 2 * area.huge_bytes >= area.slots * slot_bytes:
                huge_slots += area.huge_bytes // slot_bytes
                break
            wanted = seen.populated > 0
            if seen.huge is not None:
                huge_slots += int(seen.huge.sum())
                wanted &= ~seen.huge
            starts.append(piece.start + slot_bytes * np.flatnonzero(wanted))
            populated.append(seen.populated[wanted])
    nothing = np.zeros(0, np.int64)
    return np.concatenate([nothing, *starts]), np.concatenate([nothing, *populated]), huge_slots


def _pieces(area: Area, slot_bytes: int) -> Iterator[Area]:
    """The area in stretches of PIECE_BYTES, or of a slot where that is larger."""
    most = max(PIECE_BYTES // slot_bytes, 1)
    for first in range(0, area.slots, most):
        yield Area(area.start + first * slot_bytes, min(most, area.slots - first))


def choose_slots(
    starts: Int64s, populated: Int64s, slot_bytes: int, huge_bytes: int, refused_bytes: int, forked_bytes: int = 0
) -> Choice:
    """The dense slots, spread evenly; empty ones are no matter, sparse ones are left out and told."""
    dense = populated >= MIN_POPULATED_SHARE * slot_bytes
    sparse = ~dense & (populated > 0)
    order = spread_order(int(dense.sum()))
    missing = slot_bytes - populated
    return Choice(
        starts=starts[dense][order],
        missing=missing[dense][order],
        eligible=Eligible(
            slot_bytes=slot_bytes,
            slots=int(dense.sum()),
            populated_bytes=int(populated[dense].sum()),
            missing_bytes=int(missing[dense].sum()),
            sparse_slots=int(sparse.sum()),
            sparse_missing_bytes=int(missing[sparse].sum()),
            huge_bytes=huge_bytes,
            refused_bytes=refused_bytes,
            forked_bytes=forked_bytes,
        ),
    )


def spread_order(count: int) -> Int64s:
    """0 to count-1 so that every beginning of the list lies evenly over the whole.

    Which part of its memory a program uses most is not known without stopping it to clear its access bits. Spread
    evenly, every dose holds the same share of the hot part wherever that lies, so the response to a dose is the
    dose's share of the whole response: a straight line for uniform access. In order of address, or largest VMA
    first, the same dose would show all of the response or none of it, by what happens to lie there.
    """
    return np.argsort(np.arange(count) * GOLDEN_RATIO % 1.0, kind="stable").astype(np.int64)
