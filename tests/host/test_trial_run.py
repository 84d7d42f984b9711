"""A trial on this machine's kernel: real policies that take effect, and a host left as it was found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from advisor.procfs.fs import KernelFs
from advisor.trial.document import Trial
from advisor.trial.journal import Journal, restore_left_over
from advisor.trial.trial import TrialRequest, run_trial
from advisor.trial.ways import policies_of
from advisor.units import MIB
from tests.host.knobs import POOLS, THP, current
from tests.trial.commands import is_running

pytestmark = pytest.mark.host

SIZE_MIB = 192

PROGRAM = f"""
import mmap, os, sys, time
size = {SIZE_MIB << 20}
flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
area = mmap.mmap(-1, size, flags=flags | (0x40000 if sys.argv[1].startswith("pool") else 0))
for begin in range(0, size, 1 << 20):
    area[begin : begin + (1 << 20)] = b"1" * (1 << 20)
print("standing", os.getpid(), flush=True)
time.sleep(float(sys.argv[2]))
"""
"""Applies a pool itself; THP and base pages come from outside."""

KNOBS = (THP / "enabled", THP / "shmem_enabled", POOLS / "hugepages-2048kB/nr_hugepages")


@contextmanager
def knobs_kept() -> Iterator[None]:
    """Skips where the host's settings cannot be changed; afterwards they are as before, or the test has failed."""
    if os.geteuid() != 0 or not all(os.access(path, os.W_OK) for path in KNOBS):
        pytest.skip("the host's huge page settings cannot be changed here")
    before = [current(path) for path in KNOBS]
    try:
        yield
        assert [current(path) for path in KNOBS] == before
    finally:
        for path, value in zip(KNOBS, before, strict=True):
            path.write_text(value)


def request(seconds: float, names: list[str], rounds: int) -> TrialRequest:
    return TrialRequest(
        [sys.executable, "-S", "-c", PROGRAM, "{policy}", str(seconds)],
        dict(os.environ),
        policies_of(KernelFs(), names),
        rounds=rounds,
        timeout_s=20.0,
        own_way=True,
        may_change=True,
    )


def trial(asked: TrialRequest, state: Path) -> Trial:
    with Journal(state) as journal:
        return run_trial(asked, journal, lambda _: None)


def test_base_pages_thp_and_a_pool_take_effect(tmp_path: Path) -> None:
    with knobs_kept():
        done = trial(request(0.25, ["base", "thp", "pool-2M"], rounds=2), tmp_path / "state")
    assert len(done.runs) == 9, [way.why_unusable for way in done.ways]
    assert [(run.policy, run.not_counted) for run in done.runs if run.not_counted] == []
    for run in done.runs:
        assert run.memory.coverage is not None and run.memory.peak_rss_bytes is not None
        assert run.memory.coverage < 0.01 if run.policy == "base" else run.memory.coverage > 0.9
        pool = run.memory.peak_hugetlb_bytes
        assert pool == ({str(2 * MIB): SIZE_MIB * MIB} if run.policy == "pool-2M" else {})
    faults = {run.policy: run.minor_faults for run in done.runs}
    assert faults["base"] > faults["thp"] + SIZE_MIB * 200
    assert all(change.restored for change in done.changes)
    assert {Path(change.path).name for change in done.changes} == {"enabled", "nr_hugepages"}


def test_held_memory_is_warm_and_given_back(tmp_path: Path) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = resident()
    with knobs_kept():
        done = trial(request(0.1, ["base"], rounds=1), tmp_path / "state")
    assert len(done.runs) == 2
    assert resident() - before < SIZE_MIB * MIB / 2, "nothing is held any more"


IN_THE_MIDDLE = """
import sys
from pathlib import Path
from tests.host.test_trial_run import request, trial
trial(request(60, ["thp"], rounds=1), Path(sys.argv[1]))
"""


@contextmanager
def trial_in_the_middle(state: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A trial in a process of its own, and the pid of its command, which is running under THP."""
    root = Path(__file__).resolve().parents[2]
    with knobs_kept(), subprocess.Popen([sys.executable, "-c", IN_THE_MIDDLE, str(state)], cwd=root) as running:
        try:
            yield running, command_of(running.pid)
        finally:
            running.kill()
            running.wait()
            restore_left_over(state)


def command_of(trial_pid: int) -> int:
    """Pid of what the trial runs, once it runs under the mode that the trial has set."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        children = Path(f"/proc/{trial_pid}/task/{trial_pid}/children").read_text().split()
        if children and current(THP / "enabled") == "always":
            time.sleep(0.2)
            return int(children[0])
        time.sleep(0.05)
    raise AssertionError("the trial did not come so far")


def test_a_trial_killed_in_the_middle_is_undone_by_the_next_command(tmp_path: Path) -> None:
    with trial_in_the_middle(tmp_path) as (running, command):
        running.kill()
        running.wait()
        assert is_running(command)
        assert current(THP / "enabled") == "always"
        left = restore_left_over(tmp_path)
        assert [one.path for one in left] == [f"process {command}", str(THP / "enabled")]
        assert all(one.restored for one in left)
        assert not is_running(command)


def test_daemons_of_a_killed_trial_are_ended_by_the_next_command(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = (
        f"(setsid sh -c 'echo $$; exec sleep 60' >> {pids} &); (sh -c 'echo $$; exec sleep 60' >> {pids} &); sleep 60"
    )
    command = ["trial", "--policies", "thp", "--yes", "--", "sh", "-c", script]
    with knobs_kept():
        running = subprocess.Popen([sys.executable, "-m", "advisor", *command], stdout=subprocess.DEVNULL)
        command_of(running.pid)
        running.kill()
        running.wait()
        daemons = [int(line) for line in pids.read_text().split()]
        assert len(daemons) == 2 and all(map(is_running, daemons))
        restore_left_over()
        assert not any(map(is_running, daemons))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_command_and_trial_and_restores(tmp_path: Path, number: signal.Signals) -> None:
    with trial_in_the_middle(tmp_path) as (running, command):
        running.send_signal(number)
        assert running.wait(15) == 0
        assert not is_running(command)
        assert current(THP / "enabled") != "always"
