"""A constructed /proc with processes that tests change, remove, deny or make hang."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.procfs.test_smaps import entry

PAGE = 4096


def mapping(start: int, size_kib: int, **values: int) -> str:
    """One anonymous VMA, as smaps prints it."""
    return entry(start, size_kib, **values)  # type: ignore[arg-type]  # values are smaps fields by name


class FakeProc:
    """Writes process folders below `root`; `fs_roots` are the two roots to give to KernelFs."""

    def __init__(self, root: Path) -> None:
        self.procfs, self.sysfs = root / "proc", root / "sys"
        thp = self.sysfs / "kernel/mm/transparent_hugepage"
        thp.mkdir(parents=True)
        (thp / "enabled").write_text("always [madvise] never\n")
        (thp / "defrag").write_text("always defer defer+madvise [madvise] never\n")
        (thp / "hpage_pmd_size").write_text("2097152\n")
        self.procfs.mkdir()
        (self.procfs / "meminfo").write_text("MemTotal:       16384000 kB\nMemAvailable:   8192000 kB\n")
        (self.procfs / "vmstat").write_text("thp_fault_alloc 1\nthp_collapse_alloc 0\n")

    def folder(self, pid: int) -> Path:
        return self.procfs / str(pid)

    def add(self, pid: int, *, name: str = "worker", start: int = 100, rss: int = 1000, faults: int = 5) -> None:
        """A process of `rss` pages in one mapping and its stack."""
        folder = self.folder(pid)
        folder.mkdir(exist_ok=True)
        self.set_stat(pid, name=name, start=start, rss=rss, faults=faults)
        (folder / "status").write_text(
            f"Name:\t{name}\nUid:\t1000\t1000\t1000\t1000\nVmRSS:\t{rss * 4} kB\nVmPTE:\t64 kB\nTHP_enabled:\t1\n"
        )
        (folder / "cmdline").write_bytes(b"/usr/bin/worker\0--password=hunter2\0")
        (folder / "cgroup").write_text("0::/system.slice/worker.service\n")
        (folder / "limits").write_text(
            "Limit                     Soft Limit           Hard Limit           Units     \n"
        )
        self.set_smaps(pid, rss)

    def set_stat(self, pid: int, *, name: str = "worker", start: int = 100, rss: int = 1000, faults: int = 5) -> None:
        numbers = ["0"] * 50
        numbers[0:1] = ["1"]
        numbers[5], numbers[6], numbers[8] = "4194304", str(faults), "0"
        numbers[18], numbers[19], numbers[20] = str(start), str(64 << 20), str(rss)
        self.folder(pid).joinpath("stat").write_text(f"{pid} ({name}) S {' '.join(numbers)}\n")

    def set_smaps(self, pid: int, rss: int) -> None:
        text = mapping(0x7F0000000000, 65536, Rss=rss * 4, Anonymous=rss * 4)
        text += entry(
            0x7FFC00000000, 132, "rw-p 00000000 00:00 0                          [stack]", Rss=8, Anonymous=8
        )
        self.folder(pid).joinpath("smaps").write_text(text)

    def remove(self, pid: int) -> None:
        shutil.rmtree(self.folder(pid))

    def block(self, pid: int, name: str) -> Path:
        """Replace a file by a pipe without a writer: opening it for reading never returns."""
        path = self.folder(pid) / name
        path.unlink()
        os.mkfifo(path)
        return path
