"""What the screen of a trial says: the form's order, the question, dose and response while it runs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from advisor.trial.document import Interval
from advisor.trial.live_document import Eligible, LiveMetric, LivePlan, Response, SoFar
from advisor.tui.ink import Ink
from advisor.tui.trial_settings import SettingsError, TrialSettings
from advisor.tui.trial_text import Picture, curve, found, question, running, seconds_left, why_no_trial
from advisor.units import MIB
from tests.render.conftest import make_report

INK = Ink()
PLAN = LivePlan(
    pid=42,
    name="server",
    eligible=Eligible(2 * MIB, 400, 790 * MIB, 10 * MIB, 3, 5 * MIB, 6 * MIB, 0),
    steps=(0.5, 1.0),
    window_s=1.0,
    windows=4,
    asked_bytes=800 * MIB,
    missing_bytes=10 * MIB,
    copied_bytes=0,
    children=0,
)
HALF = SoFar(
    dose=0.5,
    windows=3,
    asked_slots=200,
    collapsed_slots=198,
    filled_bytes=5 * MIB,
    collapse_s=2.0,
    window_wall_s=1.0,
    measure="metric",
    unit="per second",
    better="higher",
    values=[(0.0, 100.0), (0.0, 104.0), (0.0, 96.0), (0.0, 100.0), (0.5, 110.0), (0.5, 114.0), (0.5, 112.0)],
    responses=[Response(0.0, 4, 100.0)],
)
WHOLE = replace(
    HALF,
    dose=1.0,
    windows=1,
    values=[*HALF.values, (0.5, 112.0), (1.0, 125.0)],
    responses=[*HALF.responses, Response(0.5, 4, 112.0, Interval(1.12, 1.08, 1.16, 0.95))],
)


def said(so_far: SoFar | None, width: int = 76, **changes: Any) -> str:
    given = {"since_s": 0.0, "ending": False} | changes
    return "\n".join(line.plain for line in running(INK, PLAN, so_far, width=width, **given))


def test_the_form_makes_an_order() -> None:
    order = TrialSettings(" ask --now ", "counter", "lower", " 50,100 ", "0.5", " 12").order(7, 99, redact=False)
    assert order.metric == LiveMetric("ask --now", "counter", "lower")
    assert (order.pid, order.start_ticks, order.redact) == (7, 99, False)
    assert (order.steps, order.window_s, order.windows) == ("50,100", 0.5, 12)
    assert TrialSettings("  ").order(7, 99, redact=True).metric is None


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        *((TrialSettings(window=typed), "window") for typed in ("", "0.09", "nan", "inf", "1 s", "-1")),
        *((TrialSettings(windows=typed), "windows") for typed in ("", "3", "1001", "4.5", "²", "-8")),
    ],
)
def test_what_cannot_be_is_said_with_its_field(settings: TrialSettings, field: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.order(7, 99, redact=True)
    assert caught.value.field == field


def test_a_recording_and_a_tree_say_where_a_trial_can_be_had() -> None:
    report = make_report()
    for kind, words in (("profile", "recording"), ("tree", "captured tree")):
        why = why_no_trial(replace(report, source=replace(report.source, kind=kind)), 42)
        assert why is not None and words in why and "trial --pid 42" in why
    assert why_no_trial(replace(report, source=replace(report.source, kind="live")), 42) is None


def test_what_was_found_is_told_in_bytes() -> None:
    assert found(INK, PLAN).plain == ("790 MiB of it can be moved, which would add 10 MiB; 6 MiB are huge already.")


def test_the_question_is_the_trials_own_with_what_it_is_judged_by() -> None:
    text = question(INK, replace(PLAN, name="a\x1b[2Jb", children=2), None).plain
    for words in (
        "moves 800 MiB of process 42 (a\\x1b[2Jb)",
        "stay huge",
        "grow by 10 MiB",
        "2 processes",
        "No metric",
    ):
        assert words in text
    assert "\x1b" not in text
    metric = LiveMetric("ask\x1b[2J", "counter", "lower")
    assert "a count that grows, lower is better: ask\\x1b[2J" in question(INK, PLAN, metric).plain


def test_before_the_first_window_and_without_a_measure() -> None:
    assert "measuring as it is, about 12 s left" in said(None)
    text = said(SoFar(dose=0.0, windows=2, window_wall_s=1.0))
    assert "measured as it is: window 2 of 4" in text
    assert "not before four windows" in text


def test_dose_and_response_while_it_runs() -> None:
    text = said(HALF)
    assert "50 % of 790 MiB: 396 MiB moved, 5 MiB added, 2 refused" in text
    assert "measured at 50 %: window 3 of 4" in text
    assert "metric, per second" in text
    rows = {line.split()[0] + " %": line for line in text.splitlines() if " % " in line and "Dose" not in line}
    assert "1.120 so far" in rows["50 %"]
    assert rows["100 %"].split() == ["100", "%", "?"]
    later = said(WHOLE)
    assert "1.120 (1.080 to 1.160)" in later and "●" in later and "1.250 so far" in later
    assert "lower is better" in said(replace(HALF, better="lower"))
    assert f"{100 / 112:.3f} so far" in said(replace(HALF, better="lower"))


def test_an_end_that_was_asked_for_is_said() -> None:
    assert "ending early" in said(HALF, ending=True)
    assert "moving memory up to 50 %" in said(replace(HALF, windows=0))


def test_the_time_left_counts_windows_pauses_and_collapsing() -> None:
    assert seconds_left(PLAN, None) == 12
    # One window and one dose of four are left, one pause, and 200 slots at 10 ms.
    assert seconds_left(PLAN, HALF) == pytest.approx(5 + 0.5 + 2.0)
    assert seconds_left(PLAN, HALF, 1.5) == pytest.approx(6.0)
    assert seconds_left(PLAN, HALF, 100.0) == 0.0
    collapsing = replace(HALF, windows=0, asked_slots=100, collapse_s=1.0)
    assert seconds_left(PLAN, collapsing) == pytest.approx(8 + 1.0 + 3.0)


@pytest.mark.parametrize("width", [1, 20, 36, 60, 76, 106, 200])
@pytest.mark.parametrize("so_far", [None, HALF, WHOLE])
def test_no_line_is_wider_than_the_screen(so_far: SoFar | None, width: int) -> None:
    assert all(cell_len(line) <= width for line in said(so_far, width).splitlines())


def test_a_curve_shows_small_differences() -> None:
    assert curve([100, 101, 102], (100, 102), 5) == "▁▅█  "
    assert curve([7, 7], (7, 7), 1) == "▁"


ratios = st.floats(0.01, 100)


@given(st.lists(st.tuples(ratios, ratios, ratios).map(sorted), min_size=1, max_size=5), st.integers(14, 60))
def test_a_picture_holds_every_interval_and_one(parts: list[list[float]], width: int) -> None:
    intervals = [Interval(middle, low, high, 0.95) for low, middle, high in parts]
    picture = Picture.of(intervals, width)
    assert len(picture.scale()) == width
    for interval in intervals:
        drawn = picture.draw(interval)
        assert len(drawn) == width and drawn.count("●") == 1


def test_a_picture_says_whether_one_is_within() -> None:
    beyond, around = Interval(1.2, 1.1, 1.3, 0.95), Interval(1.1, 0.9, 1.3, 0.95)
    picture = Picture.of([beyond, around], 20)
    assert picture.draw(beyond) == "     ┊    ├───●────┤"
    assert picture.draw(around) == "├────┼────●────────┤"
