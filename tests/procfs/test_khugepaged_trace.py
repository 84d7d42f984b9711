from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.procfs.khugepaged_trace import Look, parse_overruns, parse_trace, tracefs_of

LONG = 1 << 20

NOW = b"""# tracer: nop
#
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
      khugepaged-47      [001] .....  3519.340962: mm_khugepaged_scan_pmd: mm=00000000f74c240f, scan_pfn=0x60cedd, referenced=22, none_or_zero=65, status=exceed_none_pte, unmapped=0
      khugepaged-47      [000] .N...  3519.342683: mm_khugepaged_scan_pmd: mm=00000000ebc61945, scan_pfn=0xffffffffffffffff, referenced=0, none_or_zero=0, status=pmd_none, unmapped=0
      khugepaged-47      [000] .....  3519.442683: mm_collapse_huge_page: mm=00000000ebc61945, isolated=1, status=succeeded
      khugepaged-47      [000] .....  3519.442690: mm_khugepaged_scan_pmd: mm=00000000ebc61945, scan_pfn=0x12, referenced=512, none_or_zero=0, status=succeeded, unmapped=0
      khugepaged-47      [000] .....  3519.542683: mm_khugepaged_scan_file: mm=00000000ebc61945, scan_pfn=0x13, filename=a, status=b, present=3, swap=0, result=exceed_none_pte
 my khugepaged-99-812    [000] .....  3519.642683: mm_khugepaged_scan_pmd: mm=00000000ebc61945, scan_pfn=0x14, referenced=1, none_or_zero=0, status=scan_aborted, unmapped=0
"""  # noqa: E501
"""6.18; the last is a program that asked for MADV_COLLAPSE, the file's name is chosen by whom it belongs to."""

BEFORE = b"""      khugepaged-47    [001] ....  19.340962: mm_collapse_huge_page_swapin: mm=00000000aa, swapped_in=0, referenced=1, ret=1
      khugepaged-47    [001] ....  19.340962: mm_collapse_huge_page: mm=00000000aa, isolated=0, status=alloc_huge_page_failed
      khugepaged-47    [001] ....  19.340963: mm_khugepaged_scan_pmd: mm=00000000aa, scan_pfn=0x9, writable=1, referenced=1, none_or_zero=0, status=succeeded, unmapped=0
"""  # noqa: E501
"""5.10: a failed collapse is told by an event of its own, before the scan."""


def test_each_look_of_khugepaged_is_read_and_no_one_elses() -> None:
    assert parse_trace(NOW)[:3] == [
        Look("00000000f74c240f", 0x60CEDD, "exceed_none_pte"),
        Look("00000000ebc61945", None, "pmd_none"),
        Look("00000000ebc61945", 0x12, "succeeded"),
    ]
    assert parse_trace(NOW)[3:] == [Look("00000000ebc61945", 0x13, "exceed_none_pte")]


def test_a_failed_collapse_of_older_kernels_is_the_result_of_its_look() -> None:
    assert parse_trace(BEFORE) == [Look("00000000aa", 9, "alloc_huge_page_failed")]


@given(st.binary(max_size=300))
def test_any_text_is_read_without_a_failure(noise: bytes) -> None:
    assert parse_trace(noise) == []
    assert [look.status for look in parse_trace(noise.replace(b"\n", b"") + b"\n" + BEFORE)] != []


def test_lost_events_and_the_place_of_tracefs() -> None:
    assert parse_overruns(b"entries: 4\noverrun: 12\ncommit overrun: 3\n") == 12
    assert parse_overruns(b"") == 0
    mounts = b"proc /proc proc rw 0 0\nnone /tmp/a\\040b tracefs rw 0 0\n"
    assert tracefs_of(mounts) == "/tmp/a b"
    assert tracefs_of(mounts + b"tracefs /sys/kernel/tracing tracefs rw 0 0\n") == "/sys/kernel/tracing"
    assert tracefs_of(b"proc /proc proc rw 0 0\n") is None


@pytest.mark.parametrize(
    "line",
    [
        b" " * LONG,
        b"khugepaged-4 [1] " * (LONG // 17),
        b"      khugepaged-47    [001] ....  19.340963: mm_khugepaged_scan_pmd: " + b"a" * LONG,
    ],
    ids=["blanks", "beginnings", "letters"],
)
def test_a_line_of_a_mebibyte_takes_no_minutes(line: bytes) -> None:
    assert all(look.frame is None for look in parse_trace(line + b"\n"))
