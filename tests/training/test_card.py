"""The texts made from an evaluation: tables, verdicts, chart and card."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from advisor.training.card import card
from advisor.training.chart import COLUMNS, points_of, svg_chart, text_chart
from advisor.training.evaluate import Abstention, Case, Coverage, Evaluation, Variant
from advisor.training.scores import Score
from advisor.training.tables import evaluation_lines, markdown_table, verdict_lines
from advisor.units import GIB
from tests.training import synthetic


def score(adviser: str, regret: float, cost: float, intrusive: int, wasted: int) -> Score:
    return Score(
        adviser, 50, regret, regret + 0.1, "a/1", regret - 0.005, regret, cost * GIB, cost, intrusive, wasted, 0
    )


def made_up(*scores: Score) -> Evaluation:
    coverage = Coverage("thp", 50, 150, 0.91, 140, 0.92, 0.1, 0.02, 0.1, 0.005)
    return Evaluation(
        data=synthetic.DATA,
        left_out=["z/1: no policy could be compared with base pages"],
        vague=2,
        level=0.9,
        scores=scores,
        states={"base": scores},
        coverages=[coverage],
        groups=[Variant("passive", {"thp": 0.03}, {"thp": 0.1})],
        layouts=[Variant("a forest each", {"thp": 0.03}, {"thp": float("nan")})],
        abstentions=[Abstention("a/1", "base, thp", "unlike every program measured so far, in cores")],
        rows=150,
        cases=[Case("a/1", "base", 0.0, "thp", 0.25)],
    )


OURS = score("model and rules", 1.01, 0.3, 20, 1)


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        (score("x", 1.05, 0.9, 20, 5), "the model is ahead on both axes"),
        (score("x", 1.001, 0.1, 20, 0), "**the baseline is ahead on both axes**"),
        (score("x", 1.01, 0.3, 20, 1), "no difference"),
        (score("x", 1.2, 0.0, 0, 0), "the model is ahead on time, the baseline on memory and advice for nothing"),
    ],
)
def test_verdicts_say_plainly_who_is_ahead(other: Score, verdict: str) -> None:
    assert verdict in verdict_lines(made_up(OURS, other))[-1]


def test_aims_are_met_or_missed() -> None:
    lines = "\n".join(evaluation_lines(made_up(OURS, score("x", 1.05, 0.9, 20, 5))))
    assert "- met: regret at most 1.02: 1.010" in lines
    assert "- met: intervals of THP over base pages cover 85% to 95%: 92%" in lines
    bad = "\n".join(evaluation_lines(made_up(score("model and rules", 1.03, 0.3, 10, 2), OURS)))
    assert "- **missed**: regret at most 1.02: 1.030" in bad
    assert "- **missed**: for nothing at most 10%: 20%" in bad


def test_abstentions_and_lost_time_are_listed() -> None:
    text = "\n".join(evaluation_lines(made_up(OURS, OURS)))
    assert "2 of 150 rows are not answered." in text
    assert "- a/1 seen on base, thp: unlike every program measured so far, in cores" in text
    assert "| a/1           | base    | +0.0%    | thp  | +25.0%   |" in text
    assert "Left out: z/1: no policy could be compared with base pages." in text


def test_the_card_holds_everything() -> None:
    facts = synthetic.learnt().facts(synthetic.DATA)
    text = card(facts, made_up(OURS, score("x", 1.05, 0.9, 20, 5)))
    for part in (
        "# Gain model: card",
        "scikit-learn",
        "base_reach",
        "## Aims",
        "None: every gain above is predicted.",
    ):
        assert part in text
    del facts.calibrations["gigantic"]
    assert "- 1G pool over base pages: measured on too few" in card(facts, made_up(OURS, OURS))


def test_the_text_chart_puts_the_best_in_the_lower_left_corner() -> None:
    scores = [score("ours", 1.0, 0.0, 0, 0), score("theirs", 1.05, 1.0, 0, 0)]
    lines = text_chart(points_of(scores))
    top = next(line for line in lines if "B" in line)
    bottom = next(line for line in reversed(lines) if "|A" in line)
    assert lines.index(top) < lines.index(bottom)
    assert top.index("B") == 8 + COLUMNS
    assert lines[-2:] == ["  A  ours", "  B  theirs"]


def test_the_picture_is_xml_with_a_point_and_a_label_each() -> None:
    picture = ElementTree.fromstring(svg_chart(points_of([OURS, score("a < b", 1.3, 2.0, 1, 1)])))  # noqa: S314 (our own text)
    space = "{http://www.w3.org/2000/svg}"
    assert len(picture.findall(f"{space}circle")) == 4
    assert {"model and rules", "a < b"} <= {one.text for one in picture.findall(f"{space}text")}


def test_a_chart_of_nothing_lost_has_axes() -> None:
    assert text_chart(points_of([score("x", 1.0, 0.0, 0, 0)]))


def test_table_columns_line_up() -> None:
    assert markdown_table(["a", "long"], [["value", "b"]]) == [
        "| a     | long |",
        "|-------|------|",
        "| value | b    |",
    ]
