"""numa_maps: what memory is bound to, and where hugetlb pages lie."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.procfs.errors import IncompleteError, KernelTextError, MalformedError
from advisor.procfs.facts import NumaPlacement
from advisor.procfs.numa_maps import parse_numa_maps
from advisor.procfs.text import node_list
from advisor.units import MIB

LINES = b"""\
55d0c0a00000 default file=/usr/bin/qemu mapped=900 N0=900 kernelpagesize_kB=4
7f0000000000 bind:1 file=/anon_hugepage\\040(deleted) huge dirty=5 N0=2 N1=3 kernelpagesize_kB=2048
7f4000000000 bind=static:1 anon=10 dirty=10 N1=10 kernelpagesize_kB=4
7ffc00000000 default stack anon=3 dirty=3 N0=3 kernelpagesize_kB=4
"""


def test_most_of_the_memory_decides_and_hugetlb_is_counted_by_node() -> None:
    assert parse_numa_maps(LINES) == NumaPlacement("1", {2 * MIB: {0: 4 * MIB, 1: 6 * MIB}})


@pytest.mark.parametrize("policy", [b"default", b"prefer:1", b"interleave:0-1", b"local", b"prefer (many):0"])
def test_policies_that_fall_back_to_other_nodes_bind_to_none(policy: bytes) -> None:
    assert parse_numa_maps(b"7f0000000000 " + policy + b" anon=5 N1=5 kernelpagesize_kB=4\n").bound_to is None


def test_an_untouched_pool_mapping_is_bound_all_the_same() -> None:
    assert parse_numa_maps(b"7f0000000000 bind:0 file=/dev/hugepages/x huge\n").bound_to == "0"
    assert parse_numa_maps(b"") == NumaPlacement()


def test_damage_is_named() -> None:
    with pytest.raises(IncompleteError):
        parse_numa_maps(LINES[:-5])
    with pytest.raises(MalformedError) as caught:
        parse_numa_maps(LINES + b"what is this\n")
    assert caught.value.line == 5


@given(st.binary(max_size=200))
def test_no_bytes_do_worse_than_a_typed_error(data: bytes) -> None:
    with suppress(KernelTextError):
        parse_numa_maps(data)


def test_lists_of_nodes() -> None:
    assert node_list("0-2,5") == [0, 1, 2, 5]
    for text in ("", "-", "1-", "a", "0-9999999999"):
        with pytest.raises(ValueError, match="not a list"):
            node_list(text)
