"""Report as JSON for people and programs: indented, fields in the order of the contract, ASCII only."""

from __future__ import annotations

import json

from advisor.report.document import Report, encode_report

DELETE = "\x7f"
"""The one control character that JSON leaves as it is."""


def render_json(report: Report) -> str:
    """The whole document, indented by two, one newline at the end.

    Strings are the raw ones; everything outside of printable ASCII is written as \\uNNNN, so that the text is safe
    on a terminal and in any encoding. Bytes that are no UTF-8 read `\\\\xNN` (see `encode_report`).
    """
    return ascii_json(encode_report(report))


def ascii_json(document: bytes) -> str:
    """A document's JSON, indented by two, in printable ASCII, one newline at the end."""
    text = json.dumps(json.loads(document), indent=2, ensure_ascii=True, allow_nan=False)
    return text.replace(DELETE, "\\u007f") + "\n"
