"""A trial on this kernel that is killed, or interrupted, leaves the host as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from advisor.trial.groups import look_at
from advisor.trial.journal import restore_left_over
from advisor.trial.state import STATE_DIRECTORY, journal_names
from tests.host.knobs import POOLS, THP, current, setting

pytestmark = pytest.mark.host

KNOBS = (THP / "enabled", POOLS / "hugepages-2048kB/nr_hugepages")
PAGES = 8
RESERVE = Path("/proc/sys/vm/min_free_kbytes")

TRIAL = f"""
import subprocess, sys
from advisor.procfs.fs import KernelFs
from advisor.trial.journal import Journal
from advisor.trial.settings import HostSettings
with Journal() as journal:
    host = HostSettings(journal, KernelFs())
    host.thp_enabled(sys.argv[1])
    assert host.pool(2 << 20, {PAGES}) >= {PAGES}
    child = subprocess.Popen(["sleep", "99"], start_new_session=True)
    journal.started(child.pid)
    print(child.pid, flush=True)
    child.wait()
"""


@pytest.fixture
def before() -> Iterator[list[str]]:
    """What the settings held; put back whatever the test does."""
    if os.geteuid() != 0 or not all(knob.exists() and os.access(knob, os.W_OK) for knob in KNOBS):
        pytest.skip("THP and 2M pools cannot be changed here")
    if STATE_DIRECTORY.exists() and journal_names(STATE_DIRECTORY):
        pytest.skip("another trial runs on this host, or was killed")
    values = [current(knob) for knob in KNOBS]
    with ExitStack() as stack:
        for knob, value in zip(KNOBS, values, strict=True):
            stack.callback(knob.write_text, value)
        yield values


def values() -> list[str]:
    return [current(knob) for knob in KNOBS]


def start(before: list[str]) -> tuple[subprocess.Popen[str], int]:
    """A trial in the middle of its work, and the pid of what it runs."""
    mode = "always" if before[0] != "always" else "madvise"
    trial = subprocess.Popen([sys.executable, "-c", TRIAL, mode], stdout=subprocess.PIPE, text=True)
    assert trial.stdout is not None
    child = int(trial.stdout.readline())
    assert current(KNOBS[0]) == mode
    assert int(current(KNOBS[1])) >= PAGES
    return trial, child


def kill(trial: subprocess.Popen[str]) -> None:
    trial.kill()
    trial.wait()
    assert trial.stdout is not None
    trial.stdout.close()


def test_what_a_killed_trial_left_is_put_back(before: list[str]) -> None:
    trial, child = start(before)
    try:
        assert restore_left_over() == [], "it lives"
        assert values() != before
        kill(trial)
        assert values() != before
        done = restore_left_over()
    finally:
        kill(trial)
    assert [one.path for one in done] == [f"process {child}", *(str(knob) for knob in reversed(KNOBS))]
    assert all(one.restored for one in done)
    assert values() == before
    assert look_at(child) is None
    assert not journal_names(STATE_DIRECTORY)


def test_any_command_puts_it_back_and_says_so(before: list[str]) -> None:
    trial, child = start(before)
    kill(trial)
    command = [sys.executable, "-m", "advisor", "explain", "thp"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert values() == before
    assert look_at(child) is None
    assert done.stdout.startswith("policy thp")
    for knob, value in zip(KNOBS, before, strict=True):
        assert f"{knob}: {value!r} again" in done.stderr
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert again.stderr == ""


def test_ctrl_c_puts_it_back(before: list[str]) -> None:
    trial, child = start(before)
    trial.send_signal(signal.SIGINT)
    trial.communicate(timeout=20)
    assert trial.returncode != 0
    assert values() == before
    assert look_at(child) is None
    assert not journal_names(STATE_DIRECTORY)


def test_the_reserve_that_the_kernel_raises_with_a_mode_is_put_back(before: list[str]) -> None:
    lowered = str(int(current(RESERVE)) // 2)
    with setting(RESERVE, lowered):
        trial, _ = start(before)
        kill(trial)
        restore_left_over()
        assert current(RESERVE) == lowered
    assert values() == before


def test_a_journal_needs_no_folder_before(before: list[str]) -> None:
    trial, _ = start(before)
    try:
        assert STATE_DIRECTORY.stat().st_uid == 0
        assert oct(STATE_DIRECTORY.stat().st_mode & 0o777) == "0o755"
        (journal,) = journal_names(STATE_DIRECTORY)
        assert oct(Path(STATE_DIRECTORY / journal).stat().st_mode & 0o777) == "0o600"
    finally:
        trial.send_signal(signal.SIGINT)
        trial.communicate(timeout=20)
    assert values() == before


def test_what_an_administrator_sets_meanwhile_ends_the_trial_and_stays(before: list[str]) -> None:
    """Both what the trial would change next and the reserve, which the kernel raises with every mode."""
    arguments = ["--policies", "base,thp", "--rounds", "9", "--yes", "--", "sleep", "0.3"]
    with setting(RESERVE, str(int(current(RESERVE)) // 2)):
        trial = subprocess.Popen(
            [sys.executable, "-m", "advisor", "trial", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            wait_until(lambda: current(KNOBS[0]) == "always")
            KNOBS[0].write_text("never")
            RESERVE.write_text("40000")
            shown, said = trial.communicate(timeout=30)
        finally:
            kill(trial)
        assert (current(KNOBS[0]), current(RESERVE)) == ("never", "40000")
    assert trial.returncode == 1
    assert shown.startswith("Interrupted; so far: ") and "The trial ended early." in shown
    assert f"{KNOBS[0]}: is 'never', which the trial did not write; left as it is" in said
    assert not journal_names(STATE_DIRECTORY)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Ten seconds at most."""
    until_s = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def test_a_trial_that_would_take_pids_for_other_processes_is_refused(before: list[str]) -> None:
    command = ["unshare", "--pid", "--fork", sys.executable, "-m", "advisor", "trial", "--yes"]
    for what in (["--policies", "thp", "--", "true"], ["--pid", "1"]):
        done = subprocess.run([*command, *what], capture_output=True, text=True)
        assert done.returncode == 4 and "unshare --mount-proc" in done.stderr
    assert values() == before
