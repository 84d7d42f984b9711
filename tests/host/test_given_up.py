"""As root, a command gives up what it does not need, before it reads anything; what it was asked for still works."""

from __future__ import annotations

import ctypes
import mmap
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from advisor.batch import rights
from advisor.batch.local import score_locally
from advisor.batch.worker import Answer
from advisor.cli.output import write_output
from advisor.cli.privileges import keep_what_is_needed
from advisor.collect.folios import scan_folios
from advisor.privilege import capabilities
from advisor.privilege.capabilities import bits, keep_only, raised, without
from advisor.privilege.landlock import write_only_below
from advisor.privilege.needs import WATCHING
from advisor.procfs.errors import DeniedError
from advisor.procfs.fs import KernelFs
from advisor.procfs.pagemap_scan import Vma
from advisor.profile.codec import load_profile
from advisor.watch.child import Watcher
from advisor.watch.frames import Job, Record, Tick

pytestmark = [
    pytest.mark.host,
    pytest.mark.beside,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up"),
]

SAMPLES = Path(__file__).resolve().parents[2] / "sample_profiles"
IDLE = SAMPLES / "idle.jsonl.zst"
SOMEBODY = 61236
"""A user id that nobody has."""

FRAMES = bits(("CAP_SYS_ADMIN",))
"""Kept on a host with mTHP alone."""


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder that belongs to somebody else."""
    folder = tmp_path / "foreign"
    folder.mkdir(mode=0o755)
    os.chown(folder, SOMEBODY, SOMEBODY)
    return folder


def sets_of(pid: int) -> list[dict[str, int]]:
    """CapPrm, CapEff and NoNewPrivs of every thread."""
    found = []
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        found.append({name: int(lines[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "NoNewPrivs")})
    return found


def takes_huge_pages(pid: int) -> bool:
    """THP_enabled of /proc/PID/status (5.0), whatever the host's mode is."""
    return "THP_enabled:\t0" not in Path(f"/proc/{pid}/status").read_text()


def in_child(check: Callable[[], bool]) -> bool:
    """Whether it is true in a process of its own, which loses what it gives up."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if check() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def until(is_so: Callable[[], bool]) -> None:
    """Raises AssertionError where it is not after a minute."""
    ends = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_a_recording_keeps_what_watching_needs_also_where_the_folder_is_somebody_elses(
    foreign: Path, mode: int
) -> None:
    foreign.chmod(mode)
    path = foreign / "p.jsonl"
    program = [sys.executable, "-P", "-m", "advisor", "record", "-o", str(path), "--interval", "0.5"]
    with subprocess.Popen(program, stderr=subprocess.DEVNULL) as recording:
        try:
            until(lambda: path.exists() and path.stat().st_size > 0)
            until(lambda: all(sets["CapPrm"] & ~FRAMES == bits(WATCHING) for sets in sets_of(recording.pid)))
            for sets in sets_of(recording.pid):
                assert sets["CapEff"] & ~FRAMES == bits(WATCHING)
                assert sets["NoNewPrivs"] == 1
                assert sets["CapBnd"] & ~FRAMES & ~bits((*WATCHING, "CAP_DAC_OVERRIDE", "CAP_FOWNER")) == 0
            assert not takes_huge_pages(recording.pid)
        finally:
            recording.send_signal(signal.SIGTERM)
        assert recording.wait() == 0
    others = [record for record in load_profile(path).samples[0].processes if record.maps or record.rollup]
    assert any(os.getpid() == record.pid for record in others)


def test_what_was_asked_for_is_written_into_a_folder_of_somebody_else_and_nothing_else_is(foreign: Path) -> None:
    path = foreign / "changes.json"

    def check() -> bool:
        keep_what_is_needed("compare", {"output": path}, ("/proc", "/sys"))
        write_output("{}", path)
        return capabilities._held() == (bits(("CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE", "CAP_FOWNER")),) * 2

    assert in_child(check)
    assert path.read_text() == "{}\n"
    for mode in (0o1777, 0o755):  # in one such as /tmp only the owner of a file may replace it
        os.chown(path, SOMEBODY, SOMEBODY)
        foreign.chmod(mode)
        assert in_child(check)
        assert path.stat().st_uid == 0

    def check_without() -> bool:
        keep_what_is_needed("compare", {"output": None}, ("/proc", "/sys"))
        return is_denied((foreign / "other").touch) and path.read_text() == "{}\n"

    os.chown(path, SOMEBODY, SOMEBODY)
    assert in_child(check_without)


@pytest.mark.parametrize("command", ["tui", "trial"])
def test_commands_that_change_settings_or_start_what_does_keep_everything(command: str) -> None:
    def check() -> bool:
        before = capabilities._held()
        keep_what_is_needed(command, {}, ("/proc", "/sys"))
        return capabilities._held() == before

    assert in_child(check)


def test_the_interfaces_watcher_can_write_only_while_a_recording_is_opened(foreign: Path) -> None:
    watcher = Watcher(Job("/proc", "/sys", profile=None, interval_s=1.0))
    with closing(watcher.frames()) as frames:
        assert isinstance(next(frames), Tick)
        assert watcher._child is not None
        for sets in sets_of(watcher._child.process.pid):
            assert sets["CapEff"] & ~FRAMES == bits(WATCHING)
            assert sets["CapPrm"] & ~FRAMES == bits((*WATCHING, "CAP_DAC_OVERRIDE"))
            assert sets["NoNewPrivs"] == 1
        assert not takes_huge_pages(watcher._child.process.pid)
        watcher.order(Record(str(foreign / "shown.jsonl")))
        recording = next(tick.recording for tick in frames if isinstance(tick, Tick) and tick.recording)
        assert (recording.problem, recording.is_over) == (None, False)
        watcher.close()


def test_scores_workers_have_nothing_at_all_and_take_no_code_from_where_root_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "multiprocessing.py").write_text("open('taken', 'w')")
    monkeypatch.chdir(tmp_path)
    seen: list[dict[str, int]] = []
    rows = []

    def take(number: int, answer: Answer) -> None:
        rows.append((answer.row_count, answer.errors))
        for worker in multiprocessing.active_children():
            seen.extend(sets_of(worker.pid or 0))

    score_locally({0: [str(IDLE)]}, 1, take, with_model=False)
    assert rows[0][0] > 0 and not rows[0][1]
    assert seen and all(sets["CapPrm"] == sets["CapEff"] == sets["CapBnd"] == 0 for sets in seen)
    assert all(sets["NoNewPrivs"] == 1 for sets in seen)
    assert not Path("taken").exists()


def test_scores_workers_may_read_what_is_somebody_elses_only_where_an_input_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.jsonl.zst"
    path.write_bytes(IDLE.read_bytes())
    assert rights.environment_for([str(path), "https://example.org/p.jsonl.zst"]) == {}
    os.chown(path, SOMEBODY, SOMEBODY)
    path.chmod(0o600)
    environment = rights.environment_for([str(IDLE), str(path)])
    assert environment == {rights.READS_ALL: "1"}
    assert rights.environment_for([str(tmp_path)]) == environment, "a folder may hold such files"

    def can_read() -> bool:
        rights.give_up()
        return not is_denied(path.read_bytes) and capabilities._held() == (bits(("CAP_DAC_READ_SEARCH",)),) * 2

    assert not in_child(can_read)
    monkeypatch.setenv(*environment.popitem())
    assert in_child(can_read)


def test_who_decodes_foreign_files_writes_temporary_files_alone_and_starts_nothing(tmp_path: Path) -> None:
    allowed, elsewhere = tmp_path / "allowed", tmp_path / "elsewhere"
    allowed.mkdir()
    elsewhere.write_text("as it was")

    def check() -> bool:
        if not write_only_below([str(allowed), "/nonexistent"]):
            return True  # a kernel without Landlock
        (allowed / "new").write_text("x")
        return (
            is_denied(lambda: elsewhere.write_text("y"))
            and is_denied(elsewhere.unlink)
            and is_denied(lambda: os.truncate(elsewhere, 0))
            and is_denied(lambda: os.rename(allowed / "new", tmp_path / "new"))
            and is_denied(lambda: subprocess.run(["true"]))
            and elsewhere.read_text() == "as it was"
        )

    assert in_child(check)
    assert elsewhere.read_text() == "as it was"


def is_denied(act: Callable[[], object]) -> bool:
    try:
        act()
    except OSError:
        return True
    return False


def test_folios_are_not_guessed_where_page_frames_are_hidden() -> None:
    area = mmap.mmap(-1, 16 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.madvise(mmap.MADV_NOHUGEPAGE)
    area[:: mmap.PAGESIZE] = bytes(len(area) // mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(area))

    def check() -> bool:
        keep_only(WATCHING)
        with pytest.raises(DeniedError, match="CAP_SYS_ADMIN"):
            scan_folios(KernelFs(), os.getpid(), [Vma(start, start + len(area))], 2 << 20, mmap.PAGESIZE)
        return True

    assert in_child(check)


def test_idle_capabilities_have_force_only_where_they_are_raised(foreign: Path) -> None:
    def check() -> bool:
        if not keep_only(["CAP_DAC_READ_SEARCH"], idle=["CAP_DAC_OVERRIDE"]):
            return False
        denied = is_denied((foreign / "a").touch)
        with raised("CAP_DAC_OVERRIDE"), raised("CAP_SYS_ADMIN"):
            (foreign / "a").touch()
        return denied and is_denied((foreign / "b").touch)

    assert in_child(check)


def test_what_other_threads_keep_is_not_said_to_be_given_up() -> None:
    def check() -> bool:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        before = capabilities._held()
        return not keep_only([]) and capabilities._held() == before

    assert in_child(check)


def test_a_kernel_that_refuses_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def __getattr__(self, name: str) -> Callable[..., int]:
            return lambda *arguments: -1

    monkeypatch.setattr(capabilities, "_libc", Refusing())
    assert not keep_only(WATCHING)
    with without(WATCHING), raised("CAP_DAC_OVERRIDE"):
        pass


def test_nothing_is_gained(tmp_path: Path) -> None:
    def check() -> bool:
        return keep_only(["CAP_SYS_NICE"]) and keep_only(WATCHING) and capabilities._held() == (0, 0)

    assert in_child(check)
