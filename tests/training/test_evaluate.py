"""The evaluation: nested, complete and always the same."""

from __future__ import annotations

import pytest

from advisor.training import fit, learn
from advisor.training.evaluate import Evaluation, evaluate
from advisor.training.fit import Settings
from tests.training import synthetic


@pytest.fixture(scope="module")
def patched() -> pytest.MonkeyPatch:
    """Smaller forests and fewer thresholds to try: what is tested does not need good ones."""
    patch = pytest.MonkeyPatch()
    patch.setattr(fit, "TREES", 8)
    patch.setattr(learn, "MARGINS", (0.0, 0.03))
    return patch


@pytest.fixture(scope="module")
def evaluation(patched: pytest.MonkeyPatch) -> Evaluation:
    seen: list[tuple[int, int]] = []
    made = evaluate(
        synthetic.table(families=6, each=4),
        synthetic.DATA,
        Settings(),
        lambda done, of: seen.append((done, of)),
        folds=3,
    )
    patched.undo()
    assert seen == [(1, 3), (2, 3), (3, 3)]
    return made


def test_every_adviser_is_scored_on_programs_found_on_base_pages(evaluation: Evaluation) -> None:
    assert [score.adviser for score in evaluation.scores[:2]] == [
        "model and rules",
        "the same, pools as in the trial",
    ]
    assert {score.rows for score in evaluation.scores} == {24}
    assert {score.adviser for score in evaluation.scores} >= {"rules alone", "always THP", "2M pool, else THP"}
    assert set(evaluation.states) == {"base", "thp", "pool", "found, measured well"}


def test_the_model_beats_doing_nothing_on_made_up_data(evaluation: Evaluation) -> None:
    never = next(score for score in evaluation.scores if score.adviser == "never THP")
    assert evaluation.ours.regret < never.regret
    assert never.cost_bytes == never.intrusive == 0


def test_intervals_are_judged_on_every_row(evaluation: Evaluation) -> None:
    assert [one.output for one in evaluation.coverages] == ["thp", "pool", "further", "gigantic"]
    for one in evaluation.coverages:
        assert one.rows == 72
        assert one.answered + sum(len(a.states.split(", ")) for a in evaluation.abstentions) == 72
        assert 0.6 <= one.inside <= 1.0
        assert one.error < one.zero_error


def test_variants_and_cases(evaluation: Evaluation) -> None:
    assert [variant.name for variant in evaluation.groups] == ["passive"]
    assert [variant.name for variant in evaluation.layouts] == ["a forest each", "one forest, told the policy"]
    losses = [case.advised_gain - case.best_gain for case in evaluation.cases]
    assert len(losses) == 24
    assert losses == sorted(losses)
    assert max(losses) <= 0
