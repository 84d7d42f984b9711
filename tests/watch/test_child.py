"""The child that watches: what it sends, what it is told, and how it ends."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from msgspec.structs import replace

from advisor.advise import advise
from advisor.profile.codec import load_profile
from advisor.watch.child import Watcher
from advisor.watch.frames import (
    Frame,
    Job,
    LookAt,
    Problem,
    Seek,
    Tick,
    WantedPolicy,
    WantedPool,
    WhatIf,
    read_frame,
    read_order,
    write_frame,
)
from tests.fake_proc import FakeProc
from tests.render.conftest import make_report

IDLE = Path(__file__).resolve().parents[2] / "sample_profiles" / "idle.jsonl.zst"
PATIENCE_S = 60


def ticks(frames: Iterator[Frame], number: int) -> list[Tick]:
    got = list(islice(frames, number))
    assert all(isinstance(frame, Tick) for frame in got), got
    return got  # type: ignore[return-value]


def test_a_recording_comes_at_once_by_rules_then_with_the_model_then_as_it_is_asked_for() -> None:
    watcher = Watcher(Job(profile=str(IDLE)))
    frames = watcher.frames()
    first, second = ticks(frames, 2)
    assert (first.position, first.length, first.model) == (10, 10, False)
    assert (second.position, second.model) == (10, True)
    watcher.order(Seek(4))
    (third,) = ticks(frames, 1)
    assert third.position == 4
    profile = load_profile(IDLE)
    expected = advise(replace(profile, samples=profile.samples[:4]), kind="profile")
    assert third.report.source == expected.source
    assert [one.memory for one in third.report.processes] == [one.memory for one in expected.processes]
    assert len(third.pulses) == 4
    watcher.close()
    assert list(frames) == []


POOL = 2 << 20
ODD_WISHES = (WantedPolicy(99_999_999, "thp"), WantedPolicy(1, "hugetlb", 64 << 10), WantedPolicy(1, "thp", None, 5))
"""Of a process that is not there, of a page size that no host has, and of one whose pid another process has."""


def test_what_if_is_answered_at_once_and_taken_back_in_a_recording() -> None:
    watcher = Watcher(Job(profile=str(IDLE)))
    frames = watcher.frames()
    _, plain = ticks(frames, 2)
    wanted = WhatIf(ODD_WISHES, "never", (WantedPool(POOL, 40), WantedPool(64 << 10, 4)))
    watcher.order(wanted)
    (asked,) = ticks(frames, 1)
    assert (asked.what_if, asked.position) == (wanted, 10)
    plan = asked.report.plan
    assert (plan.thp.enabled, [(pool.page_bytes, pool.pages) for pool in plan.pools]) == ("never", [(POOL, 40)])
    assert sorted(one.granted for one in plan.asked_for) == [False] * 3 + [True] * 2
    assert asked.advised is not None
    assert asked.advised == plain.report.plan, "the plan without wishes is the plan of before"
    watcher.order(Seek(3))
    (earlier,) = ticks(frames, 1)
    assert (earlier.position, earlier.what_if, earlier.report.plan.thp.enabled) == (3, wanted, "never")
    watcher.order(WhatIf())
    (back,) = ticks(frames, 1)
    assert (back.what_if, back.advised, back.report.plan.asked_for) == (WhatIf(), None, [])
    watcher.close()
    frames.close()  # type: ignore[attr-defined]


@pytest.mark.host
def test_what_if_on_a_live_host_is_answered_before_the_next_sample() -> None:
    watcher = Watcher(Job(interval_s=600.0))
    frames = watcher.frames()
    first, second = ticks(frames, 2)
    mode = "never" if first.report.host.thp.enabled != "never" else "always"
    wanted = WhatIf((WantedPolicy(os.getpid(), "thp-off"),), mode)
    watcher.order(wanted)
    (asked,) = ticks(frames, 1)
    assert (asked.position, asked.what_if) == (second.position, wanted)
    assert asked.report.plan.thp.enabled == mode
    assert [one.kind for one in asked.report.plan.asked_for] == ["thp-mode", "policy"]
    watcher.close()
    frames.close()  # type: ignore[attr-defined]


def test_the_process_that_is_looked_at_comes_from_near_as_of_the_sample_on_the_screen() -> None:
    watcher = Watcher(Job(profile=str(IDLE)))
    frames = watcher.frames()
    _, with_model = ticks(frames, 2)
    assert with_model.close_up is None
    process = with_model.report.processes[0]
    watcher.order(LookAt(process.pid))
    (near,) = ticks(frames, 1)
    close_up = near.close_up
    assert close_up is not None and close_up.vmas
    assert (close_up.pid, close_up.start_ticks) == (process.pid, process.start_ticks)
    assert near.report == with_model.report
    assert len(close_up.history) == 10
    watcher.order(Seek(4))
    (earlier,) = ticks(frames, 1)
    assert earlier.close_up is not None
    assert [one.t_s for one in earlier.close_up.history] == [one.t_s for one in close_up.history[:4]]
    for nobody in (LookAt(999_999_999), LookAt(None)):
        watcher.order(nobody)
        (tick,) = ticks(frames, 1)
        assert tick.close_up is None
    watcher.close()
    assert list(frames) == []


def test_a_captured_tree_gives_what_is_in_it(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path)
    proc.add(10, name="one", rss=9000)
    watcher = Watcher(Job(str(proc.procfs), str(proc.sysfs)))
    frames = watcher.frames()
    (first,) = ticks(frames, 1)
    assert [one.name for one in first.report.processes] == ["one"]
    assert (first.position, first.length) == (1, None)
    watcher.order(LookAt(10))
    near = next(tick for tick in islice(frames, 2) if isinstance(tick, Tick) and tick.close_up)
    assert near.close_up and near.close_up.vmas
    assert sum(vma.rss_bytes for vma in near.close_up.vmas) == first.report.processes[0].memory.rss_bytes
    watcher.close()
    frames.close()  # type: ignore[attr-defined]


@pytest.mark.host
def test_a_live_host_ticks() -> None:
    watcher = Watcher(Job(interval_s=0.2))
    frames = watcher.frames()
    got = ticks(frames, 4)
    assert [tick.position for tick in got] == [1, 1, 2, 3]
    seen = {one.pid for one in got[-1].report.processes}
    assert seen and os.getpid() not in seen, "who shows the host is no part of it"
    watcher.close()
    frames.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("job", "says"),
    [
        (Job(profile="/nonexistent.jsonl"), "/nonexistent.jsonl: No such file"),
        (Job("/nonexistent", "/nonexistent"), "neither a process nor meminfo"),
    ],
)
def test_what_cannot_be_watched_is_one_problem(job: Job, says: str) -> None:
    (problem,) = Watcher(job).frames()
    assert isinstance(problem, Problem)
    assert says in problem.message


def test_a_child_that_is_killed_is_a_problem_and_can_be_started_again() -> None:
    watcher = Watcher(Job(profile=str(IDLE)))
    frames = watcher.frames()
    ticks(frames, 1)
    assert watcher._child is not None
    os.kill(watcher._child.process.pid, signal.SIGKILL)
    *_, last = frames
    assert isinstance(last, Problem)
    assert "killed by signal 9" in last.message
    again = watcher.frames()
    ticks(again, 1)
    watcher.close()
    again.close()  # type: ignore[attr-defined]


def test_the_child_ends_when_its_front_end_is_gone() -> None:
    program = (
        "import os, signal\nfrom advisor.watch.child import Watcher\nfrom advisor.watch.frames import Job\n"
        f"watcher = Watcher(Job(profile={str(IDLE)!r}))\nframes = watcher.frames()\nnext(frames)\n"
        "print(watcher._child.process.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE_S)
    child = int(done.stdout)
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and _runs(child):
        time.sleep(0.05)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_frames_and_orders_come_out_as_they_went_in() -> None:
    report = make_report()
    odd = replace(report, processes=[replace(report.processes[0], name="a\udcffb")])
    pipe = io.BytesIO()
    for frame in (Tick(report, 1, None, [], 0.0, False), Tick(odd, 2, 3, [], 0.0, True), Problem("no")):
        write_frame(pipe, frame)
    pipe.seek(0)
    first, second, third = (read_frame(pipe) for _ in range(3))
    assert isinstance(first, Tick) and first.report == report
    assert isinstance(second, Tick) and second.report.processes[0].name == r"a\xffb"
    assert third == Problem("no")
    assert read_frame(pipe) is None
    pipe = io.BytesIO()
    write_frame(pipe, Seek(3))
    whole = pipe.getvalue()
    assert read_order(io.BytesIO(whole)) == Seek(3)
    assert read_order(io.BytesIO(whole[:-1])) is None
