"""The whole way from a profile to a report, as one pure function: features, rules, recommendation, report.

Every front end goes through here, so a live report, the report of its recording and a batch agree.
"""

from __future__ import annotations

import datetime

from advisor import __version__
from advisor.features import feature_table_of, observe, why_not_huge_of
from advisor.profile.model import Profile
from advisor.profile.timeline import fold_samples
from advisor.recommendation import recommend
from advisor.report.build import build_report
from advisor.report.document import Report, SourceKind


def advise(
    profile: Profile, *, redact: bool = True, now: datetime.datetime | None = None, kind: SourceKind | None = None
) -> Report:
    """The report of a profile as of its last sample.

    now: time written into it, by default the present. kind: where the profile is from, by default what its header
    says; "profile" for one that was saved.
    """
    timeline = fold_samples(profile)
    observed = observe(timeline)
    frame = feature_table_of(observed)
    advice, plan = recommend(frame)
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
    )
