"""What a model expects for one process, and where it and the rules meet.

Rules permit and propose; the model says what a change of page size is worth. Where a rule proposes a change only for
speed and no gain is expected that is worth it, the process is left alone; where no rule has anything to say and the
model is sure of a gain that nothing forbids, its policy is advised. Everything else is decided by the rules, and what
the model said is kept beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import polars as pl

from advisor.predictor import OUTPUTS, Thresholds, preferred
from advisor.recommendation.model import Gain
from advisor.rules import Finding, PageSize, Policy

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""

Target = Literal["base", "thp", "pool", "gigantic"]
"""The model's names: base pages, THP, a pool of PMD pages, a pool of gigantic pages."""

NAMES: Mapping[Target, str] = {
    "base": "base pages",
    "thp": "THP",
    "pool": "a pool of PMD pages",
    "gigantic": "a pool of gigantic pages",
}

MOSTLY = 0.5
"""Share of memory on huge pages from which a process counts as being there already. Source: own choice. Reason: what
is left to gain is then less than what has been gained."""


@dataclass(frozen=True)
class Predicted:
    """What a model says of a feature frame. rows: answer of `Predictor.predict`, one row for each of its rows."""

    rows: pl.DataFrame
    thresholds: Thresholds
    level: float


@dataclass(frozen=True)
class Expectation:
    """What a model says of one process. over_base: gain over base pages by target; empty where it abstains.

    prefers: the target whose gain is worth it most among those permitted, None where it abstains. abstains: why.
    least_gain: from which gain a change is worth it.
    """

    over_base: Mapping[Target, Gain]
    prefers: Target | None
    abstains: str | None
    least_gain: float


class Choice(NamedTuple):
    """Where model and rules met. by: rules | model | both. why: what the model changed, None where nothing."""

    policy: Policy
    page: PageSize | None
    by: Literal["rules", "model", "both"]
    why: str | None


def expectations(predicted: Predicted, permitted: Sequence[frozenset[Target]]) -> list[Expectation]:
    """One for each row. permitted: the targets that may be advised to each."""
    masks = {
        target: pl.Series([target in one for one in permitted], dtype=pl.Boolean)
        for target in ("thp", "pool", "gigantic")
    }
    choices = preferred(predicted.rows, predicted.thresholds, masks).to_list()
    return [
        Expectation(_gains(row, predicted.level), choice, row["abstained"], predicted.thresholds.least_gain)
        for row, choice in zip(predicted.rows.to_dicts(), choices, strict=True)
    ]


def target_of(policy: Policy, page: PageSize | None) -> Target | None:
    """The model's name of a policy; None for one that is no page size of its own (leave)."""
    if policy is Policy.THP:
        return "thp"
    if policy is Policy.THP_OFF:
        return "base"
    if policy is Policy.HUGETLB:
        return "gigantic" if page is PageSize.GIGANTIC else "pool"
    return None


def present(row: Row) -> Target:
    """Where most of a process's memory is today."""
    coverage, pool = row["huge_coverage"] or 0.0, row["hugetlb_bytes"] or 0
    if coverage < MOSTLY:
        return "base"
    return "pool" if pool * 2 >= (row["anon_bytes"] or 0) + (row["shmem_rss_bytes"] or 0) + pool else "thp"


def gain_from_now(expectation: Expectation | None, target: Target | None, row: Row) -> Gain | None:
    """What moving from today's pages to `target` is worth; None where the model abstains or nothing would move.

    The gain that a process has already, by the share of its memory that is on huge pages, is taken off; its own
    uncertainty is not added, so that the interval says how sure the model is of the target.
    """
    if expectation is None or target is None or not expectation.over_base:
        return None
    now = present(row)
    if target == now or (target != "base" and target not in expectation.over_base):
        return None
    share = row["huge_coverage"] or 0.0
    had = expectation.over_base.get(now if now != "base" else "thp")
    if target == "base":
        return None if had is None else _lost(had, share)
    wanted = expectation.over_base[target]
    log_had = _log(had.median) * share if had is not None else 0.0

    def left(over_base: float) -> float:
        return 1 - math.exp(log_had - _log(over_base))

    return Gain(left(wanted.median), left(wanted.low), left(wanted.high), wanted.level)


def _lost(had: Gain, share: float) -> Gain:
    """Going back to base pages, where `share` of the memory is on huge pages: what was gained is lost."""

    def loss(gain: float) -> float:
        return 1 - math.exp(_log(gain) * share)

    return Gain(loss(had.median), loss(had.high), loss(had.low), had.level)


def meet(
    proposal: tuple[Policy, PageSize | None],
    winner: Finding | None,
    expectation: Expectation | None,
    row: Row,
) -> Choice:
    """What is advised. proposal: what the rules advise, by `winner` (None: no rule proposes anything)."""
    policy, page = proposal
    if expectation is None or expectation.prefers is None:
        return Choice(policy, page, "rules", None)
    target, wanted, now = target_of(policy, page), expectation.prefers, present(row)
    if winner is None:
        if wanted in ("base", now) or now != "base":
            return Choice(policy, page, "both" if wanted in ("base", now) else "rules", None)
        return Choice(*_as_policy(wanted), "model", "no rule proposes a change; " + expected(expectation, wanted))
    if target is None or target == now:
        return Choice(policy, page, "both" if wanted in ("base", now) else "rules", None)
    if wanted == target:
        return Choice(policy, page, "both", None)
    if not winner.rule.gains_time:
        return Choice(policy, page, "rules", None)
    if wanted == "base":
        why = f"{winner.rule.id} proposes {policy.value}; {expected(expectation, target)}, too little for a change"
        return Choice(Policy.LEAVE, None, "model", why)
    return Choice(
        *_as_policy(wanted),
        "model",
        f"{winner.rule.id} proposes {policy.value}; {expected(expectation, wanted)}, which is more",
    )


def expected(expectation: Expectation, target: Target) -> str:
    """The gain of a target over base pages as a clause."""
    names = {
        "thp": "THP",
        "pool": "a pool of PMD pages",
        "gigantic": "a pool of gigantic pages",
        "base": "base pages",
    }
    gain = expectation.over_base.get(target)
    if gain is None:
        return f"the model has no measurements of {names[target]}"
    return f"the model expects {in_percent(gain)} less time with {names[target]}"


def in_percent(gain: Gain) -> str:
    """ "12 % (5 to 18 %)"."""
    return f"{gain.median:.0%} ({gain.low:.0%} to {gain.high:.0%})".replace("%", " %").replace(" % to", " to")


def is_worth_measuring(gain: Gain | None, least_gain: float) -> bool:
    """Whether the interval leaves it open that the change gains what is worth it, or loses."""
    return gain is not None and gain.low < 0.0 < gain.high and gain.high >= least_gain


def _as_policy(target: Target) -> tuple[Policy, PageSize | None]:
    return {
        "base": (Policy.LEAVE, None),
        "thp": (Policy.THP, None),
        "pool": (Policy.HUGETLB, PageSize.PMD),
        "gigantic": (Policy.HUGETLB, PageSize.GIGANTIC),
    }[target]


def _gains(row: Row, level: float) -> dict[Target, Gain]:
    return {
        output: Gain(row[f"{output}_gain"], row[f"{output}_gain_low"], row[f"{output}_gain_high"], level)
        for output in OUTPUTS
        if output != "further" and row.get(f"{output}_gain") is not None
    }


def _log(gain: float) -> float:
    """ln(time before / time after)."""
    return -math.log1p(-gain)
