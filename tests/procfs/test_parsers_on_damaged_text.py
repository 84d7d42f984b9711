"""Damaged text gives a result or a typed error with a line, never another exception."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.procfs.buddyinfo import parse_buddyinfo, parse_pagetypeinfo
from advisor.procfs.cgroup import parse_limit, parse_limit_hits, parse_v1_limit
from advisor.procfs.cpuinfo import parse_cpuinfo
from advisor.procfs.errors import IncompleteError, MalformedError
from advisor.procfs.meminfo import parse_meminfo, parse_node_meminfo
from advisor.procfs.pressure import parse_pressure
from advisor.procfs.process import parse_cgroup, parse_cmdline, parse_limits, parse_stat, parse_status
from advisor.procfs.text import LARGEST_NUMBER, parse_value, parse_word
from advisor.procfs.thp import parse_choice
from advisor.procfs.vmstat import parse_vmstat
from advisor.procfs.zoneinfo import parse_zoneinfo

SOUND: dict[Callable[[bytes], Any], bytes] = {
    parse_stat: b"1 (a b) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 25 9007104 13 18446744073709551615 1 0\n",
    parse_status: b"Name:\ta\nUid:\t0\t0\t0\t0\nVmSize:\t  10 kB\nVmRSS:\t   4 kB\nTHP_enabled:\t1\nThreads:\t1\n",
    parse_cgroup: b"4:memory,hugetlb:/a/b\n1:name=systemd:/\n0::/\n",
    parse_limits: b"Limit   Soft Limit  Hard Limit  Units\nMax cpu time    unlimited     10     seconds  \n",
    parse_cmdline: b"java\0-Xmx4g\0",
    parse_meminfo: b"MemTotal:  100 kB\nHugePages_Total:   1\nHugepagesize:  2048 kB\n",
    parse_node_meminfo: b"\nNode 0 MemTotal:  100 kB\nNode 0 HugePages_Total:   1\n",
    parse_vmstat: b"nr_free_pages 1\nthp_fault_alloc 2\n",
    parse_buddyinfo: b"Node 0, zone      DMA      1      2 \nNode 1, zone   Normal      3      4 \n",
    parse_pagetypeinfo: (
        b"Page block order: 9\nPages per block:  512\n\nFree pages count per migrate type at order  0 1\n"
        b"Node    0, zone DMA, type Movable >100000 1\n\nNumber of blocks type Movable\nNode 0, zone DMA 7\n"
    ),
    parse_zoneinfo: (
        b"Node 0, zone DMA\n  per-node stats\n      nr_a 1\n  pages free     5\n        min      6\n"
        b"        protection: (0, 1)\n      nr_free_pages 5\n  pagesets\n    cpu: 0\n  start_pfn: 1\n"
    ),
    parse_pressure: (
        b"some avg10=1.00 avg60=2.00 avg300=3.00 total=4\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
    ),
    parse_cpuinfo: (
        b"processor\t: 0\nvendor_id\t: X\ncpu family\t: 6\nmodel\t: 1\nstepping\t: 2\nflags\t: lm\n"
        b"CPU part\t: 0xd0c\nTLB size\t: 19 4K pages\n# processors : 4\nprocessor 0: machine = 2964\n"
    ),
    parse_choice: b"always [madvise] never\n",
    parse_value: b"12\n",
    parse_word: b"host\n",
    parse_limit: b"max\n",
    parse_limit_hits: b"low 0\nmax 1\n",
}

HOSTILE = [b"", b"\n", b"\0", b"-1", b"_", b"+1", b"\xff", b":", b" ", b")", b"(", b"[", b"]", b">"]
HOSTILE += [b"9223372036854775808", b"9" * 5000, "\u0663".encode(), b"nan", b"1e5", b"\r", b"\x0b"]

edits = st.lists(
    st.tuples(st.integers(0, 600), st.integers(0, 8), st.sampled_from(HOSTILE) | st.binary(max_size=4)), max_size=4
)


def damage(data: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """Each change replaces some bytes at a place by others."""
    for place, length, new in changes:
        at = place % (len(data) + 1)
        data = data[:at] + new + data[at + length :]
    return data


def numbers_in(value: Any) -> list[int]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers_in(item)]
    if isinstance(value, list):
        return [number for item in value for number in numbers_in(item)]
    fields = getattr(value, "__struct_fields__", ())
    if fields:
        return [number for name in fields for number in numbers_in(getattr(value, name))]
    return [value] if isinstance(value, int) else []


def parse_v1_of_2_mib(data: bytes) -> int | None:
    return parse_v1_limit(data, 2 << 20)


@pytest.mark.parametrize("parser", [*SOUND, parse_v1_of_2_mib], ids=lambda parser: parser.__name__)
@given(changes=edits, anything=st.binary(max_size=40))
@settings(max_examples=150, deadline=None)
def test_damaged_text_gives_bounded_facts_or_a_typed_error(
    parser: Callable[[bytes], Any], changes: list[tuple[int, int, bytes]], anything: bytes
) -> None:
    for data in (damage(SOUND.get(parser, b"9223372036852678656\n"), changes), anything):
        try:
            facts = parser(data)
        except (MalformedError, IncompleteError) as error:
            assert error.line is not None
            assert 1 <= error.line <= data.count(b"\n") + 1
        else:
            assert all(0 <= number <= LARGEST_NUMBER for number in numbers_in(facts))


@pytest.mark.parametrize("parser", SOUND, ids=lambda parser: parser.__name__)
def test_the_undamaged_text_parses(parser: Callable[[bytes], Any]) -> None:
    parser(SOUND[parser])
