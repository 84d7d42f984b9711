"""The pulse from sample to sample."""

from __future__ import annotations

from advisor.profile.model import Cost, HostState, Sample
from advisor.watch.pulse import KEPT_PULSES, pulses_of


def sample(t_s: float, khugepaged_ticks: int | None = None, **vmstat: int) -> Sample:
    host = HostState(meminfo={"MemAvailable": 7}, vmstat=vmstat, khugepaged_ticks=khugepaged_ticks)
    return Sample(t_s=t_s, wall_time=t_s, host=host, cost=Cost(0.0, 0.0))


def test_rates_are_of_the_time_between_two_samples() -> None:
    first, second = pulses_of(
        [
            sample(0, 100, thp_collapse_alloc=5, compact_stall=0, thp_fault_alloc=10, thp_fault_fallback=1),
            sample(2, 120, thp_collapse_alloc=9, compact_stall=1, thp_fault_alloc=13, thp_fault_fallback=2),
        ],
        clock_ticks_per_s=100,
    )
    assert (first.collapsed_per_s, first.khugepaged_cpu, first.available_bytes) == (None, None, 7)
    assert (second.collapsed_per_s, second.khugepaged_cpu, second.stalls_per_s) == (2.0, 0.1, 0.5)
    assert second.fallback_share == 0.25


def test_what_cannot_be_told_is_unknown() -> None:
    *_, backwards = pulses_of([sample(0, thp_collapse_alloc=5), sample(2, thp_collapse_alloc=4)], 100)
    assert backwards.collapsed_per_s is None, "a counter that began anew"
    *_, quiet = pulses_of(
        [sample(t, thp_fault_alloc=1, thp_fault_fallback=1) for t in (0, 2)],
        100,
    )
    assert quiet.fallback_share is None, "no fault asked for a huge page"
    assert (quiet.stalls_per_s, quiet.khugepaged_cpu) == (None, None)


def test_only_the_newest_are_kept() -> None:
    assert len(pulses_of([sample(float(t)) for t in range(500)], 100)) == KEPT_PULSES
