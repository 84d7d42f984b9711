from __future__ import annotations

from typing import Any

import pytest

from advisor.features import feature_table
from advisor.profile.model import HostState, Sample, Skipped
from advisor.units import MIB
from tests.features.factory import BASE_PAGE, host_state, mapping, process, profile, sample, stat

RATES = ["minor_faults_per_s", "major_faults_per_s", "cpu_cores", "rss_growth_bytes_per_s"]


def row(*samples: Sample, **facts: Any) -> dict[str, Any]:
    return feature_table(profile(*samples, **facts)).row(0, named=True)


def test_one_sample_has_no_rates_but_counts_since_the_start() -> None:
    found = row(sample(process(stat=stat(minor_faults=9))))
    assert [found[name] for name in RATES] == [None] * 4
    assert found["minor_faults"] == 9


def test_rates_are_changes_over_the_time_that_the_process_was_watched() -> None:
    first = stat(minor_faults=10, major_faults=1, ticks=100, rss_pages=50)
    last = stat(minor_faults=40, major_faults=3, ticks=500, rss_pages=30)
    found = row(sample(t_s=1.0), sample(process(stat=first), t_s=2.0), sample(process(stat=last), t_s=4.0))
    assert [found[name] for name in RATES] == [15.0, 1.0, 2.0, -10.0 * BASE_PAGE]


def test_clock_ticks_are_those_of_the_host() -> None:
    samples = [sample(process(stat=stat())), sample(process(stat=stat(ticks=500)), t_s=2.0)]
    assert row(*samples, clock_ticks_per_s=250)["cpu_cores"] == 1.0


def test_a_process_in_which_nothing_changed_has_rates_of_0() -> None:
    found = row(sample(process(stat=stat(minor_faults=9))), sample(t_s=2.0))
    assert [found[name] for name in RATES] == [0.0] * 4


def test_a_process_that_is_new_in_the_last_sample_has_no_rates() -> None:
    found = row(sample(), sample(process(stat=stat(minor_faults=9)), t_s=2.0))
    assert found["minor_faults_per_s"] is None


def test_rates_of_a_process_that_hangs_end_at_its_last_reading() -> None:
    samples = [sample(process(stat=stat())), sample(process(stat=stat(minor_faults=6)), t_s=2.0)]
    found = row(*samples, sample(t_s=60.0, skipped=[Skipped(10, "prog", "hung")]))
    assert found["minor_faults_per_s"] == 3.0


def test_growth_of_huge_memory_needs_two_walks_of_its_page_tables() -> None:
    first = process(maps=[mapping("anon", 8 * MIB, Anonymous=8 * MIB, AnonHugePages=2 * MIB)])
    last = process(maps=[mapping("anon", 8 * MIB, Anonymous=8 * MIB, AnonHugePages=6 * MIB)])
    assert row(sample(first), sample(last, t_s=4.0), sample(t_s=9.0))["anon_huge_growth_bytes_per_s"] == MIB
    assert row(sample(first), sample(t_s=9.0))["anon_huge_growth_bytes_per_s"] is None


@pytest.mark.parametrize(("uptime_s", "age_s"), [(101.5, 100.5), (None, None)])
def test_age_needs_the_uptime_of_the_host(uptime_s: float | None, age_s: float | None) -> None:
    host: HostState = host_state(uptime_s=uptime_s)
    assert row(sample(process(), host=host))["age_s"] == age_s
