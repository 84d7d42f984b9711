"""Whose page tables are walked: pure decisions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from advisor.collect.priority import (
    IMPORTANT_BYTES,
    Candidate,
    WalkState,
    choose,
    memory_key,
    predicted_cost_s,
    wanted_walk,
)
from advisor.procfs.facts import Stat

LARGE = IMPORTANT_BYTES * 4


def stat(*, faults: int = 1, vsize: int = 1 << 30, rss: int = 1000) -> Stat:
    return Stat("p", "S", 1, 0, faults, 0, 0, 0, 1, 5, vsize, rss)


def walked(at: Stat) -> WalkState:
    return WalkState(smaps_key=memory_key(at), latest_key=memory_key(at))


def test_a_process_never_walked_wants_its_smaps() -> None:
    assert wanted_walk(stat(), WalkState(), LARGE, collapses_moved=False) == "smaps"


def test_a_process_that_did_nothing_wants_nothing() -> None:
    assert wanted_walk(stat(), walked(stat()), LARGE, collapses_moved=False) is None


def test_a_collapse_on_the_host_makes_large_processes_worth_another_look() -> None:
    assert wanted_walk(stat(), walked(stat()), LARGE, collapses_moved=True) == "rollup"
    assert wanted_walk(stat(), walked(stat()), IMPORTANT_BYTES - 1, collapses_moved=True) is None


def test_few_faults_want_a_rollup_and_a_new_shape_wants_smaps() -> None:
    before = walked(stat())
    assert wanted_walk(stat(faults=2), before, LARGE, collapses_moved=False) == "rollup"
    assert wanted_walk(stat(faults=2, rss=1200), before, LARGE, collapses_moved=False) == "smaps"
    assert wanted_walk(stat(faults=2, vsize=2 << 30), before, LARGE, collapses_moved=False) == "smaps"
    assert wanted_walk(stat(faults=2, rss=1200), before, 1 << 20, collapses_moved=False) == "rollup"


def test_small_steps_add_up_to_a_new_shape() -> None:
    state = walked(stat(rss=1000))
    state.latest_key = memory_key(stat(rss=1090, faults=2))
    assert wanted_walk(stat(rss=1120, faults=3), state, LARGE, collapses_moved=False) == "smaps"


def test_a_measured_cost_beats_the_guess() -> None:
    guess = predicted_cost_s(1 << 30, WalkState(), "smaps")
    assert predicted_cost_s(1 << 30, WalkState(cost_s=0.5), "smaps") == 0.5
    assert predicted_cost_s(1 << 30, WalkState(), "rollup") < guess


def test_those_never_seen_come_before_large_ones_seen_before() -> None:
    candidates = [Candidate(1, "smaps", 1 << 40, 1.0, 600.0), Candidate(2, "smaps", 1 << 20, 1.0, None)]
    assert choose(candidates, 1.0) == ({2: "smaps"}, 1)


def test_waiting_makes_a_small_one_urgent() -> None:
    candidates = [Candidate(1, "rollup", 100, 1.0, 5.0), Candidate(2, "rollup", 10, 1.0, 60.0)]
    assert choose(candidates, 1.0)[0] == {2: "rollup"}


@given(
    st.lists(st.tuples(st.integers(0, 1 << 40), st.floats(0, 1), st.none() | st.floats(0, 1e6)), max_size=30),
    st.floats(0, 5),
)
def test_what_is_chosen_fits_and_everybody_is_chosen_or_counted(
    costs: list[tuple[int, float, float | None]], available_s: float
) -> None:
    candidates = [Candidate(pid, "smaps", size, cost, waited) for pid, (size, cost, waited) in enumerate(costs)]
    chosen, deferred = choose(candidates, available_s)
    assert sum(costs[pid][1] for pid in chosen) <= available_s + 1e-9
    assert len(chosen) + deferred == len(candidates)
    assert choose(candidates, None)[1] == 0
    assert choose(reversed(candidates), available_s) == (chosen, deferred)


def test_who_is_looked_at_from_near_has_single_mappings_read_and_comes_first() -> None:
    before = walked(stat())
    assert wanted_walk(stat(faults=2), before, LARGE, collapses_moved=False, near=True) == "smaps"
    assert wanted_walk(stat(faults=2), before, 1 << 20, collapses_moved=False, near=True) == "smaps"
    assert wanted_walk(stat(), before, LARGE, collapses_moved=False, near=True) is None
    only_sums_are_new = WalkState(smaps_key=before.smaps_key, latest_key=memory_key(stat(faults=2)))
    assert wanted_walk(stat(faults=2), only_sums_are_new, LARGE, collapses_moved=False, near=True) == "smaps"
    assert wanted_walk(stat(faults=2), only_sums_are_new, LARGE, collapses_moved=False) is None
    near = Candidate(1, "smaps", 1, 0.5, 9.0, near=True)
    never_walked = Candidate(2, "smaps", LARGE, 0.5, None)
    assert choose([never_walked, near], 0.6)[0] == {1: "smaps"}
