"""Folding keeps sums exact and keeps what can be huge apart."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.collect.fold import MAX_SINGLES, Folder, kind_of, merge_mappings
from advisor.procfs.smaps import parse_smaps
from advisor.procfs.smaps_lines import parse_head
from advisor.profile.model import Mapping
from tests.procfs.test_smaps import MODERN, entry

PMD = 2 << 20
TAILS = {
    "rw-p 00000000 00:00 0 ": "anon",
    "rw-p 00000000 00:00 0    [heap]": "heap",
    "rw-p 00000000 00:00 0    [stack]": "stack",
    "rw-p 00000000 00:00 0    [anon:jemalloc]": "anon",
    "rw-s 00000000 00:01 77   /dev/zero (deleted)": "shmem",
    "rw-p 00000000 00:06 4    /dev/zero": "anon",
    "rw-s 00000000 00:01 78   /SYSV00000000 (deleted)": "shmem",
    "rw-s 00000000 00:01 79   /memfd:guest (deleted)": "shmem",
    "rw-s 00000000 00:1b 80   /dev/shm/PostgreSQL.1": "shmem",
    "rw-p 00000000 00:0f 81   /anon_hugepage (deleted)": "hugetlb",
    "r-xp 00000000 fe:00 82   /usr/lib/libc.so.6": "file",
    "rw-s 00000000 00:0e 83   anon_inode:[perf_event]": "device",
    "r-xp 00000000 00:00 0    [vdso]": "special",
}


def fold(text: str, pmd: int | None = PMD) -> list[Mapping]:
    table = parse_smaps(text.encode())
    return Folder(pmd, 4096).fold(table, [0, len(table)])[0]


def test_kinds_follow_names() -> None:
    assert {tail: kind_of(parse_head(tail.encode())) for tail in TAILS} == TAILS


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(TAILS)), st.integers(1, 5000), st.sampled_from(["rd ", "rd hg ", "nh lo "])),
        min_size=1,
        max_size=40,
    )
)
@settings(max_examples=50, deadline=None)
def test_every_sum_survives_folding_and_no_large_vma_is_folded(vmas: list[tuple[str, int, str]]) -> None:
    text, start = "", 0x7F0000000000
    for tail, size, flags in vmas:
        text += entry(start, size * 4, tail, flags=flags, Rss=size, Anonymous=size // 2, Swap=1)
        start += size * 4096 + 8192
    table, mappings = parse_smaps(text.encode()), fold(text)
    for number, name in enumerate(MODERN):
        assert sum(mapping.values[number] for mapping in mappings) == table.total(name)
    assert sum(mapping.count for mapping in mappings) == len(table)
    assert sum(mapping.size for mapping in mappings) == int((table.end - table.start).sum())
    singles = [mapping for mapping in mappings if mapping.start is not None]
    assert sorted(m.start or 0 for m in singles if m.kind != "hugetlb") == [
        int(start)
        for start, end, head in zip(table.start, table.end, table.head, strict=True)
        if end - start >= PMD and kind_of(table.heads[int(head)]) != "hugetlb"
    ]


def test_slots_are_whole_aligned_huge_pages_only() -> None:
    base = 0x7F0000000000
    aligned, straddling, two = (
        entry(base, 2048),
        entry(base + (64 << 20) + (1 << 20), 2048),
        entry(base + (128 << 20) + 4096, 6144 - 4),
    )
    assert [m.slot_bytes for m in fold(aligned + straddling + two)] == [PMD, 0, 2 * PMD]


def test_without_thp_slots_are_unknown() -> None:
    assert [m.slot_bytes for m in fold(entry(size_kib=8192), pmd=None)] == [None]


def test_larger_pages_than_the_base_page_are_hugetlb_even_without_flags() -> None:
    text = entry() + entry(0x7F8000000000, 4096, flags="rd ", KernelPageSize=2048)
    kinds = {m.kind: m.page_bytes for m in fold(text)}
    assert kinds == {"anon": 4096, "hugetlb": PMD}


def test_a_process_with_very_many_large_vmas_keeps_the_largest_singly() -> None:
    count = MAX_SINGLES + 50
    text = "".join(entry(0x100000000000 + (n << 30), 4096 + 4 * n, Rss=n) for n in range(count))
    merged = merge_mappings([fold(text)])
    singles = [m for m in merged if m.start is not None]
    rest = [m for m in merged if m.start is None]
    assert len(singles) == MAX_SINGLES
    assert min(m.size for m in singles) > (4096 + 4 * 49) * 1024
    assert sum(m.count for m in rest) == 50
    assert sum(m.values[MODERN.index("Rss")] for m in merged) == sum(range(count)) * 1024
    assert sum(m.slot_bytes or 0 for m in merged) == sum(m.slot_bytes or 0 for m in fold(text))


def test_parts_of_one_process_merge_to_the_same_as_the_whole() -> None:
    entries = [entry(0x7F0000000000 + (n << 24), 4 * (n % 7 + 1), Rss=n) for n in range(60)]
    whole = fold("".join(entries))
    parts = merge_mappings([fold("".join(entries[:25])), fold("".join(entries[25:]))])
    assert sorted(parts, key=repr) == sorted(whole, key=repr)
