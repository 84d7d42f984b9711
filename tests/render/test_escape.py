"""Foreign text is harmless in every output."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace

from advisor.render.escape import INVISIBLE_CATEGORIES, code, csv_cell, fenced, link, markdown, visible
from advisor.render.json import render_json
from advisor.render.markdown import render_markdown
from advisor.render.text import render_text
from advisor.report.document import Report, decode_report

DANGEROUS = "\x00\x07\x1b\x7f\x85\x9b\u200b\u200f\u202e\u2066\u2069\ufeff\u2028\U000e0041\u3164\udc80\ud800"
MARKUP = (
    "[red] [/] :smile: | ` ``` <img/src=x> &lt; @name #12 **b** _x_ ](http://evil) http://evil www.evil \\ $x$ ~~ ~~~"
)
PIECES = st.sampled_from([*DANGEROUS, *MARKUP.split(), "\n", "\r\n", "\t", "- x", "1. x", "界", "é", "a", " "])
HOSTILE = st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=20))
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def has_invisible(text: str) -> bool:
    return any(unicodedata.category(c) in INVISIBLE_CATEGORIES for c in text if c != "\n")


def with_name(report: Report, name: str) -> Report:
    """The report with the name wherever somebody other than the advisor chooses a text."""
    process = report.processes[0]
    advice = process.recommendation
    reason = replace(advice.reasons[0], message=f"{name} is large", evidence={"executable": name}, sources=[name])
    first = replace(
        process,
        name=name,
        user=name,
        cgroup=f"/{name}",
        command_line=[name, "--x"],
        allocator=name,
        recommendation=replace(advice, reasons=[reason], override_reason=name, pages_basis=name),
    )
    return replace(
        report,
        host=replace(report.host, hostname=name, cpu_model=name, kernel=name),
        processes=[first, *report.processes[1:]],
        skipped=[replace(report.skipped[0], name=name, reason=name)],
    )


@given(HOSTILE)
def test_visible_text_is_one_line_without_invisible_characters(text: str) -> None:
    shown = visible(text)
    assert not has_invisible(shown)
    assert "\n" not in shown
    assert visible(shown) == shown


@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "\uff1d", "\uff20"])
def test_a_spreadsheet_works_out_no_cell(start: str) -> None:
    assert csv_cell(f"{start}1+1") == f"'{start}1+1"
    assert csv_cell(f"a{start}1") == f"a{start}1"
    assert csv_cell(f'a; "{start}1') == f'a\\x3b "{start}1', "where a semicolon parts cells"
    assert csv_cell("\t=1") == r"\t=1", "nor what a reader strips before it"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", r"\x1b[31m"),
        ("\x9b1m", r"\x9b1m"),
        ("abc\u202edcba", r"abc\u202edcba"),
        ("a\u200bb", r"a\u200bb"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\U000e0041", r"\U000e0041"),
        ("\udcff", r"\udcff"),
        ("naïve 界", "naïve 界"),
    ],
)
def test_an_invisible_character_reads_as_its_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b", r"a\|b"),
        ("<b>", "&#60;b&#62;"),
        ("@all #1", "&#64;all &#35;1"),
        ("[x](y)", r"\[x\](y)"),
        ("_x_ a_b", r"\_x\_ a_b"),
        ("- x", r"\- x"),
        ("1. x", r"1\. x"),
        ("0.1.0", "0.1.0"),
        ("http://evil", "http&#58;//evil"),
        ("WWW.evil", "WWW&#46;evil"),
        ("2 MiB, 38 %", "2 MiB, 38 %"),
    ],
)
def test_markdown_prose_has_no_markup_left(text: str, escaped: str) -> None:
    assert markdown(text) == escaped


def test_a_code_span_cannot_be_left() -> None:
    assert code("a`b|c") == r"`a\x60b\x7cc`"
    assert code("") == "` `"


def test_a_fence_is_longer_than_any_in_its_text() -> None:
    assert fenced("x\n````\ny").startswith("`````\n")


def test_only_a_plain_https_address_becomes_a_link() -> None:
    assert link("https://docs.kernel.org/mm/x.html") == "<https://docs.kernel.org/mm/x.html>"
    assert "<" not in link("https://a/<script>")
    assert link("http://a") == "http&#58;//a"


@given(HOSTILE)
@QUICK
def test_no_hostile_name_reaches_text_as_control_or_markup(report: Report, name: str) -> None:
    for details in (False, True):
        text = render_text(with_name(report, name), width=80, details=details)
        assert not has_invisible(text)
        assert "\x1b" not in text


@given(st.sampled_from(["[red]x[/red]", "[link=http://x]y[/link]", ":boom:", "[bold]"]))
@QUICK
def test_rich_markup_in_a_name_is_shown_as_it_is(report: Report, name: str) -> None:
    assert name in render_text(with_name(report, name), width=120, details=True)


def structure(markdown_text: str) -> list[str]:
    """What a Markdown parser sees but plain text: every block, span, link and piece of HTML, in order."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    kinds: list[str] = []
    for block in parser.parse(markdown_text):
        kinds.append(block.type)
        kinds += [span.type for span in block.children or () if span.type not in ("text", "text_special")]
    return kinds


@given(HOSTILE.filter(bool))
@QUICK
def test_a_hostile_name_changes_nothing_in_the_structure_of_markdown(report: Report, name: str) -> None:
    text = render_markdown(with_name(report, name))
    assert not has_invisible(text)
    assert structure(text) == structure(render_markdown(with_name(report, "plain")))


@given(HOSTILE)
def test_prose_holds_no_mention_link_or_reference(name: str) -> None:
    prose = markdown(name)
    assert not re.search(r"(?i)@|https?:|www\.|<", prose)
    assert not re.search(r"#(?!\d+;)", prose)


@given(HOSTILE)
@QUICK
def test_json_is_printable_ascii_and_reads_back(report: Report, name: str) -> None:
    hostile = with_name(report, name)
    text = render_json(hostile)
    assert all(c == "\n" or " " <= c <= "~" for c in text)
    again = decode_report(text.encode())
    if name.isascii() or not any("\ud800" <= c <= "\udfff" for c in name):
        assert again == hostile
    assert json.loads(text)["processes"][1]["name"] == report.processes[1].name


def test_a_byte_that_is_no_utf_8_reads_as_an_escape_in_json(report: Report) -> None:
    again = decode_report(render_json(with_name(report, "caf\udce9 \ud800")).encode())
    assert again.processes[0].name == r"caf\xe9 \ud800"
