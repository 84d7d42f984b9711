"""The whole way from a profile to a report, as one pure function: features, rules, recommendation, report.

Every front end goes through here, so a live report, the report of its recording and a batch agree.
"""

from __future__ import annotations

import datetime
from typing import NamedTuple

import polars as pl

from advisor import __version__
from advisor.features import Observed, feature_table_of, observe, why_not_huge_of
from advisor.predictor import Predictor
from advisor.profile.model import Profile
from advisor.profile.redact import redact_command_line
from advisor.profile.timeline import Timeline, fold_samples
from advisor.recommendation import NO_WISHES, Predicted, Setup, StartedAs, Wishes, recommend
from advisor.report.build import build_report
from advisor.report.document import Report, SourceKind

NO_MODEL = "there is no model"


class Seen(NamedTuple):
    """A profile as of its last sample, and its feature table, a row for each of `observed.processes`: what advice is
    made from, whatever is asked for."""

    profile: Profile
    observed: Observed
    frame: pl.DataFrame


def see(profile: Profile) -> Seen:
    """Fold the samples and make the feature table of them."""
    observed = observe(fold_samples(profile))
    return Seen(profile, observed, feature_table_of(observed))


def advise(
    profile: Profile | Seen,
    *,
    redact: bool = True,
    now: datetime.datetime | None = None,
    kind: SourceKind | None = None,
    predictor: Predictor | None = None,
    without_model: str = NO_MODEL,
    wishes: Wishes = NO_WISHES,
) -> Report:
    """The report of a profile as of its last sample; of what was seen of it already, where it is asked for again.

    now: time written into it, by default the present. kind: where the profile is from, by default what its header
    says; "profile" for one that was saved. predictor: the gain model; None decides by rules alone, and the report
    says why in the words of `without_model`. wishes: what somebody wants in place of the advice.
    """
    profile, observed, frame = profile if isinstance(profile, Seen) else see(profile)
    timeline = observed.timeline
    predicted = None
    if predictor is not None:
        predicted = Predicted(predictor.predict(frame), predictor.facts.thresholds, predictor.facts.level)
    advice, plan = recommend(frame, predicted, wishes, setup_of(profile, timeline, redact=redact), timeline.host_last)
    return build_report(
        profile,
        frame,
        advice,
        plan,
        why_not_huge_of(observed),
        now=now or datetime.datetime.now(datetime.UTC),
        tool_version=__version__,
        redact=redact,
        kind=kind,
        timeline=timeline,
        without_model=None if predictor is not None else without_model,
    )


def setup_of(profile: Profile, timeline: Timeline, *, redact: bool) -> Setup:
    """What texts to paste need beside the feature table. redact: secrets out of command lines."""
    programs = {}
    for (pid, _), state in timeline.processes.items():
        facts = state.facts
        if facts is not None:
            arguments = facts.command_line
            shown = redact_command_line(arguments) if redact and arguments else arguments
            programs[pid] = StartedAs(facts.executable, shown)
    meminfo = timeline.host_last.meminfo or {}
    return Setup(profile.header.host.configuration, meminfo.get("Hugepagesize"), programs)
