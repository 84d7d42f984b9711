"""JSON Schemas of the two trial documents, made from their types. `python -m advisor.trial.schema` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from advisor.trial.document import TRIAL_SCHEMA, Trial
from advisor.trial.live_document import LIVE_SCHEMA, LiveTrial

SCHEMA_PATH = Path(__file__).with_name("trial-1.schema.json")
LIVE_SCHEMA_PATH = Path(__file__).with_name("trial-live-1.schema.json")
"""Where the published schemas lie, beside this module and in the wheel."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The dialect that msgspec generates."""


def trial_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a trial; descriptions are the docstrings of the types."""
    return _schema(Trial, TRIAL_SCHEMA, "Hugepage Advisor trial")


def live_trial_schema() -> dict[str, Any]:
    """The same of a trial of a running process."""
    return _schema(LiveTrial, LIVE_SCHEMA, "Hugepage Advisor trial of a running process")


def _schema(document: type, name: str, title: str) -> dict[str, Any]:
    reference, definitions = msgspec.json.schema_components([document], ref_template="#/$defs/{name}")
    return {"$schema": DIALECT, "$id": name, "title": title, **reference[0], "$defs": definitions}


def schema_text(schema: dict[str, Any] | None = None) -> str:
    """A schema (that of a trial) as the text of its file: indented, keys in a fixed order, one newline at the end."""
    return json.dumps(schema or trial_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_PATH.write_text(schema_text(), encoding="utf-8")
    LIVE_SCHEMA_PATH.write_text(schema_text(live_trial_schema()), encoding="utf-8")
