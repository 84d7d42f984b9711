"""Conclusions from runs: verdicts, reasons, medians, and warnings; each with a near miss."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from advisor.trial.document import Comparison, Environment, MemorySeen, Policy, Run, Way
from advisor.trial.summary import compare, relative_spread, smallest_visible, summarise, warnings_of
from advisor.units import MIB

BASE, THP = Policy("base", "base"), Policy("thp", "thp", 2 * MIB)
POOL_2M, POOL_1G = Policy("pool-2M", "hugetlb", 2 * MIB), Policy("pool-1G", "hugetlb", 1024 * MIB)
QUIET = Environment(
    kernel="6.12.0", arch="x86_64", cpu_model=None, cpus=8, virtualization=None, memory_total_bytes=None,
    base_page_bytes=4096, thp_page_bytes=2 * MIB, thp_enabled="madvise", thp_defrag=None, shmem_enabled=None,
    libc=None, load_1min=0.1, free_page_reporting=False,
)  # fmt: skip


def way(policy: Policy, why_unusable: str | None = None) -> Way:
    return Way(policy, "test", "a way", why_unusable=why_unusable)


def run(policy: str, value: float | None, position: int = 0, **fields: object) -> Run:
    known: dict[str, object] = {
        "policy": policy, "round": 1, "position": position, "started_s": float(position), "wall_s": value or 1.0,
        "user_s": 0.9, "system_s": 0.1, "exit_code": 0, "value": value, "setup_s": 0.2, "steady_s": 0.8,
        "minor_faults": 100, "major_faults": 0, "memory": MemorySeen(peak_rss_bytes=64 * MIB, coverage=0.0),
        "watch_cpu_s": 0.01, "other_cpu_share": 0.01, "steal_share": 0.0,
    }  # fmt: skip
    return Run(**{**known, **fields})  # type: ignore[arg-type]


def runs_of(**values: Sequence[float]) -> list[Run]:
    """Runs of several policies in turns, as a trial makes them."""
    longest = max(len(side) for side in values.values())
    turns = [
        (name.replace("_", "-"), side[place]) for place in range(longest)
        for name, side in values.items() if place < len(side)
    ]  # fmt: skip
    return [run(name, value, position) for position, (name, value) in enumerate(turns)]


STEADY = [1.00, 1.01, 0.99, 1.005, 0.995, 1.002, 0.998]
SHORTER = [value * 0.7 for value in STEADY]


def only(comparisons: Sequence[Comparison]) -> Comparison:
    (comparison,) = comparisons
    return comparison


def test_a_clear_difference_is_faster_or_slower() -> None:
    ways, runs = [way(BASE), way(THP)], runs_of(base=STEADY, thp=SHORTER)
    found = only(compare(runs, ways, "lower"))
    assert (found.policy, found.against, found.verdict, found.runs, found.runs_against) == (
        "thp",
        "base",
        "faster",
        7,
        7,
    )
    assert found.speed_up is not None and found.speed_up.estimate == pytest.approx(1 / 0.7, rel=0.01)
    assert found.why is None
    assert only(compare(runs, ways, "higher")).verdict == "slower"


def test_no_difference_is_a_normal_verdict() -> None:
    found = only(compare(runs_of(base=STEADY, thp=STEADY[::-1]), [way(BASE), way(THP)], "lower"))
    assert found.verdict == "no-difference"
    assert found.speed_up is not None and found.speed_up.low <= 1 <= found.speed_up.high


def test_each_page_size_stands_against_the_next_smaller_one_that_counted() -> None:
    ways = [way(BASE), way(POOL_1G), way(POOL_2M), way(THP)]
    runs = runs_of(base=STEADY, thp=SHORTER, pool_2M=SHORTER, pool_1G=SHORTER)
    pairs = [(found.policy, found.against) for found in compare(runs, ways, "lower")]
    assert pairs == [
        ("pool-1G", "base"), ("pool-2M", "base"), ("thp", "base"), ("pool-2M", "thp"), ("pool-1G", "pool-2M"),
    ]  # fmt: skip
    without = [one for one in runs if one.policy != "pool-2M"]
    assert [(found.policy, found.against) for found in compare(without, ways, "lower")][3:] == [("pool-1G", "thp")]


def test_without_base_the_huge_policies_are_still_compared() -> None:
    found = only(compare(runs_of(thp=STEADY, pool_2M=SHORTER), [way(THP), way(POOL_2M)], "lower"))
    assert (found.policy, found.against, found.verdict) == ("pool-2M", "thp", "faster")


@pytest.mark.parametrize(("count", "verdict"), [(2, "cannot-tell"), (3, "faster")])
def test_an_interval_needs_three_runs_a_side(count: int, verdict: str) -> None:
    found = only(compare(runs_of(base=STEADY, thp=SHORTER[:count]), [way(BASE), way(THP)], "lower"))
    assert found.verdict == verdict
    assert found.why == (None if count == 3 else "2 counted of thp, an interval needs 3")
    assert (found.speed_up is None) == (count == 2)


def test_runs_that_do_not_count_change_nothing() -> None:
    runs, ways = runs_of(base=STEADY, thp=SHORTER), [way(BASE), way(THP)]
    strange = [run("thp", 100.0, 20, round=0), run("thp", 90.0, 21, not_counted="swapped")]
    assert compare([*runs, *strange], ways, "lower") == compare(runs, ways, "lower")
    assert summarise([*runs, *strange], ways) == summarise(runs, ways)


def test_a_policy_without_counted_runs_says_what_most_of_them_say() -> None:
    base, ways = runs_of(base=STEADY), [way(BASE), way(THP)]
    warm = [run("thp", 1.0, 9, round=0, not_counted="exit code 3")] * 3
    unseen = [run("thp", 1.0, 10 + n, not_counted="3 % on huge pages") for n in range(2)]
    found = only(compare([*base, *warm, *unseen], ways, "lower"))
    assert (found.verdict, found.why, found.runs) == ("not-applied", "3 % on huge pages", 0)
    broken = [run("thp", None, 10 + n, exit_code=1, not_counted="exit code 1") for n in range(3)]
    assert only(compare([*base, *unseen, *broken], ways, "lower")).verdict == "failed"
    slow = [run("thp", 9.0, 10, exit_code=0, timed_out=True, not_counted="did not end within 9 s")]
    assert only(compare([*base, *slow], ways, "lower")).verdict == "failed"
    silent = [run("thp", None, 10, not_counted="the metric was not printed")]
    found = only(compare([*base, *silent], ways, "lower"))
    assert (found.verdict, found.why) == ("cannot-tell", "the metric was not printed")
    blind = [run("thp", 1.0, 10, memory=MemorySeen(), not_counted="smaps could not be read in time")]
    assert only(compare([*base, *blind], ways, "lower")).verdict == "cannot-tell"
    assert only(compare(base, ways, "lower")).why == "it was never run"


def test_a_way_that_cannot_be_used_is_not_applied() -> None:
    found = only(compare(runs_of(base=STEADY), [way(BASE), way(POOL_2M, "no pool of this size")], "lower"))
    assert (found.verdict, found.why) == ("not-applied", "no pool of this size")


def test_without_runs_of_base_nothing_can_be_told() -> None:
    found = only(compare(runs_of(thp=STEADY), [way(BASE, "THP cannot be switched off"), way(THP)], "lower"))
    assert (found.verdict, found.why) == ("cannot-tell", "no run of base counted: THP cannot be switched off")


def test_values_without_a_ratio_cannot_be_told() -> None:
    found = only(compare(runs_of(base=[0.0] * 5, thp=[0.0] * 5), [way(BASE), way(THP)], "lower"))
    assert (found.verdict, found.why) == ("cannot-tell", "a ratio needs values above zero")


def test_summaries_are_medians_of_what_counted() -> None:
    seen = MemorySeen(peak_rss_bytes=100 * MIB, peak_hugetlb_bytes={str(2 * MIB): 8 * MIB, "1073741824": MIB})
    runs = [
        run("thp", value, memory=seen, minor_faults=faults) for value, faults in ((1.0, 10), (3.0, 20), (2.0, 31))
    ]
    (found,) = summarise(runs, [way(THP)])
    assert (found.runs, found.value, found.minor_faults) == (3, 2.0, 20)
    assert (found.peak_rss_bytes, found.peak_hugetlb_bytes) == (100 * MIB, 9 * MIB)
    assert found.coverage is None
    (empty,) = summarise([], [way(BASE)])
    assert (empty.runs, empty.value, empty.spread, empty.peak_hugetlb_bytes) == (0, None, None, None)


def test_spread_is_a_standard_deviation_that_one_outlier_does_not_move() -> None:
    source = random.Random(5)
    values = [source.gauss(1, 0.03) for _ in range(400)]
    assert relative_spread(values) == pytest.approx(0.03, abs=0.005)
    assert relative_spread([1.0, 1.01, 0.99, 1.0, 9.0]) == pytest.approx(0.0148, abs=0.001)
    assert relative_spread([1.0]) is None
    assert relative_spread([0.0, 0.0]) is None


def caveats(runs: list[Run], ways: list[Way] | None = None, **environment: object) -> dict[str, str]:
    comparisons = compare(runs, ways or [way(BASE), way(THP)], "lower")
    found = warnings_of(runs, comparisons, replace(QUIET, **environment))
    return {caveat.id: caveat.message for caveat in found}


def test_a_quiet_trial_has_no_warnings() -> None:
    assert caveats(runs_of(base=STEADY, thp=SHORTER)) == {}


def test_noise_is_said_with_the_smallest_difference_that_could_be_seen() -> None:
    wild = [1.0, 1.2, 0.9, 1.1, 0.8, 1.3, 1.0]
    runs = runs_of(base=wild, thp=STEADY)
    message = caveats(runs)["noisy"]
    assert "base 15 %" in message and "thp" not in message
    visible = smallest_visible(compare(runs, [way(BASE), way(THP)], "lower"))
    assert visible is not None and f"below {visible * 100:.0f} %" in message
    assert smallest_visible([]) is None


def test_a_busy_host_and_steal_are_said_when_a_quarter_of_the_runs_suffer() -> None:
    runs = runs_of(base=STEADY, thp=SHORTER)
    busy = [replace(one, other_cpu_share=0.4, steal_share=0.05) for one in runs[:4]] + runs[4:]
    assert caveats(busy)["busy-host"] == "In 4 of 14 runs others used more than 10 % of the CPUs (at most 40 %)."
    assert caveats(busy)["steal"].startswith("In 4 of 14 runs the hypervisor took more than 2 %")
    single = [replace(runs[0], other_cpu_share=0.4, steal_share=0.05), *runs[1:]]
    assert caveats(single) == {}
    assert caveats([replace(one, other_cpu_share=None, steal_share=None) for one in runs]) == {}


def test_few_runs_are_said() -> None:
    message = caveats(runs_of(base=STEADY, thp=SHORTER[:4]))["few-runs"]
    assert "4 of thp" in message and "base" not in message


def test_runs_left_out_beside_counted_ones_are_said() -> None:
    runs = [*runs_of(base=STEADY, thp=SHORTER), run("thp", 1.0, 14, not_counted="2 % on huge pages")]
    assert caveats(runs)["not-applied"] == "1 of 8 runs of thp are not counted, mostly: 2 % on huge pages."


def test_drift_is_seen_through_the_difference_of_policies() -> None:
    rising = [1 + 0.01 * step for step in range(7)]
    runs = runs_of(base=rising, thp=[value * 0.5 for value in rising])
    assert "+6" in caveats(runs)["drift"]
    slight = [1 + 0.001 * step for step in range(7)]
    assert "drift" not in caveats(runs_of(base=slight, thp=[value * 0.5 for value in slight]))


def test_what_watching_cost_one_policy_more_is_said() -> None:
    runs = [
        replace(one, watch_cpu_s=0.03 if one.policy == "base" else 0.01) for one in runs_of(base=STEADY, thp=STEADY)
    ]
    message = caveats(runs)["watch-cost"]
    assert "3 % of a run under base and 1 % under thp" in message
    assert "watch-cost" not in caveats([replace(one, watch_cpu_s=0.03) for one in runs])


def test_memory_that_is_taken_late_was_not_kept_warm() -> None:
    guest = replace(QUIET, free_page_reporting=True)
    runs = runs_of(base=STEADY, thp=STEADY)
    late = [replace(one, setup_s=3.0) for one in runs[:4]] + runs[4:]
    (caveat,) = warnings_of(late, [], guest, memory_held=True)
    assert caveat.id == "cold-memory" and caveat.message.startswith(
        "In 4 of 14 runs memory was still being taken 2 s"
    )
    assert warnings_of(late[1:], [], guest, memory_held=True) == []
    assert warnings_of(late, [], QUIET, memory_held=True) == []


def test_cold_memory_is_said_where_it_was_not_held() -> None:
    runs = runs_of(base=STEADY, thp=SHORTER)
    assert "cold-memory" in caveats(runs, free_page_reporting=True)
    assert "cold-memory" not in caveats(runs, free_page_reporting=None)
    held = warnings_of(runs, [], replace(QUIET, free_page_reporting=True), memory_held=True)
    assert held == []
