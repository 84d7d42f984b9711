from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.procfs.errors import IncompleteError, KernelTextError, MalformedError
from advisor.procfs.pagemap_scan import Regions, Vma, parse_anonymous, spread_over_slots

PAGE = 4096
SLOT = 512 * PAGE

MAPS = b"""\
555555554000-555555556000 r--p 00000000 fe:00 12                         /usr/bin/with a name
555555600000-555556600000 rw-p 00000000 00:00 0                          [heap]
7ffff0000000-7ffff0400000 rw-p 00000000 00:00 0
7ffff1000000-7ffff1001000 rw-p 00000000 00:00 0
7ffff2000000-7ffff2400000 rw-s 00000000 00:01 77                         /dev/zero (deleted)
7ffff3000000-7ffff3400000 rw-p 00000000 00:0f 99                         /anon_hugepage (deleted)
7ffff4000000-7ffff4400000 ---p 00000000 00:00 0                          [anon:reserve]
7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
"""


def regions(*ranges: tuple[int, int]) -> Regions:
    table = np.array(ranges, np.uint64).reshape(-1, 2)
    return Regions(table[:, 0], table[:, 1], np.zeros(len(table), np.uint64))


def test_private_anonymous_memory_large_enough_is_found() -> None:
    assert parse_anonymous(MAPS, SLOT) == [
        Vma(0x555555600000, 0x555556600000),
        Vma(0x7FFFF0000000, 0x7FFFF0400000),
        Vma(0x7FFFF4000000, 0x7FFFF4400000),
    ]
    assert len(parse_anonymous(MAPS, PAGE)) == 4
    assert parse_anonymous(MAPS.replace(b" 0\n", b" 0 \n"), PAGE) == parse_anonymous(MAPS, PAGE)
    assert parse_anonymous(b"", PAGE) == []


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (MAPS[:-1], IncompleteError),
        (b"555555600000 rw-p\n", IncompleteError),
        (b"5555zz600000-555556600000 rw-p 00000000 00:00 0 \n", MalformedError),
        (b"555555600000-555556600000 rw-q 00000000 00:00 0 \n", MalformedError),
    ],
)
def test_damaged_maps_are_told_with_their_line(text: bytes, error: type[KernelTextError]) -> None:
    with pytest.raises(error) as caught:
        parse_anonymous(text, PAGE)
    assert caught.value.line


@given(st.binary(max_size=200))
def test_any_bytes_give_mappings_or_a_typed_error(text: bytes) -> None:
    with suppress(KernelTextError):
        parse_anonymous(text, PAGE)


def test_a_region_is_divided_at_slot_boundaries() -> None:
    numbers, sizes, owners = spread_over_slots(
        regions((SLOT - PAGE, 3 * SLOT + PAGE), (5 * SLOT, 5 * SLOT + PAGE)), SLOT
    )
    assert numbers.tolist() == [0, 1, 2, 3, 5]
    assert sizes.tolist() == [PAGE, SLOT, SLOT, PAGE, PAGE]
    assert owners.tolist() == [0, 0, 0, 0, 1]
    assert [len(part) for part in spread_over_slots(regions(), SLOT)] == [0, 0, 0]


page_ranges = st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 1500)), max_size=20)


@given(page_ranges, st.integers(0, 1 << 35))
def test_parts_hold_exactly_the_pages_of_their_regions(ranges: list[tuple[int, int]], base: int) -> None:
    """Against counting page by page, anywhere in the address space."""
    listed = [((base + first) * PAGE, (base + first + pages) * PAGE) for first, pages in ranges]
    counted: dict[int, int] = {}
    for start, end in listed:
        for page in range(start, end, PAGE):
            counted[page // SLOT] = counted.get(page // SLOT, 0) + PAGE
    numbers, sizes, _ = spread_over_slots(regions(*listed), SLOT)
    found: dict[int, int] = {}
    for number, size in zip(numbers.tolist(), sizes.tolist(), strict=True):
        assert 0 < size <= SLOT
        found[number] = found.get(number, 0) + size
    assert found == counted
