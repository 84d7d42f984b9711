"""One run of real short commands: metric, set-up, resources, judgement, and that nothing is left behind."""

from __future__ import annotations

import errno
import mmap
import os
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.procfs.fs import KernelFs
from advisor.trial.command import (
    StartError,
    StoppedError,
    StopSignal,
    subreaper,
    thp_disable,
    thp_disabled,
)
from advisor.trial.document import MemorySeen, Metric, Policy
from advisor.trial.environment import (
    CpuTimes,
    cpu_shares,
    memory_available_bytes,
    parse_cpu_times,
    read_environment,
    reports_free_pages,
)
from advisor.trial.hold import MARGIN_BYTES, MemoryHold
from advisor.trial.output import OUTPUT_BYTES, Output
from advisor.trial.runner import Place, run_once
from advisor.trial.verdict import last_line, metric_value, why_not_counted
from advisor.trial.watch import Seen
from advisor.units import MIB
from tests.trial.commands import BASE, DEFAULT, Noted, is_running, options, python, run, way

THP = Policy("thp", "thp", 2 << 20)
POOL = Policy("pool-2M", "hugetlb", 2 << 20)
GIGANTIC = Policy("pool-1G", "hugetlb", 1 << 30)


def test_wall_time_cpu_time_and_place() -> None:
    done = run(python("import time; time.sleep(0.3); sum(range(2_000_000))"))
    assert 0.3 <= done.wall_s < 5
    assert done.value == done.wall_s
    assert 0 < done.user_s < done.wall_s
    assert done.minor_faults > 100
    assert done.exit_code == 0
    assert done.not_counted is None
    assert done.memory.peak_rss_bytes and done.memory.peak_rss_bytes > MIB
    assert done.watch_cpu_s > 0
    assert done.steal_share is not None


def test_cpu_time_counts_every_descendant() -> None:
    spin = "import time\nwhile time.process_time() < 0.2: pass"
    metric = Metric(kind="cpu", better="lower")
    done = run(python(f"import os\npid = os.fork()\n{spin}\nif pid: os.waitpid(pid, 0)"), options(metric))
    assert done.value == done.user_s + done.system_s
    assert 0.38 < done.value < 2


def test_an_ended_orphan_is_collected_and_counted() -> None:
    spin = "import time\nwhile time.process_time() < 0.2: pass"
    daemon = f"import os, time\nif os.fork():\n time.sleep(0.8); os._exit(0)\nif os.fork(): os._exit(0)\n{spin}"
    done = run(python(daemon))
    assert done.user_s + done.system_s > 0.19


def test_the_last_match_in_the_output_is_the_metric() -> None:
    metric = Metric(kind="output", better="higher", regex=r"^rate: (\S+)")
    done = run(way("sh", "-c", "echo 'rate: 1'; echo 'rate: 2.5e3 per s' >&2; echo end"), options(metric))
    assert done.value == 2500.0
    done = run(way("sh", "-c", "echo nothing"), options(metric))
    assert done.value is None
    assert done.not_counted is not None and "rate" in done.not_counted


def test_a_failure_says_how_it_ended_and_its_last_line() -> None:
    done = run(way("sh", "-c", "echo first; printf 'bad \\033[31m\\n\\n'; exit 3"))
    assert (done.exit_code, done.not_counted) == (3, "exit code 3: bad \\x1b[31m")
    done = run(way("sh", "-c", "kill -SEGV $$"))
    assert (done.exit_code, done.not_counted) == (-signal.SIGSEGV, "ended by SIGSEGV")


def test_a_run_over_its_time_is_ended() -> None:
    noted = Noted()
    done = run(way("sh", "-c", "trap '' TERM; sleep 60 & wait; sleep 60"), options(timeout_s=0.2), noted)
    assert done.not_counted == "did not end within 0.2 s"
    assert 0.2 <= done.wall_s < 1
    assert [word for word, _ in noted.lines] == ["started", "ended"]
    assert not is_running(noted.lines[0][1])


def test_a_server_that_ends_politely_was_ended_all_the_same() -> None:
    done = run(way("sh", "-c", "trap 'exit 0' TERM; sleep 60 & wait"), options(timeout_s=0.2))
    assert (done.exit_code, done.timed_out, done.not_counted) == (0, True, "did not end within 0.2 s")


def test_without_pidfds_nothing_can_be_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> int:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("advisor.trial.command.open_pidfd", refuse)
    noted = Noted()
    with pytest.raises(StartError, match=r"Linux 5\.3.*not implemented"):
        run(way("sleep", "60"), noted=noted)
    assert not is_running(noted.lines[0][1])


def test_who_got_hold_of_the_pipe_and_writes_on_delays_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("advisor.trial.output.REST_S", 0.1)
    read_end, write_end = os.pipe()
    with subprocess.Popen(["yes"], stdout=write_end) as stranger:
        os.close(write_end)
        began_s = time.monotonic()
        Output(read_end, None, time.monotonic).read_rest()
        stranger.kill()
    os.close(read_end)
    assert time.monotonic() - began_s < 5


def test_much_output_blocks_nobody_and_its_end_is_kept() -> None:
    metric = Metric(kind="output", better="higher", regex=r"last=(?P<value>\d+)")
    program = f"import sys\nfor _ in range(40): sys.stdout.write('x' * {MIB})\nprint('\\nlast=7')"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = run(python(program), options(metric))
    assert done.value == 7
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 6 * OUTPUT_BYTES


def test_thousands_of_short_processes_are_no_trouble() -> None:
    done = run(way("sh", "-c", "i=0; while [ $i -lt 1500 ]; do /bin/true; (: &); i=$((i+1)); done"))
    assert done.not_counted is None
    assert done.minor_faults > 1500


def test_the_ready_line_ends_the_set_up_as_it_arrives() -> None:
    program = "import time\ntime.sleep(0.2)\nprint('server ready', flush=True)\ntime.sleep(0.4)\nprint('ready')"
    done = run(python(program), options(ready="ready"))
    assert done.setup_s is not None and done.steady_s is not None
    assert 0.2 <= done.setup_s < 0.5
    assert done.setup_s + done.steady_s == pytest.approx(done.wall_s)
    done = run(way("sh", "-c", "printf ready"), options(ready="ready"))
    assert done.setup_s is not None, "a last line without its end"
    done = run(way("echo", "nothing"), options(ready="ready"))
    assert done.setup_s is done.steady_s is None


def test_without_a_ready_line_memory_ends_the_set_up() -> None:
    program = f"import time\ntime.sleep(0.2)\na = b'1' * {64 * MIB}\ntime.sleep(0.5)"
    done = run(python(program))
    assert done.setup_s is not None
    assert 0.2 < done.setup_s < done.wall_s - 0.3
    assert done.memory.peak_anon_bytes is not None and done.memory.peak_anon_bytes >= 64 * MIB


def test_standard_input_is_empty_and_the_folder_is_as_asked(tmp_path: Path) -> None:
    done = run(way("sh", "-c", "cat; pwd -P; exit 9"), options(folder=tmp_path))
    assert done.not_counted == f"exit code 9: {tmp_path.resolve()}"


def test_a_way_adds_to_the_environment() -> None:
    metric = Metric(kind="output", better="lower", regex="n=(.*)")
    assert run(way("sh", "-c", "echo n=$N", environment={"N": "12"}), options(metric)).value == 12


def test_a_command_that_cannot_be_started_leaves_nothing_open() -> None:
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    noted = Noted()
    with pytest.raises(StartError, match="/nonexistent/program cannot be started"):
        run(way("/nonexistent/program"), noted=noted)
    run(way("true"))
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert len(noted.lines) == 0
    assert threading.active_count() == threads


def test_stopping_ends_the_command() -> None:
    stop, noted = StopSignal(), Noted()
    timer = threading.Timer(0.2, stop.set)
    timer.start()
    try:
        with pytest.raises(StoppedError):
            run_once(way("sleep", "60"), options(), Place(1, 0, 0.0), noted, KernelFs(), stop)
    finally:
        timer.join()
        stop.close()
    assert not is_running(noted.lines[0][1])
    assert noted.lines[-1][0] == "ended"


def test_a_journal_that_fails_leaves_no_process() -> None:
    class Broken(Noted):
        def started(self, pid: int) -> None:
            super().started(pid)
            raise OSError("disk full")

    noted = Broken()
    with pytest.raises(OSError, match="disk full"):
        run(way("sleep", "60"), noted=noted)
    assert not is_running(noted.lines[0][1])


def test_base_pages_are_started_with_thp_off_and_nothing_else_is() -> None:
    metric = Metric(kind="output", better="lower", regex=r"^THP_enabled:\s+(\d)")
    before = thp_disabled()
    show = ("cat", "/proc/self/status")
    assert run(way(*show, policy=BASE, thp_disable=True), options(metric)).value == 0
    with thp_disable(1):
        assert run(way(*show, policy=THP), options(metric)).value == 1, "not what we were started with ourselves"
        assert run(way(*show, policy=DEFAULT), options(metric)).value == 0, "the default is as we were started"
    assert thp_disabled() == before


def test_advised_memory_is_seen_and_the_flag_of_base_pages_takes_it_away() -> None:
    program = f"import mmap, time\na = mmap.mmap(-1, {64 * MIB}, flags=34)\na.madvise(14)\nn = {MIB}\n"
    program += f"for i in range(0, {64 * MIB}, n): a[i:i+n] = b'1' * n\ntime.sleep(0.5)"
    with_thp = run(python(program, THP))
    if with_thp.memory.peak_thp_bytes == 0:
        pytest.skip("no THP to be had here")
    assert with_thp.not_counted is None
    assert with_thp.memory.coverage is not None and with_thp.memory.coverage > 0.8
    without = run(python(program, BASE, thp_disable=True))
    assert (without.memory.coverage, without.not_counted) == (0.0, None)
    as_pool = run(python(program, POOL))
    assert as_pool.not_counted == "only 0 % of its memory was on pages of pool-2M, less than 25 %"


def test_the_subreaper_is_taken_back() -> None:
    with subreaper(), subreaper():
        pass
    done = subprocess.run(["sh", "-c", "(sleep 0.01 & echo $!)"], capture_output=True, check=True)
    time.sleep(0.1)
    assert not is_running(int(done.stdout))
    with pytest.raises(ChildProcessError):
        os.waitpid(int(done.stdout), os.WNOHANG)


SEEN = Seen(MemorySeen(coverage=0.5), thp_share=0.5, hugetlb_share={}, settled_s=None, cpu_s=0, problem=None)
UNSEEN = Seen(MemorySeen(), thp_share=None, hugetlb_share={}, settled_s=None, cpu_s=0, problem=None)
POOLED = Seen(MemorySeen(coverage=0.6), 0.1, {2 << 20: 0.3, 1 << 30: 0.2}, None, 0, None)


@pytest.mark.parametrize(
    ("policy", "seen", "why"),
    [
        (BASE, SEEN, "50 % of its memory was on huge pages"),
        (THP, SEEN, None),
        (DEFAULT, UNSEEN, None),
        (THP, UNSEEN, "its memory was not seen: it ended before smaps could be read"),
        (THP, POOLED, "only 10 % of its memory was on transparent huge pages, less than 25 %"),
        (POOL, POOLED, None),
        (GIGANTIC, POOLED, "only 20 % of its memory was on pages of pool-1G, less than 25 %"),
    ],
)
def test_a_run_counts_only_if_its_policy_was_seen(policy: Policy, seen: Seen, why: str | None) -> None:
    found = why_not_counted(
        way("x", policy=policy),
        exit_code=0,
        timed_out_s=None,
        last_line="",
        metric=Metric(kind="wall", better="lower"),
        value=1.0,
        seen=seen,
    )
    assert found == why


@pytest.mark.parametrize(
    ("left_mib", "needed_mib", "counts"),
    [(1590, 1600, False), (1190, 1600, True), (7500, 8000, True), (1590, None, True)],
)
def test_a_large_page_that_is_nearly_empty_is_no_policy(left_mib: int, needed_mib: int | None, counts: bool) -> None:
    """One page of 1G, for the heap; what the command needs is elsewhere, or (8000 MiB) the share tells by itself."""
    memory = MemorySeen(peak_anon_bytes=left_mib * MIB, coverage=0.4)
    found = why_not_counted(
        way("x", policy=GIGANTIC, pool_page_bytes=1 << 30),
        exit_code=0,
        timed_out_s=None,
        last_line="",
        metric=Metric(kind="wall", better="lower"),
        value=1.0,
        seen=Seen(memory, 0.0, {1 << 30: 0.4}, None, 0, None),
        needed_bytes=None if needed_mib is None else needed_mib * MIB,
    )
    expected = "99 % of the memory that it needs stayed on base pages, the pool's were hardly used"
    assert found == (None if counts else expected)


@given(st.text())
def test_the_last_line_is_one_visible_bounded_line(output: str) -> None:
    line = last_line(output)
    assert line.isprintable() and len(line) <= 200 * 10


@pytest.mark.parametrize(
    ("regex", "output", "value"),
    [
        (r"t=(?P<unit>\w+):(?P<value>[\d.]+)", "t=s:1.5\nt=s:2", 2.0),
        (r"\d+", "1 2 3", 3.0),
        (r"t=(\S+)", "t=abc", None),
        (r"t=(\S+)", "t=nan", None),
        (r"(a)|(b)", "b", None),
    ],
)
def test_what_of_a_match_is_the_number(regex: str, output: str, value: float | None) -> None:
    assert metric_value(Metric(kind="output", better="lower", regex=regex), output, 1.0, 1.0) == value


def test_cpu_of_others_and_of_the_hypervisor() -> None:
    before = parse_cpu_times(b"cpu  100 0 100 1000 50 0 0 10 0 0\ncpu0 1 1\n", 100)
    assert before == CpuTimes(12.6, 2.0, 0.1)
    after = CpuTimes(22.6, 6.0, 0.6)
    other, steal = cpu_shares(before, after, own_s=1.0)
    assert (other, steal) == pytest.approx((0.3, 0.05))
    assert cpu_shares(before, before, 0.0) == (None, None)
    assert cpu_shares(None, after, 0.0) == (None, None)


def test_the_machine_is_described() -> None:
    environment = read_environment(KernelFs())
    assert environment.kernel == os.uname().release
    assert environment.base_page_bytes == mmap.PAGESIZE
    assert environment.memory_total_bytes


def test_free_page_reporting_is_told_by_the_kernel_or_the_balloon(tmp_path: Path) -> None:
    fs = KernelFs(str(tmp_path), str(tmp_path))
    assert not reports_free_pages(fs)
    features = tmp_path / "bus/virtio/drivers/virtio_balloon/virtio0/features"
    features.parent.mkdir(parents=True)
    features.write_text("011000")
    assert not reports_free_pages(fs)
    features.write_text("011001")
    assert reports_free_pages(fs)
    order = tmp_path / "module/page_reporting/parameters/page_reporting_order"
    order.parent.mkdir(parents=True)
    order.write_text("4294967295\n")
    assert not reports_free_pages(fs)
    order.write_text("9\n")
    assert reports_free_pages(fs)


def test_a_hold_holds_and_gives_back() -> None:
    hold = MemoryHold(KernelFs())
    before = resident_bytes()
    assert hold.take(8 * MIB) == hold.held_bytes >= 8 * MIB + MARGIN_BYTES
    assert resident_bytes() - before >= 8 * MIB
    hold.release()
    assert hold.held_bytes == 0
    assert resident_bytes() - before < 8 * MIB


def test_a_hold_leaves_the_host_its_floor() -> None:
    fs = KernelFs()
    available = memory_available_bytes(fs)
    assert available is not None
    hold = MemoryHold(fs, floor_bytes=available - 16 * MIB)
    try:
        assert hold.take(1 << 40) <= 64 * MIB
    finally:
        hold.release()
    assert MemoryHold(fs, floor_bytes=available + (1 << 30)).take(MIB) == 0


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE
