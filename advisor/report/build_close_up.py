"""A close-up of one process from what is known of it: its map, its features, its history. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from advisor.features import FEATURES
from advisor.profile.model import Skipped
from advisor.profile.timeline import ProcessState
from advisor.report.build_vmas import build_vmas
from advisor.report.close_up import CloseUp, CloseUpFeature, CloseUpMoment
from advisor.report.reasons import evidence_value

NOT_YET = "it was not read so far: only sums over the whole process were"

WHY_MISSING = {
    "denied": "reading it is not permitted; with CAP_SYS_PTRACE, or as root, it is",
    "hung": "reading it did not return, so it is left alone",
    "quarantined": "reading it has not returned yet, so it is left alone",
    "walk-too-long": "reading it would hold the process up for seconds",
    "missing": "there is no smaps of it",
}
"""Why smaps was not read -> in words; other reasons stand for themselves."""


def build_close_up(
    process: ProcessState,
    row: Mapping[str, Any],
    history: list[CloseUpMoment],
    *,
    last_t_s: float,
    skipped: Iterable[Skipped] = (),
) -> CloseUp:
    """row: of the feature table, by column. last_t_s and skipped: of the last sample."""
    vmas = build_vmas(process)
    return CloseUp(
        pid=process.pid,
        start_ticks=process.start_ticks,
        vmas=vmas,
        vmas_missing=None if vmas is not None else _why_missing(process, skipped),
        vmas_age_s=None if process.maps_t_s is None else last_t_s - process.maps_t_s,
        vmas_newest=process.has_newest_maps,
        features=[
            CloseUpFeature(
                one.name, evidence_value(row[one.name]), one.unit, one.meaning, one.null_meaning, one.scope
            )
            for one in FEATURES.values()
        ],
        history=history,
    )


def _why_missing(process: ProcessState, skipped: Iterable[Skipped]) -> str:
    reason = (process.problems or {}).get("smaps")
    reason = reason or next((one.reason for one in skipped if one.pid == process.pid), None)
    return NOT_YET if reason is None else WHY_MISSING.get(reason, reason)
