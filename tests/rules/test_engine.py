"""The engine: three values, evidence kept, severity of idle processes, any frame with the schema."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.features import SCHEMA
from advisor.rules import RULES, Confidence, Rule, Scope, Severity, Status, evaluate
from advisor.rules.text import show_bytes, show_seconds, show_share
from advisor.units import GIB
from tests.rules.rows import LARGE, QUIET, frame

EXTREMES = (0, 1, 4096, 1 << 21, 1 << 30, 1 << 62, -1)
WORDS = ("always", "madvise", "never", "postgresql", "java", "", "defer")


def values_of(dtype: Any) -> st.SearchStrategy[Any]:
    """Any value of a column, null included."""
    if dtype == pl.Boolean:
        return st.none() | st.booleans()
    if dtype == pl.String:
        return st.none() | st.sampled_from(WORDS)
    if dtype == pl.Float64:
        return st.none() | st.floats()
    return st.none() | st.sampled_from(EXTREMES) | st.integers(-(1 << 63), (1 << 63) - 1)


ROWS = st.fixed_dictionaries({name: values_of(dtype) for name, dtype in SCHEMA.items()})


def make_rule(when: pl.Expr, message: str = "", **changes: Any) -> Rule:
    fields: dict[str, Any] = {
        "id": "test",
        "title": "A test",
        "theme": "test",
        "scope": Scope.PROCESS,
        "severity": Severity.HIGH,
        "confidence": Confidence.HIGH,
        "remedy": "",
        "sources": (),
        "known_problems": "",
        "doc": "",
        **changes,
    }
    return Rule(when=when, message=message, **fields)


def test_a_rule_answers_yes_no_or_cannot_tell() -> None:
    rule = make_rule(pl.col("anon_bytes") > 5)
    answers = evaluate(frame({"anon_bytes": 6}, {"anon_bytes": 5}, {}), [rule]).answers
    assert answers["test"].to_list() == [True, False, None]


def test_a_no_is_sure_where_one_known_part_suffices() -> None:
    rule = make_rule((pl.col("anon_bytes") > 5) & (pl.col("slot_bytes") > 5))
    assert evaluate(frame({"anon_bytes": 1}), [rule]).of(0) == []


def test_a_finding_that_cannot_tell_names_what_is_missing() -> None:
    rule = make_rule((pl.col("anon_bytes") > 5) & (pl.col("slot_bytes") > 5))
    (finding,) = evaluate(frame({"anon_bytes": 6}), [rule]).of(0)
    assert finding.status is Status.CANNOT_TELL
    assert finding.missing == ("slot_bytes",)
    assert finding.message == "Cannot tell whether this holds: A test. Unknown: slot_bytes."


def test_evidence_is_what_the_expression_names_with_the_rows_values() -> None:
    rule = make_rule((pl.col("slot_bytes") > 5) & (pl.col("anon_bytes") > 5) & (pl.col("anon_bytes") < 9))
    (finding,) = evaluate(frame({"anon_bytes": 6, "slot_bytes": 7}), [rule]).of(0)
    assert finding.evidence == {"anon_bytes": 6, "slot_bytes": 7}


def test_a_message_may_name_only_evidence() -> None:
    with pytest.raises(ValueError, match="rss_bytes"):
        make_rule(pl.col("anon_bytes") > 5, "{rss_bytes}")


@pytest.mark.parametrize(
    ("cpu", "severity"), [(0.0, Severity.INFO), (0.01, Severity.MEDIUM), (None, Severity.MEDIUM)]
)
def test_an_idle_process_has_no_time_at_stake(cpu: float | None, severity: Severity) -> None:
    findings = evaluate(frame({**QUIET, **LARGE, "cpu_cores": cpu})).of(0)
    (finding,) = [finding for finding in findings if finding.rule.id == "large-anon-not-advised"]
    assert finding.severity is severity


def test_idleness_does_not_lower_what_is_not_about_time() -> None:
    values = {**QUIET, "anon_bytes": GIB, "thp_disabled_by_process": True, "cpu_cores": 0.0}
    (finding,) = [f for f in evaluate(frame(values)).of(0) if f.rule.id == "thp-disabled-by-process"]
    assert finding.severity is Severity.MEDIUM


def test_findings_can_be_taken_by_scope() -> None:
    findings = evaluate(frame({**QUIET, **LARGE, "host_privileged": False}))
    assert {finding.rule.scope for finding in findings.of(0, Scope.PROCESS)} == {Scope.PROCESS}
    assert [finding.rule.id for finding in findings.host()] == ["not-privileged"]


def test_a_frame_without_rows_has_no_findings() -> None:
    findings = evaluate(frame())
    assert len(findings) == 0
    assert findings.host() == []
    assert list(findings) == []


def test_an_unobserved_process_gets_no_certain_finding_but_that() -> None:
    findings = evaluate(frame({"pid": 1, "start_ticks": 1})).of(0, Scope.PROCESS)
    assert {finding.status for finding in findings} == {Status.CANNOT_TELL}


@settings(max_examples=30, deadline=None)
@given(st.lists(ROWS, max_size=3))
def test_evaluation_and_messages_never_raise_on_any_frame_with_the_schema(rows: list[dict[str, Any]]) -> None:
    findings = evaluate(pl.DataFrame(rows, schema=SCHEMA))
    assert findings.answers.shape == (len(rows), len(RULES))
    for found in findings:
        assert all(finding.message for finding in found)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536 << 20, "1.5 GiB"), (-2048, "-2 KiB"), (1 << 62, "4 EiB")],
)
def test_bytes_are_shown_in_binary_units(value: int, words: str) -> None:
    assert show_bytes(value) == words


def test_shares_and_durations_are_shown_in_words() -> None:
    assert [show_share(value) for value in (0.0, 0.004, 0.5, 1.0)] == ["0 %", "0.4 %", "50 %", "100 %"]
    assert [show_seconds(value) for value in (0.5, 90, 64800, 172800)] == ["0.5 s", "1.5 min", "18 h", "2 days"]
