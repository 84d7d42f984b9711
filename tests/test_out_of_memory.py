"""Where memory ends, one line says so and what was gathered is kept."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest import mock

import pytest

from advisor.cli import main
from advisor.cli.room import ADVISING, RECORDING, need_of
from advisor.collect.sampler import Sampler
from advisor.profile.codec import load_profile
from advisor.profile.model import Sample
from tests.in_process import advisor


def test_a_recording_keeps_the_samples_that_it_has(tmp_path: Path) -> None:
    path, tick = tmp_path / "p.jsonl", Sampler.tick
    ticks = iter((tick, tick))

    def third_fails(sampler: Sampler) -> Sample:
        for real in ticks:
            return real(sampler)
        raise MemoryError

    with mock.patch.object(Sampler, "tick", third_fails):
        done = advisor("record", "-o", str(path), "--duration", "120", "--interval", "0.05")
    assert done.returncode == 1
    assert (
        done.stderr == "hugepage-advisor: there is not enough memory for this; what was written until now is kept\n"
    )
    assert len(load_profile(path).samples) == 2


def test_a_library_that_cannot_be_mapped_is_one_line() -> None:
    why = "libpolars.so: failed to map segment from shared object"
    with mock.patch.object(main.cli, "main", side_effect=ImportError(f"advice in many lines\n\n{why}\n")):
        done = advisor("report")
    assert done.returncode == 1
    assert done.stderr == f"hugepage-advisor: a library could not be loaded: {why}\n"


@pytest.mark.parametrize("option", ["-v", "-d"])
@pytest.mark.parametrize("command", ["report", "score x", "record -o p.jsonl", "explain", "model show"])
def test_a_limit_that_leaves_no_room_is_one_line_at_once(command: str, option: str) -> None:
    """Without this, OpenBLAS turns in a circle that no signal ends, and polars prints thousands of lines."""
    done = limited(f"ulimit {option} 102400", command)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"and the limit is 100 MiB; raise it (ulimit {option} unlimited)" in done.stderr


def test_help_is_to_be_had_all_the_same() -> None:
    assert limited("ulimit -v 102400", "report --help").returncode == 0


@pytest.mark.parametrize("command", ["report --duration 0", "model show", "score sample_profiles --summary"])
def test_as_much_as_is_asked_for_is_enough(command: str) -> None:
    need = need_of("report")
    done = limited(f"ulimit -v {need.address_space >> 10}; ulimit -d {need.data >> 10}", command)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["explain", "explain redis"])
def test_so_it_is_for_commands_without_the_model(command: str) -> None:
    done = limited(f"ulimit -v {RECORDING.address_space >> 10}; ulimit -d {RECORDING.data >> 10}", command)
    assert done.returncode == 0, done.stderr


def test_where_too_few_threads_can_be_started_one_line_says_so() -> None:
    real, started = threading.Thread.start, []

    def start(thread: threading.Thread) -> None:
        if len(started) == 5:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        real(thread)

    with mock.patch.object(threading.Thread, "start", start):
        done = advisor("report", "--duration", "0")
    assert done.returncode == 1
    assert "and no more than 5 can be started; raise the limit (pids.max" in done.stderr
    assert not any(thread.is_alive() for thread in started)


@pytest.mark.host
@pytest.mark.beside
@pytest.mark.parametrize(
    "command", ["report --duration 0", "score sample_profiles --summary", "record -o p --duration 0"]
)
def test_as_many_threads_as_are_asked_for_are_enough(command: str, tmp_path: Path) -> None:
    root, v1 = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/pids")
    group = (v1 if v1.is_dir() else root) / f"advisor-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        pytest.skip("no control group can be made here")
    try:
        if not (group / "pids.max").exists():
            pytest.skip("control groups have no limit on threads here (cgroup.subtree_control)")
        (group / "pids.max").write_text(str(1 + need_of(command.split()[0]).threads))
        done = limited(f"echo $$ > {group}/cgroup.procs", command.replace("-o p", f"-o {tmp_path}/p.jsonl"))
        assert done.returncode == 0, done.stderr
    finally:
        until = time.monotonic() + 10
        while (group / "cgroup.procs").read_text() and time.monotonic() < until:
            time.sleep(0.05)  # what multiprocessing tracks resources with ends a moment after its parent
        group.rmdir()


def test_more_processors_take_more() -> None:
    with mock.patch("os.sched_getaffinity", return_value=set(range(64))):
        many = need_of("report")
    assert many.address_space >= ADVISING.address_space + (1 << 30)
    assert many.threads >= ADVISING.threads + 64


def limited(limits: str, command: str) -> subprocess.CompletedProcess[str]:
    words = ["sh", "-c", f'{limits}; exec "$0" -m advisor {command}', sys.executable]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
