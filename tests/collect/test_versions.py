"""Versions from paths and files, in a captured tree and of live programs, without running anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from advisor.collect import versions
from advisor.collect.programs import ProgramReader
from advisor.procfs.fs import KernelFs
from tests.collect.test_programs import PID, place, program, read, sleeper, tree
from tests.procfs.elf_files import make_elf

__all__ = ["sleeper", "tree"]

REDIS_TEXTS = b"\0disable-thp\x002.8.13\x006.2.0\x007.0.15\x0010.x\0Redis ver. \0"
RELEASE = b'IMPLEMENTOR="Debian"\nJAVA_VERSION="17.0.15"\nJAVA_VERSION_DATE="2025-04-15"\n'
LIBJVM = "/usr/lib/jvm/jdk/lib/server/libjvm.so"


def with_text(text: bytes) -> bytes:
    return program(sections=((".rodata", text),))


@pytest.mark.parametrize(
    ("executable", "text", "expected"),
    [
        ("/usr/bin/redis-check-rdb", REDIS_TEXTS, {"redis": "7.0.15"}),
        ("/usr/bin/redis-server", b"no version", {}),
        ("/usr/lib/postgresql/15/bin/postgres", b"postgres (PostgreSQL) 15.18 (Debian)\0", {"postgresql": "15.18"}),
        ("/usr/lib/postgresql/15/bin/postgres", b"nothing", {"postgresql": "15"}),
        ("/usr/bin/mongod", b"system\0tcmalloc-google\0", {"mongodb": "8.0 or later"}),
        ("/usr/bin/mongod", b"tcmalloc\0tcmalloc_stats\0", {"mongodb": "before 8.0"}),
        ("/opt/mongodb-linux-x86_64-ubuntu2204-7.0.14/bin/mongod", b"tcmalloc\0", {"mongodb": "7.0.14"}),
        ("/usr/sbin/mysqld", b"\x0010.5.25-MariaDB\0", {"mariadb": "10.5.25"}),
        ("/usr/sbin/mysqld", b"8.0.36\0MySQL Community Server\0", {}),
        ("/usr/bin/qemu-system-x86_64", b"QEMU emulator version 7.2.22 (Debian)\0", {"qemu": "7.2.22"}),
        ("/usr/bin/python3.11", b"", {"python": "3.11"}),
        ("/usr/bin/other", REDIS_TEXTS, {}),
    ],
)
def test_the_data_or_the_path_of_an_executable_tells(
    tree: Path, executable: str, text: bytes, expected: dict[str, str]
) -> None:
    assert read(tree, executable, with_text(text), []).versions == expected


def test_go_writes_its_version_into_a_section_of_its_own(tree: Path) -> None:
    data = program(sections=((".go.buildinfo", b"\xff Go buildinf:\x08\x02" + b"\0" * 16 + b"\x08go1.21.4\0"),))
    assert read(tree, "/opt/service", data, []).versions == {"go": "1.21.4"}


@pytest.mark.parametrize(
    ("library", "text", "expected"),
    [
        ("/lib/x86_64-linux-gnu/libc.so.6", b"stable release version 2.36.\n\0", "2.36"),
        ("/lib/x86_64-linux-gnu/libc-2.31.so", b"", "2.31"),
    ],
)
def test_the_c_library_tells_its_release(tree: Path, library: str, text: bytes, expected: str) -> None:
    place(tree, library, make_elf(soname="libc.so.6", sections=((".rodata", text or b"x"),)))
    assert read(tree, "/usr/bin/a", program(), [library]).versions == {"glibc-malloc": expected}


def test_a_jdk_tells_its_version_in_the_file_beside_it(tree: Path) -> None:
    place(tree, "/usr/lib/jvm/jdk/release", RELEASE)
    assert read(tree, "/usr/lib/jvm/jdk/bin/java", program(), [LIBJVM]).versions == {"java": "17.0.15"}


def test_a_jdk_without_that_file_tells_its_major_in_its_path(tree: Path) -> None:
    library = "/usr/lib/jvm/java-11-openjdk-amd64/lib/server/libjvm.so"
    assert read(tree, "/usr/bin/java", program(), [library]).versions == {"java": "11"}


@pytest.mark.parametrize("beside", ["link", "folder", "pipe"])
def test_a_file_that_is_no_regular_file_is_never_opened(tree: Path, beside: str) -> None:
    path = tree / str(PID) / "root/usr/lib/jvm/jdk/release"
    path.parent.mkdir(parents=True)
    {
        "link": lambda: path.symlink_to("/etc/hostname"),
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
    }[beside]()
    assert read(tree, "/usr/lib/jvm/jdk/bin/java", program(), [LIBJVM]).versions == {}


def test_a_text_that_is_no_version_is_no_version(tree: Path) -> None:
    place(tree, "/usr/lib/jvm/jdk/release", b'JAVA_VERSION="\x1b[2J17"')
    assert read(tree, "/usr/lib/jvm/jdk/bin/java", program(), [LIBJVM]).versions == {}


def test_a_file_is_searched_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []
    search = versions.search_elf_text
    monkeypatch.setattr(
        versions, "search_elf_text", lambda s, path, *a, **k: searched.append(path) or search(s, path, *a, **k)
    )
    (tree / str(PID) / "exe").write_bytes(with_text(REDIS_TEXTS))
    reader = ProgramReader(KernelFs(str(tree), str(tree)))
    for _ in range(3):
        assert reader.read(PID, "/usr/bin/redis-server", []).versions == {"redis": "7.0.15"}
    assert searched == ["/usr/bin/redis-server"]


def test_a_live_program_tells_the_versions_that_it_says_of_itself(sleeper: int) -> None:
    lines = Path(f"/proc/{sleeper}/maps").read_text().splitlines()
    mapped = sorted({fields[5] for line in lines if len(fields := line.split(None, 5)) == 6 and fields[5][0] == "/"})
    executable = os.readlink(f"/proc/{sleeper}/exe")
    found = ProgramReader(KernelFs()).read(sleeper, executable, mapped).versions
    if re.search(r"python3\.\d+$", executable):
        assert found["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    ldd = subprocess.run(["ldd", "--version"], capture_output=True, text=True).stdout.partition("\n")[0]
    if "GLIBC" in ldd or "GNU libc" in ldd:
        assert found["glibc-malloc"] == ldd.split()[-1]
