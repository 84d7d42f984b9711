"""What a trial started ends before its settings are put back, and nothing else does."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from advisor.trial.groups import end_groups, look_at, start_ticks
from advisor.trial.pidfd import open_pidfd
from advisor.trial.record import parse_journal
from tests.trial.knobs import Host, dead_pid


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


SLEEPERS = "import os, subprocess, time; subprocess.Popen(['sleep', '99'], start_new_session={own}); time.sleep(99)"


def start_group(own: bool) -> tuple[subprocess.Popen[bytes], int]:
    """A leader of its own session and the pid of its child, in the same session or in its own."""
    leader = subprocess.Popen([sys.executable, "-c", SLEEPERS.format(own=own)], start_new_session=True)
    deadline = time.monotonic() + 20
    children = Path(f"/proc/{leader.pid}/task/{leader.pid}/children")
    while not (text := children.read_text().split()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return leader, int(text[0])


@pytest.mark.parametrize("own", [False, True])
def test_a_noted_process_ends_with_all_that_it_started(host: Host, own: bool) -> None:
    leader, child = start_group(own)
    try:
        with host.journal() as journal:
            journal.change(host.number, "9")
            journal.started(leader.pid)
            journal.restore()
            assert leader.wait(timeout=5) == -signal.SIGTERM
            assert look_at(child) is None
            assert not journal.problems
    finally:
        leader.kill()
        leader.wait()


def test_what_a_killed_trial_left_running_is_ended_and_told_of(host: Host) -> None:
    with subprocess.Popen(["sleep", "99"], start_new_session=True) as process:
        host.plant(
            {"started": process.pid, "start_ticks": start_ticks(process.pid)}, {"started": 1, "start_ticks": 1}
        )
        (told,) = host.restore()
        assert process.wait(timeout=5) == -signal.SIGTERM
    assert (told.path, told.restored) == (f"process {process.pid}", True)
    assert told.message == f"process {process.pid}: started by the trial, still ran, ended"
    assert host.restore() == []


def test_one_that_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("advisor.trial.groups.TERM_WAIT_S", 0.2)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(99)"
    with subprocess.Popen([sys.executable, "-c", deaf], start_new_session=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        ticks = start_ticks(process.pid)
        assert ticks is not None
        assert end_groups({process.pid: ticks + 1}) == []
        assert process.poll() is None, "another start time: somebody else"
        assert end_groups({process.pid: ticks}) == []
        assert process.wait(timeout=5) == -signal.SIGKILL


@pytest.mark.parametrize("missing", [errno.ENOSYS, errno.EPERM])
def test_without_pidfds_processes_are_ended_by_number(monkeypatch: pytest.MonkeyPatch, missing: int) -> None:
    def refuse(_: int) -> int:
        raise OSError(missing, os.strerror(missing))

    monkeypatch.setattr("advisor.trial.groups.open_pidfd", refuse)
    with subprocess.Popen(["sleep", "99"], start_new_session=True) as process:
        assert end_groups({process.pid: start_ticks(process.pid) or 0}) == []
        assert process.wait(timeout=5) == -signal.SIGTERM


def test_a_pidfd_of_nobody_is_an_error() -> None:
    for pid in (dead_pid(), os.getpid() + (1 << 32), -1, 0):
        with pytest.raises(ProcessLookupError):
            open_pidfd(pid)


def test_no_journal_can_end_this_process_or_its_parents() -> None:
    pids = {os.getpid(), os.getppid(), 1}
    assert end_groups({pid: ticks for pid in pids if (ticks := start_ticks(pid)) is not None}) == []


def test_what_runs_when_the_journal_begins_is_in_it(host: Host) -> None:
    leader, _ = start_group(own=False)
    try:
        with host.journal() as journal:
            journal.started(leader.pid)
            journal.change(host.number, "9")
            assert parse_journal(host.left()[0].read_bytes()).groups == {leader.pid: start_ticks(leader.pid)}
            os.killpg(leader.pid, signal.SIGKILL)
            leader.wait()
            journal.ended(leader.pid)
            assert not parse_journal(host.left()[0].read_bytes()).groups
    finally:
        leader.kill()
        leader.wait()
