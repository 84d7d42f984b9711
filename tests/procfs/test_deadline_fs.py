"""Files that are read now and then cost their deadline at most where they do not answer."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from advisor.procfs.deadline_fs import DeadlineFs
from advisor.procfs.errors import HungError, MissingError
from advisor.procfs.pagemap_scan import PagemapScanner

DEADLINE_S = 0.1


@pytest.fixture
def fs(tmp_path: Path) -> DeadlineFs:
    for name in ("proc", "sys"):
        (tmp_path / name).mkdir()
    return DeadlineFs(str(tmp_path / "proc"), str(tmp_path / "sys"), deadline_s=DEADLINE_S)


def test_a_file_that_answers_is_read_and_leaves_no_thread(fs: DeadlineFs) -> None:
    Path(fs.procfs, "uptime").write_text("1 2\n")
    before = threading.active_count()
    assert fs.read_proc("uptime") == b"1 2\n"
    assert fs.list_proc() == ["uptime"]
    assert threading.active_count() == before + 1
    fs.close()
    assert threading.active_count() == before


def test_a_tree_of_others_is_not_left_nor_read_without_end(fs: DeadlineFs, tmp_path: Path) -> None:
    """A link inside of it is followed, and a link itself may say anything."""
    (tmp_path / "outside").write_text("secret\n")
    for name, target in (("vmstat", "/dev/zero"), ("uptime", "../outside"), ("mounts", "stat")):
        Path(fs.procfs, name).symlink_to(target)
    Path(fs.procfs, "stat").write_text("cpu 1\n")
    with Path(fs.procfs, "meminfo").open("wb") as holes:
        holes.truncate(1 << 40)
    for name in ("vmstat", "uptime", "meminfo"):
        with pytest.raises(MissingError):
            fs.read_proc(name)
    assert fs.read_proc("mounts") == b"cpu 1\n"
    Path(fs.procfs, "10").mkdir()
    Path(fs.procfs, "10", "exe").symlink_to("/bin/sh")
    assert fs.link_of_process(10, "exe") == "/bin/sh"
    fs.close()


def test_a_child_of_fork_asks_for_itself(fs: DeadlineFs) -> None:
    Path(fs.procfs, "uptime").write_text("1 2\n")
    fs.read_proc("uptime")
    child = os.fork()
    if not child:
        os._exit(fs.read_proc("uptime") != b"1 2\n")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    fs.close()


def test_a_file_that_hangs_is_named_and_not_asked_again(fs: DeadlineFs) -> None:
    path, before = Path(fs.sysfs, "enabled"), set(threading.enumerate())
    os.mkfifo(path)
    with pytest.raises(HungError) as first:
        fs.read_sys("enabled")
    began = time.monotonic()
    with pytest.raises(HungError) as second:
        fs.read_sys("enabled")
    assert time.monotonic() - began < DEADLINE_S
    assert first.value.path == second.value.path == str(path)
    (left_behind,) = set(threading.enumerate()) - before
    with path.open("wb"):
        pass
    left_behind.join(timeout=10)
    assert not left_behind.is_alive(), "once the file answers, the thread ends"


def test_errors_are_those_of_the_file(fs: DeadlineFs) -> None:
    with pytest.raises(MissingError, match="No such file"):
        fs.read_proc("meminfo")


def test_a_scan_of_pages_that_hangs_is_left_behind(fs: DeadlineFs, monkeypatch: pytest.MonkeyPatch) -> None:
    pagemap, goes_on = Path(fs.procfs, "7/pagemap"), threading.Event()
    pagemap.parent.mkdir()
    pagemap.touch()
    monkeypatch.setattr("advisor.procfs.pagemap_scan.fcntl.ioctl", lambda *_: goes_on.wait() and 0)
    with PagemapScanner(fs, 7) as scanner, pytest.raises(HungError) as hung:
        list(scanner.regions(0, 1 << 20))
    assert hung.value.path == str(pagemap)
    goes_on.set()


def test_a_pagemap_that_cannot_even_be_opened_is_left_behind(fs: DeadlineFs) -> None:
    pagemap = Path(fs.procfs, "7/pagemap")
    pagemap.parent.mkdir()
    os.mkfifo(pagemap)
    with pytest.raises(HungError):
        PagemapScanner(fs, 7)
    with pagemap.open("wb"):
        pass
