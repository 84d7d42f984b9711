"""Ctrl-C, a service manager or a lost terminal: each command ends, in order and at once, and says so."""

from __future__ import annotations

import io
import json
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.batch.test_score import SAMPLES

ADVISOR = [sys.executable, "-m", "advisor"]
INTERRUPTED = 130
STARTS_S = 120.0
ENDS_S = 30.0
"""Longest waits on a busy machine."""

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def as_from_a_terminal() -> None:
    """Test runners may have been started in the background, where SIGINT is ignored."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def interrupted(
    arguments: list[str], number: int, ready: Callable[[int], bool], ignored: int | None = None
) -> tuple[int, str, str]:
    """Exit code and output of a command that gets this signal once it is ready, which is told by its pid.

    ignored: a signal, as by nohup.
    """

    def before() -> None:
        as_from_a_terminal()
        if ignored is not None:
            signal.signal(ignored, signal.SIG_IGN)

    process = subprocess.Popen(
        [*ADVISOR, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=before
    )
    deadline = time.monotonic() + STARTS_S
    while not ready(process.pid) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    try:
        out, err = process.communicate(timeout=ENDS_S)
    finally:
        process.kill()
    return process.returncode, out, err


def waits(pid: int) -> bool:
    """It has read, imported and loaded all it needs by now, and sleeps until its next sample."""
    process = psutil.Process(pid)
    before = process.cpu_times()
    time.sleep(1)
    return before.user > 1 and process.cpu_times() == before and process.status() == psutil.STATUS_SLEEPING


def waits_for_its_first_worker(pid: int) -> bool:
    """The process that forks workers is there, and imports what they need before it forks the first."""
    return any("forkserver" in " ".join(child.cmdline()) for child in psutil.Process(pid).children())


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupted_report_is_of_what_was_seen_until_then(number: signal.Signals) -> None:
    code, out, err = interrupted(["report", "--json", "--duration", "600"], number, waits)
    assert code == INTERRUPTED, err
    source = json.loads(out)["source"]
    assert source["samples"] == 2
    assert 0 < source["duration_s"] < STARTS_S
    assert err.count("\n") == 1 and "interrupted after" in err


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """Inputs enough for a minute."""
    folder = tmp_path / "fleet"
    folder.mkdir()
    for copy in range(40):
        for sample in sorted(SAMPLES.glob("*.zst")):
            shutil.copyfile(sample, folder / f"{copy}-{sample.name}")
    return folder


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupted_batch_ends_at_once_and_keeps_its_parts(
    number: signal.Signals, fleet: Path, tmp_path: Path
) -> None:
    out, parts = tmp_path / "out.csv", tmp_path / "out.csv.parts"
    command = ["score", str(fleet), "-o", str(out), "--jobs", "2"]
    code, _, err = interrupted(command, number, lambda _: any(parts.glob("*.rows.parquet")))
    assert code == INTERRUPTED, err
    assert "Traceback" not in err
    assert not out.exists() and parts.is_dir()


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short path: multiprocessing has its sockets there (108 characters, unix(7))."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def test_an_interrupted_batch_leaves_no_copy_of_a_capture(tmp_path: Path, temporary: Path) -> None:
    fleet = []
    for number in range(6):
        fleet.append(tmp_path / f"{number}.tar")
        with tarfile.open(fleet[-1], "w") as archive:
            for name, size in (
                ("proc/meminfo", 0),
                ("proc/10/smaps", 0),
                *((f"junk{n}", 1 << 20) for n in range(150)),
            ):
                entry = tarfile.TarInfo(name)
                entry.size = size
                archive.addfile(entry, io.BytesIO(bytes(size)))
    command = ["score", *map(str, fleet), "-o", str(tmp_path / "out.csv"), "--jobs", "2"]
    code, _, err = interrupted(command, signal.SIGINT, lambda _: any(temporary.glob("**/hugepage-advisor-import-*")))
    assert code == INTERRUPTED, err
    assert not list(temporary.iterdir())


def test_a_batch_that_is_interrupted_while_its_workers_start_ends_at_once(fleet: Path, tmp_path: Path) -> None:
    command = ["score", str(fleet), "-o", str(tmp_path / "out.csv"), "--jobs", "2"]
    code, _, err = interrupted(command, signal.SIGINT, waits_for_its_first_worker)
    assert code == INTERRUPTED, err
    assert "Traceback" not in err


def test_under_nohup_a_hangup_ends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    command = ["record", "-o", str(path), "--duration", "1", "--interval", "0.3"]
    code, _, err = interrupted(command, signal.SIGHUP, lambda _: path.exists(), ignored=signal.SIGHUP)
    assert code == 0
    assert len(path.read_text().splitlines()) > 2, err
