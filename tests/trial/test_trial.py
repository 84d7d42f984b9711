"""Whole trials of short commands that change nothing on the host; and how large a pool must be."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from advisor.procfs.fs import KernelFs
from advisor.trial.command import StartError, StopSignal, thp_disable
from advisor.trial.document import TRIAL_SCHEMA, Metric, Policy, Trial, Way
from advisor.trial.environment import read_environment
from advisor.trial.errors import BusyError
from advisor.trial.hold import MemoryHold
from advisor.trial.journal import Journal
from advisor.trial.pools import NeededMemory, growth_order, pages_needed, reserve, shortage
from advisor.trial.trial import MOST_FAILURES, Progress, TrialRequest, run_trial
from advisor.units import MIB
from tests.trial.commands import BASE, DEFAULT

POOL = Policy("pool-2M", "hugetlb", 2 << 20)


def request(*command: str, policies: tuple[Policy, ...] = (DEFAULT,), **fields: Any) -> TrialRequest:
    fields.setdefault("hold", False)
    fields.setdefault("timeout_s", 20.0)
    return TrialRequest(list(command), dict(os.environ), policies, own_way=True, **fields)


def trial(tmp_path: Path, asked: TrialRequest, stop: StopSignal | None = None) -> tuple[Trial, list[Progress]]:
    told: list[Progress] = []
    with Journal(tmp_path / "state") as journal:
        done = run_trial(asked, journal, told.append, stop=stop)
    assert not (tmp_path / "state").exists(), "a trial that changes nothing writes no journal"
    return done, told


def test_rounds_places_and_progress_of_a_whole_trial(tmp_path: Path) -> None:
    asked = request("sleep", "0.3", policies=(DEFAULT, BASE), rounds=3, seed=5)
    done, told = trial(tmp_path, asked)
    assert done.schema == TRIAL_SCHEMA
    assert [run.position for run in done.runs] == list(range(8))
    assert sorted((run.round, run.policy) for run in done.runs) == [
        (number, name) for number in range(4) for name in ("base", "default")
    ]
    assert [run.policy for run in done.runs[:2]] == ["base", "default"], "the warm-up begins with base pages"
    assert [run.not_counted for run in done.runs] == [None] * 8
    assert [(one.done, one.run is None) for one in told[:4]] == [(0, True), (1, False), (1, True), (2, False)]
    assert {one.total for one in told} == {8}
    assert [comparison.runs for comparison in done.comparisons] == [3]
    assert done.runs[3].started_s >= done.runs[2].started_s + done.runs[2].wall_s
    assert not done.interrupted
    assert (done.seed, done.min_coverage, done.timeout_s, done.memory_held) == (5, 0.25, 20.0, False)
    assert msgspec.json.decode(msgspec.json.encode(done), type=Trial) == done


def test_a_policy_that_fails_is_given_up_and_the_others_go_on(tmp_path: Path) -> None:
    script = 'test "$HUGEPAGE_ADVISOR_POLICY" = base && exit 4; sleep 0.05'
    done, _ = trial(tmp_path, request("sh", "-c", script, policies=(BASE, DEFAULT), rounds=4))
    runs = [run.policy for run in done.runs]
    assert (runs.count("base"), runs.count("default")) == (MOST_FAILURES, 5)
    assert "base was given up after 2 runs that do not count: exit code 4." in [one.message for one in done.warnings]


def test_one_failure_is_forgiven(tmp_path: Path) -> None:
    script = f"test -e {tmp_path}/once || {{ touch {tmp_path}/once; exit 1; }}"
    done, _ = trial(tmp_path, request("sh", "-c", script, rounds=3))
    assert [run.exit_code for run in done.runs] == [1, 0, 0, 0]


def test_a_command_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="/nonexistent"):
        trial(tmp_path, request("/nonexistent"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_trial_with_what_was_measured(tmp_path: Path, number: signal.Signals) -> None:
    handler = signal.getsignal(number)
    script = f"test -e {tmp_path}/seen && kill -{number.value} {os.getpid()} && sleep 60; touch {tmp_path}/seen"
    done, _ = trial(tmp_path, request("sh", "-c", script, rounds=5))
    assert done.interrupted
    assert len(done.runs) == 1
    assert done.duration_s < 15
    assert signal.getsignal(number) == handler


def test_a_hang_up_that_nohup_ignores_is_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        done, _ = trial(tmp_path, request("sh", "-c", f"kill -HUP {os.getpid()}; sleep 0.05", rounds=1))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not done.interrupted and len(done.runs) == 2


def test_its_owner_can_stop_a_trial_in_another_thread(tmp_path: Path) -> None:
    stop = StopSignal()
    found: list[Trial] = []
    thread = threading.Thread(target=lambda: found.append(trial(tmp_path, request("sleep", "60"), stop)[0]))
    thread.start()
    stop.set()
    thread.join(15)
    stop.close()
    assert found[0].interrupted
    assert found[0].runs == []


def test_a_pool_that_may_not_change_is_not_used(tmp_path: Path) -> None:
    done, _ = trial(tmp_path, request("sleep", "0.05", policies=(BASE, POOL), rounds=1, pool_bytes=1 << 50))
    assert {run.policy for run in done.runs} == {"base"}
    assert next(way for way in done.ways if way.policy == POOL).why_unusable


def test_a_metric_of_the_output_and_a_ready_line(tmp_path: Path) -> None:
    metric = Metric(kind="output", better="higher", regex="n=(.*)")
    program = "import os; print('n=' + os.environ['HUGEPAGE_ADVISOR_POLICY'].replace('default', '3'))"
    done, _ = trial(tmp_path, request(sys.executable, "-S", "-c", program, metric=metric, rounds=2))
    assert [run.value for run in done.runs] == [3.0] * 3
    assert done.metric == metric


def test_being_started_without_thp_is_said(tmp_path: Path) -> None:
    with thp_disable(1):
        done, _ = trial(tmp_path, request("true", rounds=0))
    assert "thp-disabled" in [one.id for one in done.warnings]


@given(st.integers(12, 34), st.integers(0, 1 << 40))
def test_a_pool_has_room_for_what_was_seen_and_one_page_at_least(order: int, poolable: int) -> None:
    page_bytes = 1 << order
    pages = pages_needed(page_bytes, None, NeededMemory(rss=poolable, poolable=poolable))
    assert pages >= 1
    assert poolable <= pages * page_bytes <= max(poolable * 1.1, poolable + page_bytes) + page_bytes
    spare = pages * page_bytes - poolable
    assert pages == 1 or spare >= page_bytes or spare >= int(poolable * 0.1), "malloc's heap takes a page of its own"
    assert pages_needed(page_bytes, 5 * page_bytes, NeededMemory(0, 0)) == 5


def test_another_trial_is_told_of_before_anything_runs(tmp_path: Path) -> None:
    ways = [Way(BASE, "own", "", command=["true"]), Way(POOL, "own", "", command=["true"], pool_page_bytes=2 * MIB)]
    told: list[Progress] = []
    with Journal(tmp_path / "state") as other, Journal(tmp_path / "state") as mine:
        other.begin()
        with pytest.raises(BusyError, match=f"process {os.getpid()}"):
            run_trial(request("true", ways=ways, may_change=True), mine, told.append)
    assert told == []


def test_what_runs_before_the_first_change_is_in_the_journal(tmp_path: Path) -> None:
    mode = read_environment(KernelFs()).thp_enabled
    if mode is None:
        pytest.skip("this kernel has no THP mode that could be asked for")
    state = tmp_path / "state"
    ways = [Way(DEFAULT, "own", "", command=["sh", "-c", f"sleep 0.3; cat {state}/*.journal"], thp_enabled=mode)]
    metric = Metric("output", "lower", r'"started": (\d+)')
    with Journal(state) as journal:
        done = run_trial(request("x", ways=ways, may_change=True, rounds=1, metric=metric), journal, lambda _: None)
    assert all(run.value is not None for run in done.runs) and len(done.runs) == 2
    assert not list(state.glob("*.journal")) and not done.changes


def test_without_a_journal_what_changes_nothing_is_still_measured(tmp_path: Path) -> None:
    mode = read_environment(KernelFs()).thp_enabled
    ways = [Way(DEFAULT, "own", "", command=["sleep", "0.05"], thp_enabled=mode or "always")]
    with Journal(tmp_path / "no folder" / "state") as journal:
        done = run_trial(request("x", ways=ways, may_change=True, rounds=1), journal, lambda _: None)
    assert len(done.runs) == (2 if mode else 0)


@pytest.mark.parametrize(("held", "is_said"), [(1 << 40, False), (0, True)])
def test_memory_that_could_not_be_held_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int, is_said: bool
) -> None:
    guest = replace(read_environment(KernelFs()), free_page_reporting=True)
    monkeypatch.setattr("advisor.trial.trial.read_environment", lambda _: guest)
    monkeypatch.setattr(MemoryHold, "take", lambda *_: held)
    done, _ = trial(tmp_path, request("sleep", "0.06", rounds=1, hold=None))
    assert ("cold-memory" in [one.id for one in done.warnings]) is is_said


class FakeSettings:
    """Grants up to `most` pages of any size."""

    def __init__(self, most: int) -> None:
        self.most = most

    def pool(self, *size_and_pages: int) -> int:
        return min(size_and_pages[1], self.most)


def host(tmp_path: Path, *, free: int, available_mib: int) -> KernelFs:
    """`free` pages of 2M, none of 1G."""
    for folder, pages in (("hugepages-2048kB", free), ("hugepages-1048576kB", 0)):
        pool = tmp_path / "sys/kernel/mm/hugepages" / folder
        pool.mkdir(parents=True)
        for name, value in {"nr_hugepages": pages, "free_hugepages": pages, "surplus_hugepages": 0}.items():
            (pool / name).write_text(f"{value}\n")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(f"MemTotal: 99999999 kB\nMemAvailable: {available_mib * 1024} kB\n")
    return KernelFs(str(tmp_path / "proc"), str(tmp_path / "sys"))


NEEDED = NeededMemory(rss=1000 * MIB, poolable=900 * MIB)


@pytest.mark.parametrize(
    ("free", "available_mib", "grants", "why"),
    [
        (495, 100, None, None),
        (494, 100, None, "the pool has 494 free pages and 495 are needed"),
        (0, 9000, 495, None),
        (0, 9000, 0, "the kernel found no contiguous memory for a single page of the pool"),
        (0, 2000, 495, "a pool 990 MiB larger would leave 1010 MiB, and the command needs 1000 MiB"),
    ],
)
def test_a_pool_is_made_large_enough_or_it_is_said_why_not(
    tmp_path: Path, free: int, available_mib: int, grants: int | None, why: str | None
) -> None:
    fs = host(tmp_path, free=free, available_mib=available_mib)
    settings: Any = None if grants is None else FakeSettings(grants)
    found = reserve(2 * MIB, None, NEEDED, settings, fs)
    assert found == why if why is None else found is not None and found.startswith(why)


@pytest.mark.parametrize(("available_mib", "largest_first"), [(9000, True), (3000, False)])
def test_the_largest_pages_come_first_where_there_is_room_for_all(
    tmp_path: Path, available_mib: int, largest_first: bool
) -> None:
    fs = host(tmp_path, free=0, available_mib=available_mib)
    assert growth_order([2 * MIB, 1 << 30], None, NEEDED, fs) == sorted([2 * MIB, 1 << 30], reverse=largest_first)


def test_a_pool_that_got_fewer_pages_than_wanted_is_told_of(tmp_path: Path) -> None:
    fs = host(tmp_path, free=494, available_mib=9000)
    assert shortage(2 * MIB, None, NEEDED, fs) == (
        "has 494 free pages of 495 that were wanted; memory that finds none is on base pages"
    )
    assert shortage(2 * MIB, 988 * MIB, NEEDED, fs) is None


def test_without_a_run_nobody_knows_how_large_a_pool_must_be(tmp_path: Path) -> None:
    fs = host(tmp_path, free=100, available_mib=9000)
    assert reserve(2 * MIB, None, NeededMemory(0, 0), None, fs) is not None
    assert reserve(2 * MIB, 4 * MIB, NeededMemory(0, 0), None, fs) is None
