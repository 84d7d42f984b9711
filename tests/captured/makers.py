"""Captures as people have them, built from a constructed /proc."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

from tests.fake_proc import FakeProc

WHEN = 1_700_000_000
"""Unix seconds at which every capture here was made."""

PS = """\
USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND
root           2  0.0  0.0      0     0 ?        -    02:19   0:00 [kthreadd]
postgres      10  0.0  0.1 244360 13796 ?        -    02:19   0:02 /usr/lib/postgresql/bin/postgres -D /data --password=hunter2
postgres       -  0.0    -      -     - -        Ss   02:19   0:02 -
systemd+      11  0.0  0.1 244360 13796 ?        -    02:19   0:02 /usr/bin/worker
"""  # noqa: E501

UNAME = "Linux db7 5.14.0-427.el9.x86_64 #1 SMP PREEMPT_DYNAMIC Fri Feb 2 x86_64 x86_64 x86_64 GNU/Linux\n"


def sos_tree(top: Path) -> Path:
    """An extracted sosreport with smaps: status, limits and smaps of each process, nothing else of it."""
    root = top / "sosreport-db7-0815-2026-11-01-abcdef"
    root.mkdir(parents=True)
    proc = FakeProc(root)
    for pid, rss in ((10, 9000), (11, 100)):
        proc.add(pid, name=f"name{pid}", rss=rss)
        for name in ("stat", "cmdline", "cgroup"):
            (proc.folder(pid) / name).unlink()
    kernel_thread = proc.folder(2)
    kernel_thread.mkdir()
    (kernel_thread / "status").write_text("Name:\tkthreadd\nUid:\t0\t0\t0\t0\nThreads:\t1\n")
    (kernel_thread / "smaps").write_text("")
    for name, text in (
        ("kernel/uname_-a", UNAME),
        ("host/hostname", "db7\n"),
        ("process/ps_auxwwwm", PS),
        ("process/lsof", "not looked at\n"),
    ):
        write(root / "sos_commands" / name, text)
    write(root / "etc/sysctl.d/50-pool.conf", "vm.nr_hugepages = 64\n")
    (root / "hostname").symlink_to("sos_commands/host/hostname")
    return root


def smem_files(top: Path) -> dict[str, bytes]:
    """What smemcap writes: the content of /proc, of each process smaps, cmdline and stat."""
    proc = FakeProc(top)
    for pid in (10, 11):
        proc.add(pid, name=f"name{pid}", rss=5000)
    files = {
        "meminfo": (proc.procfs / "meminfo").read_bytes(),
        "version": b"Linux version 5.4.0-99-generic (buildd@lcy02) (gcc version 9.3.0) #112-Ubuntu SMP\n",
    }
    for pid in (10, 11):
        for name in ("smaps", "cmdline", "stat"):
            files[f"{pid}/{name}"] = (proc.folder(pid) / name).read_bytes()
    return files


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def files_of(root: Path, prefix: str = "") -> dict[str, bytes]:
    """Regular files below a folder by the names that an archive gives them."""
    return {
        f"{prefix}{path.relative_to(root)}": path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def tar_of(files: dict[str, bytes], *, mode: str = "w", special: tuple[tarfile.TarInfo, ...] = ()) -> bytes:
    """A tar archive: the special entries first, which have no content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for entry in special:
            archive.addfile(entry)
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), WHEN
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry
