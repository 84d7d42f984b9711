"""The whole way from a profile to a report, as one pure function: features, rules, recommendation, report.

Every front end goes through here, so a live report, the report of its recording and a batch agree.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from advisor import __version__
from advisor.features import feature_table_of, observe, why_not_huge_of
from advisor.predictor import Predictor
from advisor.profile.model import Profile
from advisor.profile.timeline import fold_samples
from advisor.recommendation import Predicted, Wish, recommend
from advisor.report.build import build_report
from advisor.report.document import Report, SourceKind

NO_MODEL = "there is no model"


def advise(
    profile: Profile,
    *,
    redact: bool = True,
    now: datetime.datetime | None = None,
    kind: SourceKind | None = None,
    predictor: Predictor | None = None,
    without_model: str = NO_MODEL,
    wishes: Mapping[int, Wish] | None = None,
) -> Report:
    """The report of a profile as of its last sample.

    now: time written into it, by default the present. kind: where the profile is from, by default what its header
    says; "profile" for one that was saved. predictor: the gain model; None decides by rules alone, and the report
    says why in the words of `without_model`. wishes: by pid, the policy that somebody wants for a process.
    """
    timeline = fold_samples(profile)
    observed = observe(timeline)
    frame = feature_table_of(observed)
    predicted = None
    if predictor is not None:
        predicted = Predicted(predictor.predict(frame), predictor.facts.thresholds, predictor.facts.level)
    advice, plan = recommend(frame, predicted, wishes)
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
