"""The window of samples says what all samples say, and does not grow."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from advisor.profile.codec import load_profile
from advisor.profile.model import Cost, Header, HostState, ProcessFacts, ProcessRecord, Sample
from advisor.profile.timeline import HOST_SECTIONS, fold
from advisor.watch.window import Window, merged
from tests.report.test_build import mapping

SAMPLES = sorted((Path(__file__).resolve().parents[2] / "sample_profiles").glob("*.zst"))
HEADER = Header("hugepage-advisor/profile/1", "0", "2026-01-01T00:00:00Z", "live", host=None)  # type: ignore[arg-type]
STATE = ("facts", "stat", "status", "maps", "rollup", "pages", "folios", "problems", "pinned", "probes")


def sample(t_s: float, *records: ProcessRecord, gone: tuple[tuple[int, int], ...] = (), **fields: object) -> Sample:
    given = {
        "host": HostState(),
        "smaps_fields": ["Size", "Rss", "Pss", "Anonymous", "AnonHugePages", "Swap"],
    } | fields
    return Sample(t_s=t_s, wall_time=t_s, cost=Cost(0.0, 0.0), processes=list(records), gone=list(gone), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
@pytest.mark.parametrize("keep", [1, 3])
def test_folding_the_window_gives_the_newest_state_of_the_whole(path: Path, keep: int) -> None:
    profile = load_profile(path)
    window = Window(keep)
    for one in profile.samples:
        window.add(one)
        assert len(window.samples) <= keep
    whole, kept = fold(profile.header, profile.samples), fold(profile.header, window.samples)
    assert kept.processes.keys() == whole.processes.keys()
    for identity, state in whole.processes.items():
        for name in STATE:
            if name in ("maps", "rollup") and state.has_newest_maps != (name == "maps"):
                continue  # the older walk of the two says nothing any more
            assert getattr(kept.processes[identity], name) == getattr(state, name), (identity, name)
    for name in HOST_SECTIONS:
        assert getattr(kept.host_last, name) == getattr(whole.host_last, name), name


def test_who_has_ended_or_lost_its_pid_to_another_is_forgotten() -> None:
    old = sample(0, *(ProcessRecord(pid, 1, facts=ProcessFacts(f"p{pid}")) for pid in (1, 2, 3)))
    new = sample(1, ProcessRecord(2, 9, facts=ProcessFacts("other")), gone=((3, 1),))
    one = merged(old, new)
    assert [(record.pid, record.start_ticks) for record in one.processes] == [(1, 1), (2, 9)]
    assert (one.t_s, one.gone) == (1, [])


def test_smaps_fields_that_only_one_sample_has_are_left_out_and_values_keep_their_names() -> None:
    old = sample(0, ProcessRecord(1, 1, maps=[mapping(100, 50, 20)]))
    few = replace(mapping(7, 0), values=[7, 5])
    new = sample(1, ProcessRecord(2, 1, maps=[few]), smaps_fields=["Size", "Anonymous"])
    one = merged(old, new)
    assert one.smaps_fields == ["Size", "Anonymous"]
    assert [record.maps[0].values for record in one.processes if record.maps] == [[100, 50], [7, 5]]


def test_a_rollup_read_later_puts_the_maps_out_of_date() -> None:
    old = sample(0, ProcessRecord(1, 1, maps=[mapping(100, 50)]))
    new = sample(1, ProcessRecord(1, 1, rollup={"Rss": 3}), smaps_fields=[])
    (record,) = merged(old, new).processes
    assert (record.maps, record.rollup) == (None, {"Rss": 3})
