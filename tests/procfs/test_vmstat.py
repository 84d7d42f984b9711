"""vmstat."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.procfs.errors import IncompleteError, KernelTextError, MalformedError
from advisor.procfs.fs import KernelFs
from advisor.procfs.vmstat import parse_vmstat

VMSTAT = b"nr_free_pages 100\nthp_fault_alloc 7\ncompact_stall 0\n"


def independent(text: str) -> dict[str, int]:
    tokens = text.split()
    return dict(zip(tokens[::2], map(int, tokens[1::2]), strict=True))


def test_every_counter_is_kept_by_its_name() -> None:
    assert parse_vmstat(VMSTAT) == {"nr_free_pages": 100, "thp_fault_alloc": 7, "compact_stall": 0}


@pytest.mark.parametrize(
    "wrong", [b"a\n", b"a \n", b"a b\n", b"a 1 2\n", b" 1\n", b"\n", b"a -1\n", b"a 9223372036854775808\n"]
)
def test_a_line_of_another_shape_is_malformed_and_named(wrong: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_vmstat(VMSTAT + wrong)
    assert caught.value.line == 4


def test_a_number_that_may_be_cut_is_incomplete() -> None:
    with pytest.raises(IncompleteError) as caught:
        parse_vmstat(VMSTAT + b"pgfault 12")
    assert caught.value.line == 4


def test_every_dump_agrees_with_its_words_in_pairs(corpus: Path) -> None:
    dumps = sorted((corpus / "vmstat").iterdir())
    assert dumps
    for dump in dumps:
        text = dump.read_text()
        assert parse_vmstat(text.encode()) == independent(text), dump


def test_this_host_agrees_with_its_own_text() -> None:
    try:
        data = KernelFs().read_proc("vmstat")
    except KernelTextError:
        pytest.skip("no /proc/vmstat here")
    assert parse_vmstat(data) == independent(data.decode())
