"""meminfo of the host and of NUMA nodes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from advisor.procfs.errors import IncompleteError, KernelTextError, MalformedError
from advisor.procfs.fs import KernelFs
from advisor.procfs.meminfo import parse_meminfo, parse_node_meminfo

BROKEN_ON_PURPOSE = {"telegraf-2.txt": 2}
"""Dumps with an unreadable number, and how far from the first HugePages_ line that number stands, from 1."""

MEMINFO = b"MemTotal:       32642588 kB\nHugePages_Total:      12\nHugepagesize:       2048 kB\n"


def independent(text: str) -> dict[str, int]:
    """Every "name: number [kB]" line by one pattern over the whole text."""
    pattern = re.compile(r"^(?:Node \d+ )?([^:\n]+): +(\d+)( kB)?$", re.MULTILINE)
    return {name: int(number) * (1024 if unit else 1) for name, number, unit in pattern.findall(text)}


def test_sizes_are_bytes_and_pools_are_pages() -> None:
    facts = parse_meminfo(MEMINFO)
    assert facts == {"MemTotal": 32642588 << 10, "HugePages_Total": 12, "Hugepagesize": 2 << 20}


def test_a_line_that_the_kernel_does_not_print_is_not_zero() -> None:
    assert "AnonHugePages" not in parse_meminfo(MEMINFO)


def test_unknown_lines_are_kept() -> None:
    assert parse_meminfo(b"IonTotalUsed:  4 kB\nActive(anon):  1 kB\n") == {
        "IonTotalUsed": 4096,
        "Active(anon)": 1024,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        b"Name\n",
        b"Name: \n",
        b"Name: x kB\n",
        b"Name: 1 MB\n",
        b"Name: 1 kB 2\n",
        b": 1\n",
        b"\n",
        b"Name: -1 kB\n",
        b"Name: 1_0\n",
        b"N\xff: 1\n",
        b"Name: 9007199254740992 kB\n",
        b"Name: 9223372036854775808\n",
        b"Name: " + b"9" * 5000 + b"\n",
    ],
)
def test_a_line_of_another_shape_is_malformed_and_named(wrong: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_meminfo(MEMINFO + wrong)
    assert caught.value.line == 4


@pytest.mark.parametrize("cut", [0, 1, 20, len(MEMINFO) - 1])
def test_text_without_its_last_line_end_is_incomplete(cut: int) -> None:
    with pytest.raises(IncompleteError):
        parse_meminfo(MEMINFO[:cut])


def test_node_lines_are_grouped_by_their_node() -> None:
    text = b"\nNode 0 MemTotal: 10 kB\nNode 0 HugePages_Free:  3\nNode 17 MemTotal: 20 kB\n"
    assert parse_node_meminfo(text) == {
        0: {"MemTotal": 10240, "HugePages_Free": 3},
        17: {"MemTotal": 20480},
    }


@pytest.mark.parametrize("wrong", [b"MemTotal: 1 kB\n", b"Node x MemTotal: 1 kB\n", b"Node 0\n", b"Node\n"])
def test_a_node_line_of_another_shape_is_malformed(wrong: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_node_meminfo(b"Node 0 MemFree: 1 kB\n" + wrong)
    assert caught.value.line == 2


def test_every_dump_agrees_with_one_pattern_over_its_text(corpus: Path) -> None:
    dumps = sorted((corpus / "meminfo").iterdir())
    assert dumps
    for dump in dumps:
        data = dump.read_bytes()
        if dump.name in BROKEN_ON_PURPOSE:
            first = 1 + [line.startswith(b"HugePages_") for line in data.split(b"\n")].index(True)
            with pytest.raises(MalformedError) as caught:
                parse_meminfo(data)
            assert caught.value.line == first + BROKEN_ON_PURPOSE[dump.name] - 1
            continue
        if data.lstrip().startswith(b"total"):
            with pytest.raises(MalformedError) as caught:
                parse_meminfo(data)
            assert caught.value.line == 1
            data = data[data.index(b"MemTotal") :]
        assert parse_meminfo(data) == independent(data.decode()), dump


def test_every_dump_of_nodes_agrees_with_one_pattern_over_its_text(corpus: Path) -> None:
    dumps = sorted((corpus / "node_meminfo").iterdir())
    assert dumps
    for dump in dumps:
        text = dump.read_text()
        nodes = parse_node_meminfo(text.encode())
        assert set(nodes) == {int(node) for node in re.findall(r"^Node (\d+) ", text, re.MULTILINE)}
        for node, facts in nodes.items():
            own = "".join(re.findall(rf"^Node {node} .*\n", text, re.MULTILINE))
            assert facts == independent(own), (dump, node)


def test_this_host_agrees_with_its_own_text() -> None:
    fs = KernelFs()
    try:
        data = fs.read_proc("meminfo")
    except KernelTextError:
        pytest.skip("no /proc/meminfo here")
    assert parse_meminfo(data) == independent(data.decode())
