"""What the file behind a command's program tells: its C library, its allocator, whether it is setuid."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from advisor.knowledge.programs import program_signs
from advisor.procfs.elf import parse_elf
from advisor.procfs.errors import KernelTextError
from advisor.procfs.facts import ElfFacts

MAX_SCRIPT_DEPTH = 4
"""Interpreters that are scripts themselves; the kernel stops at 5 (fs/exec.c)."""

SHEBANG_BYTES = 256
"""Length of a script's first line that the kernel reads (BINPRM_BUF_SIZE)."""

Libc = Literal["glibc", "musl", "static"]


@dataclass(frozen=True)
class ProgramFile:
    """path: the ELF file that runs, a script's interpreter included. Everything is None where it could not be read.

    allocator: who answers malloc where it is not the C library ("jemalloc", "tcmalloc", ...), by LD_PRELOAD, the
    libraries that the executable names, or its symbols; a library of a library is not seen.
    """

    path: str | None = None
    libc: Libc | None = None
    allocator: str | None = None
    setuid: bool = False


def look_at(program: str, environment: Mapping[str, str]) -> ProgramFile:
    """Find and read the program as exec would; what cannot be found or read is left unknown."""
    path = _elf_path(program, environment)
    if path is None:
        return ProgramFile(allocator=_preloaded_allocator(environment))
    try:
        with open(path, "rb") as stream:
            facts = parse_elf(stream, path, with_symbols=True)
            setuid = bool(os.fstat(stream.fileno()).st_mode & (stat.S_ISUID | stat.S_ISGID))
    except (OSError, KernelTextError):
        return ProgramFile(path=path, allocator=_preloaded_allocator(environment))
    return ProgramFile(path, _libc(facts), _preloaded_allocator(environment) or _allocator(facts), setuid)


def _elf_path(program: str, environment: Mapping[str, str]) -> str | None:
    """The file that the kernel would load, through `#!` lines and `/usr/bin/env NAME` in them."""
    for _ in range(MAX_SCRIPT_DEPTH):
        path = shutil.which(program, path=environment.get("PATH", os.defpath))
        if path is None:
            return None
        words = _shebang(path)
        if not words:
            return path
        by_env = os.path.basename(words[0]) == "env" and len(words) > 1 and not words[-1].startswith("-")
        program = words[-1] if by_env else words[0]
    return None


def _shebang(path: str) -> list[str]:
    """Words of the `#!` line; empty where there is none or the file cannot be read."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(SHEBANG_BYTES)
    except OSError:
        return []
    if not head.startswith(b"#!"):
        return []
    return head[2:].partition(b"\n")[0].decode("utf-8", "replace").split()


def _libc(facts: ElfFacts) -> Libc:
    if facts.interpreter is None:
        return "static"
    return "musl" if "musl" in os.path.basename(facts.interpreter) else "glibc"


def _allocator(facts: ElfFacts) -> str | None:
    signs = program_signs()
    libraries = (signs.of_library(name) for name in facts.needed)
    by_library = next((sign.what for sign in libraries if sign and sign.serves == "allocator"), None)
    if by_library:
        return by_library
    # Go's allocator is its runtime: no malloc of another library serves its heap.
    symbols = {sign.name: sign.what for sign in signs.symbol if sign.serves == "allocator" or sign.what == "go"}
    return next((symbols[name] for name in facts.exports if name in symbols), None)


def _preloaded_allocator(environment: Mapping[str, str]) -> str | None:
    names = environment.get("LD_PRELOAD", "").replace(":", " ").split()
    signs = (program_signs().of_library(os.path.basename(name)) for name in names)
    return next((sign.what for sign in signs if sign and sign.serves == "allocator"), None)
