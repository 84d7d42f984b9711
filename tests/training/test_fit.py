"""Learning: reproducible, honest about unseen families, and fair to noisy and to many-rowed configurations."""

from __future__ import annotations

import numpy as np
import pytest

from advisor.predictor.predict import squashed, unsquashed
from advisor.training import fit
from advisor.training.fit import Settings, calibrate, folds, predict_unseen, shares, splits, weighted_quantile
from advisor.training.learn import TrainingError, learn, learn_thresholds, unseen_gains
from advisor.units import GIB
from tests.training import synthetic
from tests.training.synthetic import features, table


@pytest.fixture
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "TREES", 12)


def test_learning_twice_gives_the_same_answers() -> None:
    again = learn(table(), Settings())
    first, second = (one.predictor(synthetic.DATA).predict(table().frame) for one in (synthetic.learnt(), again))
    assert first.equals(second)
    assert again.thresholds == synthetic.learnt().thresholds


def test_no_family_stands_on_both_sides() -> None:
    seen = set()
    for rest, held_out, held in splits(table(), 3):
        assert set(rest.families).isdisjoint(held_out.families)
        assert sum(held) == len(held_out) == len(table()) - len(rest)
        seen |= set(held_out.families)
    assert seen == set(table().families)


def test_folds_are_of_about_equal_size_and_always_the_same() -> None:
    sizes = {"a": 10, "b": 1, "c": 5, "d": 5, "e": 1}
    groups = folds(list(sizes), sizes, 2)
    assert groups == folds(list(reversed(sizes)), sizes, 2)
    assert sorted(sum(sizes[name] for name in group) for group in groups) == [11, 11]


def test_unseen_families_are_predicted_near_the_law(few_trees: None) -> None:
    whole = table()
    mean, _ = predict_unseen(whole, Settings()).answers["pool"]
    values, _ = fit.target_of(whole, "pool")
    assert np.median(np.abs(unsquashed(mean) - values)) < 0.05
    assert np.median(np.abs(values)) > 0.15


def test_the_joint_forest_answers_for_both_policies(few_trees: None) -> None:
    forests = fit.fit_forests(table(), Settings(layout="joint"))
    assert set(forests.forests) == {"two-m", "further"}
    answers = forests.answers(fit.matrix_of(table(), Settings()))
    assert set(answers) == {"thp", "pool", "further", "gigantic"}
    assert not np.allclose(answers["thp"][0], answers["pool"][0])


def test_intervals_hold_what_they_were_calibrated_on(few_trees: None) -> None:
    whole = table()
    unseen = predict_unseen(whole, Settings())
    for output, calibration in calibrate(whole, unseen).items():
        mean, spread = unseen.answers[output]
        values, _ = fit.target_of(whole, output)
        scaled = (squashed(values) - mean) / (calibration.floor + spread)
        assert 0.85 <= ((calibration.low <= scaled) & (scaled <= calibration.high)).mean() <= 1.0
        assert calibration.low <= 0.0 <= calibration.high


def test_an_interval_is_longer_where_the_tail_is() -> None:
    errors = np.concatenate([np.linspace(-1.0, 1.0, 90), np.full(6, 9.0), np.full(4, -1.0)])
    low, high = fit._narrowest(errors, np.ones(100), 0.1)
    assert (low, high) == (-1.0, pytest.approx(1.0, abs=0.1))
    assert fit._narrowest(np.array([3.0]), np.ones(1), 0.1) == (0.0, 3.0)


def test_probed_rows_are_learnt_without_their_probes_too(few_trees: None) -> None:
    probed = table(probes=True)
    settings = Settings(("passive", "referenced"))
    bare = table(probes=False)
    forests = fit.fit_forests(probed, settings)
    mean, _ = forests.answers(fit.matrix_of(bare, settings))["pool"]
    values, _ = fit.target_of(bare, "pool")
    assert np.median(np.abs(unsquashed(mean) - values)) < 0.05


def test_a_configuration_counts_once_however_often_it_was_seen() -> None:
    whole = table(families=4, each=4)
    once = whole.where([one.state == "base" or one.family != "family-00" for one in whole.examples])
    weight = {
        name: sum(share for share, one in zip(shares(part), part.examples, strict=True) if one.family == "family-00")
        for name, part in (("whole", whole), ("once", once))
    }
    assert weight["whole"] == pytest.approx(weight["once"]) == pytest.approx(2.0)


def test_a_noisy_effect_weighs_less() -> None:
    whole = table(families=4, each=4)
    noisy = synthetic.measured(GIB, synthetic.law(GIB, 0.0), error=0.3)
    examples = [one if number else fit_example(one, noisy) for number, one in enumerate(whole.examples)]
    _, weights = fit.target_of(type(whole)(examples, whole.frame), "thp")
    assert weights[0] < weights[1] / 10


def fit_example(example: synthetic.Example, what: synthetic.Measured) -> synthetic.Example:
    return synthetic.Example(example.configuration, example.family, example.state, what, example.newest)


def test_one_outsize_gain_does_not_pull_all_others(few_trees: None) -> None:
    whole = table(families=4, each=5)
    outsize = synthetic.measured(GIB, {"thp": 5.0, "pool": 5.0, "further": 0.0})
    examples = [
        outsize_example if one.configuration == "family-00/0" else one
        for one in whole.examples
        for outsize_example in [fit_example(one, outsize)]
    ]
    mean, _ = fit.fit_forests(type(whole)(examples, whole.frame), Settings()).answers(
        fit.matrix_of(whole, Settings())
    )["thp"]
    assert mean.max() < 0.5


def test_thresholds_touch_nothing_where_nothing_gains(few_trees: None) -> None:
    whole = table(families=6, each=4)
    examples = [
        fit_example(one, synthetic.measured(GIB, {"thp": 0.0, "pool": 0.0, "further": 0.0})) for one in whole.examples
    ]
    flat = type(whole)(examples, whole.frame)
    unseen = predict_unseen(flat, Settings())
    gains = unseen_gains(flat, unseen, calibrate(flat, unseen))
    advised = synthetic.advised(gains, learn_thresholds(flat, gains))
    assert set(advised) == {"base"}


def test_too_few_families_are_refused() -> None:
    with pytest.raises(TrainingError, match="2 families"):
        learn(table(families=2), Settings())


def test_too_few_configurations_are_refused() -> None:
    with pytest.raises(TrainingError, match="no policy"):
        learn(table(families=4, each=2), Settings())


@pytest.mark.parametrize(("level", "expected"), [(0.0, 1.0), (0.5, 2.0), (0.51, 3.0), (1.0, 3.0)])
def test_weighted_quantile(level: float, expected: float) -> None:
    assert weighted_quantile(np.array([3.0, 1.0, 2.0]), np.array([2.0, 1.0, 1.0]), level) == expected


def test_features_of_every_state_are_close_to_a_known_program() -> None:
    predictor = synthetic.learnt().predictor(synthetic.DATA)
    rows = [features(GIB, 0.3, state) for state in synthetic.STATES]
    frame = synthetic.pl.DataFrame(rows, schema=synthetic.SCHEMA)
    assert predictor.predict(frame)["abstained"].to_list() == [None] * 3
