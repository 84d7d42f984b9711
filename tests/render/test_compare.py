"""Comparisons as text, Markdown and JSON, as files that a reviewer can look at."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from rich.cells import cell_len

from advisor.render.compare_json import render_comparison_json
from advisor.render.compare_markdown import render_comparison_markdown
from advisor.render.compare_text import render_comparison_text
from advisor.report.comparison import Comparison
from tests.report.comparisons import before_and_after, compared, report_of

Golden = Callable[[str, str], None]


@pytest.fixture
def comparison() -> Comparison:
    return compared(*before_and_after())


def test_text_is_as_reviewed(comparison: Comparison, golden: Golden) -> None:
    golden("compare-80.txt", render_comparison_text(comparison, width=80))


def test_markdown_is_as_reviewed(comparison: Comparison, golden: Golden) -> None:
    golden("compare.md", render_comparison_markdown(comparison))


def test_json_is_the_document_in_ascii(comparison: Comparison) -> None:
    text = render_comparison_json(comparison)
    assert text.isascii() and "\x1b" not in text
    assert json.loads(text)["schema"] == "hugepage-advisor/compare/1"


@pytest.mark.parametrize("width", [1, 40, 63, 64, 80, 200])
def test_text_fits_any_width_and_hides_no_escape(comparison: Comparison, width: int) -> None:
    text = render_comparison_text(comparison, width=width)
    assert max(map(cell_len, text.splitlines())) <= max(width, 40)
    assert "\x1b" not in text
    assert render_comparison_text(comparison, width=width, unicode=False).isascii()


def test_nothing_changed_is_said_in_one_line() -> None:
    report = report_of()
    text = render_comparison_text(compared(report, report))
    assert "Nothing changed." in text and "Host\n" not in text
