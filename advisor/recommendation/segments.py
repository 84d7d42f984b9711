"""The pieces of memory that a program would put into a pool, each rounded up to whole pages on its own.

What maps a piece reserves its whole length in the pool (mmap(2), MAP_HUGETLB), so that pages follow from the sizes of
mappings and not from what is resident.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""

BITMAP_HEAP_BYTES = 64
"""Bytes of Java heap for one byte of a mark bitmap: a bit for each 8 bytes of heap (HotSpot, MarkBitMap)."""

CARD_BYTES = 512
"""Bytes of Java heap for one byte of a card table (HotSpot, GCCardSizeInBytes)."""

POOL_HEAP_PAGES = 4
"""Pages of a heap of a thread's arena with glibc.malloc.hugetlb (glibc malloc/arena.c, heap_max_size)."""

HEADROOM_EVERY_PAGES = 100
"""Pages. Source: the plan's headroom, one page in a hundred (pool_plan.HEADROOM_SHARE). Reason: what is mapped for a
moment only may have it."""

DEFAULT_COLLECTOR = "G1"
"""HotSpot since JDK 9 on machines of two CPUs and 2 GiB or more (JEP 248)."""

ONE_BITMAP_JDK = 20
"""Since then G1 has one mark bitmap in place of two (JDK-8210708)."""


class Piece(NamedTuple):
    """Mappings of one use: what it is, bytes, and pages of the size asked for."""

    what: str
    size_bytes: int
    pages: int


def pieces(row: Row, page: int) -> list[Piece]:
    """What this process would take from a pool of pages of this size; empty where that is not known.

    The first that is known of: its hugetlb mappings; a guest's RAM; the heap of a JVM with its tables and its code;
    the largest shared object; memory of glibc's malloc; and anonymous memory in mappings with aligned slots, which is
    an estimate from today's state.
    """
    if row["hugetlb_mapped_bytes"]:
        return [_piece("its hugetlb mappings", row["hugetlb_mapped_bytes"], page)]
    if row["is_vmm"]:
        return _guest(row, page)
    if row["jvm_heap_bytes"]:
        return _java(row, page)
    shared, private = row["shared_object_bytes"] or 0, row["slotted_anon_bytes"] or 0
    if shared >= private:
        return [_piece("its largest shared object", shared, page)] if shared else []
    if row["allocator"] == "glibc" and row["runtime"] is None and (known := _malloc(row, page)):
        return known
    return [_piece("its anonymous memory in large mappings today, an estimate", private, page)]


def in_words(found: Sequence[Piece]) -> str:
    """What was counted; with the pages of each where there are several."""
    if len(found) == 1:
        return found[0].what
    return " + ".join(f"{piece.what} {piece.pages}" for piece in found)


def _piece(what: str, size_bytes: int, page: int) -> Piece:
    return Piece(what, size_bytes, -(-size_bytes // page))


def _of_page(row: Row, page: int, name: str) -> int | None:
    """The column of this page size."""
    sizes = {row["host_pmd_bytes"]: "pmd", row["host_pool_gigantic_page_bytes"]: "gigantic"}
    value = row[f"{name}_{sizes[page]}_pages"] if page in sizes else None
    return None if value is None else int(value)


def _guest(row: Row, page: int) -> list[Piece]:
    size = row["guest_ram_bytes"]
    if not size:
        return []
    pages = _of_page(row, page, "guest")
    return [Piece("the guest's RAM", size, pages) if pages is not None else _piece("the guest's RAM", size, page)]


def _malloc(row: Row, page: int) -> list[Piece]:
    """With one more heap where threads have arenas: to align a new heap malloc maps twice its size, for a moment."""
    pages = _of_page(row, page, "malloc")
    if not pages:
        return []
    found = [Piece("memory of malloc today, an estimate", row["malloc_mapped_bytes"], pages)]
    room = max(POOL_HEAP_PAGES - pages // HEADROOM_EVERY_PAGES, 0)
    if row["malloc_arenas"] and room:
        found.append(_piece("room to align an arena", room * page, page))
    return found


def _java(row: Row, page: int) -> list[Piece]:
    """The heap, the collector's tables and the code cache, as HotSpot maps them with UseLargePages.

    Seen on JDK 17 with -Xlog:pagesize. A table smaller than a page stays on base pages; the code cache, in which at
    least eight pages must fit (CodeCache::page_size), likewise.
    """
    heap, code = row["jvm_heap_bytes"], row["jvm_code_cache_bytes"] or 0
    tables = _tables(row["jvm_collector"] or DEFAULT_COLLECTOR, heap, page, _jdk(row))
    found = [_piece("Java heap", heap, page)]
    if tables:
        found.append(Piece("the collector's tables", sum(tables), sum(-(-table // page) for table in tables)))
    if code >= 8 * page:
        found.append(_piece("code cache", code, page))
    return found


def _tables(collector: str, heap: int, page: int, jdk: int | None) -> list[int]:
    """Bytes of each table beside the heap that is on large pages."""
    bitmap, cards = heap // BITMAP_HEAP_BYTES, heap // CARD_BYTES
    tables: list[int] = []
    if collector == "G1":
        # Mark bitmaps; block offsets, cards and card counts.
        tables = [bitmap] * (1 if jdk is not None and jdk >= ONE_BITMAP_JDK else 2) + [cards] * 3
    elif collector in ("Parallel", "ParallelOld") and 2 * bitmap % page == 0:
        # Begin and end bits in one bitmap, which is not rounded up but stays on base pages.
        tables = [2 * bitmap]
    elif collector == "Shenandoah":
        # Two bits a heap word, in the bitmap and in its twin for verification.
        tables = [2 * bitmap, 2 * bitmap]
    return [table for table in tables if table >= page]


def _jdk(row: Row) -> int | None:
    """Feature release of the JDK, where its version was read: 8 of 1.8.0_392, 17 of 17.0.15."""
    match = re.match(r"(?:1\.)?([0-9]+)", row.get("runtime_version") or "")
    return int(match[1]) if match else None
