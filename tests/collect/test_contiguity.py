"""The look at the flags of physical pages, on a constructed kpageflags."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from advisor.collect.contiguity import look_at_memory
from advisor.procfs import kpageflags as kpf
from advisor.procfs.errors import MissingError
from advisor.procfs.fs import KernelFs
from advisor.profile.model import ZoneBlocks, ZoneRanges

PAGE, BLOCK, RANGE = 4096, 512, 4096
"""A base page, pages of a block, and of a "gigantic" page of 16 MiB, so that a host is small."""

BLOCK_BYTES, RANGE_BYTES = BLOCK * PAGE, RANGE * PAGE
ANON = kpf.LRU | kpf.ANON | kpf.SWAPBACKED | kpf.MMAP
FILE = kpf.LRU
HEADS = """Node 0, zone   Normal
  pages free     100
        min      10
        low      12
        high     14
        spanned  {pages}
        present  {pages}
        managed  {pages}
        protection: (0, 0)
  pagesets
    cpu: 0
              count:    7
    cpu: 1
              count:    4
  start_pfn:           {first}
"""


class Memory:
    """A zone of free pages in which a test puts others."""

    def __init__(self, root: Path, ranges: int, first: int = 0) -> None:
        self.root, self.first = root, first
        self.words = np.full(first + ranges * RANGE, kpf.BUDDY, np.uint64)

    def look(self) -> tuple[ZoneBlocks, ZoneRanges]:
        text = HEADS.format(pages=len(self.words) - self.first, first=self.first)
        (self.root / "zoneinfo").write_text(text)
        (self.root / "kpageflags").write_bytes(self.words.tobytes())
        found = look_at_memory(KernelFs(str(self.root), str(self.root)), PAGE, BLOCK_BYTES, [RANGE_BYTES])
        (blocks,), (ranges,) = found.zones, found.ranges
        return blocks, ranges


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path, 4)


def test_free_memory_and_what_can_be_moved_forbid_nothing(memory: Memory) -> None:
    memory.words[:100] = ANON
    memory.words[600:700] = FILE
    memory.words[5000] = kpf.ANON | kpf.SWAPBACKED
    blocks, ranges = memory.look()
    assert (blocks.blocks, blocks.looked_at, blocks.movable, blocks.unnamed) == (32, 32, 32, 0)
    assert (blocks.free_pages, blocks.file_pages) == (4 * RANGE - 201, 100)
    assert (ranges.movable, ranges.blocked) == (4, {})


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (kpf.SLAB, "kernel objects (slab)"),
        (kpf.PGTABLE, "page tables"),
        (kpf.RESERVED, "pages reserved since boot"),
        (kpf.HUGETLB | kpf.COMPOUND_HEAD, "pages of a hugetlb pool"),
        (kpf.HUGETLB | kpf.LRU, "pages of a hugetlb pool"),
        (kpf.NOPAGE, "holes"),
        (kpf.OFFLINE, "pages taken offline"),
        (kpf.MMAP, "other kernel memory"),
        (kpf.THP | kpf.ZERO_PAGE, "other kernel memory"),
    ],
)
def test_one_unmovable_page_forbids_its_block_and_its_range(memory: Memory, flags: int, name: str) -> None:
    memory.words[RANGE + 700] = flags
    blocks, ranges = memory.look()
    assert (blocks.movable, blocks.stuck_free_pages) == (31, BLOCK - 1)
    assert (ranges.movable, ranges.blocked) == (3, {name: 1})


def test_pages_without_a_name_are_kept_apart_and_the_lists_per_cpu_that_may_explain_them(memory: Memory) -> None:
    memory.words[[3, 5, 2 * RANGE]] = 0
    memory.words[3 * RANGE :] = 0
    blocks, ranges = memory.look()
    assert (blocks.movable, blocks.unnamed, blocks.blank) == (22, 2, 8)
    assert (blocks.unnamed_pages, blocks.cpu_list_pages) == (3, 11)
    assert (ranges.movable, ranges.unnamed, ranges.blank) == (1, 2, 1)


def test_more_unnamed_pages_than_lists_per_cpu_hold_make_a_range_blank(memory: Memory) -> None:
    memory.words[:11] = 0
    memory.words[RANGE : RANGE + 12] = 0
    _, ranges = memory.look()
    assert (ranges.movable, ranges.unnamed, ranges.blank) == (2, 1, 1)


def test_ranges_are_aligned_and_whole(tmp_path: Path) -> None:
    memory = Memory(tmp_path, 3, first=BLOCK)
    blocks, ranges = memory.look()
    assert (blocks.blocks, ranges.movable) == (24, 2)


def test_memory_that_ends_before_its_zone_is_a_hole(memory: Memory) -> None:
    memory.words = memory.words[: 3 * RANGE]
    text = HEADS.format(pages=4 * RANGE, first=0)
    (memory.root / "kpageflags").write_bytes(memory.words.tobytes())
    (memory.root / "zoneinfo").write_text(text)
    found = look_at_memory(KernelFs(str(memory.root), str(memory.root)), PAGE, BLOCK_BYTES, [RANGE_BYTES])
    assert (found.zones[0].movable, found.ranges[0].blocked) == (24, {"holes": 1})


def test_where_two_zones_overlap_no_range_is_promised(memory: Memory) -> None:
    memory.look()
    other = HEADS.format(pages=RANGE, first=RANGE).replace("Node 0", "Node 1")
    (memory.root / "zoneinfo").write_text(HEADS.format(pages=4 * RANGE, first=0) + other)
    found = look_at_memory(KernelFs(str(memory.root), str(memory.root)), PAGE, BLOCK_BYTES, [RANGE_BYTES])
    assert [one.movable for one in found.ranges] == [3, 0]


def test_what_the_time_does_not_allow_is_said(memory: Memory) -> None:
    memory.look()
    ticks = iter(range(1000))
    fs = KernelFs(str(memory.root), str(memory.root))
    found = look_at_memory(fs, PAGE, BLOCK_BYTES, [RANGE_BYTES], clock=lambda: float(next(ticks)))
    assert (found.ranges[0].movable, found.ranges[0].unread) == (0, 4)


def test_a_large_host_is_sampled_and_the_sample_is_spread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("advisor.collect.contiguity.SAMPLED_BLOCKS", 64)
    memory = Memory(tmp_path, 64)
    memory.words[: 16 * RANGE] = kpf.SLAB
    blocks, ranges = memory.look()
    assert (blocks.blocks, blocks.looked_at) == (512, 64)
    assert abs(blocks.movable - 48) <= 1
    assert (ranges.movable, ranges.blocked) == (48, {"kernel objects (slab)": 16})


def test_a_captured_tree_without_the_file_is_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "zoneinfo").write_text(HEADS.format(pages=RANGE, first=0))
    with pytest.raises(MissingError):
        look_at_memory(KernelFs(str(tmp_path), str(tmp_path)), PAGE, BLOCK_BYTES, [])
