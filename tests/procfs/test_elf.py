"""What executables and libraries say of themselves, and that a hostile one costs nothing but its own facts."""

from __future__ import annotations

import contextlib
import io
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.procfs import elf as elf_module
from advisor.procfs.elf import EXPORTS_OF_INTEREST, IMPORTS_OF_INTEREST, parse_elf
from advisor.procfs.elf_symbols import gnu_hash
from advisor.procfs.errors import MalformedError
from advisor.procfs.facts import ElfFacts
from tests.procfs.elf_files import DT_FLAGS_1, ET_EXEC, make_elf

INTERPRETER = "/lib64/ld-linux-x86-64.so.2"


def parse(data: bytes) -> ElfFacts:
    return parse_elf(io.BytesIO(data), "/opt/program", with_symbols=True)


def mapped_elf_files() -> list[str]:
    """Executable and libraries of this very process: real files, whatever the machine that runs the test."""
    paths = set()
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split(None, 5)
        if len(fields) == 6 and fields[1][2] == "x" and Path(fields[5]).is_file():
            paths.add(fields[5])
    return sorted(paths)


def names_by_full_walk(path: str) -> tuple[list[str], list[str]]:
    """The same answer the slow way: pyelftools makes an object of every dynamic symbol."""
    from elftools.elf.elffile import ELFFile

    with open(path, "rb") as stream:
        table = ELFFile(stream).get_section_by_name(".dynsym")
        symbols = [(s.name, s["st_shndx"] != "SHN_UNDEF") for s in table.iter_symbols()] if table else []
    imports = {name for name, defined in symbols if not defined} & IMPORTS_OF_INTEREST
    exports = {name for name, defined in symbols if defined} & EXPORTS_OF_INTEREST
    return sorted(imports), sorted(exports)


def test_imports_and_exports_are_those_of_a_full_walk_over_the_symbols() -> None:
    paths = mapped_elf_files()
    assert paths
    for path in paths:
        with open(path, "rb") as stream:
            facts = parse_elf(stream, path, with_symbols=True)
        imports, exports = names_by_full_walk(path)
        assert facts.imports == imports, path
        assert set(exports) <= set(facts.exports), path
        assert facts.text_bytes is not None and facts.text_bytes > 0, path


def test_the_interpreter_of_this_test_is_a_dynamic_executable() -> None:
    with open(Path(sys.executable).resolve(), "rb") as stream:
        facts = parse_elf(stream, sys.executable, with_symbols=True)
    assert facts.kind in ("exec", "pie")
    assert not facts.static
    assert facts.interpreter is not None
    assert any(name.startswith("libc.") for name in facts.needed)
    assert "Py_BytesMain" in {*facts.exports, *facts.imports}


def test_without_symbols_the_headers_are_still_read() -> None:
    data = make_elf(interpreter=INTERPRETER, needed=("libc.so.6",), imports=("madvise",))
    facts = parse_elf(io.BytesIO(data), "/opt/program", with_symbols=False)
    assert facts.imports == []
    assert facts.needed == ["libc.so.6"]


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_class_and_byte_order_is_read(bits: int, order: str) -> None:
    data = make_elf(
        bits=bits,
        order=order,
        interpreter="/lib/ld.so.1",
        needed=("libc.so.6", "libm.so.6"),
        imports=("madvise", "printf"),
        exports=("malloc", "main"),
        text_bytes=0x5000,
        text_alignment=0x200000,
    )
    facts = parse(data)
    assert facts == ElfFacts(
        path="/opt/program",
        kind="pie",
        static=False,
        interpreter="/lib/ld.so.1",
        needed=["libc.so.6", "libm.so.6"],
        text_bytes=0x5000,
        text_alignment_bytes=0x200000,
        imports=["madvise"],
        exports=["malloc"],
    )


@pytest.mark.parametrize(
    ("arguments", "kind", "static"),
    [
        ({"elf_type": ET_EXEC}, "exec", True),
        ({"elf_type": ET_EXEC, "interpreter": INTERPRETER, "needed": ("libc.so.6",)}, "exec", False),
        ({"flags_1": elf_module.DF_1_PIE}, "pie", True),
        ({"interpreter": INTERPRETER, "needed": ("libc.so.6",)}, "pie", False),
        ({"soname": "libx.so.1"}, "lib", False),
        ({"soname": "libc.so.6", "interpreter": INTERPRETER}, "lib", False),
    ],
)
def test_kind_and_linkage_follow_the_headers(arguments: dict[str, object], kind: str, static: bool) -> None:
    facts = parse(make_elf(**arguments))  # type: ignore[arg-type]
    assert (facts.kind, facts.static) == (kind, static)


def test_a_go_program_is_known_by_its_section() -> None:
    facts = parse(make_elf(elf_type=ET_EXEC, sections=((".go.buildinfo", b"\xff Go buildinf:"),)))
    assert facts.exports == [".go.buildinfo"]
    assert facts.static


def test_an_allocator_linked_in_statically_is_found_among_the_names_of_all_symbols() -> None:
    names = b"\0main\0je_malloc\0je_mallctl\0mi_malloc_small\0"
    facts = parse(make_elf(interpreter=INTERPRETER, needed=("libc.so.6",), sections=((".strtab", names),)))
    assert facts.exports == ["je_mallctl"]


def test_the_names_of_a_library_s_local_symbols_are_not_searched() -> None:
    facts = parse(make_elf(soname="libx.so", sections=((".strtab", b"\0je_mallctl\0"),)))
    assert facts.exports == []


def test_gnu_hash_is_the_hash_of_the_linkers() -> None:
    # Values from the description of the hash by its authors: empty is the seed, "printf" the usual example.
    assert gnu_hash(b"") == 0x1505
    assert gnu_hash(b"printf") == 0x156B2BB8
    assert gnu_hash(b"exit") == 0x7C967E3F


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"#!/bin/sh\nexit 0\n", b"\x7fELF" + bytes(200)])
def test_what_is_no_elf_file_is_malformed_and_names_the_file(data: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        parse(data)
    assert caught.value.path == "/opt/program"


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    assert data.count(old) == 1
    return data.replace(old, new)


def test_a_claim_of_many_sections_or_segments_is_refused_before_they_are_read() -> None:
    data = bytearray(make_elf(elf_type=ET_EXEC, sections=((".text", b"x"),)))
    struct.pack_into("<H", data, 60, 0xFF00)
    with pytest.raises(MalformedError, match="65280 headers"):
        parse(bytes(data))
    data = bytearray(make_elf(elf_type=ET_EXEC))
    struct.pack_into("<H", data, 56, 0xFFF0)
    with pytest.raises(MalformedError, match="65520 headers"):
        parse(bytes(data))


def test_a_dynamic_section_without_an_end_is_refused() -> None:
    data = make_elf(interpreter=INTERPRETER, flags_1=1)
    endless = patched(data, struct.pack("<2Q", DT_FLAGS_1, 1) + bytes(16), struct.pack("<4Q", *(DT_FLAGS_1, 1) * 2))
    with pytest.raises(MalformedError):
        parse(endless + struct.pack("<2Q", DT_FLAGS_1, 1) * 5000)


def test_a_string_table_of_gigabytes_is_refused_without_being_read() -> None:
    data = make_elf(interpreter=INTERPRETER, needed=("libc.so.6",), imports=("madvise",))
    length = len(b"\0libc.so.6\0madvise\0")
    hostile = patched(data, struct.pack("<2Q", 10, length), struct.pack("<2Q", 10, 1 << 40))
    with pytest.raises(MalformedError, match="names"):
        parse(hostile)


def test_a_file_that_costs_much_to_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            enough = time.thread_time() + 0.01
            while time.thread_time() < enough:
                pass
            return super().read(size)

    monkeypatch.setattr("advisor.procfs.elf_symbols.MAX_READ_SECONDS", 0.02)
    with pytest.raises(MalformedError, match="takes more than"):
        parse_elf(Slow(make_elf(elf_type=ET_EXEC)), "/slow", with_symbols=True)


WHOLE = make_elf(
    interpreter=INTERPRETER,
    needed=("libc.so.6",),
    imports=("madvise", "mmap"),
    exports=("malloc",),
    sections=((".strtab", b"\0mi_malloc\0"), (".go.buildinfo", b"x")),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=24))
def test_a_damaged_file_gives_facts_or_a_typed_error_in_bounded_time(damage: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for position, value in damage:
        data[position] = value
    with contextlib.suppress(MalformedError):
        parse(bytes(data))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(WHOLE)))
def test_a_file_cut_off_anywhere_gives_facts_or_a_typed_error(length: int) -> None:
    with contextlib.suppress(MalformedError):
        parse(WHOLE[:length])


def test_importing_the_module_does_not_import_pyelftools() -> None:
    code = "import sys, advisor.procfs.elf; sys.exit(any(name.startswith('elftools') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
