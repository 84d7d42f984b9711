"""The model card: what the model is for, what it was learnt from, how good it is and where it is not."""

from __future__ import annotations

from advisor.predictor.facts import ModelFacts
from advisor.predictor.inputs import INPUTS
from advisor.training.evaluate import Evaluation
from advisor.training.tables import OUTPUT_TITLES, evaluation_lines, markdown_table

INTENDED = """\
It predicts, for one process as the profiler sees it, the share of time that huge pages would save for the same work:
THP, a 2M pool and a 1G pool over base pages, each with an interval of {level:.0%}, or it abstains and says why. It is
one of two voices: rules say what is feasible and safe, the recommendation decides, and the report keeps both. It was
measured on machines of the kinds below; on others its intervals are not known to hold. Nothing here replaces
`hugepage-advisor trial` on your own program."""

MADE = """\
What faulting costs is taken off first, one rate a policy ({rates}); then forests of extremely randomised trees learn
the rest over the inputs below, one row for each configuration and state it was seen in,
weighted by how precisely its gain was measured. Interval widths, thresholds and the limit beyond which it abstains
were learnt on families held out. `hugepage-advisor model train` makes the same file from the same data, and this
page is written by `hugepage-advisor model evaluate --card`: families stand never on both sides of a split, and
whatever is stated for a family was learnt without it."""


def card(facts: ModelFacts, evaluation: Evaluation) -> str:
    """The card in Markdown."""
    by_name = {one.name: one for one in INPUTS}
    inputs = [[name, by_name[name].group, by_name[name].meaning] for name in facts.inputs]
    thresholds = facts.thresholds
    lines = [
        "# Gain model: card",
        "",
        INTENDED.format(level=facts.level),
        "",
        "## How it was made",
        "",
        MADE.format(rates=_rates(facts)),
        "",
        f"Data: {', '.join(facts.trained_on.files)} (sha256 {facts.trained_on.sha256[:12]}).",
        f"Trained with {', '.join(f'{name} {version}' for name, version in sorted(facts.versions.items()))}.",
        "",
        "## What it looks at",
        "",
        *markdown_table(["input", "group", "meaning"], inputs),
        "",
        "## When a gain is worth it",
        "",
        f"A change is preferred from a gain of {thresholds.least_gain:.0%} on, counted {thresholds.caution:.0%} of "
        "the way from the median down to the low end of the interval; a 2M pool must give "
        f"{thresholds.pool_margin:.0%} more than THP, a 1G pool {thresholds.gigantic_margin:.0%} more than a 2M one.",
        "",
        *evaluation_lines(evaluation),
        "",
        "## Missing answers",
        "",
        *_missing(facts),
    ]
    return "\n".join(lines) + "\n"


def _rates(facts: ModelFacts) -> str:
    """CPU seconds that base pages cost more for each GiB faulted in, by output."""
    found = [(OUTPUT_TITLES[output], head.fill_s_per_gib) for output, head in facts.heads.items()]
    return ", ".join(f"{title}: {rate:.2f} s for each GiB faulted in" for title, rate in found if rate) or "none"


def _missing(facts: ModelFacts) -> list[str]:
    missing = [title for output, title in OUTPUT_TITLES.items() if output not in facts.calibrations]
    if not missing:
        return ["None: every gain above is predicted."]
    return [f"- {title}: measured on too few configurations to be learnt." for title in missing]
