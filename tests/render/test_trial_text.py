"""A trial as text and as JSON: files that a reviewer can look at, and what must hold for any trial."""

from __future__ import annotations

import re
from collections.abc import Callable

import jsonschema
import msgspec
import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from advisor.render.trial_json import render_trial_json
from advisor.render.trial_text import render_trial_text
from advisor.render.trial_words import conclusion, metric_value, seconds, speed_up
from advisor.trial.document import Interval, Metric, Policy, Trial
from advisor.trial.schema import SCHEMA_PATH, schema_text, trial_schema
from advisor.trial.summary import compare, summarise
from tests.render import trial_samples as samples

Golden = Callable[[str, str], None]
TRIALS = {"random-access": samples.random_access, "compute": samples.compute_bound, "troubled": samples.troubled}
REPEAT = ["hugepage-advisor", "trial", "--yes", "--", "./bench", "--size", "2G", "--name", "two words"]


@pytest.mark.parametrize("name", TRIALS)
def test_text_is_as_reviewed(golden: Golden, name: str) -> None:
    golden(f"trial-{name}-80.txt", render_trial_text(TRIALS[name](), repeat=REPEAT, width=80))


def test_wide_text_is_as_reviewed(golden: Golden) -> None:
    golden("trial-random-access-120.txt", render_trial_text(samples.random_access(), repeat=REPEAT, width=120))


@pytest.mark.parametrize("name", TRIALS)
@pytest.mark.parametrize("width", [20, 80, 120])
def test_lines_fit_and_hold_no_escape(name: str, width: int) -> None:
    text = render_trial_text(TRIALS[name](), repeat=REPEAT, width=width)
    assert all(cell_len(line) <= max(width, 80) for line in text.splitlines())
    assert "\x1b" not in text and "\x07" not in text


def test_ascii_text_is_ascii_and_colour_adds_nothing_else() -> None:
    trial = samples.troubled()
    assert render_trial_text(trial, unicode=False).isascii()
    coloured = render_trial_text(trial, color=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render_trial_text(trial)


def first(factors: dict[Policy, float], **fields: float) -> str:
    return conclusion(samples.make_trial(factors, **fields))  # type: ignore[arg-type]


def test_the_first_line_is_the_conclusion() -> None:
    base, thp, small, large = samples.BASE, samples.THP, samples.POOL_2M, samples.POOL_1G
    text = first({base: 1, thp: 0.7, small: 0.7})
    assert text.startswith("THP makes it 1.4") and text.endswith("; a 2M pool gives no more.")
    assert " times as fast (" in text
    assert first({base: 1, thp: 1, small: 0.8}).startswith("A 2M pool makes it 1.2")
    assert "THP makes no difference" in first({base: 1, thp: 1, small: 0.8})
    assert first({base: 1, thp: 0.7, large: 0.6}).startswith("A 1G pool makes it 1.6")
    assert first({base: 1, thp: 1.2}).startswith("THP makes it slower: 0.83 times (")
    assert first({base: 1, thp: 1.0}).startswith("No difference seen: THP ")
    assert first({base: 1}) == "Nothing was compared with base pages."
    assert (
        first({thp: 1, small: 1})
        == "THP was not compared with base pages; a 2M pool was not compared with base pages."
    )


def test_a_trial_without_counted_runs_on_base_pages_says_so() -> None:
    trial = samples.make_trial({samples.BASE: 1, samples.THP: 0.7})
    runs = [replace(run, not_counted="9 % was huge") if run.policy == "base" else run for run in trial.runs]
    assert conclusion(samples.conclude(replace(trial, runs=runs))) == (
        "Nothing can be told: no run on base pages counted (9 % was huge)."
    )


def test_other_metrics_are_named() -> None:
    trial = samples.make_trial({samples.BASE: 1, samples.THP: 2})
    rate = samples.conclude(replace(trial, metric=Metric("output", "higher", "rate=(.*)")))
    assert conclusion(rate).startswith("THP makes it 2.0") and "as good by its own number" in conclusion(rate)
    assert "last match of rate=(.*), higher is better" in render_trial_text(rate)
    cpu = replace(trial, metric=Metric("cpu", "lower"))
    assert "CPU time, lower is better" in render_trial_text(cpu)


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "?"), (0.0000042, "4.2 us"), (0.164, "164 ms"), (2.314, "2.31 s"), (1204.4, "1,204 s"), (0.0, "0 us")],
)
def test_times_have_three_digits(value: float | None, words: str) -> None:
    assert seconds(value) == words


def test_numbers_of_the_output_stay_numbers() -> None:
    metric = Metric("output", "higher", "x")
    found = [metric_value(value, metric) for value in (None, 1234567.8, 0.01234567, -5.0)]
    assert found == ["?", "1,234,568", "0.01235", "-5"]


def test_a_ratio_near_one_shows_which_side_it_is_on() -> None:
    assert speed_up(Interval(1.43, 1.38, 1.47, 0.95)) == "1.43x (1.38 to 1.47)"
    assert speed_up(Interval(1.006, 1.002, 1.01, 0.95)) == "1.006x (1.002 to 1.010)"
    assert speed_up(Interval(250.0, 120.0, 400.0, 0.95)) == "250x (120 to 400)"
    assert speed_up(None) == "-"


def test_the_committed_schema_is_the_one_that_the_types_give() -> None:
    assert SCHEMA_PATH.read_text(encoding="utf-8") == schema_text(), "run python -m advisor.trial.schema"
    schema = trial_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert all(definition["title"] and definition["description"] for definition in schema["$defs"].values())


@pytest.mark.parametrize("name", TRIALS)
def test_conclusions_can_be_drawn_again_from_the_json_alone(name: str) -> None:
    trial = TRIALS[name]()
    text = render_trial_json(trial)
    jsonschema.validate(msgspec.json.decode(text), trial_schema())
    again = msgspec.json.decode(text, type=Trial)
    assert again == trial
    assert compare(again.runs, again.ways, again.metric.better) == again.comparisons
    assert summarise(again.runs, again.ways) == again.summaries
    assert render_trial_text(again) == render_trial_text(trial)


def test_json_is_safe_ascii_whatever_the_command() -> None:
    trial = replace(samples.compute_bound(), command=["./x", "b\udcffd", "\x7f\x1b", "ü"])
    text = render_trial_json(trial)
    assert text.isascii() and text.replace("\n", "").isprintable()
    assert msgspec.json.decode(text, type=Trial).command == ["./x", "b\\xffd", "\x7f\x1b", "ü"]
