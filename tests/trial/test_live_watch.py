"""Windows of a process, the user's metric, and what is refused before anything is changed."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from advisor.procfs.errors import GoneError
from advisor.procfs.fs import KernelFs
from advisor.trial.collapse import Target
from advisor.trial.groups import look_at
from advisor.trial.live_document import Eligible, LiveMetric, Window
from advisor.trial.live_prepare import LiveRefusedError, cgroup_rooms, check_room, children_of, why_nothing
from advisor.trial.live_watch import StoppedError, Watcher
from advisor.trial.metric_command import KEPT_BYTES, MetricError, read_metric
from advisor.trial.proxies import KernelSource
from advisor.units import MIB
from tests.fake_proc import FakeProc
from tests.programs import program


def test_the_last_number_counts() -> None:
    assert read_metric("echo 'p50 1.5 p99 2e3 ms'", 1) == 2000
    assert read_metric('echo "$HUGEPAGE_ADVISOR_PID"', 77) == 77


@pytest.mark.parametrize(
    ("command", "why"),
    [("exit 3", "exit code 3"), ("echo none", "no number"), ("echo 1e999", "without bound")],
)
def test_a_metric_that_gives_nothing_says_why(command: str, why: str) -> None:
    with pytest.raises(MetricError, match=why):
        read_metric(command, 1)


def test_a_metric_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    """Its child holds the output open, and would be waited for."""
    child = tmp_path / "child"
    began = time.monotonic()
    with pytest.raises(MetricError, match=r"longer than 0\.3 s"):
        read_metric(f"sleep 30 & echo $! > {child}; wait", 1, timeout_s=0.3)
    assert time.monotonic() - began < 5
    assert has_ended(int(child.read_text()))


def test_a_metric_leaves_nothing_behind(tmp_path: Path) -> None:
    """Not even what is a daemon and holds the output open; and that is not waited for."""
    child = tmp_path / "child"
    began = time.monotonic()
    assert read_metric(f"setsid sleep 60 & echo $! > {child}; echo 5", 1) == 5
    assert time.monotonic() - began < 5
    assert has_ended(int(child.read_text()))


def test_an_interrupted_metric_leaves_nothing_behind(tmp_path: Path) -> None:
    child = tmp_path / "child"
    with pytest.raises(KeyboardInterrupt):
        read_metric(f"sleep 60 & setsid sleep 60 & echo $! > {child}; kill -INT {os.getpid()}; wait", 1)
    assert has_ended(int(child.read_text()))


def test_a_metric_that_prints_without_end_takes_bounded_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(MetricError, match="longer than 1 s"):
        read_metric("yes", 1, timeout_s=1)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 16 * KEPT_BYTES
    assert read_metric("head -c 3000000 /dev/zero | tr '\\0' x; echo 7; yes warning | head -c 3000000 >&2", 1) == 7


def has_ended(pid: int) -> bool:
    """Within a second."""
    for _ in range(50):
        found = look_at(pid)
        if found is None:
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def target() -> Iterator[Target]:
    with Target(os.getpid()) as own:
        yield own


def take(target: Target, metric: LiveMetric | None, count: int = 2) -> list[Window]:
    watcher = Watcher(target, [KernelSource(KernelFs(), target.pid)], metric, 0.05, threading.Event())
    taken: list[Window] = []
    watcher.windows(0.5, count, taken.append)
    return taken


def test_windows_follow_without_a_gap(target: Target) -> None:
    first, second = take(target, None)
    assert first.wall_s >= 0.05
    assert second.began_s == pytest.approx(first.began_s + first.wall_s)
    assert first.counts["io-calls"] > 0
    assert (first.dose, first.value) == (0.5, None)


def test_a_counter_is_its_difference_per_second(target: Target, tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.write_text("0")
    step = f"n=$(cat {count}); echo $((n + 10)) > {count}; echo $n"
    for window in take(target, LiveMetric(step, "counter", "higher")):
        assert window.value == pytest.approx(10 / window.wall_s, rel=0.5)


def test_a_rate_is_the_mean_of_its_calls(target: Target, tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.write_text("1")
    step = f"n=$(cat {count}); echo $((n + 1)) > {count}; echo $n"
    first, second = take(target, LiveMetric(step, "rate", "higher"))
    assert (first.value, second.value) == (2.0, 5.0)  # 1, 2, 3 and 4, 5, 6: no number counts twice


def test_a_metric_that_fails_leaves_the_window_without_a_value(target: Target) -> None:
    assert [window.value for window in take(target, LiveMetric("false", "rate", "higher"))] == [None, None]


def test_stop_ends_the_wait(target: Target) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        Watcher(target, [], None, 10.0, stop).wait(10.0)


def test_a_process_that_exits_is_seen() -> None:
    with program(["sh", "-c", "echo ready; read x"]) as process, Target(process.pid) as target:
        assert target.alive()
        process.kill()
        process.wait()
        with pytest.raises(GoneError):
            Watcher(target, [], None, 0.01, threading.Event()).wait(0.0)


def test_why_there_is_nothing_to_collapse() -> None:
    words = why_nothing(Eligible(2 * MIB, 0, 0, 0, 2, 3 * MIB, 10 * MIB, 5 * MIB))
    assert "10 MiB are on huge pages already" in words
    assert "5 MiB refuse" in words
    assert "4 MiB are populated below" in words
    assert "no writable memory" in why_nothing(Eligible(2 * MIB, 0, 0, 0, 0, 0, 0, 0))


@pytest.fixture
def fs(tmp_path: Path) -> KernelFs:
    fake = FakeProc(tmp_path)
    fake.add(7)
    return KernelFs(str(fake.procfs), str(fake.sysfs))


def test_tight_memory_is_refused_with_the_numbers(fs: KernelFs) -> None:
    available = 8192000 * 1024
    check_room(fs, 7, available // 2)
    with pytest.raises(LiveRefusedError, match=r"8000 MiB available.*grow by 7998 MiB"):
        check_room(fs, 7, available - 2 * MIB)


def test_children_are_counted() -> None:
    before = children_of(KernelFs(), os.getpid())
    with program(["sh", "-c", "echo ready; read x"]):
        assert children_of(KernelFs(), os.getpid()) == before + 1


def group(fs: KernelFs, name: str, limit: str, used: int, inactive: int) -> None:
    folder = Path(fs.sysfs, "fs/cgroup", name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\ninactive_file {inactive}\n")


def test_a_control_group_that_is_nearly_full_is_refused(fs: KernelFs) -> None:
    group(fs, "system.slice", "max", 5, 0)
    group(fs, "system.slice/worker.service", str(1000 * MIB), 900 * MIB, 100 * MIB)
    assert cgroup_rooms(fs, 7) == [("fs/cgroup/system.slice/worker.service", 1000 * MIB, 200 * MIB)]
    check_room(fs, 7, 100 * MIB)
    with pytest.raises(LiveRefusedError, match="200 MiB left of 1000 MiB"):
        check_room(fs, 7, 160 * MIB)
