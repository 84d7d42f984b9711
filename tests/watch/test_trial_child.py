"""The child that makes a live trial, on a real program: what it sends, and how it ends whoever goes first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from advisor.procfs.fs import KernelFs
from advisor.trial.collapse import CollapseError, Target
from advisor.trial.groups import start_ticks
from advisor.trial.live_document import LiveMetric
from advisor.trial.live_prepare import memory_of
from advisor.units import MIB
from advisor.watch.trial_child import Trier
from advisor.watch.trial_frames import Died, Done, Go, Prepare, Ready, Refused, TrialFrame, Under
from tests.programs import program
from tests.response_server import build, compiler

SERVER_MIB = 32
PATIENCE_S = 60


@pytest.fixture(scope="module")
def server_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if compiler() is None:
        pytest.skip("no C compiler")
    return build(tmp_path_factory.mktemp("server"))


@pytest.fixture
def server(server_program: Path, tmp_path: Path) -> Iterator[int]:
    """A service with its memory on base pages."""
    try:
        with Target(os.getpid()) as own:
            own.check()
    except CollapseError as error:
        pytest.skip(str(error))
    with program([str(server_program), "compute", str(SERVER_MIB), str(tmp_path / "count")]) as process:
        yield process.pid


def asked(pid: int, **changes: Any) -> Prepare:
    return Prepare(
        **{"pid": pid, "start_ticks": start_ticks(pid) or 0, "window_s": 0.1, "windows": 4, "steps": "50,100"}
        | changes
    )


def huge_bytes(pid: int) -> int:
    return memory_of(KernelFs(), pid).huge_bytes or 0


def until(frames: Iterator[TrialFrame], kind: type, dose: float = 0.0) -> TrialFrame:
    """The first of this kind, of a running trial at this dose or beyond."""
    for frame in frames:
        if isinstance(frame, kind) and not (isinstance(frame, Under) and frame.so_far.dose < dose):
            return frame
    raise AssertionError(f"no {kind.__name__} came")


@pytest.mark.host
def test_a_trial_is_agreed_to_followed_and_told(server: int) -> None:
    trier = Trier()
    trier.order(asked(server))
    frames = trier.frames()
    (first, before) = next(frames), huge_bytes(server)
    assert isinstance(first, Ready)
    plan = first.plan
    assert (plan.pid, plan.steps, plan.measuring_s) == (server, (0.5, 1.0), pytest.approx(1.2))
    assert plan.asked_bytes >= (SERVER_MIB - 4) * MIB
    assert huge_bytes(server) == before, "nothing is done before it is agreed to"
    trier.order(Go())
    *under, last = frames
    assert isinstance(last, Done) and last.trial.pid == server
    seen = [one.so_far for one in under if isinstance(one, Under)]
    assert [(one.dose, one.windows) for one in seen[:4]] == [(0.0, 1), (0.0, 2), (0.0, 3), (0.0, 4)]
    if last.trial.ended == "no-measure":
        pytest.skip(f"other work on this machine disturbs too much: {last.trial.why}")
    assert (last.trial.ended, seen[-1].dose, seen[-1].windows) == ("complete", 1.0, 4)
    assert seen[-1].asked_slots == plan.eligible.slots
    assert seen[-1].measure == last.trial.judged_by
    assert [one.dose for one in seen[-1].responses] == [0.0, 0.5, 1.0]
    assert huge_bytes(server) - before == seen[-1].collapsed_slots * plan.eligible.slot_bytes


@pytest.mark.host
def test_what_was_asked_for_may_be_mended_before(server: int, tmp_path: Path) -> None:
    trier = Trier()
    frames = trier.frames()
    failing = LiveMetric("echo no >&2; exit 7", "rate", "higher")
    for order, about, words in (
        (asked(server, metric=failing), "metric", "the metric command: exit code 7: no"),
        (asked(server, steps="50,20"), "steps", "percentages that grow"),
        (asked(server, start_ticks=1), "process", "belongs to another one"),
        (asked((1 << 22) + 1, start_ticks=1), "process", "gone"),
    ):
        trier.order(order)
        refused = next(frames)
        assert isinstance(refused, Refused) and refused.about == about and words in refused.message
    trier.order(asked(server, metric=LiveMetric(f"cat {tmp_path}/count --password=x", "counter", "higher")))
    trier.order(asked(server, metric=LiveMetric(f"cat {tmp_path}/count; : --password=x", "counter", "higher")))
    assert isinstance(next(frames), Refused)
    assert isinstance(next(frames), Ready)
    trier.order(Go())
    done = until(frames, Done)
    assert isinstance(done, Done) and done.trial.metric is not None
    assert "password=x" not in done.trial.metric.command
    assert done.trial.judged_by == "metric"


@pytest.mark.host
@pytest.mark.parametrize("dose", [0.0, 0.5])
def test_ended_in_the_middle_it_keeps_what_was_measured_and_does_no_more(server: int, dose: float) -> None:
    trier = Trier()
    trier.order(asked(server, metric=LiveMetric("echo 5", "rate", "higher")))
    frames = trier.frames()
    assert isinstance(next(frames), Ready)
    trier.order(Go())
    until(frames, Under, dose)
    trier.end()
    done = until(frames, Done)
    assert isinstance(done, Done)
    assert (done.trial.ended, list(frames)) == ("interrupted", [])
    assert done.trial.windows and len(done.trial.steps) == (1 if dose else 0)
    taken = sum(step.collapsed_slots for step in done.trial.steps) * done.trial.eligible.slot_bytes
    assert huge_bytes(server) == taken, "and no more"
    with Target(server) as target:
        assert target.alive()


@pytest.mark.host
def test_a_front_end_that_is_killed_ends_its_trial(server: int) -> None:
    program_text = (
        "import os, signal\nfrom advisor.watch.trial_child import Trier\n"
        "from advisor.watch.trial_frames import Go, Prepare\n"
        f"trier = Trier()\ntrier.order(Prepare({server}, {start_ticks(server)}, steps='100', window_s=1.0))\n"
        "frames = trier.frames()\nnext(frames)\ntrier.order(Go())\nnext(frames)\n"
        "print(trier._child.process.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program_text], capture_output=True, text=True, timeout=PATIENCE_S)
    child = int(done.stdout)
    patience = time.monotonic() + PATIENCE_S
    while time.monotonic() < patience and _runs(child):
        time.sleep(0.05)
    assert not _runs(child)
    assert huge_bytes(server) == 0, "it was measuring dose 0, and collapses nothing for nobody"


@pytest.mark.host
def test_a_child_that_is_killed_is_told_with_what_it_was_at(server: int) -> None:
    trier = Trier()
    trier.order(asked(server))
    frames = trier.frames()
    assert isinstance(next(frames), Ready)
    trier.order(Go())
    next(frames)
    assert trier._child is not None
    os.kill(trier._child.process.pid, signal.SIGKILL)
    died = until(frames, Died)
    assert isinstance(died, Died) and died.running
    assert "killed by signal 9" in died.message


def test_nothing_comes_where_nothing_was_agreed_to() -> None:
    trier = Trier()
    trier.order(Go())
    trier.end()
    assert list(trier.frames()) == []


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
