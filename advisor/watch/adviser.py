"""Samples to a tick: the report under what is asked, by rules alone until the model is loaded."""

from __future__ import annotations

import time

from advisor.advise import NO_MODEL, Seen, advise, see
from advisor.predictor import ModelError, Predictor, load_predictor
from advisor.profile.model import Profile, Sample
from advisor.recommendation import Wish, Wishes
from advisor.report.build_close_up import build_close_up
from advisor.report.build_history import build_history
from advisor.report.close_up import CloseUp
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
        self._seen: Seen | None = None
        self._last: Sample | None = None
        self._reports: dict[WhatIf, Report] = {}
        self._close_up: CloseUp | None = None

    def load_model(self) -> bool:
        """Whether there is one now. A second of CPU."""
        try:
            self._predictor = load_predictor()
        except ModelError as error:
            self._why_none = f"{NO_MODEL} that can be used: {error}"
        self._reports.clear()
        return self._predictor is not None

    def tick(self, profile: Profile, asked: Asked, position: int, length: int | None, pulses: list[Pulse]) -> Tick:
        """The report as of the last sample, and what else is asked for."""
        began = time.process_time()
        what_if = asked.what_if
        seen = self._see(profile)
        advised = None if what_if.is_empty else self._advise(seen, WhatIf()).plan
        report = self._advise(seen, what_if)
        self._close_up = None if asked.pid is None else self._look_at(seen, asked.pid)
        return Tick(
            report,
            position,
            length,
            pulses,
            time.process_time() - began,
            self._predictor is not None,
            what_if,
            advised,
            self._close_up,
        )

    def _see(self, profile: Profile) -> Seen:
        """Of the same last sample, what was seen already: another question is answered sooner."""
        last = profile.samples[-1]
        if self._seen is None or self._last is not last:
            self._seen, self._last = see(profile), last
            self._reports.clear()
        return self._seen

    def _look_at(self, seen: Seen, pid: int) -> CloseUp | None:
        """None where there is no such process now."""
        processes = seen.observed.processes
        place = next((place for place, process in enumerate(processes) if process.pid == pid), None)
        if place is None:
            return None
        process, before, profile = processes[place], self._close_up, seen.profile
        same = before is not None and (before.pid, before.start_ticks) == process.identity
        known = {moment.t_s: moment.huge_coverage for moment in before.history} if before and same else {}
        return build_close_up(
            process,
            seen.frame.row(place, named=True),
            build_history(profile, process.identity, known),
            last_t_s=seen.observed.timeline.last_t_s,
            skipped=profile.samples[-1].skipped,
        )

    def _advise(self, seen: Seen, what_if: WhatIf) -> Report:
        """Under what is asked for; of the same samples, the last answer is kept, and the one where nothing is."""
        if what_if not in self._reports:
            kept = {asked: report for asked, report in self._reports.items() if asked.is_empty}
            self._reports = {**kept, what_if: self._report(seen, what_if)}
        return self._reports[what_if]

    def _report(self, seen: Seen, what_if: WhatIf) -> Report:
        return advise(
            seen,
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
