"""Whose slots khugepaged refused: its tracepoints name no process, but the page that it looked at last.

As root, pagemap tells the page frame number of every page, so a frame that one process alone maps says whose address
space it was, and where. The hashed address of the mm then stands for that process. Frames that several processes map,
as after fork, decide nothing where it stays a tie.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from advisor.procfs.errors import KernelTextError, MissingError
from advisor.procfs.fs import KernelFs
from advisor.procfs.khugepaged_trace import SUCCEEDED, Look
from advisor.procfs.pagemap_scan import ENTRY_FRAME, ENTRY_PRESENT, PRESENT, PagemapScanner, Vma
from advisor.profile.model import Mapping as VmaFacts
from advisor.profile.pages import Refusal

LONGEST_SEARCH_S = 1.0
"""Seconds after which no further process is searched: some 60 GiB of base pages at 15 ms a GiB."""

CHUNK_BYTES = 256 << 20
"""Of address space whose entries are read at one go: 512 KiB of them with pages of 4 KiB."""

LONGEST_UNSCANNED_BYTES = 4 << 30
"""VMAs larger than this are passed over where the kernel cannot say which parts are populated (before 6.7)."""

SEARCHED_KINDS = ("anon", "heap")

Frames = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A process in whose VMAs with slots khugepaged may have looked; starts are where they begin."""

    pid: int
    vmas: Sequence[Vma]

    @classmethod
    def of(cls, pid: int, maps: Iterable[VmaFacts]) -> Suspect:
        vmas = [
            Vma(one.start, one.start + one.size)
            for one in maps
            if one.start is not None and one.kind in SEARCHED_KINDS and one.slot_bytes and one.advice != "nh"
        ]
        return cls(pid, vmas)


def attribute(fs: KernelFs, looks: Sequence[Look], suspects: Iterable[Suspect]) -> dict[int, list[Refusal]]:
    """Refusals by pid. Reads pagemap of the suspects; without CAP_SYS_ADMIN it shows no frame numbers: none found."""
    refused = [look for look in looks if look.status != SUCCEEDED and look.frame is not None]
    wanted = np.unique(np.array([look.frame for look in refused], np.uint64))
    if not len(wanted):
        return {}
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    ends = time.perf_counter() + LONGEST_SEARCH_S
    for suspect in suspects:
        if time.perf_counter() > ends:
            break
        for frame, start in _search(fs, suspect, wanted):
            found[frame].append((suspect.pid, start))
    return _refusals(refused, found, _owners(refused, found))


def _owners(looks: Iterable[Look], found: Mapping[int, Sequence[tuple[int, int]]]) -> dict[str, int]:
    """Address space -> pid, where one process maps more of the frames seen in it than any other."""
    votes: dict[str, Counter[int]] = defaultdict(Counter)
    for look in looks:
        votes[look.mm].update({pid for pid, _ in found.get(look.frame or 0, ())})
    owners = {}
    for mm, counts in votes.items():
        (best, times), *others = counts.most_common(2) or [(0, 0)]
        if times and not (others and others[0][1] == times):
            owners[mm] = best
    return owners


def _refusals(
    looks: Iterable[Look], found: Mapping[int, Sequence[tuple[int, int]]], owners: Mapping[str, int]
) -> dict[int, list[Refusal]]:
    times: dict[int, Counter[tuple[int, str]]] = defaultdict(Counter)
    for look in looks:
        owner = owners.get(look.mm)
        start = next((start for pid, start in found.get(look.frame or 0, ()) if pid == owner), None)
        if owner is not None and start is not None:
            times[owner][start, look.status] += 1
    return {
        pid: [Refusal(start, status, number) for (start, status), number in sorted(counts.items())]
        for pid, counts in times.items()
    }


def _search(fs: KernelFs, suspect: Suspect, wanted: Frames) -> Iterator[tuple[int, int]]:
    """(frame, start of the VMA) for each wanted frame that the process maps; nothing of one that is gone."""
    try:
        with PagemapScanner(fs, suspect.pid) as scanner:
            for vma in suspect.vmas:
                for part in _populated(scanner, vma):
                    entries = scanner.entries(*part)
                    frames = entries[(entries & ENTRY_PRESENT) != 0] & ENTRY_FRAME
                    for frame in frames[np.isin(frames, wanted)].tolist():
                        yield frame, vma.start
    except KernelTextError:
        return


def _populated(scanner: PagemapScanner, vma: Vma) -> Iterator[Vma]:
    """Populated parts of a VMA, none larger than CHUNK_BYTES."""
    try:
        parts = [
            Vma(start, end)
            for regions in scanner.regions(*vma, all_of=PRESENT)
            for start, end in zip(regions.start.tolist(), regions.end.tolist(), strict=True)
        ]
        parts = _joined(parts)
    except MissingError:
        parts = [vma] if vma.end - vma.start <= LONGEST_UNSCANNED_BYTES else []
    for part in parts:
        for start in range(part.start, part.end, CHUNK_BYTES):
            yield Vma(start, min(start + CHUNK_BYTES, part.end))


NEAR_BYTES = 2 << 20
"""Parts that are no further apart are read together: one read of 512 entries costs no more than the call."""


def _joined(parts: Iterable[Vma]) -> list[Vma]:
    joined: list[Vma] = []
    for part in parts:
        if joined and part.start - joined[-1].end <= NEAR_BYTES:
            joined[-1] = Vma(joined[-1].start, part.end)
        else:
            joined.append(part)
    return joined
