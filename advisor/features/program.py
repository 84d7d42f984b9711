"""Who the process is and what its program can do: names, allocator, runtime."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from advisor.features.declare import Feature, byte_count, flag, frame_of_rows, text
from advisor.features.mappings import IS_ANON, IS_HUGETLB, IS_SHMEM
from advisor.procfs.facts import CgroupMembership, ProgramFacts
from advisor.profile.timeline import ProcessState

NO_PROGRAM = "its executable could not be read"
DELETED_SUFFIX = " (deleted)"
"""What the kernel adds to /proc/PID/exe after the file was replaced (d_path)."""
FEATURES = (
    text("host", "Name of the host.", "uname", "not recorded", "host"),
    Feature("pid", pl.Int64, "id", "Process id.", "/proc", "never null"),
    Feature(
        "start_ticks",
        pl.Int64,
        "clock ticks",
        "When it started, since boot; with pid its identity.",
        "stat: starttime",
        "never null",
    ),
    text("name", "Short name.", "status or stat: Name, comm", "the process could not be read"),
    text("user", "User that it runs as.", "status: Uid, by the host's user table", "the uid has no name here"),
    text(
        "cgroup",
        "Its cgroup: the v2 path, else that of v1's memory controller.",
        "/proc/PID/cgroup",
        "not readable",
    ),
    text("executable", "Base name of its executable.", "/proc/PID/exe", NO_PROGRAM),
    text(
        "allocator",
        "Memory allocator.",
        "ELF imports and mapped libraries",
        "not recognised, or not readable",
    ),
    text("runtime", "Language runtime.", "ELF imports and mapped libraries", "not recognised, or not readable"),
    flag("static_binary", "Its executable is linked statically.", "ELF program headers", NO_PROGRAM),
    flag("imports_madvise", "It or a library of its own can call madvise.", "ELF dynamic symbols", NO_PROGRAM),
    flag("imports_hugetlb", "It or a library of its own asks for hugetlb.", "ELF dynamic symbols", NO_PROGRAM),
    byte_count("text_bytes", "Size of its executable's code segment.", "ELF program headers", NO_PROGRAM),
    byte_count(
        "text_alignment_bytes",
        "Alignment of its executable's code segment.",
        "ELF program headers",
        NO_PROGRAM,
    ),
    byte_count(
        "guest_ram_bytes",
        "RAM of a VMM's guest: what QEMU was told; else the size of the largest anonymous, shmem or hugetlb VMA.",
        "guest_told_bytes; else smaps: Size",
        "it is no VMM, or smaps could not be read",
    ),
)

MAXIMA = {
    "largest_memory_vma_bytes": pl.when(IS_ANON | IS_SHMEM | IS_HUGETLB).then(pl.col("size") // pl.col("count"))
}

COLUMNS: dict[str, type[pl.DataType]] = {
    feature.name: feature.dtype for feature in FEATURES if feature.name not in ("host", "guest_ram_bytes")
}


def rows(processes: Sequence[ProcessState]) -> pl.DataFrame:
    """The columns in `COLUMNS`, one row a process in the given order."""
    return frame_of_rows([_row(process) for process in processes], COLUMNS)


def derive(frame: pl.DataFrame) -> pl.DataFrame:
    """Add this theme's columns that depend on mappings."""
    return frame.with_columns(
        guest_ram_bytes=pl.when("is_vmm").then(pl.coalesce("guest_told_bytes", "largest_memory_vma_bytes"))
    )


def _row(process: ProcessState) -> tuple[object, ...]:
    facts = process.facts
    program = facts.program if facts is not None else None
    elf = program.executable if program is not None else None
    return (
        process.pid,
        process.start_ticks,
        process_name(process),
        facts.user if facts is not None else None,
        cgroup_path(facts.cgroup) if facts is not None else None,
        _base_name(facts.executable) if facts is not None else None,
        *_program_columns(program),
        elf.text_bytes if elf is not None else None,
        elf.text_alignment_bytes if elf is not None else None,
    )


def _program_columns(program: ProgramFacts | None) -> tuple[object, ...]:
    """allocator, runtime, static_binary, imports_madvise, imports_hugetlb."""
    if program is None:
        return (None,) * 5
    static = program.executable.static if program.executable is not None else None
    return program.allocator, program.runtime, static, program.imports_madvise, program.imports_hugetlb


def process_name(process: ProcessState) -> str | None:
    """The short name, from the first of facts, status and stat that is there."""
    if process.facts is not None:
        return process.facts.name
    if process.status is not None:
        return process.status.name
    return process.stat.comm if process.stat is not None else None


def cgroup_path(memberships: Sequence[CgroupMembership] | None) -> str | None:
    """The path that accounts its memory: v1's memory controller if mounted there, else the v2 path (cgroups(7)).

    On a hybrid host hierarchy 0 exists without a memory controller, and v1's is the one that counts.
    """
    unified = None
    for membership in memberships or ():
        if "memory" in membership.controllers:
            return membership.path
        if membership.hierarchy == 0 and not membership.controllers:
            unified = membership.path
    return unified


def _base_name(executable: str | None) -> str | None:
    return executable.removesuffix(DELETED_SUFFIX).rpartition("/")[2] if executable else None
