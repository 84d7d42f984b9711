"""Every string of every document hostile at once: no renderer forgets one of them.

Strings are found in the documents themselves, so that a new field is among them; one whose type allows only certain
words stays as it is.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from advisor.batch.output import write_parts
from advisor.batch.rows import SCHEMA, rows_of_report
from advisor.batch.summary import summarise
from advisor.render.compare_json import render_comparison_json
from advisor.render.compare_markdown import render_comparison_markdown
from advisor.render.compare_text import render_comparison_text
from advisor.render.escape import INVISIBLE_CATEGORIES
from advisor.render.html import render_html
from advisor.render.json import render_json
from advisor.render.live_text import render_live_json, render_live_text
from advisor.render.markdown import render_markdown
from advisor.render.plan_files import plan_files
from advisor.render.plan_text import render_plan
from advisor.render.score_text import render_rows
from advisor.render.summary_html import render_summary_html
from advisor.render.summary_markdown import render_summary_markdown
from advisor.render.summary_text import render_summary_json, render_summary_text
from advisor.render.text import render_text
from advisor.render.trial_json import render_trial_json
from advisor.render.trial_text import render_trial_text
from tests.render.conftest import make_report
from tests.render.test_escape import structure
from tests.render.trial_samples import random_access, troubled
from tests.report.comparisons import before_and_after, compared
from tests.trial.test_live_text import trial as live_trial

EVIL = (
    "=1+1\x1b[31m\x9b31m\x7f\u202e\u200b\r\n\n# h\n* l\n|x|y|\n```\n<script>evil()</script><img src=x onerror=evil()>"
    "[a](javascript:evil) ![i](http://e/) @team #1 `c` \x00\ufeff\U000e0041\u2028 caf\udce9 $(evil) ';evil #"
)
"""Terminal, Markdown, HTML, spreadsheet, shell; a byte that is no UTF-8."""


def poisoned(document: Any, evil: str = EVIL) -> Any:
    """The document with this behind each string that may be any."""
    kind, plain = type(document), msgspec.to_builtins(document)
    fixed: dict[str, bool] = {}
    for holder, key, place in list(strings(plain, "")):
        value = holder[key]
        if place not in fixed:
            holder[key] = f"{value}~"
            fixed[place] = not fits(plain, kind)
        holder[key] = value if fixed[place] else f"{value}{evil}"
    return msgspec.convert(plain, kind)


def strings(value: Any, place: str) -> Iterator[tuple[Any, Any, str]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        below = f"{place}.{key}" if isinstance(key, str) else f"{place}[]"
        if isinstance(item, str):
            yield value, key, below
        else:
            yield from strings(item, below)


def fits(plain: Any, kind: type) -> bool:
    try:
        msgspec.convert(plain, kind)
    except msgspec.ValidationError:
        return False
    return True


def check_lines(text: str) -> None:
    """Nothing that a terminal acts on or hides, but line feeds."""
    odd = {c for c in text if c != "\n" and unicodedata.category(c) in INVISIBLE_CATEGORIES}
    assert not odd, sorted(map(ascii, odd))


def check_markdown(render: Callable[[Any], str], document: Any) -> None:
    """A parser sees the blocks, spans and links that it sees where every string is plain words."""
    text = render(poisoned(document))
    check_lines(text)
    assert structure(text) == structure(render(poisoned(document, " plain words")))


class Tags(HTMLParser):
    """What a browser sees of a page but text: every tag with its attributes, in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, attrs))


def check_html(render: Callable[[Any], str], document: Any) -> None:
    """A browser sees the tags that it sees where every string is plain words."""
    page = render(poisoned(document))
    check_lines(page)
    assert Tags(page).seen == Tags(render(poisoned(document, " plain words"))).seen


def check_ascii(text: str) -> None:
    assert all(c == "\n" or " " <= c <= "~" for c in text)


def test_a_report_in_every_form() -> None:
    report = poisoned(make_report())
    for details in (False, True):
        check_lines(render_text(report, width=80, details=details))
    check_markdown(render_markdown, make_report())
    check_html(render_html, make_report())
    check_ascii(render_json(report))
    check_lines(render_plan(report))


def test_the_files_of_a_plan() -> None:
    """Prose alone is for a renderer to escape; scripts quote (tests/artefacts/test_property_hostile.py)."""
    check_markdown(lambda report: plan_files(report)[0].text, make_report())


def test_a_comparison_in_every_form() -> None:
    made = poisoned(compared(*before_and_after()))
    check_lines(render_comparison_text(made, width=80))
    check_markdown(render_comparison_markdown, compared(*before_and_after()))
    check_ascii(render_comparison_json(made))


@pytest.mark.parametrize("make", [random_access, troubled])
def test_a_trial_in_every_form(make: Any) -> None:
    made = poisoned(make())
    check_lines(render_trial_text(made, repeat=["trial", EVIL], width=80))
    check_ascii(render_trial_json(made))


def test_a_live_trial_in_every_form() -> None:
    made = poisoned(live_trial())
    check_lines(render_live_text(made))
    check_ascii(render_live_json(made))


def test_rows_and_their_summary_in_every_form(tmp_path: Path) -> None:
    """Of rows made of a hostile report; as a reader of its file decodes it, which has no bytes that are no UTF-8."""
    text = render_json(poisoned(make_report()))
    report = msgspec.json.decode(text, type=type(make_report()))
    rows = rows_of_report(f"{EVIL[:40]}.json", report)
    frame = pl.DataFrame(rows, schema=SCHEMA)
    check_lines(render_rows(frame.to_dicts(), len(rows), len(rows), width=80, color=False, unicode=True))
    frame.write_parquet(tmp_path / "rows.parquet")
    write_parts([tmp_path / "rows.parquet"], tmp_path / "rows.csv")
    cells = [
        cell
        for row in csv.reader(io.StringIO((tmp_path / "rows.csv").read_bytes().decode(), newline=""))
        for cell in row
    ]
    for cell in cells:
        check_lines(cell)
        assert "\n" not in cell
        assert not cell.lstrip().startswith(("=", "+", "@")) and not re.match(r"\s*-(?![\d.])", cell), cell
    plain = summarise([frame])
    summary = poisoned(plain)
    page = render_summary_html(summary)
    check_lines(page)
    assert "<script>evil" not in page and "<img" not in page
    check_markdown(render_summary_markdown, plain)
    check_lines(render_summary_text(summary))
    check_ascii(render_summary_json(summary))
