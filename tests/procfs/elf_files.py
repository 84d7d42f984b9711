"""Small ELF files made byte by byte: for other machines, broken and hostile ones."""

from __future__ import annotations

import struct

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SONAME = 1, 4, 5, 6, 10, 14
DT_GNU_HASH, DT_FLAGS_1 = 0x6FFFFEF5, 0x6FFFFFFB
ET_EXEC, ET_DYN = 2, 3
BASE = 0x10000


class Strings:
    """A string table under construction."""

    def __init__(self) -> None:
        self.data = b"\0"

    def add(self, text: str) -> int:
        offset = len(self.data)
        self.data += text.encode() + b"\0"
        return offset


def make_elf(
    *,
    bits: int = 64,
    order: str = "<",
    elf_type: int = ET_DYN,
    interpreter: str | None = None,
    needed: tuple[str, ...] = (),
    soname: str | None = None,
    flags_1: int = 0,
    imports: tuple[str, ...] = (),
    exports: tuple[str, ...] = (),
    sections: tuple[tuple[str, bytes], ...] = (),
    text_bytes: int = 0x1234,
    text_alignment: int = 0x1000,
) -> bytes:
    """An ELF file whose dynamic symbols are found through DT_HASH, or in the section headers not at all."""
    word = "Q" if bits == 64 else "I"
    header_bytes, program_bytes, section_bytes = (64, 56, 64) if bits == 64 else (52, 32, 40)
    dynamic_wanted = bool(needed or soname or imports or exports or flags_1)
    segments = 2 + (interpreter is not None) + dynamic_wanted
    at = header_bytes + segments * program_bytes

    names = Strings()
    tags = [(DT_NEEDED, names.add(library)) for library in needed]
    if soname:
        tags.append((DT_SONAME, names.add(soname)))
    symbols = _symbol(order, bits, 0, 0)
    for name, section in [*((n, 0) for n in imports), *((n, 1) for n in exports)]:
        symbols += _symbol(order, bits, names.add(name), section)
    symbol_at = at
    string_at = symbol_at + len(symbols)
    hash_at = string_at + len(names.data)
    count = 1 + len(imports) + len(exports)
    hash_table = struct.pack(f"{order}4I", 1, count, 0, 0)
    tags += [(DT_SYMTAB, BASE + symbol_at), (DT_STRTAB, BASE + string_at), (DT_STRSZ, len(names.data))]
    tags += [(DT_HASH, BASE + hash_at)]
    if flags_1:
        tags.append((DT_FLAGS_1, flags_1))
    dynamic_at = hash_at + len(hash_table)
    dynamic = b"".join(struct.pack(f"{order}2{word}", *tag) for tag in [*tags, (0, 0)])
    interpreter_at = dynamic_at + len(dynamic)
    interpreter_bytes = (interpreter or "").encode() + b"\0"
    body = symbols + names.data + hash_table + dynamic + interpreter_bytes

    section_names = Strings()
    shstrtab = section_names.add(".shstrtab")
    rows = [(0, 0, 0, 0)]
    for name, content in sections:
        rows.append((section_names.add(name), 1, at + len(body), len(content)))
        body += content
    rows.append((shstrtab, 3, at + len(body), len(section_names.data)))
    body += section_names.data
    section_at = at + len(body) if sections else 0
    if sections:
        body += b"".join(_section(order, bits, *row) for row in rows)

    file_bytes = at + len(body)
    programs = _program(order, bits, PT_LOAD, 4, 0, BASE, file_bytes, file_bytes, 0x1000)
    programs += _program(order, bits, PT_LOAD, 5, 0, 4 * BASE, 0, text_bytes, text_alignment)
    if interpreter is not None:
        programs += _program(order, bits, PT_INTERP, 4, interpreter_at, 0, len(interpreter_bytes), 0, 1)
    if dynamic_wanted:
        programs += _program(order, bits, PT_DYNAMIC, 6, dynamic_at, BASE + dynamic_at, len(dynamic), 0, 8)
    ident = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    header = ident + struct.pack(
        f"{order}HHI3{word}I6H",
        *(elf_type, 62 if order == "<" else 22, 1, 0, header_bytes, section_at, 0, header_bytes),
        *(program_bytes, segments, section_bytes, len(rows) if sections else 0, len(rows) - 1 if sections else 0),
    )
    return header + programs + body


def _symbol(order: str, bits: int, name: int, section: int) -> bytes:
    if bits == 64:
        return struct.pack(f"{order}IBBHQQ", name, 0x12, 0, section, 0, 0)
    return struct.pack(f"{order}IIIBBH", name, 0, 0, 0x12, 0, section)


def _program(
    order: str, bits: int, kind: int, flags: int, offset: int, address: int, size: int, memory: int, align: int
) -> bytes:
    if bits == 64:
        return struct.pack(f"{order}II6Q", kind, flags, offset, address, address, size, memory, align)
    return struct.pack(f"{order}8I", kind, offset, address, address, size, memory, flags, align)


def _section(order: str, bits: int, name: int, kind: int, offset: int, size: int) -> bytes:
    word = "Q" if bits == 64 else "I"
    return struct.pack(f"{order}II4{word}II2{word}", name, kind, 0, 0, offset, size, 0, 0, 1, 0)
