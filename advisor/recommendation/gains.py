"""What a model expects for one process, and where it and the rules meet.

Rules permit and propose; the model says what a change of page size is worth. Where a rule is about time, or leaves a
process alone without being sure of it, the model has the last word among what no rule forbids: it may find the change
not worth it, prefer another page size, advise one where no rule proposes any, or switch THP off where THP costs time.
A rule that is about something else (memory, page tables, what the program's makers decided), goes by what the model
does not see, or is sure that nothing can be gained stands, and what the model said is kept beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import polars as pl
from msgspec import Struct

from advisor.predictor import OUTPUTS, Thresholds, preferred
from advisor.recommendation.model import Gain
from advisor.rules import Confidence, PageSize, Policy, Rule, Severity

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

ALL_BUT_EDGES = 0.8
"""Share of memory on THP from which more of the same is no gain. Source: the rules' own for covered memory. Reason:
the rest is mostly edges of mappings."""

MUCH_FAULTED_BYTES_PER_S = 128 << 20
"""Bytes faulted in per second. Source: the rules' own for large memory, each second. Reason: at some 0.3 microseconds
a base page that is 1 % of a CPU, and huge pages save most of it."""


@dataclass(frozen=True)
class Predicted:
    """What a model says of a feature frame. rows: answer of `Predictor.predict`, one row for each of its rows."""

    rows: pl.DataFrame
    thresholds: Thresholds
    level: float

    def of(self, places: Sequence[int]) -> Predicted:
        """What it says of some rows."""
        return Predicted(self.rows[places], self.thresholds, self.level)


class Expectation(Struct, frozen=True):
    """What a model says of one process. over_base: gain over base pages by target; empty where it abstains.

    prefers: the target whose gain is worth it most among those permitted, None where it abstains. abstains: why.
    least_gain: from which gain a change is worth it.
    """

    over_base: Mapping[Target, Gain]
    prefers: Target | None
    abstains: str | None
    least_gain: float


class Proposal(NamedTuple):
    """What the rules say of a process. rule: whose proposal it is; None where no rule proposes anything."""

    policy: Policy
    page: PageSize | None
    rule: Rule | None


class Choice(NamedTuple):
    """Where model and rules met. by: rules | model | both, or user, who asked for it. why: where they differ and who
    gave way; else None."""

    policy: Policy
    page: PageSize | None
    by: Literal["rules", "model", "both", "user"]
    why: str | None


def expectations(
    predicted: Predicted, rows: Sequence[Row], permitted: Sequence[frozenset[Target]]
) -> list[Expectation]:
    """One for each row. permitted: the targets that may be advised to each."""
    choices = preferred(predicted.rows, predicted.thresholds, **circumstances(rows, permitted)).to_list()
    least, silent = predicted.thresholds.least_gain, predicted.rows["abstained"].to_list()
    gains = _gains_by_row(predicted.rows, predicted.level)
    return [Expectation(*each, least) for each in zip(gains, choices, silent, strict=True)]


def circumstances(rows: Sequence[Row], permitted: Sequence[frozenset[Target]]) -> dict[str, Any]:
    """What `preferred` must know beside the prediction: what each process may have, and what it has."""
    return {
        "permitted": {
            target: pl.Series([target in one for one in permitted], dtype=pl.Boolean)
            for target in ("thp", "pool", "gigantic")
        },
        "current": pl.Series([present(row) for row in rows], dtype=pl.String),
        "share": pl.Series([row["huge_coverage"] for row in rows], dtype=pl.Float64),
    }


def target_of(policy: Policy, page: PageSize | None) -> Target | None:
    """The model's name of a policy; None where pages stay as they are (leave, or a pool of the size in use)."""
    if policy is Policy.THP:
        return "thp"
    if policy is Policy.THP_OFF:
        return "base"
    if policy is Policy.HUGETLB and page is not None:
        return "gigantic" if page is PageSize.GIGANTIC else "pool"
    return None


def present(row: Row) -> Target:
    """Where most of a process's memory is today."""
    coverage, pool = row["huge_coverage"] or 0.0, row["hugetlb_bytes"] or 0
    if coverage < MOSTLY:
        return "base"
    if pool * 2 < (row["anon_bytes"] or 0) + (row["shmem_rss_bytes"] or 0) + pool:
        return "thp"
    return "gigantic" if (row["hugetlb_gigantic_bytes"] or 0) * 2 > pool else "pool"


def gain_from_now(expectation: Expectation | None, target: Target | None, row: Row) -> Gain | None:
    """What moving from today's pages to `target` is worth; None where the model abstains or nothing would move.

    The gain that a process has already, by the share of its memory that is on huge pages, is taken off. Where that is
    the gain of another policy, its own uncertainty is not added: the interval says how sure the model is of the
    target.
    """
    if expectation is None or target is None or not expectation.over_base:
        return None
    now, share = present(row), row["huge_coverage"] or 0.0
    held: Target = now if now != "base" else "thp"
    had = expectation.over_base.get(held)
    if target == "base":
        return None if now == "base" or had is None else _lost(had, share)
    wanted = expectation.over_base.get(target)
    if wanted is None or (target == now and (target != "thp" or share >= ALL_BUT_EDGES)):
        return None
    if target == held:
        return _mapped(wanted, lambda gain: 1 - math.exp(-(1 - share) * _log(gain)))
    log_had = _log(had.median) * share if had is not None else 0.0
    return _mapped(wanted, lambda gain: 1 - math.exp(log_had - _log(gain)))


def _mapped(gain: Gain, change: Callable[[float], float]) -> Gain:
    return Gain(change(gain.median), change(gain.low), change(gain.high), gain.level)


def _lost(had: Gain, share: float) -> Gain:
    """Going back to base pages, where `share` of the memory is on huge pages: what was gained is lost."""

    def loss(gain: float) -> float:
        return 1 - math.exp(_log(gain) * share)

    return Gain(loss(had.median), loss(had.high), loss(had.low), had.level)


def meet(
    proposal: Proposal, expectation: Expectation | None, row: Row, forbidden: frozenset[Policy] = frozenset()
) -> Choice:
    """What is advised, from what the rules say and what the model prefers. forbidden: what no rule permits."""
    policy, page, rule = proposal
    if expectation is None or expectation.prefers is None:
        return Choice(policy, page, "rules", None)
    wanted, now = expectation.prefers, present(row)
    if wanted == (target_of(policy, page) or now):
        return Choice(policy, page, "both", None)
    said = expected(expectation, wanted if wanted not in ("base", now) else target_of(policy, page) or now)
    if rule is not None and not yields(rule, row):
        return Choice(policy, page, "rules", f"{said}; {rule.id} stands, as {_why_it_stands(rule)}")
    if row["is_vmm"]:
        return Choice(policy, page, "rules", f"{said}; what its guest does to its memory is not seen from outside")
    if wanted == "thp" and not _is_private(row):
        return Choice(policy, page, "rules", f"{said}; it was measured on private memory, most of this is shared")
    before = f"{rule.id} proposes {policy.value}" if rule is not None else "no rule proposes a change"
    if wanted == now or (wanted == "base" and now != "thp"):
        return Choice(Policy.LEAVE, None, "model", f"{before}; {said}, too little for a change")
    if _as_policy(wanted)[0] in forbidden:
        return Choice(policy, page, "rules", f"{said}; a rule forbids {_as_policy(wanted)[0].value}")
    return Choice(*_as_policy(wanted), "model", f"{before}; {said}")


def yields(rule: Rule, row: Row) -> bool:
    """Whether the model may decide otherwise: the rule proposes a change for time, or none without being sure.

    A rule by which nothing is at stake, since a process is small, is not sure of one that replaces its memory all the
    time: it touches far more than it holds at any moment.
    """
    if rule.proposes is not Policy.LEAVE:
        return rule.gains_time and rule.seen_by_model
    return rule.confidence < Confidence.HIGH or (rule.severity is Severity.INFO and _faults_in_much(row))


def _faults_in_much(row: Row) -> bool:
    """Counted in base pages, the least that a fault brings."""
    faults, page = row["minor_faults_per_s"] or 0.0, row["host_base_page_bytes"] or 0
    return bool(faults * page >= MUCH_FAULTED_BYTES_PER_S)


def _why_it_stands(rule: Rule) -> str:
    if rule.proposes is Policy.LEAVE:
        return "it is sure"
    return "the model does not see what it goes by" if rule.gains_time else "it is not about time"


def _is_private(row: Row) -> bool:
    """Most of its memory outside of pools is private memory that THP can serve; shared memory has its own switch.

    What replaces its memory all the time may hold nothing of it at the moment.
    """
    anon, shared = row["anon_bytes"] or 0, row["shmem_rss_bytes"] or 0
    if _faults_in_much(row):
        return bool(anon >= shared)
    return (row["slotted_anon_bytes"] or 0) * 2 >= anon + shared


def expected(expectation: Expectation, target: Target) -> str:
    """The gain of a target over base pages as a clause."""
    gain = expectation.over_base.get(target)
    if gain is None:
        return f"the model has no measurements of {NAMES[target]}"
    return f"the model expects {in_words(gain)} with {NAMES[target]} than with base pages"


def in_words(gain: Gain) -> str:
    """ "12 % (5 to 18 %) less time", "8 % (-2 to 18 %) more time": the interval in the words' direction."""
    is_less = round(gain.median, 2) >= 0
    median, *ends = (100 * (part if is_less else -part) for part in (gain.median, gain.low, gain.high))
    low, high = sorted(ends)
    return f"{median:.0f} % ({low:.0f} to {high:.0f} %) {'less' if is_less else 'more'} time".replace("-0 ", "0 ")


def is_worth_measuring(gain: Gain | None, least_gain: float) -> bool:
    """Whether the interval leaves it open that the change gains what is worth it, or loses."""
    return gain is not None and gain.low < 0.0 < gain.high and gain.high >= least_gain


def _as_policy(target: Target) -> tuple[Policy, PageSize | None]:
    return {
        "base": (Policy.THP_OFF, None),
        "thp": (Policy.THP, None),
        "pool": (Policy.HUGETLB, PageSize.PMD),
        "gigantic": (Policy.HUGETLB, PageSize.GIGANTIC),
    }[target]


def _gains_by_row(rows: pl.DataFrame, level: float) -> list[dict[Target, Gain]]:
    """By row, the gain of each target that the model knows, in the order of OUTPUTS; empty where it abstains."""
    found: list[dict[Target, Gain]] = [{} for _ in range(rows.height)]
    for output in OUTPUTS:
        names = [f"{output}_gain", f"{output}_gain_low", f"{output}_gain_high"]
        if output == "further" or names[0] not in rows.columns:
            continue
        for gains, median, low, high in zip(found, *(rows[name].to_list() for name in names), strict=True):
            if median is not None:
                gains[output] = Gain(median, low, high, level)
    return found


def _log(gain: float) -> float:
    """ln(time before / time after)."""
    return -math.log1p(-gain)
