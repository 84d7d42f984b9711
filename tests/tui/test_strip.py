"""The host strip, as a function of a tick."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from advisor.report.host import Pool
from advisor.tui import drawing, strip
from advisor.tui.ink import Ink
from advisor.watch.frames import Pulse, Recording, Tick
from tests.render.conftest import make_report

REPORT = make_report()
INK = Ink()


def tick(report: object = REPORT, pulses: list[Pulse] | None = None) -> Tick:
    return Tick(report, 1, None, pulses or [], 0.1, True)  # type: ignore[arg-type]


@given(st.integers(20, 260))
def test_seven_lines_that_fit_at_any_width(width: int) -> None:
    lines = strip.lines(INK, tick(), width)
    assert len(lines) == 7
    assert all(cell_len(line.plain) <= width for line in lines)


def test_a_pool_is_told_as_used_reserved_and_free() -> None:
    pools = [Pool(2 << 20, None, 100, 40, 10, 0, 0), Pool(1 << 30, None, 0, 0, 0, 0, 0)]
    said = strip.lines(INK, tick(replace(REPORT, host=replace(REPORT.host, pools=pools))), 120)[2].plain
    assert "2 MiB ██████▒░░░ 60 used, 10 reserved, 30 free · " in said and " · 1 GiB empty" in said


def test_what_is_unknown_reads_so_and_is_never_nought() -> None:
    blank = Pulse(0.0, None, None, None, None, None)
    now, faults = strip.lines(INK, tick(pulses=[blank]), 250)[4:6]
    assert "? collapsed" in now.plain and "fallback ?" in faults.plain and "stalls .....".rstrip(".") in faults.plain
    assert "▁" not in now.plain + faults.plain


@pytest.mark.parametrize(
    ("values", "drawn"),
    [([], "...."), ([0.0, 0.0], "..▁▁"), ([0, None, 4, 8, 8], ".▅██"), ([None] * 9, "....")],
)
def test_a_curve_goes_from_nothing_to_the_most(values: list[float | None], drawn: str) -> None:
    assert drawing.sparkline(values, 4) == drawn


@given(st.integers(1, 10_000), st.integers(3, 300), st.data())
def test_the_slider_is_as_wide_as_its_rail_and_gives_its_place_back(
    length: int, width: int, data: st.DataObject
) -> None:
    position = data.draw(st.integers(1, length))
    drawn = drawing.slider(position, length, width)
    assert len(drawn) == width and drawn.count("●") == 1
    back = drawing.place_on_slider(drawn.index("●"), length, width)
    assert abs(back - position) <= length / (width - 1) / 2 + 1
    assert drawing.place_on_slider(width + 5, length, width) == length
    assert drawing.place_on_slider(-5, length, width) == 1


ESSENTIAL = (
    *("db01", "madvise", "defrag", "huge", "of 98 GiB", "1,024 free", "to be had", "available", "fragmentation 27 %"),
    *("khugepaged", "collapsed", "CPU", "compaction stalls", "fallback", "6 of 16 processes should change"),
)


@pytest.mark.parametrize("width", [78, 118, 198])
def test_everything_important_fits_from_80_columns_up(width: int) -> None:
    pulses = [Pulse(2.0 * n, float(n), 0.01 * n, 1.5, 0.25, 100 << 30) for n in range(30)]
    lines = strip.lines(INK, tick(pulses=pulses), width)
    said = "\n".join(line.plain for line in lines)
    for words in ESSENTIAL:
        assert words in said, words
    memory, now, faults = (line.plain for line in lines[3:6])
    assert "▄" in memory, "available, of all memory"
    assert now.count("█") > 1 and "29/s collapsed" in now and "29 %" in now
    assert "▇" in faults or "█" in faults
    assert "fallback 25 %" in faults and "1.5/s" in faults


def test_of_several_ways_to_say_it_the_longest_that_fits_is_taken() -> None:
    ways = [INK.text("a long way"), INK.text("short")]

    def line(width: int) -> str:
        return drawing.fitted(INK, INK.text("L "), [INK.text("one"), ways], [INK.text("more")], width).plain

    assert line(40) == "L one · a long way · more"
    assert line(20) == "L one · a long way"
    assert line(14) == "L one · short"
    assert line(12) == "L one · more"
    assert line(6) == "L one"
    assert line(4) == "L o…"


def with_cost(share: float | None, watch_share: float | None) -> Tick:
    cost = replace(REPORT.source.cost, share_of_one_cpu=share)
    return replace(tick(replace(REPORT, source=replace(REPORT.source, cost=cost))), watch_share=watch_share)


def test_the_cost_says_sampling_and_all_the_rest_of_watching() -> None:
    assert strip.cost(with_cost(None, None)) == ["sampling 0.08 s CPU"]
    assert strip.cost(with_cost(0.009, None)) == ["sampling 0.9 % CPU"]
    assert strip.cost(with_cost(0.009, 0.04))[1] == "sampling 0.9 %, advising 3.1 % CPU"
    assert strip.cost(with_cost(0.009, 0.04))[-1] == "cost 4.0 % CPU"


@pytest.mark.parametrize("width", [78, 198])
def test_the_top_line_says_what_is_recorded_and_why_it_ended(width: int) -> None:
    def top(recording: Recording | None, *, held: bool = False) -> str:
        line = strip.top(INK, "hugepage-advisor", with_cost(0.009, 0.04), recording, width, held=held).plain
        assert cell_len(line) <= width
        return line

    going = Recording("/tmp/db01-20260115T102030Z.jsonl.zst", 1234, 5 << 20, is_over=False, problem=None)
    assert "recording, 1,234 samples, 5 MiB" in top(going) or going.path[5:] in top(going)
    assert "sample 1" in top(going)
    assert "recording ended: No space left" in top(
        replace(going, is_over=True, problem="No space left on device")
    ) or ("ended: No space left on device" in top(replace(going, is_over=True, problem="No space left on device")))
    assert "record" not in top(replace(going, is_over=True))
    assert "held: space goes on" in top(going, held=True)
    assert ("cost 4.0 % CPU" in top(None)) or ("advising 3.1 % CPU" in top(None))
