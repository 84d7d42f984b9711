"""buddyinfo, pagetypeinfo and the indices of fragmentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.procfs.buddyinfo import (
    fragmentation_index,
    free_blocks_of_order,
    free_pages,
    parse_buddyinfo,
    parse_pagetypeinfo,
    unusable_index,
)
from advisor.procfs.errors import IncompleteError, KernelTextError, MalformedError
from advisor.procfs.facts import BuddyZone
from advisor.procfs.fs import KernelFs

BUDDYINFO = b"Node 0, zone      DMA      1      0      2 \nNode 1, zone   Normal      7      8      9 \n"

PAGETYPEINFO = b"""Page block order: 9
Pages per block:  512

Free pages count per migrate type at order       0      1      2 
Node    0, zone      DMA, type    Unmovable      1      0      2 
Node    0, zone      DMA, type      Movable >100000      5      6 

Number of blocks type     Unmovable      Movable 
Node 0, zone      DMA            1            7 
"""  # noqa: W291

free_lists = st.lists(st.integers(0, 1 << 20), min_size=1, max_size=14)


def test_buddyinfo_gives_counts_by_order_for_each_zone() -> None:
    assert parse_buddyinfo(BUDDYINFO) == [BuddyZone(0, "DMA", [1, 0, 2]), BuddyZone(1, "Normal", [7, 8, 9])]


@pytest.mark.parametrize("orders", [10, 11, 12, 14])
def test_buddyinfo_takes_as_many_orders_as_the_kernel_has(orders: int) -> None:
    line = b"Node 0, zone   Normal " + b"     5" * orders + b" \n"
    assert parse_buddyinfo(line)[0].free_blocks == [5] * orders


@pytest.mark.parametrize(
    "wrong",
    [
        b"Node 0, zone Normal 1 2\n",
        b"Node 0, zone Normal 1 2 x\n",
        b"Node 0, zone Normal\n",
        b"\n",
        b"Node 0 zone Normal 1 2 3\n",
        b"Node 0, zone Normal 1 2 9223372036854775808\n",
    ],
)
def test_a_buddy_line_of_another_shape_is_malformed_and_named(wrong: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_buddyinfo(BUDDYINFO + wrong)
    assert caught.value.line == 3


def test_buddyinfo_cut_off_is_incomplete() -> None:
    with pytest.raises(IncompleteError):
        parse_buddyinfo(BUDDYINFO[:-4])


def test_every_buddyinfo_dump_agrees_with_its_own_words(corpus: Path) -> None:
    dumps = sorted((corpus / "buddyinfo").iterdir())
    assert dumps
    for dump in dumps:
        words = [line.replace(",", "").split() for line in dump.read_text().splitlines()]
        expected = [(int(row[1]), row[3], [int(word) for word in row[4:]]) for row in words]
        zones = parse_buddyinfo(dump.read_bytes())
        assert [(zone.node, zone.zone, zone.free_blocks) for zone in zones] == expected, dump


def test_pagetypeinfo_keeps_a_capped_count_and_says_so() -> None:
    types = parse_pagetypeinfo(PAGETYPEINFO)
    assert (types.block_order, types.pages_per_block) == (9, 512)
    (zone,) = types.zones
    assert (zone.node, zone.zone) == (0, "DMA")
    assert zone.free_blocks == {"Unmovable": [1, 0, 2], "Movable": [100000, 5, 6]}
    assert zone.blocks == {"Unmovable": 1, "Movable": 7}
    assert zone.capped == ["Movable"]


def test_pagetypeinfo_of_several_nodes_is_one_list_of_zones() -> None:
    second = PAGETYPEINFO.replace(b"Node    0", b"Node    1").replace(b"Node 0", b"Node 1")
    assert [zone.node for zone in parse_pagetypeinfo(PAGETYPEINFO + second).zones] == [0, 1]


def test_mixed_blocks_of_page_owner_are_not_taken_for_blocks() -> None:
    mixed = PAGETYPEINFO + b"\nNumber of mixed blocks    Unmovable      Movable \nNode 0, zone      DMA   99   98 \n"
    assert parse_pagetypeinfo(mixed) == parse_pagetypeinfo(PAGETYPEINFO)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (b"Pages per block:  512", b"Pages per block:  many", 2),
        (b">100000      5      6 ", b">100000      5 ", 6),
        (b">100000      5", b"<100000      5", 6),
        (b"           1            7 ", b"           1 ", 9),
        (b"Number of blocks type", b"Sum of blocks type", 8),
    ],
)
def test_a_broken_line_of_pagetypeinfo_is_malformed_and_named(old: bytes, new: bytes, line: int) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_pagetypeinfo(PAGETYPEINFO.replace(old, new))
    assert caught.value.line == line


def test_pagetypeinfo_without_its_second_table_is_incomplete() -> None:
    with pytest.raises(IncompleteError):
        parse_pagetypeinfo(PAGETYPEINFO[: PAGETYPEINFO.index(b"\nNumber")])
    with pytest.raises(IncompleteError):
        parse_pagetypeinfo(PAGETYPEINFO[: PAGETYPEINFO.index(b"\n") + 1])
    with pytest.raises(MalformedError):
        parse_pagetypeinfo(b"Node    0, zone DMA, type Movable 1\n")


def test_every_pagetypeinfo_dump_agrees_with_one_pattern_over_its_text(corpus: Path) -> None:
    dumps = sorted((corpus / "pagetypeinfo").iterdir())
    assert dumps
    for dump in dumps:
        text = dump.read_text()
        types = parse_pagetypeinfo(text.encode())
        rows = re.findall(r"^Node +(\d+), zone +(\w+), type +(\w+) +([\d> ]+)$", text, re.MULTILINE)
        expected = {
            (int(node), zone, kind): [int(word.lstrip(">")) for word in counts.split()]
            for node, zone, kind, counts in rows
        }
        found = {(z.node, z.zone, kind): counts for z in types.zones for kind, counts in z.free_blocks.items()}
        assert found == expected, dump
        blocks = text[text.index("Number of blocks") :].splitlines()
        assert sum(sum(zone.blocks.values()) for zone in types.zones) == sum(
            int(word) for line in blocks[1:] for word in line.split()[4:]
        )


def test_blocks_above_an_order_are_cut_up_for_it() -> None:
    assert free_blocks_of_order([5, 3, 2], 0) == 5 + 6 + 8
    assert free_blocks_of_order([5, 3, 2], 1) == 3 + 4
    assert free_blocks_of_order([5, 3, 2], 2) == 2
    assert free_blocks_of_order([5, 3, 2], 3) == 0


@given(free_lists, st.integers(0, 20))
def test_indices_agree_with_the_kernels_integer_arithmetic(free_blocks: list[int], order: int) -> None:
    free = sum(count * 2**size for size, count in enumerate(free_blocks))
    usable = sum(count * 2**size for size, count in enumerate(free_blocks) if size >= order)
    kernel_unusable = (free - usable) * 1000 // free if free else 1000
    assert free_pages(free_blocks) == free
    assert unusable_index(free_blocks, order) * 1000 == pytest.approx(kernel_unusable, abs=1.0)
    index = fragmentation_index(free_blocks, order)
    if usable:
        assert index is None
    elif free == 0:
        assert index == 0.0
    else:
        kernel = 1000 - (1000 + free * 1000 // 2**order) // sum(free_blocks)
        assert index is not None
        assert index * 1000 == pytest.approx(kernel, abs=2.0)


def test_nothing_free_is_wholly_unusable_for_lack_of_memory() -> None:
    assert unusable_index([0, 0], 1) == 1.0
    assert fragmentation_index([0, 0], 1) == 0.0


def test_indices_agree_with_the_kernels_own_where_the_dumps_are_near_in_time(corpus: Path) -> None:
    """Both dumps are of one host, seconds apart: which orders would fail is the same, the index nearly so."""
    zones = parse_buddyinfo((corpus / "buddyinfo/hotsos-1.txt").read_bytes())
    printed = [line.split()[4:] for line in (corpus / "extfrag/hotsos-1.txt").read_text().splitlines()]
    unusable = [line.split()[4:] for line in (corpus / "extfrag/hotsos-2.txt").read_text().splitlines()]
    compared = 0
    for zone, row, unusable_row in zip(zones, printed, unusable, strict=True):
        for order, word in enumerate(row):
            index = fragmentation_index(zone.free_blocks, order)
            assert (index is None) == (word == "-1.000")
            assert (unusable_index(zone.free_blocks, order) == 1.0) == (unusable_row[order] == "1.000")
            if index is not None:
                assert index == pytest.approx(float(word), abs=0.002)
                compared += 1
    assert compared == 2


def test_this_host_parses() -> None:
    fs = KernelFs()
    try:
        assert fs.parse_proc("buddyinfo", parse_buddyinfo)
    except KernelTextError as error:
        if error.reason in ("malformed", "incomplete"):
            raise
        pytest.skip("no readable buddyinfo here")
    try:
        types = fs.parse_proc("pagetypeinfo", parse_pagetypeinfo)
    except KernelTextError as error:
        assert error.reason in ("missing", "denied")
    else:
        assert types.pages_per_block == 1 << types.block_order
