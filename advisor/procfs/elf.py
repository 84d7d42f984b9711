"""What an executable or a library can do, from its ELF headers and dynamic symbols.

pyelftools decodes the headers, one structure at a time: its own iterators would also parse what each header
points to, hash tables included (40 ms on a large library). The file belongs to somebody else and may be
hostile: whatever it says, work is bounded in bytes and in time, and the answer is facts or MalformedError.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

from advisor.procfs.elf_symbols import MAX_NAME_BYTES, BoundedFile, SymbolTable, TablePlaces, string_at
from advisor.procfs.errors import MalformedError
from advisor.procfs.facts import ElfFacts

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

MAX_SECTIONS = 2048
"""Section headers read. Linked programs have 30 to 70; a header may claim 4 billion."""

MAX_SECTION_NAMES = 1 << 16
"""Bytes of section names read. Linked programs have a few hundred."""

MAX_SEGMENTS = 256
"""Program headers read. Linked programs have about 15."""

MAX_DYNAMIC_TAGS = 1024
"""Entries of the dynamic section read; a program that needs 300 libraries has fewer."""

MAX_DYNAMIC_STRINGS = 8 << 20
"""Size of `.dynstr` (bytes). Node's, with every C++ symbol of V8 in it, has 5.3 MiB."""

MAX_STATIC_STRINGS = 6 << 20
"""Size of `.strtab` (bytes) up to which it is searched for allocator names: about 1 ms per MiB."""

DF_1_PIE = 0x08000000
"""DT_FLAGS_1 bit of a position-independent executable, also of a static one (binutils 2.26+, elf.h)."""

TABLE_TAGS = (
    "DT_STRTAB",
    "DT_HASH",
    "DT_GNU_HASH",
    "DT_VERSYM",
    "DT_VERNEED",
    "DT_RELA",
    "DT_REL",
    "DT_JMPREL",
)
"""Tables of the dynamic section that linkers place around the symbols: the next one ends them."""

LIBHUGETLBFS_CALLS = frozenset(
    {
        "get_huge_pages",
        "get_hugepage_region",
        "gethugepagesize",
        "gethugepagesizes",
        "getpagesizes",
        "hugetlbfs_find_path",
        "hugetlbfs_find_path_for_size",
        "hugetlbfs_test_path",
        "hugetlbfs_unlinked_fd",
        "hugetlbfs_unlinked_fd_for_size",
    }
)
"""Functions of libhugetlbfs (hugetlbfs.h): a program that imports one asks for the pool itself."""

IMPORTS_OF_INTEREST = (
    frozenset(
        {
            "Py_BytesMain",
            "Py_Main",
            "Py_RunMain",
            "aligned_alloc",
            "madvise",
            "memalign",
            "memfd_create",
            "mlock",
            "mlockall",
            "mmap",
            "mmap64",
            "posix_memalign",
            "prctl",
            "process_madvise",
            "shmget",
        }
    )
    | LIBHUGETLBFS_CALLS
)
"""Calls that ask for memory in a way that decides its page size, and those that mark an interpreter."""

EXPORTS_OF_INTEREST = frozenset(
    {
        "MallocExtension_GetNumericProperty",
        "MallocExtension_Internal_GetStats",
        "Py_BytesMain",
        "Py_InitializeFromConfig",
        "_rjem_mallctl",
        "je_mallctl",
        "mallctl",
        "malloc",
        "mi_malloc",
        "node_module_register",
        "sn_malloc",
        "tc_malloc",
        "tc_version",
    }
)
"""Definitions that tell which allocator or runtime is inside the file."""

STATIC_NAMES = frozenset({"_rjem_mallctl", "je_mallctl", "mallctl", "mi_malloc", "sn_malloc", "tc_malloc"})
"""Allocator names also searched in `.strtab`: a statically linked allocator need not be a dynamic symbol."""

MARKER_SECTIONS = frozenset({".go.buildinfo"})
"""Sections whose presence says what wrote the program; the Go linker writes this one since 1.13."""


@functools.lru_cache(maxsize=8)
def _static_pattern(names: frozenset[str]) -> re.Pattern[bytes]:
    """Any of the names as a whole entry of a string table."""
    return re.compile(rb"\0(" + b"|".join(re.escape(name.encode()) for name in sorted(names)) + rb")(?=\0)")


class _Dynamic(NamedTuple):
    """The dynamic section: first value of each tag by name, and string offsets of the libraries needed."""

    numbers: dict[str, int]
    needed: list[int]


def parse_elf(stream: IO[bytes], path: str, *, with_symbols: bool, also: frozenset[str] = frozenset()) -> ElfFacts:
    """Facts of one ELF file (any class, byte order and machine).

    kind is "exec" (fixed address), "pie" or "lib"; a static PIE is "pie" with static set. text_bytes is the
    memory size of the executable segments, text_alignment_bytes their largest p_align. imports and exports are
    sorted names of interest and of `also`; exports holds names of marker sections too, and those of `also` that an
    unstripped program has in no dynamic symbol. Both are empty without symbols.
    Raises MalformedError for what is no ELF file, is broken, or needs more than the bounds allow.
    """
    bounded = BoundedFile(stream)
    try:
        return _facts(bounded, path, with_symbols, also)
    except MalformedError as error:
        error.path = error.path or path
        raise
    except Exception as error:
        # pyelftools lets assertions, struct, index, unicode and recursion errors of a broken file through.
        raise MalformedError(f"not a readable ELF file: {type(error).__name__}: {error}", path=path) from error


def _facts(file: BoundedFile, path: str, with_symbols: bool, also: frozenset[str]) -> ElfFacts:
    from elftools.elf.elffile import ELFFile

    elf = ELFFile(cast("IO[bytes]", file))
    segments = read_segments(elf)
    loaded = [s for s in segments if s["p_type"] == "PT_LOAD"]
    executable = [s for s in loaded if s["p_flags"] & 1]
    interpreter = next((_interpreter(file, s) for s in segments if s["p_type"] == "PT_INTERP"), None)
    dynamic = next((_read_dynamic(elf, s) for s in segments if s["p_type"] == "PT_DYNAMIC"), _Dynamic({}, []))
    strings = _read_strings(file, loaded, dynamic.numbers)
    kind = _kind(elf["e_type"], interpreter, dynamic.numbers)
    imports: set[str] = set()
    exports: set[str] = set()
    if with_symbols and "DT_SYMTAB" in dynamic.numbers:
        places = _table_places(loaded, dynamic.numbers, strings)
        table = SymbolTable(file, places, little_endian=elf.little_endian, is_64=elf.elfclass == 64)
        for name, defined in table.look_up(IMPORTS_OF_INTEREST | EXPORTS_OF_INTEREST | also):
            (exports if defined else imports).add(name)
    if with_symbols and kind != "lib":
        exports |= _names_in_sections(elf, file, STATIC_NAMES | also)
    return ElfFacts(
        path=path,
        kind=kind,
        static=kind != "lib" and interpreter is None and not dynamic.needed,
        interpreter=interpreter,
        needed=[string_at(strings, offset).decode("utf-8", "backslashreplace") for offset in dynamic.needed],
        text_bytes=sum(s["p_memsz"] for s in executable),
        text_alignment_bytes=max((s["p_align"] for s in executable), default=None),
        imports=sorted(imports & (IMPORTS_OF_INTEREST | also)),
        exports=sorted(exports & (EXPORTS_OF_INTEREST | MARKER_SECTIONS | also)),
        build_id=_build_id(elf, segments),
    )


def _headers(elf: ELFFile, layout: Any, offset: str, size: str, count: int, limit: int) -> Iterator[Any]:
    """Program or section headers. ELFFile's own iterators would also parse what each header points to."""
    from elftools.common.utils import struct_parse

    if count > limit:
        raise MalformedError(f"{count} headers at {offset}")
    for index in range(count):
        yield struct_parse(layout, elf.stream, stream_pos=elf[offset] + index * elf[size])


def _interpreter(file: BoundedFile, segment: Any) -> str:
    file.seek(segment["p_offset"])
    raw = file.read(min(segment["p_filesz"], MAX_NAME_BYTES))
    return raw.partition(b"\0")[0].decode("utf-8", "backslashreplace")


def _read_dynamic(elf: ELFFile, segment: Any) -> _Dynamic:
    from elftools.common.utils import struct_parse

    numbers: dict[str, int] = {}
    needed: list[int] = []
    for index in range(MAX_DYNAMIC_TAGS):
        offset = segment["p_offset"] + index * elf.structs.Elf_Dyn.sizeof()
        entry = struct_parse(elf.structs.Elf_Dyn, elf.stream, stream_pos=offset)
        if entry.d_tag == "DT_NULL":
            return _Dynamic(numbers, needed)
        if entry.d_tag == "DT_NEEDED":
            needed.append(entry.d_val)
        elif isinstance(entry.d_tag, str):
            numbers.setdefault(entry.d_tag, entry.d_val)
    raise MalformedError(f"more than {MAX_DYNAMIC_TAGS} dynamic tags")


def _read_strings(file: BoundedFile, loaded: list[Any], tags: dict[str, int]) -> bytes:
    """The names that the dynamic section and the dynamic symbols point into."""
    if "DT_STRTAB" not in tags:
        return b""
    if tags.get("DT_STRSZ", 0) > MAX_DYNAMIC_STRINGS:
        raise MalformedError(f"{tags['DT_STRSZ']} bytes of dynamic symbol names")
    return file.read_at(_file_offset(loaded, tags["DT_STRTAB"]), tags.get("DT_STRSZ", 0))


def _kind(elf_type: str, interpreter: str | None, tags: dict[str, int]) -> str:
    """libc.so.6 has an interpreter and is a library all the same: it has a soname, and no PIE flag."""
    if elf_type == "ET_EXEC":
        return "exec"
    if elf_type != "ET_DYN":
        raise MalformedError(f"neither an executable nor a library: {elf_type}")
    if tags.get("DT_FLAGS_1", 0) & DF_1_PIE or (interpreter is not None and "DT_SONAME" not in tags):
        return "pie"
    return "lib"


def _build_id(elf: ELFFile, segments: list[Any]) -> str | None:
    from elftools.elf.notes import iter_notes

    for segment in segments:
        if segment["p_type"] == "PT_NOTE":
            for note in iter_notes(elf, segment["p_offset"], segment["p_filesz"]):
                if note["n_type"] == "NT_GNU_BUILD_ID":
                    return str(note["n_desc"])
    return None


def read_segments(elf: ELFFile) -> list[Any]:
    """Every program header. Raises MalformedError for too many."""
    return list(_headers(elf, elf.structs.Elf_Phdr, "e_phoff", "e_phentsize", elf.num_segments(), MAX_SEGMENTS))


def read_sections(elf: ELFFile, file: BoundedFile) -> list[tuple[str, Any]]:
    """(name, header) of every section; empty where the file has none. Raises MalformedError for too many."""
    headers = list(_headers(elf, elf.structs.Elf_Shdr, "e_shoff", "e_shentsize", elf.num_sections(), MAX_SECTIONS))
    if not headers:
        return []
    index = headers[elf.get_shstrndx()]
    names = file.read_at(index["sh_offset"], min(index["sh_size"], MAX_SECTION_NAMES))
    return [(string_at(names, header["sh_name"]).decode("ascii", "replace"), header) for header in headers]


def _names_in_sections(elf: ELFFile, file: BoundedFile, static_names: frozenset[str]) -> set[str]:
    """Marker sections, and names of interest in the string table of a program that was not stripped."""
    found: set[str] = set()
    for name, header in read_sections(elf, file):
        if name == ".strtab" and header["sh_size"] <= MAX_STATIC_STRINGS:
            strings = file.read_at(header["sh_offset"], header["sh_size"])
            found.update(match.decode() for match in _static_pattern(static_names).findall(strings))
        elif name in MARKER_SECTIONS:
            found.add(name)
    return found


def _table_places(loaded: list[Any], tags: dict[str, int], strings: bytes) -> TablePlaces:
    symbols = _file_offset(loaded, tags["DT_SYMTAB"])
    tables = [_file_offset(loaded, tags[tag]) for tag in TABLE_TAGS if tag in tags]
    return TablePlaces(
        symbols=symbols,
        symbols_end=min((place for place in tables if place > symbols), default=symbols),
        gnu_hash=_file_offset(loaded, tags["DT_GNU_HASH"]) if "DT_GNU_HASH" in tags else None,
        strings=strings,
    )


def _file_offset(loaded: list[Any], address: int) -> int:
    """Where the byte that will be mapped at `address` lies in the file."""
    for segment in loaded:
        if segment["p_vaddr"] <= address < segment["p_vaddr"] + segment["p_filesz"]:
            return int(address - segment["p_vaddr"] + segment["p_offset"])
    raise MalformedError(f"address {address:#x} is in no loaded segment")
