"""smaps: both readers against each other, against real dumps, and against damage."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.procfs.errors import IncompleteError, KernelTextError, MalformedError
from advisor.procfs.smaps import SmapsParser, VmaTable, last_boundary, parse_smaps
from advisor.procfs.smaps_lines import parse_lines, parse_smaps_rollup
from advisor.units import KIB

MODERN = [
    *("Size", "KernelPageSize", "MMUPageSize", "Rss", "Pss", "Pss_Dirty"),
    *("Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty", "Referenced", "Anonymous", "KSM", "LazyFree"),
    *("AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb"),
    *("Swap", "SwapPss", "Locked"),
]
OLD = [
    *("Size", "Rss", "Pss", "Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty"),
    *("Referenced", "Swap", "KernelPageSize", "MMUPageSize"),
]


def entry(
    start: int = 0x7F0000000000,
    size_kib: int = 4,
    tail: str = "rw-p 00000000 00:00 0 ",
    fields: list[str] = MODERN,
    flags: str | None = "rd wr mr mw me ac ",
    eligible: int | None = 0,
    **values: int,
) -> str:
    """One VMA as task_mmu.c prints it."""
    lines = [f"{start:08x}-{start + size_kib * KIB:08x} {tail}"]
    numbers = {"Size": size_kib, "KernelPageSize": 4, "MMUPageSize": 4} | values
    lines += [f"{name + ':':16}{numbers.get(name, 0):8d} kB" for name in fields]
    if eligible is not None:
        lines.append(f"THPeligible:    {eligible:8d}")
    if flags is not None:
        lines.append(f"VmFlags: {flags}")
    return "\n".join(lines) + "\n"


def by_lines(text: bytes) -> VmaTable:
    parser = SmapsParser()
    return parser._table_of_lines(parse_lines(text))


def rows(table: VmaTable) -> list[tuple[object, ...]]:
    """Everything a table says, VMA by VMA, in comparable form."""
    return [
        (
            int(table.offset[row]),
            int(table.start[row]),
            int(table.end[row]),
            table.heads[int(table.head[row])],
            table.flag_sets[int(table.flags[row])],
            int(table.eligible[row]),
            dict(zip(table.fields, table.values[row].tolist(), strict=True)),
        )
        for row in range(len(table))
    ]


def assert_readers_agree(text: bytes) -> None:
    columns = SmapsParser()._parse_columns(text, 0)
    assert columns is not None, "uniform text must be read by columns"
    assert rows(columns) == rows(by_lines(text))


def sums_of_text(text: bytes) -> Counter[str]:
    """An independent sum: every line "Name: number kB" of the file."""
    found: Counter[str] = Counter()
    for line in text.decode("utf-8", "replace").splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == "kB" and words[0].endswith(":") and words[1].isdigit():
            found[words[0][:-1]] += int(words[1]) * KIB
    return found


def corpus_files(corpus: Path) -> list[Path]:
    return sorted((corpus / "smaps").iterdir())


def test_every_dump_adds_up_to_an_independent_sum_or_names_its_damage(corpus: Path) -> None:
    damaged = []
    for file in corpus_files(corpus):
        text = file.read_bytes()
        try:
            table = parse_smaps(text)
        except KernelTextError as error:
            assert error.line is not None
            damaged.append(file.name)
            continue
        headers = re.findall(rb"(?m)^[0-9a-f]+-[0-9a-f]+ ", text)
        assert len(table) == len(headers), file.name
        for name, total in sums_of_text(text).items():
            assert table.total(name) == total, (file.name, name)
    assert damaged == ["smaps-visualizer-2.txt"], "the one dump that is malformed on purpose"


def test_both_readers_say_the_same_of_every_uniform_dump(corpus: Path) -> None:
    compared = 0
    for file in corpus_files(corpus):
        columns = SmapsParser()._parse_columns(text := file.read_bytes(), 0)
        if columns is not None:
            assert rows(columns) == rows(by_lines(text)), file.name
            compared += 1
    assert compared >= 20


@pytest.mark.parametrize("kernel", ["3.13", "4.4", "5.4", "5.5"])
def test_dumps_of_old_kernels_are_read_by_columns(corpus: Path, kernel: str) -> None:
    file = {"3.13": "proc-snapshot-2", "4.4": "innofirmware-1", "5.4": "hotsos-1", "5.5": "pcp-1"}[kernel]
    text = (corpus / "smaps" / f"{file}.txt").read_bytes()
    assert SmapsParser()._parse_columns(text, 0) is not None


def test_every_rollup_dump_is_its_own_sum(corpus: Path) -> None:
    for file in sorted((corpus / "smaps_rollup").iterdir()):
        text = file.read_bytes()
        assert parse_smaps_rollup(text) == dict(sums_of_text(text)), file.name


NAMES = st.sampled_from(
    [
        *("", "[heap]", "[stack]", "[anon: é]", "/dev/zero", "/memfd:x (deleted)"),
        *("/usr/lib/a b.so (deleted)", "/tmp/a\\012b", "/" + "long" * 60),
    ]
)
NUMBERS = st.integers(0, 99_999_999) | st.integers(100_000_000, 1 << 40)


@st.composite
def vma(draw: st.DrawFn, fields: list[str]) -> str:
    start = draw(st.sampled_from([0x400000, 0x7F0000000000, 0x7FFFFFFF0000, 0xFF00000000000000, 0x10000000]))
    name = draw(NAMES)
    tail = "rw-p 00000000 00:00 0 " if not name else f"r-xs 00000000 fe:01 {draw(st.integers(0, 1 << 40))}   {name}"
    values = {field: draw(NUMBERS) for field in draw(st.sets(st.sampled_from(fields[1:]), max_size=3))}
    flags = draw(st.sampled_from(["rd mr ", "rd wr hg ", "", "ht de "]))
    size = draw(st.integers(1, 99_999_999) | st.just(100_000_000))
    return entry(start, size, tail, fields, flags, draw(st.integers(0, 1)), **values)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_both_readers_agree_on_any_uniform_text(data: st.DataObject) -> None:
    fields = data.draw(st.sampled_from([MODERN, OLD]))
    wide = data.draw(st.lists(vma(fields), min_size=1, max_size=3))
    usual = [entry(0x7F0000000000 + (n << 30), 8 * n + 4, fields=fields, Rss=n) for n in range(30)]
    assert_readers_agree("".join(usual + wide).encode())


def test_a_value_of_more_than_eight_digits_is_read_whole() -> None:
    text = "".join([entry()] * 20 + [entry(size_kib=1 << 34, Rss=123_456_789)]).encode()
    assert_readers_agree(text)
    assert parse_smaps(text).total("Rss") == 123_456_789 * KIB


def test_text_of_several_windows_is_one_table() -> None:
    text = "".join(entry(0x7F0000000000 + (n << 20), Rss=n) for n in range(5000)).encode()
    table = parse_smaps(text)
    assert len(table) == 5000
    assert table.total("Rss") == sum(range(5000)) * KIB
    assert rows(table) == rows(by_lines(text))


def test_a_field_that_the_kernel_does_not_print_is_unknown() -> None:
    table = parse_smaps(entry(fields=OLD, flags=None, eligible=None).encode() * 3)
    assert table.total("AnonHugePages") is None
    assert table.eligible.tolist() == [-1, -1, -1]
    assert table.flag_sets[int(table.flags[0])] is None


def test_a_vma_that_lacks_a_field_of_others_is_read_line_by_line() -> None:
    text = (entry(Rss=3) + entry(0x7F1000000000, fields=OLD, Rss=4)).encode()
    assert parse_smaps(text).total("Rss") == 7 * KIB


def test_names_keep_blanks_escapes_and_deletion() -> None:
    text = entry(tail="r--s 00001000 08:01 42     /opt/my app/x\\012y (deleted)").encode()
    head = parse_smaps(text).heads[0]
    assert (head.name, head.inode, head.device) == ("/opt/my app/x\\012y (deleted)", 42, "08:01")
    assert head.shared
    assert not head.writable


def test_text_that_ends_within_a_line_is_incomplete() -> None:
    with pytest.raises(IncompleteError) as caught:
        parse_smaps(entry().encode()[:-10])
    assert caught.value.line == len(MODERN) + 3


def test_a_header_without_fields_is_incomplete() -> None:
    with pytest.raises(IncompleteError):
        parse_smaps((entry() + "7f00-7f01 rw-p 0 00:00 0\n").encode())


@pytest.mark.parametrize("line", ["Rss: 12 MB extra words\nRss", "Rss:   1x kB", "garbage", "Rss:  -4 kB"])
def test_damage_is_named_with_its_line(line: str) -> None:
    text = entry().replace("Rss:                   0 kB", line).encode()
    if line.startswith("Rss: 12"):
        text = text.replace(b"Rss: 12 MB extra words\nRss", b"Rss")
        text = text.replace(b"Pss:                   0 kB", b"no colon here")
    with pytest.raises(MalformedError) as caught:
        parse_smaps(text)
    assert caught.value.line in (5, 6)


@given(st.binary(max_size=40), st.integers(0, 2000), st.integers(0, 60))
@settings(max_examples=300, deadline=None)
def test_damaged_text_gives_a_table_or_a_typed_error(noise: bytes, place: int, cut: int) -> None:
    text = "".join(entry(0x7F0000000000 + (n << 30), 4 * n + 4, Rss=n) for n in range(4)).encode()
    mutated = text[:place] + noise + text[place + cut :]
    for parse in (parse_smaps, parse_smaps_rollup):
        with contextlib.suppress(KernelTextError):
            parse(mutated)


def test_the_last_boundary_is_the_last_header() -> None:
    text = (entry() + entry(0x7F1000000000)).encode()
    assert last_boundary(text, 0, len(text)) == len(entry())
    assert last_boundary(text, 0, len(entry())) == 0


def test_an_empty_text_is_a_process_without_memory() -> None:
    assert len(parse_smaps(b"")) == 0
    assert parse_smaps_rollup(b"") is None
