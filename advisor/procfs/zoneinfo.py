"""`/proc/zoneinfo`: watermarks and counters of each memory zone. Pure functions of bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.procfs.errors import IncompleteError, MalformedError
from advisor.procfs.facts import Zone
from advisor.procfs.text import parse_name, parse_number

_HEADING = re.compile(rb"Node ([0-9]+), zone +(\S+) *")
_START = re.compile(rb"\n  start_pfn: +([0-9]+)\n")
_ON_CPU_LIST = re.compile(rb"\n +count: +([0-9]+)(?=\n)")
_SIZES = (b"min", b"low", b"high", b"spanned", b"present", b"managed")
"""Names of lines below "pages free" that are fields of Zone; the others (boost, promo, cma) are counters."""

SMALLEST_BASE_PAGE_BYTES = 4096
LARGEST_BASE_PAGE_BYTES = 1 << 18
"""Bounds of a believable base page: 4 KiB is the least, ppc 44x's 256 KiB the largest that Linux knows."""


def parse_zoneinfo(data: bytes) -> list[Zone]:
    """One entry a zone, in the kernel's order, in pages.

    The per-node lines (4.8+) are in the counters of the node's first zone, where the kernel prints them.
    Lists per CPU are not read: on large hosts they are most of the text (see `parse_pages_on_cpu_lists`).
    """
    _require_end(data)
    zones: list[Zone] = []
    line = 1
    for text in _split_zones(data):
        zones.append(_parse_zone(text, line))
        line += text.count(b"\n")
    return zones


def parse_pages_on_cpu_lists(data: bytes) -> dict[tuple[int, str], int]:
    """Free pages on the lists per CPU, by node and zone: "free pages" and buddyinfo do not count them.

    Nothing in /proc/kpageflags marks such a page; this is how many pages without a mark they explain.
    """
    _require_end(data)
    found: dict[tuple[int, str], int] = {}
    line = 1
    for text in _split_zones(data):
        key = _heading(text.partition(b"\n")[0], line)
        found[key] = sum(map(int, _ON_CPU_LIST.findall(text)))
        line += text.count(b"\n")
    return found


def _require_end(data: bytes) -> None:
    if not data.endswith(b"\n"):
        raise IncompleteError("the last line has no end", line=data.count(b"\n") + 1)


def _heading(line: bytes, number: int) -> tuple[int, str]:
    """Node and name of a zone."""
    heading = _HEADING.fullmatch(line)
    if heading is None:
        raise MalformedError("not the heading of a zone", line=number)
    return parse_number(heading.group(1), number), parse_name(heading.group(2), number)


def _split_zones(data: bytes) -> list[bytes]:
    """The text of each zone from its heading to the next."""
    first, *others = data.split(b"\nNode ")
    texts = [first, *(b"Node " + text for text in others)]
    return [text + b"\n" for text in texts[:-1]] + [texts[-1]]


def _parse_zone(text: bytes, first_line: int) -> Zone:
    lines = text.partition(b"\n  pagesets\n")[0].removesuffix(b"\n").split(b"\n")
    node, name = _heading(lines[0], first_line)
    sizes: dict[str, int] = {}
    counters: dict[str, int] = {}
    protection: list[int] = []
    for number, line in enumerate(lines[1:], first_line + 1):
        fields = line.split()
        if len(fields) == 2 and not fields[0].endswith(b":") and fields != [b"per-node", b"stats"]:
            target = sizes if fields[0] in _SIZES else counters
            target[parse_name(fields[0], number)] = parse_number(fields[1], number)
        elif fields[:2] == [b"pages", b"free"] and len(fields) == 3:
            sizes["free"] = parse_number(fields[2], number)
        elif fields[:1] == [b"protection:"]:
            protection = [parse_number(field.strip(b"(,)"), number) for field in fields[1:]]
        elif not _is_known_other(line, fields):
            raise MalformedError("not a line of zoneinfo", line=number)
    start = _START.search(text)
    return Zone(
        node=node,
        zone=name,
        counters=counters,
        start_pfn=parse_number(start.group(1), first_line) if start else None,
        protection=protection,
        **sizes,
    )


def _is_known_other(line: bytes, fields: list[bytes]) -> bool:
    """Lines without a fact: headings, "name: value", and a lone number, the counter that 4.18 hides."""
    return b":" in line or fields == [b"per-node", b"stats"] or (len(fields) == 1 and fields[0].isdigit())


def base_page_bytes_of(memory_total_bytes: int, zones: Sequence[Zone]) -> int | None:
    """Base page size of the host that wrote both: MemTotal is the sum of the managed pages (3.9+).

    Exactly so in the nodes' meminfo (mm/show_mem.c si_meminfo_node), nearly always in the host's. None where
    they do not divide to a power of two, for example because memory was plugged in.
    """
    managed = sum(zone.managed or 0 for zone in zones)
    if managed == 0 or memory_total_bytes == 0 or memory_total_bytes % managed:
        return None
    size = memory_total_bytes // managed
    is_power_of_two = size & (size - 1) == 0
    return size if is_power_of_two and SMALLEST_BASE_PAGE_BYTES <= size <= LARGEST_BASE_PAGE_BYTES else None
