"""A trial as JSON for people and programs: indented, fields in the order of the contract, ASCII only."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from advisor.trial.document import Trial
from advisor.trial.live_document import LiveTrial

DELETE = "\x7f"
"""The one control character that JSON leaves as it is."""


def render_trial_json(trial: Trial) -> str:
    """The whole document of a trial of a command."""
    return trial_document_json(trial)


def trial_document_json(trial: Trial | LiveTrial) -> str:
    """The whole document, indented by two, one newline at the end.

    Everything outside of printable ASCII is written as \\uNNNN, so that the text is safe on a terminal and in any
    encoding. A byte of the command that is no UTF-8 reads `\\\\xNN`, because JSON readers refuse what stands for it.
    """
    text = json.dumps(_readable(msgspec.to_builtins(trial)), indent=2, ensure_ascii=True, allow_nan=False)
    return text.replace(DELETE, "\\u007f") + "\n"


def _readable(value: Any) -> Any:
    """Bytes that were not UTF-8 (PEP 383) as text, wherever in the document."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {_readable(key): _readable(item) for key, item in value.items()}
    return [_readable(item) for item in value] if isinstance(value, list) else value
