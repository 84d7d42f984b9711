"""Huge pages as settings of the programs that have them: PostgreSQL and the JVM."""

from __future__ import annotations

from typing import Literal

from advisor.artefacts.model import Artefact, lines, size_label, slug

HugePages = Literal["on", "off", "try"]


def postgresql_huge_pages(
    name: str,
    page_bytes: int,
    *,
    default_page_bytes: int | None,
    mode: HugePages = "try",
    previous_mode: HugePages | None = None,
    previous_page_size: str | None = None,
) -> Artefact:
    """Lines of postgresql.conf that put the shared memory of one instance into a pool.

    name: what tells this instance from others. default_page_bytes: huge_page_size (PostgreSQL 14) is left out where
    page_bytes is the host's default. previous_*: what the file says now, None for nothing (try, 0).
    Raises ValueError for a previous size that PostgreSQL would not print.
    """
    if previous_page_size is not None and not previous_page_size.isalnum():
        raise ValueError(f"not a value of huge_page_size: {previous_page_size!r}")
    with_size = page_bytes != default_page_bytes
    size = [f"huge_page_size = {size_label(page_bytes)}B    # PostgreSQL 14 and later"] if with_size else []
    back = [f"huge_pages = {previous_mode or 'try'}"]
    if with_size:
        back.append(f"huge_page_size = {previous_page_size or '0'}")
    return Artefact(
        id=f"postgresql-{slug(name)}",
        kind="postgresql",
        title=f"Shared memory of PostgreSQL {name} on pages of {size_label(page_bytes)}",
        path=None,
        text=lines(
            "# postgresql.conf, in force after a restart of the server. Pages needed (15 and later):",
            "#   SHOW shared_memory_size_in_huge_pages;",
            "# Whether it got them (17 and later): SHOW huge_pages_status;",
            f"huge_pages = {mode}",
            *size,
        ),
        undo=lines("# postgresql.conf, then a restart of the server", *back),
        by_hand=True,
    )


def jvm_flags(name: str, page_bytes: int | None, *, default_page_bytes: int | None) -> Artefact:
    """HotSpot flags for the Java heap on THP (page_bytes None) or on a pool of that page size.

    name: what tells this JVM from others. LargePageSizeInBytes is given for every size but the host's default pool
    size, as the JVM does not use larger pages without it.
    """
    if page_bytes is None:
        flags = "-XX:+UseTransparentHugePages"
        notes = [
            "Needs transparent_hugepage/enabled=madvise or always; a ZGC heap in a memfd also shmem_enabled=advise."
        ]
        title = f"Java heap of {name} on THP"
    else:
        size = size_label(page_bytes)
        larger = page_bytes != default_page_bytes
        flags = "-XX:+UseLargePages" + (f" -XX:LargePageSizeInBytes={size.lower()}" if larger else "")
        notes = [
            "The pool must hold the heap, the code cache and the collector's tables: 10 to 20 % more than -Xmx.",
            "With too few pages the JVM warns and starts on base pages. ZGC takes 2M pages only.",
        ]
        title = f"Java heap of {name} on the pool of {size} pages"
    return Artefact(
        id=f"jvm-{slug(name)}",
        kind="jvm",
        title=title,
        path=None,
        text=lines(
            "# java command line, JAVA_TOOL_OPTIONS or the application's jvm.options; check with -Xlog:pagesize",
            *(f"# {note}" for note in notes),
            flags,
        ),
        undo=lines(f"# take out: {flags}"),
        by_hand=True,
    )
