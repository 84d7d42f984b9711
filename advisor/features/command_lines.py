"""Sizes that a JVM or QEMU was told on its command line. Pure functions of the arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from advisor.profile.model import MOST_BYTES

UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
"""Suffixes of sizes, binary. Sources: the java manual page, -Xmx; qemu(1), -m and -object."""

JAVA_SIZE = re.compile(r"([0-9]{1,20})([kmgt]?)", re.IGNORECASE)
QEMU_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([bkmgt]?)(?:i?b)?", re.IGNORECASE)

JAVA_VALUE_FOLLOWS = re.compile(
    "-cp|-classpath|--class-path|-p|--module-path|--upgrade-module-path|--add-modules|--add-opens|--add-exports|"
    "--add-reads|--limit-modules|--patch-module|--source"
)
"""Options of `java` that take the next argument as their value (java manual page)."""

COLLECTOR = re.compile(r"-XX:\+Use(Serial|Parallel|ParallelOld|G1|Z|Shenandoah|Epsilon|ConcMarkSweep)GC")
"""Switches of HotSpot's garbage collectors; the last one given counts."""


class JavaSizes(NamedTuple):
    """What the command line of a JVM says; None where it says nothing. Bytes."""

    heap_bytes: int | None = None
    code_cache_bytes: int | None = None
    collector: str | None = None


def java_sizes(arguments: Sequence[str]) -> JavaSizes:
    """Sizes among the options before the main class; the last of each counts, as HotSpot takes it."""
    heap = code_cache = collector = None
    for option in _java_options(arguments):
        if option.startswith(("-Xmx", "-XX:MaxHeapSize=")):
            heap = _java_size(option.removeprefix("-Xmx").removeprefix("-XX:MaxHeapSize=")) or heap
        elif option.startswith("-XX:ReservedCodeCacheSize="):
            code_cache = _java_size(option.partition("=")[2]) or code_cache
        elif match := COLLECTOR.fullmatch(option):
            collector = match[1]
    return JavaSizes(heap, code_cache, collector)


def _java_options(arguments: Sequence[str]) -> Iterator[str]:
    rest = iter(arguments[1:])
    for argument in rest:
        if not argument.startswith(("-", "@")) or argument in ("-jar", "-m", "--module"):
            return
        if JAVA_VALUE_FOLLOWS.fullmatch(argument):
            next(rest, None)
        else:
            yield argument


def _java_size(text: str) -> int | None:
    match = JAVA_SIZE.fullmatch(text)
    return _possible(int(match[1]) * UNITS[match[2].lower()]) if match else None


def guest_ram_parts(arguments: Sequence[str]) -> list[int] | None:
    """Sizes of the memory backends of a QEMU guest, bytes: each of them takes pages of its own.

    Guest RAM is -m where no backend stands for it; backends that are no part of it (a module plugged in later) come
    on top. None where the command line names no size, or one that cannot be read.
    """
    pairs = list(pairwise(arguments))
    backends = [_properties(value) for option, value in pairs if option in ("-object", "--object")]
    backends = [one for one in backends if one.get("qom-type", "").startswith("memory-backend-")]
    sizes = [_qemu_size(one.get("size", ""), UNITS["b"]) for one in backends]
    places = " ".join(value for option, value in pairs if option in ("-machine", "-M", "-numa"))
    names = {one["id"] for one in backends if "id" in one}
    used = set(re.findall(r"(?:memory-backend|memdev)=([^,\s]+)", places))
    if not names & used:
        ram = [value for option, value in pairs if option == "-m"]
        sizes.insert(0, _qemu_size(_properties(f"size={ram[-1]}")["size"] if ram else "", UNITS["m"]))
    known = [size for size in sizes if size]
    return known if known and len(known) == len(sizes) else None


def _properties(text: str) -> Mapping[str, str]:
    """`memory-backend-ram,id=a,size=1G`, `size=1G,slots=2`, or the same as JSON (QEMU 6.0)."""
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return {}
        return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}
    first, *others = text.replace("size=size=", "size=", 1).split(",")
    head = ["qom-type=" + first] if "=" not in first else [first]
    return dict(part.split("=", 1) for part in [*head, *others] if "=" in part)


def _qemu_size(text: str, unit: int) -> int | None:
    """unit: of a number without suffix."""
    match = QEMU_SIZE.fullmatch(text.strip())
    if match is None:
        return None
    return _possible(float(match[1]) * (UNITS[match[2].lower()] if match[2] else unit))


def _possible(size: float) -> int | None:
    """None for what no machine can have: anybody may write any number after -m."""
    return int(size) if size <= MOST_BYTES else None
