"""An evaluation as text: Markdown tables that read as well in a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from advisor.training.baselines import OURS, OURS_AS_IN_TRIAL
from advisor.training.chart import points_of, text_chart
from advisor.training.evaluate import Case, Coverage, Evaluation, Variant
from advisor.training.scores import WORTH_IT, Score
from advisor.units import GIB

MOST_REGRET, WORST_REGRET, MOST_WASTED = 1.02, 1.15, 0.10
"""The project's aims: geometric mean and worst of the regret, and the share of intrusive advice for nothing."""

LEAST_INSIDE, MOST_INSIDE = 0.85, 0.95
"""The project's aim for what 90 % intervals must cover."""

CASES_SHOWN = 10
"""Configurations that are listed: those where the advice lost most."""

OUTPUT_TITLES = {
    "thp": "THP over base pages",
    "pool": "2M pool over base pages",
    "further": "1G pool over 2M pool",
    "gigantic": "1G pool over base pages",
}


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """The whole evaluation, section by section."""
    sections = [
        _data(evaluation),
        _scores("Advice on families not seen, programs as they are found", evaluation.scores),
        ["```", *text_chart(points_of(evaluation.scores)), "```"],
        verdict_lines(evaluation),
        _aims(evaluation),
        _states(evaluation),
        _coverages(evaluation),
        _variants("What each group of inputs adds", evaluation.groups),
        _variants("One forest or two for 2M pages", evaluation.layouts),
        _abstentions(evaluation),
        _cases(evaluation.cases),
    ]
    return [line for section in sections for line in (*section, "")][:-1]


def verdict_lines(evaluation: Evaluation) -> list[str]:
    """Against each baseline, on the two axes together, in plain words."""
    ours = evaluation.ours
    lines = ["## Against each baseline", ""]
    others = [score for score in evaluation.scores if score.adviser not in (OURS, OURS_AS_IN_TRIAL)]
    return lines + [f"- **{other.adviser}**: {_verdict(ours, other)}" for other in others]


def _verdict(ours: Score, other: Score) -> str:
    time = _compared(ours.regret, other.regret, 3)
    memory = _compared(ours.cost_share, other.cost_share, 3)
    wasted = _compared(ours.wasted_share, other.wasted_share, 3)
    detail = (
        f"regret {ours.regret:.3f} to {other.regret:.3f}, memory {ours.cost_share:.0%} to {other.cost_share:.0%}, "
        f"for nothing {ours.wasted_share:.0%} to {other.wasted_share:.0%}"
    )
    signs = (time, memory, wasted)
    if min(signs) >= 0 and max(signs) > 0:
        return f"the model is ahead on both axes ({detail})."
    if max(signs) <= 0 and min(signs) < 0:
        return f"**the baseline is ahead on both axes** ({detail})."
    if max(signs) == min(signs) == 0:
        return f"no difference ({detail})."
    names = ("time", "memory", "advice for nothing")
    better = [name for name, sign in zip(names, signs, strict=True) if sign > 0]
    worse = [name for name, sign in zip(names, signs, strict=True) if sign < 0]
    return f"the model is ahead on {' and '.join(better)}, the baseline on {' and '.join(worse)} ({detail})."


def _compared(ours: float, other: float, digits: int) -> int:
    """1 where ours is smaller, thus better; 0 for equal as printed."""
    difference = round(other, digits) - round(ours, digits)
    return (difference > 0) - (difference < 0)


def _data(evaluation: Evaluation) -> list[str]:
    data = evaluation.data
    labels = ", ".join(f"{OUTPUT_TITLES[name]} {count}" for name, count in data.labels.items())
    lines = [
        "## Data",
        "",
        f"{data.configurations} configurations of {data.families} families, {data.rows} rows (one for each state "
        f"that one was seen in), measured until {data.newest}.",
        f"Measured effects: {labels}. {evaluation.vague} configurations have one whose spread is too large to tell; "
        "they are kept and weigh less.",
    ]
    return lines + [f"Left out: {what}." for what in evaluation.left_out]


def _scores(title: str, scores: Sequence[Score]) -> list[str]:
    rows = [
        [
            score.adviser,
            f"{score.regret:.3f}",
            f"{score.told:.3f}",
            f"{score.worst:.2f} ({score.worst_configuration})",
            f"{score.cost_share:.0%} ({score.cost_bytes / GIB:.1f} GiB)",
            f"{score.intrusive} of {score.rows}",
            f"{score.wasted_share:.0%} ({score.wasted}, {score.surely_wasted} for sure)",
        ]
        for score in scores
    ]
    head = [
        "adviser",
        "regret",
        "beyond noise",
        "worst",
        "memory taken",
        "told to change",
        f"gain under {WORTH_IT:.0%}",
    ]
    return [
        f"## {title}",
        "",
        *markdown_table(head, rows),
        "",
        "Regret: time under the advice / time under the best policy measured, geometric mean; the best of several "
        "noisy measurements is a little too good to be reached. Beyond noise: only losses that the measurement can "
        "tell from none. Memory taken: reserved in pools or grown beyond base pages, as a share of what the programs "
        "hold. Programs are found on the host as it is where they were watched so, else on base pages. Last column: "
        "of the intrusive advice (THP on, or a pool), how much gave less than that over the pages it was on, and of "
        "how much the measurement rules out more.",
        "",
        f"{OURS.capitalize()}: what the product advises, pools only where it knows how the program gets them. "
        f"{OURS_AS_IN_TRIAL.capitalize()}: also where the trial had a way to bring one.",
        "",
        "Some rules, and the term for zeroing sparse memory, were written with these measurements in view "
        "(docs/decisions.md): families held out are unseen by what is learnt, not by who wrote the rules.",
    ]


def _aims(evaluation: Evaluation) -> list[str]:
    ours = evaluation.ours
    aims = [
        (f"regret at most {MOST_REGRET}", ours.regret <= MOST_REGRET, f"{ours.regret:.4f}"),
        (f"worst at most {WORST_REGRET}", ours.worst <= WORST_REGRET, f"{ours.worst:.2f}"),
        (f"for nothing at most {MOST_WASTED:.0%}", ours.wasted_share <= MOST_WASTED, f"{ours.wasted_share:.0%}"),
    ]
    aims += [
        (
            f"intervals of {OUTPUT_TITLES[one.output]} cover {LEAST_INSIDE:.0%} to {MOST_INSIDE:.0%}",
            LEAST_INSIDE <= one.inside_answered <= MOST_INSIDE,
            f"{one.inside_answered:.0%}",
        )
        for one in evaluation.coverages
    ]
    return ["## Aims", "", *(f"- {'met' if met else '**missed**'}: {aim}: {value}" for aim, met, value in aims)]


def _states(evaluation: Evaluation) -> list[str]:
    rows = [
        [state, str(scores[0].rows), f"{scores[0].worst:.2f}", *(f"{score.regret:.3f}" for score in scores)]
        for state, scores in evaluation.states.items()
    ]
    head = ["rows", "number", "worst", *(f"regret: {score.adviser}" for score in evaluation.scores)]
    return [
        "## By the state that a program was seen in, and as found but measured well",
        "",
        *markdown_table(head, rows),
    ]


def _coverages(evaluation: Evaluation) -> list[str]:
    return [
        f"## Intervals of {evaluation.level:.0%} on families not seen",
        "",
        *markdown_table(
            [
                "gain",
                "configurations",
                "rows",
                "inside",
                "answered",
                "inside",
                "width",
                "error",
                "of saying 0",
                "apart",
            ],
            [_coverage(one) for one in evaluation.coverages],
        ),
        "",
        "Inside: share of the measured gains that lie in their interval, of all rows and of those answered; gains "
        "whose spread is too large to tell are not counted. Width, "
        "error: medians, log ratio, beside the error of always saying 0. Apart: how far the answers for one program "
        "lie apart over the states it was seen in.",
    ]


def _coverage(one: Coverage) -> list[str]:
    return [
        OUTPUT_TITLES[one.output],
        str(one.configurations),
        str(one.rows),
        _percent(one.inside),
        str(one.answered),
        _percent(one.inside_answered),
        _number(one.width),
        _number(one.error),
        _number(one.zero_error),
        _number(one.apart),
    ]


def _variants(title: str, variants: Sequence[Variant]) -> list[str]:
    outputs = [name for name in OUTPUT_TITLES if any(name in variant.error for variant in variants)]
    head = ["inputs", *(f"{OUTPUT_TITLES[name]}: error, width" for name in outputs)]
    rows = [
        [
            variant.name,
            *(f"{_number(variant.error.get(name))}, {_number(variant.width.get(name))}" for name in outputs),
        ]
        for variant in variants
    ]
    return [
        f"## {title}",
        "",
        *markdown_table(head, rows),
        "",
        "Error: mean absolute on families not seen, log ratio. Width: median of the 90 % intervals.",
    ]


def _abstentions(evaluation: Evaluation) -> list[str]:
    found = evaluation.abstentions
    rows = sum(len(one.states.split(", ")) for one in found)
    lines = ["## Abstentions", "", f"{rows} of {evaluation.rows} rows are not answered."]
    return lines + [f"- {one.configuration} seen on {one.states}: {one.reason}" for one in found]


def _cases(cases: Sequence[Case]) -> list[str]:
    rows = [
        [
            case.configuration,
            case.advised,
            f"{case.advised_gain + 0.0:+.1%}",
            case.best,
            f"{case.best_gain + 0.0:+.1%}",
        ]
        for case in cases[:CASES_SHOWN]
    ]
    head = ["configuration", "advised", "its gain", "best", "its gain"]
    return [f"## Where the advice lost most (of {len(cases)})", "", *markdown_table(head, rows)]


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table with its columns lined up."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))} |"

    return [line(head), f"|{'|'.join('-' * (width + 2) for width in widths)}|", *(line(row) for row in rows)]


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.0%}"
