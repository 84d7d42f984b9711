"""The feature table: what can be said of each process and its host, as declared columns.

In: a profile (or a timeline of samples). Out: a polars frame, one row a process, null = unknown; every column is
declared with unit, meaning, source and what null says; and the reasons why memory is not huge. Pure functions.
May use the profile, the pure functions of procfs and the knowledge tables; knows no model, rule or front end.
"""

from advisor.features.declare import Feature
from advisor.features.table import (
    FEATURES,
    SCHEMA,
    HostFrames,
    Observed,
    UnknownFeatureError,
    explain_feature,
    feature_table,
    feature_table_of,
    feature_tables,
    host_frames,
    observe,
)
from advisor.features.why_not_huge import Reason, why_not_huge, why_not_huge_of

__all__ = [
    "FEATURES",
    "SCHEMA",
    "Feature",
    "HostFrames",
    "Observed",
    "Reason",
    "UnknownFeatureError",
    "explain_feature",
    "feature_table",
    "feature_table_of",
    "feature_tables",
    "host_frames",
    "observe",
    "why_not_huge",
    "why_not_huge_of",
]
