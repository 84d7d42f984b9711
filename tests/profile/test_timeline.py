from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.procfs.facts import HugetlbPool, Stat, Status
from advisor.profile.model import (
    Cost,
    Header,
    HostFacts,
    HostState,
    Mapping,
    ProcessFacts,
    ProcessRecord,
    Profile,
    Sample,
    Skipped,
)
from advisor.profile.timeline import ProcessState, Timeline, fold, fold_samples

FIELDS = ["Rss", "AnonHugePages"]


def header() -> Header:
    return Header("hugepage-advisor/profile/1", "0.1.0", "2026-01-01T00:00:00Z", "live", HostFacts())


def sample(
    t_s: float,
    *processes: ProcessRecord,
    host: HostState | None = None,
    fields: list[str] = FIELDS,
    gone: list[tuple[int, int]] | None = None,
    skipped: list[Skipped] | None = None,
) -> Sample:
    return Sample(t_s, t_s, host or HostState(), Cost(0, 0), fields, list(processes), gone or [], skipped or [])


def stat(minor_faults: int) -> Stat:
    return Stat("p", "S", 1, 0, minor_faults, 0, 0, 0, 1, 7, 0, 0)


def vma(rss: int, anon_huge: int) -> Mapping:
    return Mapping("anon", 1, 0, 1 << 21, 4096, "", 1, False, True, False, 0, "", None, [rss, anon_huge])


def only(timeline: Timeline) -> ProcessState:
    (state,) = timeline.processes.values()
    return state


def test_a_section_that_did_not_change_stays_with_its_value_and_its_time() -> None:
    timeline = fold(
        header(),
        [
            sample(
                0.0, ProcessRecord(5, 7, facts=ProcessFacts("p"), stat=stat(1), status=Status("p", vm_rss_bytes=4))
            ),
            sample(1.0, ProcessRecord(5, 7, stat=stat(9))),
            sample(2.0),
        ],
    )
    state = only(timeline)
    assert (state.facts, state.status, state.status_t_s) == (ProcessFacts("p"), Status("p", vm_rss_bytes=4), 0.0)
    assert (state.stat, state.stat_t_s) == (stat(9), 1.0)
    assert (state.first_stat, state.first_stat_t_s, state.first_seen_t_s) == (stat(1), 0.0, 0.0)
    assert (timeline.samples, timeline.first_t_s, timeline.last_t_s, timeline.duration_s) == (3, 0.0, 2.0, 2.0)


def test_a_process_that_is_gone_is_no_longer_known_even_when_the_same_sample_read_it() -> None:
    record = ProcessRecord(5, 7, stat=stat(1))
    assert not fold(header(), [sample(0.0, record), sample(1.0, gone=[(5, 7)])]).processes
    assert not fold(header(), [sample(0.0, record, gone=[(5, 7)])]).processes


def test_a_new_owner_of_a_pid_takes_nothing_over_from_the_former_one() -> None:
    timeline = fold(
        header(),
        [
            sample(0.0, ProcessRecord(5, 7, status=Status("old"))),
            sample(1.0, ProcessRecord(5, 90, stat=stat(3))),
            sample(2.0, ProcessRecord(5, 90, stat=stat(4)), gone=[(5, 7)]),
        ],
    )
    state = only(timeline)
    assert (state.identity, state.first_seen_t_s, state.status, state.first_stat) == ((5, 90), 1.0, None, stat(3))


@pytest.mark.parametrize(
    ("maps_t_s", "rollup_t_s", "newest_maps", "walked"),
    [
        (None, None, False, None),
        (1, None, True, 1),
        (None, 1, False, 1),
        (1, 1, True, 1),
        (1, 2, False, 2),
        (2, 1, True, 2),
    ],
)
def test_maps_are_the_newest_walk_unless_rollup_was_read_later(
    maps_t_s: int | None, rollup_t_s: int | None, newest_maps: bool, walked: int | None
) -> None:
    records = {}
    for t_s in (1, 2):
        maps = [vma(8, 4)] if t_s == maps_t_s else None
        rollup = {"AnonHugePages": 6} if t_s == rollup_t_s else None
        records[t_s] = sample(t_s, ProcessRecord(5, 7, maps=maps, rollup=rollup))
    state = only(fold(header(), records.values()))
    assert (state.has_newest_maps, state.walked_t_s) == (newest_maps, walked)
    assert state.anon_huge_bytes() == (None if walked is None else 4 if newest_maps else 6)


def test_the_first_anon_huge_is_kept_when_later_walks_replace_it() -> None:
    timeline = fold(
        header(),
        [
            sample(0.0, ProcessRecord(5, 7, maps=[vma(8, 1), vma(8, 2)])),
            sample(1.0, ProcessRecord(5, 7, rollup={"AnonHugePages": 50})),
            sample(2.0, ProcessRecord(5, 7, maps=[vma(8, 60)])),
        ],
    )
    assert only(timeline).first_anon_huge == (0.0, 3)
    assert only(timeline).anon_huge_bytes() == 60


def test_maps_keep_the_field_names_of_their_own_sample() -> None:
    timeline = fold(
        header(),
        [
            sample(0.0, ProcessRecord(5, 7, maps=[vma(8, 1)])),
            sample(1.0, ProcessRecord(6, 7, maps=[vma(8, 1)]), fields=["Pss", "Swap"]),
            sample(2.0, ProcessRecord(4, 7, maps=[vma(8, 1)]), fields=[]),
        ],
    )
    names = {state.pid: list(state.smaps_fields) for state in timeline.processes.values()}
    assert names == {5: FIELDS, 6: ["Pss", "Swap"], 4: ["Pss", "Swap"]}
    assert timeline.processes[(6, 7)].anon_huge_bytes() is None


def test_host_sections_are_followed_each_on_its_own() -> None:
    pools = [HugetlbPool(1 << 21, None, 4, 4, 0)]
    timeline = fold(
        header(),
        [
            sample(0.0, host=HostState(vmstat={"a": 1}, problems={"buddyinfo": "denied"})),
            sample(1.0, host=HostState(vmstat={"a": 2}, pools=pools)),
            sample(2.0, host=HostState(vmstat={"a": 5})),
        ],
    )
    assert (timeline.host_first.vmstat, timeline.host_last.vmstat) == ({"a": 1}, {"a": 5})
    assert timeline.host_last.pools == pools
    assert (timeline.host_first_t_s["pools"], timeline.host_last_t_s["pools"]) == (1.0, 1.0)
    assert timeline.host_last_t_s["vmstat"] == 2.0
    assert "meminfo" not in timeline.host_last_t_s
    assert timeline.host_last.problems == {}


def test_counters_of_a_process_that_hangs_are_known_up_to_its_last_stat() -> None:
    samples = [sample(0.0, ProcessRecord(5, 7, stat=stat(1))), sample(3.0, skipped=[Skipped(5, "p", "hung")])]
    timeline = fold(header(), samples)
    assert timeline.observed_until_t_s(only(timeline)) == 0.0
    timeline.add(sample(4.0, skipped=[Skipped(5, "p", "denied")]))
    assert timeline.observed_until_t_s(only(timeline)) == 4.0


def test_the_state_after_each_sample_can_be_read_while_samples_come_in() -> None:
    timeline = Timeline(header())
    seen = []
    for faults in range(3):
        timeline.add(sample(float(faults), ProcessRecord(5, 7, stat=stat(faults))))
        latest = only(timeline).stat
        seen.append(latest.minor_faults if latest else None)
    assert seen == [0, 1, 2]


def test_a_stream_and_a_profile_fold_to_the_same_state() -> None:
    samples = [sample(0.0, ProcessRecord(5, 7, stat=stat(1))), sample(1.0, ProcessRecord(6, 8, stat=stat(2)))]

    def stream() -> Iterator[Sample]:
        yield from samples

    assert fold(header(), stream()) == fold_samples(Profile(header(), samples))


@given(
    st.lists(
        st.dictionaries(st.integers(1, 4), st.tuples(st.none() | st.integers(0, 9), st.none() | st.integers(0, 9))),
        max_size=6,
    )
)
def test_folding_keeps_the_last_value_of_every_section_and_the_first_stat(
    ticks: list[dict[int, tuple[int | None, int | None]]],
) -> None:
    samples = [
        sample(
            float(t_s),
            *(
                ProcessRecord(
                    pid,
                    1,
                    stat=None if faults is None else stat(faults),
                    status=None if rss is None else Status("p", vm_rss_bytes=rss),
                )
                for pid, (faults, rss) in tick.items()
            ),
        )
        for t_s, tick in enumerate(ticks)
    ]
    timeline = fold(header(), samples)
    assert {pid for pid, _ in timeline.processes} == {pid for tick in ticks for pid in tick}
    for (pid, _), state in timeline.processes.items():
        faults = [(t_s, tick[pid][0]) for t_s, tick in enumerate(ticks) if pid in tick and tick[pid][0] is not None]
        rss = [(t_s, tick[pid][1]) for t_s, tick in enumerate(ticks) if pid in tick and tick[pid][1] is not None]
        assert (state.stat_t_s, state.stat and state.stat.minor_faults) == (faults[-1] if faults else (None, None))
        first = (state.first_stat_t_s, state.first_stat and state.first_stat.minor_faults)
        assert first == (faults[0] if faults else (None, None))
        assert (state.status_t_s, state.status and state.status.vm_rss_bytes) == (rss[-1] if rss else (None, None))
