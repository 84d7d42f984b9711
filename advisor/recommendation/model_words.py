"""What the model says of one process, as the words of a reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from advisor.recommendation.gains import (
    Choice,
    Expectation,
    Proposal,
    Target,
    expected,
    gain_from_now,
    in_words,
    is_worth_measuring,
    present,
    target_of,
)
from advisor.recommendation.model import Gain
from advisor.recommendation.sizing import base_bytes
from advisor.rules import Policy

MODEL_SOURCE = "models/CARD.md: what the model was trained on and how good it is"

AT_STAKE_BYTES = 64 << 20
"""Memory on base pages from which it is worth asking for a measurement. Source: the rules' own for large memory."""

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""


class ModelWords(Struct, frozen=True):
    """What the model says, and whether it should be measured instead; made when it is read. gain: of the choice."""

    expectation: Expectation
    choice: Choice
    proposal: Proposal
    gain: Gain | None
    row: Row

    @property
    def message(self) -> str:
        """A sentence or two."""
        if self.expectation.abstains is not None:
            return f"No gain can be predicted: {self.expectation.abstains}."
        message = f"From its measurements of other programs {expected(self.expectation, self._target)}."
        about = self._about
        if about is not None and self.row["huge_coverage"]:
            to = "Base pages" if self.choice.policy is Policy.THP_OFF else "That"
            message += f" {to}, against its pages of today: {in_words(about)}."
        return message

    @property
    def remedy(self) -> str | None:
        """How to measure it, where that is worth it."""
        measured = is_worth_measuring(self._about, self.expectation.least_gain)
        if not measured or base_bytes(self.row) < AT_STAKE_BYTES:
            return None
        return (
            "Measure it: "
            f"`hugepage-advisor trial --pid {self.row['pid']} --metric-cmd COMMAND`, where COMMAND prints its "
            "work so far, or `hugepage-advisor trial -- COMMAND` with the program itself."
        )

    @property
    def evidence(self) -> dict[str, Any]:
        """The gain that it speaks of."""
        gain = self._about
        if gain is None:
            return {}
        return {"median": gain.median, "low": gain.low, "high": gain.high, "level": gain.level}

    @property
    def sources(self) -> list[str]:
        return [MODEL_SOURCE]

    @property
    def _target(self) -> Target:
        """The huge pages that it speaks of."""
        now = present(self.row)
        target = target_of(self.choice.policy, self.choice.page) or target_of(
            self.proposal.policy, self.proposal.page
        )
        if target is None or target == "base":
            return now if now != "base" else "thp"
        return target

    @property
    def _about(self) -> Gain | None:
        if self.expectation.abstains is not None:
            return None
        return self.gain or gain_from_now(self.expectation, self._target, self.row)
