"""The stream against a definition page by page: which folio, and are all its pages mapped side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.collect import folios
from advisor.collect.folios import FolioTally, _Stream
from advisor.procfs.fs import KernelFs
from advisor.procfs.kpageflags import ANON, COMPOUND_HEAD, COMPOUND_TAIL, THP, PageFlagReader
from advisor.procfs.pagemap_scan import PRESENT, Regions, Vma

PAGE = 4096
ORDERS = 10


def memory() -> tuple[np.ndarray, list[range]]:
    """Flags by frame, and the frames of each folio."""
    flags: list[int] = []
    ranges = []
    for order in (0, 2, 1, 3, 4, 2, 0, 5, 3, 2, 4, 1, 6, 2):
        size = 1 << order
        kind = ANON if len(ranges) % 3 else 0
        ranges.append(range(len(flags), len(flags) + size))
        large = THP if order else 0
        flags += [kind | large | (COMPOUND_HEAD if order else 0)] + [kind | large | COMPOUND_TAIL] * (size - 1)
    return np.array(flags, np.uint64), ranges


FLAGS, RANGES = memory()


class FakeScanner:
    def __init__(self, frames: dict[int, int]) -> None:
        self.frames = dict(sorted(frames.items()))

    def regions(self, start: int, end: int, **_: int) -> Iterator[Regions]:
        pages = np.array([page for page in self.frames if start <= page * PAGE < end], np.uint64)
        for begin in range(0, len(pages), 5):
            part = pages[begin : begin + 5] * np.uint64(PAGE)
            yield Regions(part, part + np.uint64(PAGE), np.full(len(part), PRESENT, np.uint64))

    def entries(self, start: int, end: int) -> np.ndarray:
        known = [self.frames.get(page) for page in range(start // PAGE, end // PAGE)]
        return np.array([0 if frame is None else 1 << 63 | frame for frame in known], np.uint64)


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageFlagReader]:
    folder: Path = tmp_path_factory.mktemp("proc")
    (folder / "kpageflags").write_bytes(FLAGS.tobytes())
    with PageFlagReader(KernelFs(str(folder), str(folder))) as reader:
        yield reader


def by_definition(frames: dict[int, int], vmas: list[Vma]) -> tuple[Counter[tuple[object, ...]], Counter[int]]:
    """Pages by (aligned or not, anonymous, order), and pages mapped in part by anonymous."""
    whole: Counter[tuple[object, ...]] = Counter()
    partial: Counter[int] = Counter()
    for vma in vmas:
        inside = {page: frame for page, frame in frames.items() if vma.start <= page * PAGE < vma.end}
        for page, frame in inside.items():
            folio = next(one for one in RANGES if frame in one)
            if len(folio) == 1:
                continue
            first = page - (frame - folio.start)
            anon = int(bool(int(FLAGS[frame]) & ANON))
            if all(inside.get(first + place) == folio.start + place for place in range(len(folio))):
                order = len(folio).bit_length() - 1
                whole[first % len(folio) == 0, anon, order] += 1
            else:
                partial[anon] += 1
    return whole, partial


stretches = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, len(FLAGS) - 1), st.integers(1, 80)), min_size=1, max_size=8
)


@settings(deadline=None)
@given(stretches, st.integers(1, 299), st.integers(1, 40))
def test_every_mapping_of_folios_is_counted_as_defined(
    flags: PageFlagReader, pieces: list[tuple[int, int, int]], cut: int, chunk: int
) -> None:
    frames: dict[int, int] = {}
    for address, frame, length in pieces:
        for place in range(min(length, len(FLAGS) - frame)):
            frames[address + place] = frame + place
    vmas = [Vma(0, cut * PAGE), Vma(cut * PAGE, 400 * PAGE)]
    tally = FolioTally(np.array([0, 1]), 2, ORDERS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folios, "CHUNK_PAGES", chunk)
        assert _Stream(FakeScanner(frames), flags, PAGE, vmas).run(tally, float("inf"))  # type: ignore[arg-type]
    whole, partial = by_definition(frames, vmas)
    for is_aligned, counts in ((True, tally.aligned), (False, tally.unaligned)):
        for anon in (0, 1):
            for order in range(1, ORDERS):
                assert counts[:, anon, order].sum() == whole[is_aligned, anon, order]
    assert [tally.partial[:, anon].sum() for anon in (0, 1)] == [partial[0], partial[1]]


def test_bytes_by_size_leave_out_what_is_nowhere(flags: PageFlagReader) -> None:
    folio = next(one for one in RANGES if len(one) == 64)
    frames = {64 + place: frame for place, frame in enumerate(folio)}
    tally = FolioTally(np.array([1]), 2, ORDERS)
    assert _Stream(FakeScanner(frames), flags, PAGE, [Vma(0, 400 * PAGE)]).run(tally, float("inf"))  # type: ignore[arg-type]
    counts = tally.counts(None, PAGE)
    assert counts == tally.counts(1, PAGE)
    whole = [size.page_bytes for size in counts.sizes if size.anon_aligned + size.file_aligned]
    assert whole == [64 * PAGE]
    assert (counts.anon_pmd, counts.anon_partial, counts.file_partial) == (0, 0, 0)
