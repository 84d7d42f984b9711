"""Every rule: one firing example, near misses, documentation, declared evidence, three answers."""

from __future__ import annotations

import polars as pl
import pytest

from advisor.features import FEATURES
from advisor.rules import RULES, Policy, Scope, Status, evaluate, explain_rule
from advisor.rules.conditions import ADVISED_POOL_APPLICATIONS, GIGANTIC_APPLICATIONS, POOL_APPLICATIONS
from advisor.rules.text import show, show_bytes, show_seconds, show_share
from tests.rules.examples import EXAMPLES
from tests.rules.rows import QUIET, Values, frame

DOCUMENTED = ("What it does: ", "Why it matters: ", "Example: ")


def answer(rule_id: str, values: Values) -> bool | None:
    result: bool | None = evaluate(frame({**QUIET, **values})).answers.item(0, rule_id)
    return result


def test_every_rule_has_an_example_and_a_near_miss_and_every_example_a_rule() -> None:
    assert set(EXAMPLES) == set(RULES)
    assert [rule_id for rule_id, example in EXAMPLES.items() if not example.near_misses] == []


def test_there_are_rules_enough() -> None:
    assert len(RULES) >= 22


@pytest.mark.parametrize("rule_id", EXAMPLES)
def test_rule_fires_on_its_example_with_the_exact_message(rule_id: str) -> None:
    example = EXAMPLES[rule_id]
    findings = evaluate(frame({**QUIET, **example.fires})).of(0)
    (finding,) = [finding for finding in findings if finding.rule.id == rule_id]
    assert finding.status is Status.MATCHED
    assert finding.message == example.message


@pytest.mark.parametrize(
    ("rule_id", "near_miss"),
    [(rule_id, miss) for rule_id, example in EXAMPLES.items() for miss in example.near_misses],
)
def test_rule_says_no_to_its_near_misses(rule_id: str, near_miss: Values) -> None:
    assert answer(rule_id, near_miss) is False


@pytest.mark.parametrize("rule_id", RULES)
def test_rule_is_documented_in_full(rule_id: str) -> None:
    rule = RULES[rule_id]
    page = explain_rule(rule.id)
    assert all(part in rule.doc for part in DOCUMENTED)
    for text in (rule.title, rule.remedy, rule.known_problems, rule.message, *rule.sources, *rule.evidence):
        assert text
        assert text in page
    assert rule.sources
    assert rule.id == rule.id.lower().replace("_", "-").replace(" ", "-")


@pytest.mark.parametrize("rule_id", RULES)
def test_evidence_is_made_of_declared_features_of_the_rules_scope(rule_id: str) -> None:
    rule = RULES[rule_id]
    assert rule.evidence == tuple(sorted(set(rule.when.meta.root_names())))
    assert set(rule.evidence) <= set(FEATURES)
    if rule.scope is Scope.HOST:
        assert {FEATURES[name].scope for name in rule.evidence} == {"host"}


def test_only_process_rules_propose_or_forbid() -> None:
    effective = {rule.scope for rule in RULES.values() if rule.proposes or rule.forbids}
    assert effective == {Scope.PROCESS}


def test_page_sizes_stand_only_beside_hugetlb_proposals() -> None:
    assert {rule.proposes for rule in RULES.values() if rule.page is not None} == {Policy.HUGETLB}


def test_an_unknown_rule_cannot_be_explained() -> None:
    with pytest.raises(KeyError):
        explain_rule("no-such-rule")


def test_lists_of_applications_hold_no_parts_and_those_that_one_would_expect() -> None:
    assert {"postgresql", "java", "qemu", "dpdk", "mysql"} <= set(POOL_APPLICATIONS)
    assert not {"redis", "memcached", "ucx", "glibc-malloc", "zgc"} & set(POOL_APPLICATIONS)
    assert set(POOL_APPLICATIONS) - set(GIGANTIC_APPLICATIONS) >= {"mysql", "firecracker", "openj9"}
    assert {"postgresql", "oracle"} <= set(ADVISED_POOL_APPLICATIONS) <= set(POOL_APPLICATIONS)


@pytest.mark.parametrize("name", sorted({name for rule in RULES.values() for name in rule.evidence}))
def test_values_are_shown_in_the_unit_that_the_feature_declares(name: str) -> None:
    shown = {"bytes": show_bytes(1), "share 0..1": show_share(0.5), "bytes/s": "1 B/s", "s": show_seconds(1.0)}
    unit, dtype = FEATURES[name].unit, FEATURES[name].dtype
    sample = 0.5 if unit == "share 0..1" else 1.0 if dtype is pl.Float64 else 1
    if unit in shown and not name.endswith("_index"):
        assert show(name, sample) == shown[unit]
    elif dtype in (pl.Int64, pl.Float64) and unit not in ("percent", "share of one CPU"):
        assert show(name, sample) in ("1", "0.5")
