"""What is seen of one process from near, as text: map, features, history; at any width, and honest about gaps."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from advisor.report.close_up import CloseUp
from advisor.tui.detail_features import features, lines_of
from advisor.tui.detail_history import LINES, history, lines, over_time
from advisor.tui.detail_vmas import VmaRows, longest_of, shortened, thp_of, vma_map
from advisor.units import GIB, MIB
from tests.render.conftest import make_report
from tests.tui.near import close_up_of, maps, vma
from tests.tui.test_detail_sections import HOSTILE, INK, drawn, process_of, words_of

PROCESS = process_of(make_report(), 2211)
NEAR = close_up_of(PROCESS)


def with_fields(**fields: object) -> CloseUp:
    return msgspec.structs.replace(NEAR, **fields)


def test_every_mapping_has_a_row_by_address_as_long_as_it_is_large() -> None:
    rows = drawn(VmaRows(INK, maps()), 100).splitlines()[1:]
    assert [row.split()[0] for row in rows] == [
        "000010000000",
        "000020000000",
        "7f0000000000",
        "7f1000000000",
        "7f2000000000",
        "7f3000000000",
        "small",
    ]
    bars = [row[31:].split()[0] for row in rows]
    letters = [[letter for letter in "HAFmbs·»" if letter in bar] for bar in bars]
    assert letters == [["A", "b", "·"], ["·", "»"], ["m", "b"], ["F"], ["H"], ["b", "s"], ["b", "·"]]
    lengths = [len(bar) for bar in bars]
    assert lengths[1] == max(lengths)
    assert lengths[0] == lengths[2] == lengths[5] == pytest.approx(2 * lengths[3], abs=1)


def test_a_row_says_size_thp_and_name() -> None:
    said = drawn(VmaRows(INK, maps()), 120)
    for words in (
        ("64 MiB", "40 MiB", "yes hg", "anonymous"),
        ("16 GiB", "0 B", "?", "anonymous"),
        ("yes nh", "anonymous"),
        ("32 MiB", "yes", "/dev/shm/a b"),
        ("32 MiB", "2 M", "/anon_hugepage"),
        ("9 MiB", "3 MiB", "no", "41 x file"),
    ):
        assert any(all(word in row for word in words) for row in said.splitlines()), words


def test_the_heading_sums_up_the_map() -> None:
    said = words_of(vma_map(INK, NEAR), 100)
    assert "Map: 47 mappings in 7 rows, 16.3 GiB, of it 179 MiB resident" in said
    assert "As it was" not in said


def test_an_old_map_says_how_old_it_is() -> None:
    assert "As it was 4 s ago" in words_of(vma_map(INK, with_fields(vmas_newest=False)))


@pytest.mark.parametrize(
    ("close_up", "says"),
    [
        (None, "on its way"),
        (close_up_of(PROCESS, missing="reading it is not permitted; as root it is"), "Not known: reading it is not"),
        (close_up_of(PROCESS, vmas=[]), "It maps nothing"),
        (close_up_of(PROCESS, vmas=[vma(4096, 8 * GIB)]), "8 GiB, of it 0 B resident"),
    ],
)
def test_without_a_map_it_says_why(close_up: CloseUp | None, says: str) -> None:
    assert says in words_of(vma_map(INK, close_up))


def test_reserved_address_space_does_not_squeeze_what_holds_something() -> None:
    assert longest_of([vma(0, 16 << 40), vma(1 << 50, MIB, rss_bytes=MIB, base_bytes=MIB)]) == 4 * MIB
    assert longest_of([vma(0, 16 * MIB), vma(1 << 50, 8 * MIB, rss_bytes=8 * MIB, base_bytes=8 * MIB)]) == 16 * MIB
    assert longest_of([vma(0, 16 << 40)]) == 16 << 40


def test_backing_that_is_not_known_has_a_mark_of_its_own() -> None:
    row = drawn(VmaRows(INK, [vma(4096, 4 * MIB, rss_bytes=4 * MIB, base_bytes=None, anon_huge_bytes=None)]), 80)
    assert "????" in row
    assert "░" not in row


def test_the_size_of_pages_of_a_pool_stands_for_eligibility() -> None:
    assert thp_of(vma(0, GIB, kind="hugetlb", page_bytes=GIB)) == "1 G"
    assert thp_of(vma(0, GIB, kind="hugetlb", page_bytes=None)) == "?"


@given(st.text(max_size=60), st.integers(0, 30))
def test_a_shortened_name_fits(name: str, width: int) -> None:
    assert cell_len(shortened(name, width)) <= width


def test_a_long_path_keeps_its_file_and_other_names_their_beginning() -> None:
    assert shortened("/usr/lib/libjvm.so", 11) == "…/libjvm.so"
    assert shortened("[anon: a long name]", 8) == "[anon: …"


@pytest.mark.parametrize("width", [20, 40, 63, 64, 80, 200])
def test_nothing_is_wider_than_its_room(width: int) -> None:
    for part in (vma_map(INK, NEAR), features(INK, PROCESS, NEAR), history(INK, NEAR)):
        assert max(map(cell_len, drawn(part, width).splitlines())) <= width


def test_foreign_names_are_inert() -> None:
    evil = with_fields(vmas=[vma(0, 4 * MIB, name=HOSTILE)], vmas_missing=HOSTILE)
    feature = msgspec.structs.replace(NEAR.features[0], value=HOSTILE, name=HOSTILE)
    for part in (vma_map(INK, evil), features(INK, PROCESS, with_fields(features=[feature]), HOSTILE[:5])):
        said = drawn(part, 300)
        assert said.replace("\n", "").isprintable()
        assert "[bold]x[/]" in said


def test_features_that_the_advice_read_come_first_and_are_marked() -> None:
    listed = lines_of(PROCESS, NEAR)
    assert [(one.name, one.is_read) for one in listed] == [
        ("guest_ram_bytes", True),
        ("huge_coverage", False),
        ("minor_faults_per_s", False),
        ("tlb_reach_bytes", False),
        ("host_privileged", True),
        ("memory_to_pmd_reach", True),
    ]
    said = words_of(features(INK, PROCESS, NEAR))
    assert "* guest_ram_bytes 48 GiB RAM of a guest." in said
    assert "huge_coverage 25 % On huge pages." in said
    assert "minor_faults_per_s 1.5 faults/s" in said
    assert "tlb_reach_bytes unknown Reach of the TLB. Unknown: the CPU is not known." in said


def test_features_are_narrowed_by_words_of_names_and_meanings() -> None:
    assert [one.name for one in lines_of(PROCESS, NEAR, "REACH cpu")] == ["tlb_reach_bytes"]
    assert "Features with 'zzz': 0" in words_of(features(INK, PROCESS, NEAR, "zzz"))


def test_without_a_close_up_the_features_of_the_report_stand_there() -> None:
    said = words_of(features(INK, PROCESS, None))
    assert "* guest_ram_bytes" in said
    assert "all others are on their way" in said


def test_curves_say_now_least_and_most() -> None:
    said = words_of(history(INK, NEAR))
    for part in (
        "Huge coverage now 90 % least 10 %, most 90 %",
        "Resident memory now 147 MiB least 100 MiB, most 147 MiB",
        "Minor faults now 0/s least 0/s, most 4,000/s",
        "Major faults now 2.5/s least 0/s",
        "CPUs in use now 0.25 least 0.25, most 1.50",
        "5 samples over 10 s",
        "10 s ago",
    ):
        assert part in said, part


def test_what_is_not_known_is_a_blank_and_no_nothing() -> None:
    assert lines([None, 0.0, 1.0], None, LINES) == ["  █", " ▁█"]
    assert lines([None, None], 1.0, 1) == ["  "]
    moments = [msgspec.structs.replace(NEAR.history[0], huge_coverage=None, rss_bytes=None)]
    said = words_of(history(INK, with_fields(history=moments)))
    assert "Huge coverage now unknown CPU" not in said and "Huge coverage now unknown" in said
    assert "One sample so far; a rate needs two" in said
    assert "No sample has counters" in words_of(history(INK, with_fields(history=[])))
    assert "on its way" in words_of(history(INK, None))


def test_a_value_holds_from_the_time_before_it_and_peaks_are_kept() -> None:
    assert over_time([0.0, 2.0, 4.0, 6.0, 10.0], [None, 4.0, None, 1.0, 0.0], 10) == [
        *(4.0, 4.0, None, None, 1.0, 1.0),
        *(0.0,) * 4,
    ]
    assert (
        over_time([float(n) for n in range(101)], [9.0 if n == 33 else 0.0 for n in range(101)], 10).count(9.0) == 1
    )
    assert over_time([5.0], [7.0], 3) == [None, None, 7.0]


@given(
    st.lists(st.tuples(st.floats(0.01, 100), st.none() | st.floats(0, 1e12)), min_size=1, max_size=50),
    st.integers(1, 120),
    st.integers(1, 4),
)
def test_any_history_can_be_drawn(steps: list[tuple[float, float | None]], width: int, height: int) -> None:
    times, now = [], 0.0
    for step, _ in steps:
        now += step
        times.append(now)
    columns = over_time(times, [value for _, value in steps], width)
    assert len(columns) == width
    assert columns[-1] == steps[-1][1] or len(steps) > 1
    drawn_lines = lines(columns, None, height)
    assert [len(line) for line in drawn_lines] == [width] * height
    for column, value in enumerate(columns):
        assert (drawn_lines[-1][column] == " ") == (value is None)
