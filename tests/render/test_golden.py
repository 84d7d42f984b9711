"""The renderers' output for one report, as files that a reviewer can look at."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest

from advisor.advise import advise
from advisor.profile.codec import load_profile
from advisor.recommendation import Wishes
from advisor.render.html import render_html
from advisor.render.json import render_json
from advisor.render.markdown import render_markdown
from advisor.render.plan_text import render_plan
from advisor.render.text import render_text
from advisor.report.document import Report, decode_report

Golden = Callable[[str, str], None]
SAMPLES = Path(__file__).resolve().parents[2] / "sample_profiles"


@pytest.mark.parametrize("width", [80, 120])
def test_text_is_as_reviewed(report: Report, golden: Golden, width: int) -> None:
    golden(f"report-{width}.txt", render_text(report, width=width))


def test_detailed_text_is_as_reviewed(report: Report, golden: Golden) -> None:
    golden("report-details-100.txt", render_text(report, width=100, details=True))


def test_markdown_is_as_reviewed(report: Report, golden: Golden) -> None:
    golden("report.md", render_markdown(report))


def test_the_page_is_as_reviewed(report: Report, golden: Golden) -> None:
    golden("report.html", render_html(report))


def test_a_plan_that_was_asked_for_is_as_reviewed(golden: Golden) -> None:
    profile = load_profile(SAMPLES / "postgres-pool-too-small.jsonl.zst")
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    wishes = Wishes(thp_enabled="never", pools={2 << 20: 300})
    golden("plan-what-if.txt", render_plan(advise(profile, now=now, wishes=wishes)))


def test_json_is_as_reviewed(report: Report, golden: Golden) -> None:
    golden("report.json", render_json(report))


def test_a_saved_report_renders_the_same(report: Report) -> None:
    again = decode_report(render_json(report).encode())
    assert again == report
    assert render_text(again) == render_text(report)
    assert render_markdown(again) == render_markdown(report)
