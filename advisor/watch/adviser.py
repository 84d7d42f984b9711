"""Samples to a tick: the report under what is asked, by rules alone until the model is loaded."""

from __future__ import annotations

import time

from advisor.advise import NO_MODEL, advise
from advisor.predictor import ModelError, Predictor, load_predictor
from advisor.profile.model import Profile
from advisor.recommendation import Wish, Wishes
from advisor.report.document import Report, SourceKind
from advisor.rules import Policy
from advisor.watch.asked import Asked
from advisor.watch.frames import Pulse, Tick, WhatIf

MODEL_LOADING = "the model is being loaded"


class Adviser:
    """Reports by rules alone at first, with the model once it is loaded."""

    def __init__(self, redact: bool, kind: SourceKind | None) -> None:
        self._redact, self._kind = redact, kind
        self._predictor: Predictor | None = None
        self._why_none = MODEL_LOADING

    def load_model(self) -> bool:
        """Whether there is one now. A second of CPU."""
        try:
            self._predictor = load_predictor()
        except ModelError as error:
            self._why_none = f"{NO_MODEL} that can be used: {error}"
        return self._predictor is not None

    def tick(self, profile: Profile, asked: Asked, position: int, length: int | None, pulses: list[Pulse]) -> Tick:
        """The report as of the last sample, and what else is asked for."""
        began = time.process_time()
        what_if = asked.what_if
        report = self._advise(profile, what_if)
        advised = None if what_if.is_empty else self._advise(profile, WhatIf()).plan
        return Tick(
            report,
            position,
            length,
            pulses,
            time.process_time() - began,
            self._predictor is not None,
            what_if,
            advised,
        )

    def _advise(self, profile: Profile, what_if: WhatIf) -> Report:
        return advise(
            profile,
            redact=self._redact,
            kind=self._kind,
            predictor=self._predictor,
            without_model=self._why_none,
            wishes=_wishes(what_if),
        )


def _wishes(what_if: WhatIf) -> Wishes:
    """What cannot be granted is no error: the report says so."""
    return Wishes(
        {one.pid: Wish(Policy(one.policy), one.page_bytes, one.start_ticks) for one in what_if.policies},
        what_if.thp_enabled,
        {pool.page_bytes: pool.pages for pool in what_if.pools},
    )
