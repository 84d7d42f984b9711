"""JSON Schemas of the documents, made from their types. `python -m advisor.report.schema` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from advisor.report.comparison import COMPARISON_SCHEMA, Comparison
from advisor.report.document import SCHEMA, Report
from advisor.report.summary import SUMMARY_SCHEMA, Summary

SCHEMA_PATH = Path(__file__).with_name("report-1.schema.json")
"""Where the published schema lies, beside this module and in the wheel."""

COMPARISON_SCHEMA_PATH = SCHEMA_PATH.with_name("compare-1.schema.json")
"""That of the comparison of two reports."""

SUMMARY_SCHEMA_PATH = SCHEMA_PATH.with_name("summary-1.schema.json")
"""That of the summary of a fleet."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The dialect that msgspec generates."""


def report_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a report; descriptions are the docstrings of the types."""
    return _schema(Report, SCHEMA, "Hugepage Advisor report")


def comparison_schema() -> dict[str, Any]:
    """The same of a comparison."""
    return _schema(Comparison, COMPARISON_SCHEMA, "Hugepage Advisor comparison")


def summary_schema() -> dict[str, Any]:
    """The same of a summary."""
    return _schema(Summary, SUMMARY_SCHEMA, "Hugepage Advisor summary of a fleet")


def _schema(document: type, name: str, title: str) -> dict[str, Any]:
    reference, definitions = msgspec.json.schema_components([document], ref_template="#/$defs/{name}")
    return {"$schema": DIALECT, "$id": name, "title": title, **reference[0], "$defs": definitions}


def schema_text(schema: dict[str, Any] | None = None) -> str:
    """A schema (a report's) as the text of its file: indented, keys in a fixed order, one newline at the end."""
    return json.dumps(schema or report_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_PATH.write_text(schema_text(), encoding="utf-8")
    COMPARISON_SCHEMA_PATH.write_text(schema_text(comparison_schema()), encoding="utf-8")
    SUMMARY_SCHEMA_PATH.write_text(schema_text(summary_schema()), encoding="utf-8")
