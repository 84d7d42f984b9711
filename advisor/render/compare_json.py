"""Comparison as JSON for people and programs."""

from __future__ import annotations

from advisor.render.json import ascii_json
from advisor.report.comparison import Comparison, encode_comparison


def render_comparison_json(comparison: Comparison) -> str:
    """The whole document, as `render_json` writes a report."""
    return ascii_json(encode_comparison(comparison))
