"""Huge pages of the JVM: HotSpot's own flags."""

from __future__ import annotations

from advisor.artefacts.model import Artefact, lines, size_label, slug
from advisor.artefacts.quoting import comment


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
        title = f"Java heap of {comment(name)} on THP"
    else:
        size = size_label(page_bytes)
        larger = page_bytes != default_page_bytes
        flags = "-XX:+UseLargePages" + (f" -XX:LargePageSizeInBytes={size.lower()}" if larger else "")
        notes = [
            "The pool must hold the heap, the code cache and the collector's tables: 10 to 20 % more than -Xmx.",
            "With too few pages the JVM warns and starts on base pages. ZGC takes 2M pages only.",
        ]
        title = f"Java heap of {comment(name)} on the pool of {size} pages"
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
