"""The host strip, as a function of a tick."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from advisor.report.host import Pool
from advisor.tui import strip
from advisor.tui.ink import Ink
from advisor.watch.frames import Pulse, Tick
from tests.render.conftest import make_report

REPORT = make_report()
INK = Ink()


def tick(report: object = REPORT, pulses: list[Pulse] | None = None) -> Tick:
    return Tick(report, 1, None, pulses or [], 0.1, True)  # type: ignore[arg-type]


@given(st.integers(20, 260))
def test_six_lines_that_fit_at_any_width(width: int) -> None:
    lines = strip.lines(INK, tick(), width)
    assert len(lines) == 6
    assert all(cell_len(line.plain) <= width for line in lines)


def test_a_pool_is_told_as_used_reserved_and_free() -> None:
    pools = [Pool(2 << 20, None, 100, 40, 10, 0, 0), Pool(1 << 30, None, 0, 0, 0, 0, 0)]
    said = strip.lines(INK, tick(replace(REPORT, host=replace(REPORT.host, pools=pools))), 120)[2].plain
    assert "2 MiB ██████▒░░░ 60 used, 10 reserved, 30 free · 1 GiB empty" in said


def test_what_is_unknown_reads_so_and_is_never_nought() -> None:
    blank = Pulse(0.0, None, None, None, None, None)
    said = strip.lines(INK, tick(pulses=[blank]), 250)[4].plain
    assert "? collapsed" in said and "fault fallback ?" in said and "stalls ?" in said
    assert "▁" not in said


@pytest.mark.parametrize(
    ("values", "drawn"),
    [([], "    "), ([0.0, 0.0], "  ▁▁"), ([0, None, 4, 8, 8], " " + "▅██"), ([None] * 9, "    ")],
)
def test_a_curve_goes_from_nothing_to_the_most(values: list[float | None], drawn: str) -> None:
    assert strip.sparkline(values, 4) == drawn


@given(st.integers(1, 10_000), st.integers(3, 300), st.data())
def test_the_slider_is_as_wide_as_its_rail_and_gives_its_place_back(
    length: int, width: int, data: st.DataObject
) -> None:
    position = data.draw(st.integers(1, length))
    drawn = strip.slider(position, length, width)
    assert len(drawn) == width and drawn.count("●") == 1
    back = strip.place_on_slider(drawn.index("●"), length, width)
    assert abs(back - position) <= length / (width - 1) / 2 + 1
    assert strip.place_on_slider(width + 5, length, width) == length
    assert strip.place_on_slider(-5, length, width) == 1
