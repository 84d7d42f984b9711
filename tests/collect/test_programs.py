"""Allocator and runtime of processes, live and in a captured tree."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from advisor.collect import programs
from advisor.collect.programs import ProgramReader, libraries_of_interest
from advisor.knowledge.programs import program_signs
from advisor.procfs.elf import EXPORTS_OF_INTEREST, IMPORTS_OF_INTEREST, MARKER_SECTIONS
from advisor.procfs.facts import ProgramFacts
from advisor.procfs.fs import KernelFs
from tests.procfs.elf_files import ET_EXEC, make_elf

INTERPRETER = "/lib64/ld-linux-x86-64.so.2"
PID = 77


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / str(PID) / "root").mkdir(parents=True)
    return tmp_path


def place(tree: Path, path: str, data: bytes) -> None:
    """A file of the process's root in a captured tree."""
    file = tree / str(PID) / "root" / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def read(tree: Path, executable: str, data: bytes | None, libraries: list[str]) -> ProgramFacts:
    if data is not None:
        (tree / str(PID) / "exe").write_bytes(data)
    return ProgramReader(KernelFs(str(tree), str(tree))).read(PID, executable, libraries)


def program(**what: object) -> bytes:
    return make_elf(interpreter=INTERPRETER, needed=("libc.so.6",), **what)  # type: ignore[arg-type]


def mapped_files(pid: int) -> list[str]:
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return sorted({fields[5] for line in lines if len(fields := line.split(None, 5)) == 6 and fields[5][0] == "/"})


@pytest.fixture
def sleeper() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", "print('up', flush=True); input()"], stdin=-1, stdout=-1)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def test_a_live_python_is_a_python_whose_malloc_is_of_the_c_library(sleeper: int) -> None:
    facts = ProgramReader(KernelFs()).read(sleeper, os.readlink(f"/proc/{sleeper}/exe"), mapped_files(sleeper))
    assert facts.problem is None
    assert facts.executable is not None and not facts.executable.static
    assert facts.runtime == "python"
    assert facts.allocator in ("glibc", "musl")
    assert facts.imports_hugetlb is False


def test_reading_leaves_no_descriptor_open(sleeper: int) -> None:
    reader = ProgramReader(KernelFs())
    files = [*mapped_files(sleeper), "/proc/version", "/absent/libjemalloc.so.2", "/etc/../libjemalloc.so.2"]
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        reader.read(sleeper, os.readlink(f"/proc/{sleeper}/exe"), files)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_process_that_is_gone_is_said_to_be_gone() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    facts = ProgramReader(KernelFs()).read(process.pid, "/usr/bin/true", ["/usr/lib/libc.so.6"])
    assert facts.problem == "gone"
    assert facts.executable is None
    assert facts.imports_madvise is None
    assert facts.allocator == "glibc"


@pytest.mark.parametrize(
    ("executable", "data", "libraries", "allocator", "runtime"),
    [
        ("/usr/bin/a", program(), ["/usr/lib/libc.so.6"], "glibc", None),
        ("/usr/bin/a", program(), ["/lib/x86_64-linux-gnu/libc-2.31.so"], "glibc", None),
        ("/usr/bin/a", program(), ["/lib/ld-musl-x86_64.so.1"], "musl", None),
        ("/usr/bin/a", program(), ["/usr/lib/libc.so.6", "/usr/lib/libjemalloc.so.2"], "jemalloc", None),
        ("/usr/bin/a", program(), ["/opt/libtcmalloc_minimal.so.4", "/usr/lib/libc.so.6"], "tcmalloc", None),
        ("/usr/bin/a", program(exports=("malloc", "mi_malloc")), ["/usr/lib/libc.so.6"], "mimalloc", None),
        ("/usr/bin/a", program(exports=("malloc",)), ["/usr/lib/libc.so.6"], "custom", None),
        ("/usr/bin/a", program(exports=("Py_BytesMain",)), ["/usr/lib/libc.so.6"], "glibc", "python"),
        ("/usr/bin/vim", program(), ["/usr/lib/libc.so.6", "/usr/lib/libpython3.12.so.1.0"], "glibc", None),
        ("/opt/jdk/bin/java", program(), ["/usr/lib/libc.so.6", "/opt/jdk/lib/server/libjvm.so"], "glibc", "jvm"),
        ("/usr/lib/erlang/bin/beam.smp", program(), ["/usr/lib/libc.so.6"], "glibc", "erlang"),
        ("/usr/bin/node (deleted)", program(), ["/usr/lib/libc.so.6"], "glibc", "node"),
        ("/opt/app", program(), ["/opt/dotnet/libcoreclr.so", "/usr/lib/libc.so.6"], "glibc", "dotnet"),
        ("/opt/go", make_elf(elf_type=ET_EXEC, sections=((".go.buildinfo", b"x"),)), [], "go", "go"),
        ("/opt/static", make_elf(elf_type=ET_EXEC), [], None, None),
    ],
)
def test_allocator_and_runtime_follow_from_symbols_and_mapped_files(
    tree: Path, executable: str, data: bytes, libraries: list[str], allocator: str | None, runtime: str | None
) -> None:
    facts = read(tree, executable, data, libraries)
    assert (facts.allocator, facts.runtime) == (allocator, runtime)
    assert (facts.allocator_source is None) == (allocator is None)
    assert (facts.runtime_source is None) == (runtime is None)
    assert facts.problem is None


def test_a_source_names_the_file_or_the_symbol_that_told(tree: Path) -> None:
    facts = read(tree, "/usr/bin/a", program(exports=("malloc", "tc_malloc")), ["/opt/libjvm.so"])
    assert facts.allocator_source == "a: tc_malloc"
    assert facts.runtime_source == "libjvm.so"


def test_madvise_of_a_library_of_interest_counts_and_that_of_the_c_library_does_not(tree: Path) -> None:
    place(tree, "/usr/lib/libc.so.6", make_elf(soname="libc.so.6", imports=("madvise",)))
    place(tree, "/usr/lib/libjemalloc.so.2", make_elf(soname="libjemalloc.so.2", imports=("madvise",)))
    assert read(tree, "/usr/bin/a", program(), ["/usr/lib/libc.so.6"]).imports_madvise is False
    with_library = read(tree, "/usr/bin/a", program(), ["/usr/lib/libjemalloc.so.2", "/usr/lib/libc.so.6"])
    assert with_library.imports_madvise is True


def test_what_a_static_program_calls_is_unknown(tree: Path) -> None:
    facts = read(tree, "/opt/static", make_elf(elf_type=ET_EXEC), [])
    assert facts.imports_madvise is None
    assert facts.imports_hugetlb is None


def test_calls_of_libhugetlbfs_count_and_so_does_its_preload(tree: Path) -> None:
    assert read(tree, "/usr/bin/a", program(imports=("get_huge_pages",)), []).imports_hugetlb is True
    assert read(tree, "/usr/bin/a", program(), ["/usr/lib/libhugetlbfs.so.0"]).imports_hugetlb is True
    assert read(tree, "/usr/bin/a", program(imports=("mmap",)), []).imports_hugetlb is False


def test_nothing_outside_a_captured_tree_is_opened(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = tree.parent / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "exe").write_bytes(program(imports=("madvise",)))
    (outside / "libjemalloc.so.2").write_bytes(make_elf(soname="x", imports=("madvise",)))
    (tree / str(PID) / "exe").symlink_to(outside / "exe")
    (tree / str(PID) / "root" / "linked").symlink_to(outside)
    parsed: list[str] = []
    monkeypatch.setattr(programs, "parse_elf", lambda _stream, path, **_: parsed.append(path))
    facts = read(tree, "/usr/bin/a", None, ["/linked/libjemalloc.so.2", f"/../../{outside.name}/libjemalloc.so.2"])
    assert facts.problem == "missing"
    assert facts.allocator == "jemalloc"
    assert facts.imports_madvise is None
    assert parsed == []


def test_a_pipe_and_a_socket_are_not_opened(tree: Path) -> None:
    os.mkfifo(tree / str(PID) / "exe")
    assert read(tree, "/usr/bin/a", None, []).problem == "malformed"
    os.unlink(tree / str(PID) / "exe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tree / str(PID) / "exe"))
        assert read(tree, "/usr/bin/a", None, []).problem == "malformed"


def test_a_file_that_is_no_program_is_malformed_every_time_it_is_asked_for(tree: Path) -> None:
    (tree / str(PID) / "exe").write_bytes(b"#!/bin/sh\n")
    reader = ProgramReader(KernelFs(str(tree), str(tree)))
    assert [reader.read(PID, "/usr/bin/a", []).problem for _ in range(2)] == ["malformed", "malformed"]


def test_a_file_is_parsed_once_and_again_when_it_changed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    parse = programs.parse_elf
    monkeypatch.setattr(programs, "parse_elf", lambda s, path, **k: parsed.append(path) or parse(s, path, **k))
    exe = tree / str(PID) / "exe"
    exe.write_bytes(program())
    reader = ProgramReader(KernelFs(str(tree), str(tree)))
    first = reader.read(PID, "/usr/bin/a", [])
    again = reader.read(PID, "/usr/bin/b", [])
    assert parsed == ["/usr/bin/a"]
    assert first.executable is not None and again.executable is not None
    assert (first.executable.path, again.executable.path) == ("/usr/bin/a", "/usr/bin/b")
    exe.write_bytes(program(imports=("madvise",)))
    assert reader.read(PID, "/usr/bin/a", []).imports_madvise is True


def test_the_memory_of_files_is_bounded(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "CACHE_ENTRIES", 2)
    reader = ProgramReader(KernelFs(str(tree), str(tree)))
    libraries = [f"/lib/libjemalloc{number}.so" for number in range(5)]
    for library in libraries:
        place(tree, library, make_elf(soname="x"))
    reader.read(PID, "/usr/bin/a", libraries)
    assert len(reader._cache) == 2


def test_libraries_of_interest_are_base_names_each_once() -> None:
    names = [
        "/a/libc.so.6",
        "/b/libc.so.6",
        "/usr/lib/libjemalloc.so.2 (deleted)",
        "/usr/lib/libz.so.1",
        "[heap]",
        "",
    ]
    assert libraries_of_interest(names) == ["libc.so.6", "libjemalloc.so.2"]


def test_every_symbol_that_is_a_sign_is_looked_for() -> None:
    wanted = IMPORTS_OF_INTEREST | EXPORTS_OF_INTEREST | MARKER_SECTIONS
    assert {sign.name for sign in program_signs().symbol} <= wanted
