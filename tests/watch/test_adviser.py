"""Samples to ticks: what was worked out is kept while the samples are the same, and no longer."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from advisor.profile.codec import load_profile
from advisor.watch.adviser import Adviser
from advisor.watch.asked import Asked
from advisor.watch.frames import WantedPolicy, WhatIf

SAMPLE = Path(__file__).resolve().parents[2] / "sample_profiles" / "numpy-gather.jsonl.zst"


def test_a_window_that_grows_in_place_is_seen_anew_and_one_that_does_not_is_not() -> None:
    recorded = load_profile(SAMPLE)
    window = list(recorded.samples[:2])
    profile, adviser, asked = replace(recorded, samples=window), Adviser(True, None), Asked()
    first = adviser.tick(profile, asked, 1, None, [])
    asked.pid = first.report.processes[0].pid
    again = adviser.tick(replace(profile), asked, 1, None, [])
    assert again.report is first.report
    assert again.close_up is not None and len(again.close_up.history) == 2
    window.append(recorded.samples[2])
    later = adviser.tick(replace(profile), asked, 2, None, [])
    assert later.report is not first.report
    assert later.report.source.samples == 3
    assert later.close_up is not None and len(later.close_up.history) == 3


def test_under_a_what_if_the_plan_without_it_is_kept_and_what_was_asked_before_is_let_go() -> None:
    profile, adviser, asked = load_profile(SAMPLE), Adviser(True, "profile"), Asked()
    plain = adviser.tick(profile, asked, 1, None, [])
    pid = plain.report.processes[0].pid
    for policy in ("thp-off", "thp"):
        asked.what_if = WhatIf((WantedPolicy(pid, policy),))  # type: ignore[arg-type]  # a word of the contract
        tick = adviser.tick(profile, asked, 1, None, [])
        assert tick.advised is plain.report.plan
        assert tick.report is not plain.report
        assert adviser.tick(profile, asked, 1, None, []).report is tick.report
    assert len(adviser._reports) == 2
