"""Columns, filter and order, as functions of a report."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from advisor.render.escape import INVISIBLE_CATEGORIES
from advisor.report.process import ExpectedGain
from advisor.tui.columns import COLUMNS, GAP, Order, arranged, column_at, fitting, gain, header, identity, line
from advisor.tui.ink import Ink
from tests.render.conftest import make_report

REPORT = make_report()
INK = Ink()


@given(st.integers(1, 400))
def test_columns_fit_and_the_deciding_ones_are_always_there(width: int) -> None:
    columns = fitting(width)
    ids = [column.id for column, _ in columns]
    assert {"pid", "name", "advice"} <= set(ids)
    taken = sum(wide + GAP for _, wide in columns) - GAP
    assert taken <= width or len(columns) == 3
    assert ids == [column.id for column in COLUMNS if column.id in ids]


@given(st.integers(20, 250), st.text(max_size=60))
def test_every_line_is_as_wide_as_the_header(width: int, name: str) -> None:
    columns = fitting(width)
    wide = cell_len(header(INK, columns, Order()).plain)
    for process in REPORT.processes:
        row = line(INK, replace(process, name=name, user=name), columns)
        assert cell_len(row.plain) == wide
        assert not {unicodedata.category(character) for character in row.plain} & INVISIBLE_CATEGORIES


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.id)
def test_unknown_comes_last_in_both_directions(column: object) -> None:
    for downwards in (True, False):
        keys = [column.key(one) for one in arranged(REPORT.processes, Order(column.id, downwards))]  # type: ignore[attr-defined]
        known = [key for key in keys if key is not None]
        assert keys == known + [None] * (len(keys) - len(known))
        assert known == sorted(known, reverse=downwards)


def test_each_order_and_filter_loses_and_doubles_nobody() -> None:
    everybody = {identity(one) for one in REPORT.processes}
    for column in (None, *COLUMNS):
        found = arranged(REPORT.processes, Order(column.id if column else None))
        assert {identity(one) for one in found} == everybody and len(found) == len(everybody)


def test_all_words_of_a_filter_must_occur_anywhere_in_any_case() -> None:
    qemu = arranged(REPORT.processes, Order(), "QEMU hugetlb")
    assert {one.name for one in qemu} == {"qemu-system-x86"}
    assert arranged(REPORT.processes, Order(), f"{qemu[0].pid}") == qemu
    assert arranged(REPORT.processes, Order(), "qemu nosuch") == []
    assert arranged(REPORT.processes, Order(), "  ") == REPORT.processes


@pytest.mark.parametrize(
    ("expected", "says"),
    [
        (None, "?"),
        (ExpectedGain(0.12, 0.05, 0.19, 0.9), "12 % (5 to 19)"),
        (ExpectedGain(-0.03, -0.1, 0.02, 0.9), "-3 % (-10 to 2)"),
    ],
)
def test_a_gain_is_said_with_its_interval(expected: ExpectedGain | None, says: str) -> None:
    assert gain(expected) == says


def test_a_place_in_the_header_is_that_of_the_title_there() -> None:
    columns = fitting(200)
    titles = header(INK, columns, Order("memory")).plain
    for column, _ in columns:
        found = column_at(columns, titles.index(column.title))
        assert found is column
    assert "MEMORY▼" in titles
    assert column_at(columns, 10_000) is None
