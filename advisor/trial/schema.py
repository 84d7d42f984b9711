"""The JSON Schema of the trial document, made from its types. `python -m advisor.trial.schema` writes the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from advisor.trial.document import TRIAL_SCHEMA, Trial

SCHEMA_PATH = Path(__file__).with_name("trial-1.schema.json")
"""Where the published schema lies, beside this module and in the wheel."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The dialect that msgspec generates."""


def trial_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a trial; descriptions are the docstrings of the types."""
    reference, definitions = msgspec.json.schema_components([Trial], ref_template="#/$defs/{name}")
    return {
        "$schema": DIALECT,
        "$id": TRIAL_SCHEMA,
        "title": "Hugepage Advisor trial",
        **reference[0],
        "$defs": definitions,
    }


def schema_text() -> str:
    """The schema as the text of its file: indented, keys in a fixed order, one newline at the end."""
    return json.dumps(trial_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_PATH.write_text(schema_text(), encoding="utf-8")
