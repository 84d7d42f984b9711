"""Huge pages of Java virtual machines: the flags of HotSpot and of OpenJ9."""

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
            "The pool must hold the heap, the code cache and the collector's tables, each in whole pages.",
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


def openj9_options(name: str, page_bytes: int | None) -> Artefact:
    """The same for Eclipse OpenJ9, which has options of its own (-Xlp:objectheap, -XX:[+-]TransparentHugePage).

    It takes pages of a pool by itself where it finds some, and asks for THP by itself in mode madvise.
    """
    if page_bytes is None:
        flags, title = "-XX:+TransparentHugePage", f"Memory of {comment(name)} on THP"
        notes = ["Has an effect where transparent_hugepage/enabled is madvise, and is the default there."]
    else:
        size = size_label(page_bytes)
        flags, title = f"-Xlp:objectheap:pagesize={size},strict", f"Object heap of {comment(name)} on {size} pages"
        notes = ["strict: does not start with too few pages; without it, it takes what there is and says nothing."]
    return Artefact(
        id=f"openj9-{slug(name)}",
        kind="jvm",
        title=title,
        path=None,
        text=lines(
            "# java command line or OPENJ9_JAVA_OPTIONS; check with -verbose:sizes", *(f"# {n}" for n in notes), flags
        ),
        undo=lines(f"# take out: {flags}"),
        by_hand=True,
    )
