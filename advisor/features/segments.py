"""What a program would take from a pool, piece by piece: each mapping is rounded up to whole pages on its own.

The sizes are those of the mappings, not of what is resident: MAP_HUGETLB reserves the whole length (mmap(2)).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

import polars as pl

from advisor.features.command_lines import JavaSizes, guest_ram_parts, java_sizes
from advisor.features.declare import NO_MAPS, HostValues, byte_count, count, frame_of_rows, text
from advisor.features.mappings import IS_PRIVATE
from advisor.knowledge.applications import load_applications
from advisor.profile.model import Mapping
from advisor.profile.timeline import ProcessState

JVM = "jvm"
"""The runtime of programs on HotSpot."""

ARENA_BYTES = 64 << 20
"""Bytes. Source: glibc malloc/arena.c, HEAP_MAX_SIZE = 2 * DEFAULT_MMAP_THRESHOLD_MAX on 64-bit. Reason: a heap of a
thread's arena begins at a multiple of it, and its unused rest is mapped without access up to the next one."""

STACK_BYTES = 8 << 20
"""Bytes. Source: setrlimit(2), the usual RLIMIT_STACK, which pthread_create takes for stacks. Reason: a mapping of
just this size is a thread's stack; a block of malloc has a header and is one base page longer."""

POOL_HEAP_PAGES = 4
"""Pages. Source: glibc malloc/arena.c, heap_max_size: with glibc.malloc.hugetlb a heap of an arena has four pages,
which are reserved when it is made, touched or not."""

SIDE_BY_SIDE_PAGES = 100
"""Pages. Source: own choice. Reason: blocks that malloc maps one by one lie side by side and show as one mapping, but
each is rounded up alone, and one that is not granted falls back whole. One page more for a hundred covers blocks of
200 MiB and more, at a waste of 1 %; that many smaller ones are there cannot be seen."""

CODE_CACHE_BYTES = 240 << 20
"""Bytes. Source: HotSpot, ReservedCodeCacheSize with tiered compilation, the default since JDK 8."""

GAP_BYTES = 2 << 20
"""Bytes. Source: mappings below the PMD size are folded in a profile. Reason: a hole of less in a row of mappings may
be one of them."""

HEAP_ALIGNMENT_BYTES = 8 << 20
"""Bytes. Source: own choice. Reason: HotSpot maps archived classes from a file over the end of the heap, so that the
row of anonymous mappings ends a few MiB early; heaps are whole regions, and people ask for round sizes."""

NO_JVM = "it is no JVM, or neither its command line nor its mappings could be read"
NO_COMMAND_LINE = "it is no QEMU, or its command line was not read or names no size"
MAPPED = "smaps: Size of private writable VMAs, stacks left out"

FEATURES = (
    byte_count("malloc_mapped_bytes", "Virtual size of what may be memory of malloc.", MAPPED, NO_MAPS),
    count(
        "malloc_pmd_pages",
        "Pool pages of PMD size that this would take: heap, arenas of threads and large blocks rounded up each. "
        "Blocks that lie side by side show as one, for which 1 % is added.",
        MAPPED,
        f"{NO_MAPS}, or the PMD page size is unknown",
    ),
    count("malloc_gigantic_pages", "The same in gigantic pages.", MAPPED, f"{NO_MAPS}, or the host has none"),
    count(
        "malloc_arenas", "Arenas that malloc made for threads.", "smaps: what glibc keeps free behind each", NO_MAPS
    ),
    byte_count(
        "jvm_heap_bytes",
        "Java heap at its largest.",
        "command line: -Xmx, MaxHeapSize; else smaps: the row of mappings around the largest writable one",
        NO_JVM,
    ),
    byte_count(
        "jvm_code_cache_bytes",
        "Memory reserved for compiled code.",
        "command line: ReservedCodeCacheSize; else smaps: the row of mappings around an executable one; else the "
        "default of HotSpot",
        NO_JVM,
    ),
    text("jvm_collector", "Garbage collector.", "command line: -XX:+Use...GC", "no JVM, or none is named"),
    byte_count("guest_told_bytes", "Guest RAM that QEMU was told.", "command line: -m, -object", NO_COMMAND_LINE),
    count(
        "guest_pmd_pages",
        "Pool pages of PMD size for it: each memory backend rounded up.",
        "command line: -m, -object",
        f"{NO_COMMAND_LINE}, or the PMD page size is unknown",
    ),
    count("guest_gigantic_pages", "The same in gigantic pages.", "command line: -m, -object", NO_COMMAND_LINE),
)

KNOWN_PROGRAMS = 1024
"""Programs of which is remembered whether they are QEMU; hosts run the same ones."""

COLUMNS: dict[str, type[pl.DataType]] = {
    feature.name: feature.dtype for feature in FEATURES if not feature.name.startswith("malloc_")
}


def measures(host: HostValues) -> dict[str, pl.Expr]:
    """What one mapping adds to each total of its process; null is unknown."""
    start, size = pl.col("start"), pl.col("size")
    stack = (pl.col("advice") == "nh").fill_null(False) | (size == STACK_BYTES)
    ours = IS_PRIVATE & pl.col("writable") & start.is_not_null() & ~stack
    used = (start % ARENA_BYTES).cast(pl.Int64)
    # The used part of an arena may be too small to be recorded alone; the rest behind it shows how long it is.
    rest = IS_PRIVATE & ~pl.col("writable") & (used > 0) & ((start + size) % ARENA_BYTES == 0) & (size < ARENA_BYTES)
    rest = rest.fill_null(False)
    found = {"malloc_mapped_bytes": pl.when(ours).then(size).otherwise(0), "malloc_arenas": rest.cast(pl.Int64)}
    pages = {"malloc_pmd_pages": _number(host["host_pmd_bytes"]), "malloc_gigantic_pages": _gigantic(host)}
    for name, page in pages.items():
        if page is None:
            found[name] = pl.lit(None, dtype=pl.Int64)
            continue
        whole = _pages_of(used, page * POOL_HEAP_PAGES) * POOL_HEAP_PAGES
        counted = pl.when(used >= (_number(host["host_pmd_bytes"]) or page)).then(_pages_of(used, page)).otherwise(0)
        beside = pl.when(pl.col("kind") == "anon").then(size // (page * SIDE_BY_SIDE_PAGES)).otherwise(0)
        found[name] = pl.when(ours).then(_pages_of(size, page) + beside).when(rest).then(whole - counted).otherwise(0)
    return found


def _pages_of(size: pl.Expr, page: int) -> pl.Expr:
    return -(-size // page)


def rows(processes: Sequence[ProcessState], host: HostValues) -> pl.DataFrame:
    """The columns in `COLUMNS`, one row a process in the given order."""
    pmd, gigantic = _number(host["host_pmd_bytes"]), _gigantic(host)
    made = [(*_java(process), *_guest(process, pmd, gigantic)) for process in processes]
    return frame_of_rows(made, COLUMNS)


def _gigantic(host: HostValues) -> int | None:
    return _number(host["host_pool_gigantic_page_bytes"])


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _java(process: ProcessState) -> tuple[int | None, int | None, str | None]:
    facts = process.facts
    if facts is None or facts.program is None or facts.program.runtime != JVM:
        return None, None, None
    told = java_sizes(facts.command_line) if facts.command_line is not None else JavaSizes()
    heap = told.heap_bytes or _java_heap(process.maps or ())
    code = told.code_cache_bytes or _code_cache(process.maps or ())
    return heap, (code or CODE_CACHE_BYTES) if heap is not None else None, told.collector


def _java_heap(maps: Iterable[Mapping]) -> int | None:
    """The row of anonymous mappings around the largest writable one; what is not in use yet is mapped without access.

    None where nothing is mapped so.
    """
    anon = [mapping for mapping in maps if mapping.kind == "anon" and mapping.start is not None]
    found = _row_around(anon, max((m for m in anon if m.writable), key=_size, default=None))
    return -(-found // HEAP_ALIGNMENT_BYTES) * HEAP_ALIGNMENT_BYTES if found else None


def _code_cache(maps: Iterable[Mapping]) -> int | None:
    """The row of executable anonymous mappings and of what is kept free for them; None where that is not known."""
    anon = [mapping for mapping in maps if mapping.kind == "anon" and mapping.start is not None]
    code = [mapping for mapping in anon if mapping.executable or not mapping.writable]
    return _row_around(code, max((m for m in code if m.executable), key=_size, default=None))


def _size(mapping: Mapping) -> int:
    return mapping.size


def _row_around(mappings: Sequence[Mapping], one: Mapping | None) -> int | None:
    """Bytes from the begin to the end of the mappings side by side of which `one` is part."""
    if one is None or one.start is None:
        return None
    begin = end = 0
    for start, size in sorted((mapping.start or 0, mapping.size) for mapping in mappings):
        if start - end >= GAP_BYTES:
            if end > one.start:
                break
            begin = start
        end = start + size
    return end - begin


def _guest(process: ProcessState, pmd: int | None, gigantic: int | None) -> tuple[int | None, int | None, int | None]:
    facts = process.facts
    if facts is None or not facts.command_line or not _is_qemu(facts.executable or facts.name):
        return None, None, None
    parts = guest_ram_parts(facts.command_line)
    if parts is None:
        return None, None, None
    return sum(parts), _pages(parts, pmd), _pages(parts, gigantic)


@lru_cache(maxsize=KNOWN_PROGRAMS)
def _is_qemu(program: str) -> bool:
    return any(
        fnmatchcase(program.removesuffix(" (deleted)").rpartition("/")[2], pattern)
        for pattern in load_applications()["qemu"].executables
    )


def _pages(parts: Iterable[int], page: int | None) -> int | None:
    return None if page is None else sum(-(-part // page) for part in parts)
