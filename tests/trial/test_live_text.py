"""A live trial as text and JSON: the conclusion first, the costs beside it, nothing foreign unescaped."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import msgspec
import pytest

from advisor.render.live_text import conclusion, plan_lines, render_live_json, render_live_text
from advisor.trial.document import Caveat, Environment, Interval
from advisor.trial.live_document import (
    LIVE_SCHEMA,
    Eligible,
    LiveMetric,
    LivePlan,
    LiveTrial,
    Measure,
    Memory,
    Response,
    Step,
    Window,
)
from advisor.trial.schema import LIVE_SCHEMA_PATH, live_trial_schema, schema_text
from advisor.units import MIB

SPEED_UP = Interval(1.27, 1.25, 1.29, 0.95)
ELIGIBLE = Eligible(2 * MIB, 512, 1020 * MIB, 4 * MIB, 3, 5 * MIB, 0, 0)
ENVIRONMENT = Environment(**dict.fromkeys(Environment.__struct_fields__))
MEASURE = Measure(
    "io-bytes", "bytes read and written", "bytes/CPU s", "higher", True, None, 0.02, 0.1, None,
    [Response(0.0, 8, 5000.0), Response(1.0, 8, 6350.0, SPEED_UP)],
)  # fmt: skip


def trial(**changes: Any) -> LiveTrial:
    made = LiveTrial(
        schema=LIVE_SCHEMA, tool_version="0", started_at="2026-01-01T00:00:00+00:00", duration_s=20.0, pid=42,
        name="server", environment=ENVIRONMENT, metric=None, window_s=1.0, windows_per_dose=8, verdict="faster",
        why="the interval is clear of 1", ended="complete", judged_by="io-bytes", speed_up=SPEED_UP,
        eligible=ELIGIBLE, before=Memory(1100 * MIB, 0, None), at_end=Memory(1104 * MIB, 1024 * MIB, None),
        huge_bytes_taken=1024 * MIB, rss_growth_bytes=4 * MIB,
        steps=[Step(1.0, 512, 512, 4 * MIB, 1.2, 1.1, None)], measures=[MEASURE],
        windows=[Window(0.0, 0.0, 1.0, 1.0, {"io-bytes": 5000})],
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def test_the_first_sentence_says_what_it_gives_and_costs() -> None:
    assert conclusion(trial()) == (
        "server (pid 42) is faster with 1 GiB more on huge pages: 1.27 times (1.25 to 1.29), 95 % interval;"
        " memory grew by 4 MiB."
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"verdict": "no-difference", "why": "the interval holds 1"}, "No difference seen for server"),
        ({"verdict": "cannot-tell", "why": "it drifted"}, "what huge pages give server (pid 42) (seen: 1.27"),
        (
            {"verdict": "cannot-tell", "speed_up": None, "ended": "no-measure", "why": "w"},
            "Nothing was changed; give --metric-cmd.",
        ),
        (
            {
                "verdict": "cannot-tell", "speed_up": None, "ended": "no-measure", "why": "w",
                "metric": LiveMetric("x", "rate", "higher"),
            },
            "w. Nothing was changed.",
        ),
    ],
)  # fmt: skip
def test_other_first_sentences(changes: dict[str, Any], words: str) -> None:
    assert words in conclusion(trial(**changes))


def test_text_has_a_row_a_dose_and_what_stays() -> None:
    text = render_live_text(trial(warnings=[Caveat("drift", "It drifted.")]), width=80)
    rows = [line.split() for line in text.splitlines()]
    assert ["0", "%", "0", "B", "0", "B", "5000"] in rows
    assert any(row[:2] == ["100", "%"] and row[-3:] == ["(1.250", "to", "1.290)"] for row in rows)
    assert "stay huge" in text
    assert "It drifted." in text
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "\x1b" not in text


def test_foreign_text_is_escaped() -> None:
    hostile = trial(name="a\x1b[2J\u202eb", metric=LiveMetric("\x1b]0;x\x07", "rate", "higher"))
    assert "\x1b" not in render_live_text(hostile)
    assert "\u202e" not in render_live_text(hostile)
    assert render_live_json(hostile).isascii()


def test_json_reads_back_as_the_same_document() -> None:
    text = render_live_json(trial())
    assert json.loads(text)["schema"] == "hugepage-advisor/trial-live/1"
    assert msgspec.json.decode(text, type=LiveTrial) == trial()


def test_the_published_schema_is_that_of_the_types_and_describes_the_document() -> None:
    schema = live_trial_schema()
    assert LIVE_SCHEMA_PATH.read_text(encoding="utf-8") == schema_text(schema), "run python -m advisor.trial.schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    assert all(definition["title"] and definition["description"] for definition in schema["$defs"].values())
    jsonschema.validate(json.loads(render_live_json(trial())), schema, cls=jsonschema.Draft202012Validator)


def test_the_plan_says_what_stays_and_what_it_costs() -> None:
    lines = " ".join(
        plan_lines(
            LivePlan(
                pid=7,
                name="x",
                eligible=ELIGIBLE,
                steps=(0.25, 0.5, 1.0),
                window_s=2.0,
                windows=30,
                asked_bytes=1024 * MIB,
                missing_bytes=4 * MIB,
                copied_bytes=3 * MIB,
                children=2,
            )
        )
    )
    assert "measures for 4 min and as long as collapsing takes" in lines
    for words in ("1 GiB of process 7 (x)", "3 steps", "stay huge", "grow by 4 MiB", "3 places", "5 MiB"):
        assert words in lines
    assert "Up to 3 MiB more are taken from the host" in lines
    assert "Only process 7 itself is moved and measured, the 2 processes that it started not." in lines


def test_what_was_not_moved_and_why_it_ended_early_is_told() -> None:
    text = render_live_text(trial(children=1, ended="tight-memory", rss_growth_bytes=-3 * MIB))
    assert "the process that it started, neither moved nor measured" in text
    assert "memory got tight before the last dose" in text
    assert "memory shrank by 3 MiB" in text
