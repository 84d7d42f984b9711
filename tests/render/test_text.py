"""What a reader of the text sees."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from advisor.render.page import bar
from advisor.render.select import MOST_LEFT_ALONE, select
from advisor.render.text import render_text
from advisor.report.document import Report


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("details", [False, True])
def test_no_line_is_wider_than_the_page(report: Report, width: int, details: bool) -> None:
    wide = replace(report, processes=[replace(p, name="界" * 15) for p in report.processes])
    lines = render_text(wide, width=width, details=details).splitlines()
    assert max(map(cell_len, lines)) <= max(width, 60)
    assert all(line == line.rstrip() for line in lines)


def test_the_host_takes_five_lines_below_the_title(report: Report) -> None:
    lines = render_text(report).splitlines()
    assert [line.split()[0] for line in lines[1:6]] == ["Host", "Memory", "THP", "Pools", "TLB"]


def test_without_colour_there_is_no_escape_and_with_colour_there_is(report: Report) -> None:
    assert "\x1b" not in render_text(report)
    assert "\x1b[" in render_text(report, color=True)


def test_ascii_output_is_ascii(report: Report) -> None:
    text = render_text(report, unicode=False)
    assert text.isascii()
    assert "####." in text


def test_processes_with_the_same_advice_under_one_name_are_one_row(report: Report) -> None:
    text = render_text(report)
    assert text.count("postgres ") == 1
    assert "postgres +2" in text


def test_processes_with_nothing_at_stake_are_one_line(report: Report) -> None:
    text = render_text(report)
    assert "and 6 processes with nothing at stake, at most 4 MiB each" in text
    assert "agent0" not in text


def test_a_report_of_few_processes_shows_all_of_them(report: Report) -> None:
    few = replace(report, processes=report.processes[-2:])
    assert "agent5" in render_text(few)


def test_changes_beyond_the_limit_are_counted(report: Report) -> None:
    selection = select(report, 1)
    assert selection.groups[0].leader.pid == 2211
    assert len(selection.groups) == 1 + min(MOST_LEFT_ALONE, 4)
    assert selection.rest_changes == 5


def test_unknown_memory_reads_as_a_question_mark_not_as_nothing(report: Report) -> None:
    row = next(line for line in render_text(report).splitlines() if "vault" in line)
    assert "?" in row
    assert "unknown" in row
    assert "0%" not in row


def test_a_report_without_processes_says_so(report: Report) -> None:
    empty = replace(report, processes=[], plan=replace(report.plan, summary="No process was seen."))
    assert "No process was seen." in render_text(empty)


def test_a_bar_is_neither_empty_nor_full_unless_the_share_is() -> None:
    assert [bar(s, 5) for s in (0.0, 0.01, 0.99, 1.0)] == ["░░░░░", "█░░░░", "████░", "█████"]
    assert bar(None, 5).strip() == ""
