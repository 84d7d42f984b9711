"""`/proc/vmstat`: state and event counters. Pure functions of bytes."""

from __future__ import annotations

from advisor.procfs.text import parse_name, parse_number, whole_lines


def parse_vmstat(data: bytes) -> dict[str, int]:
    """Every counter by its name: events since boot, or, for most nr_* names, pages now.

    The nr_*_hugepages, nr_*_pmdmapped and nr_anon_transparent_hugepages lines count PMD-size pages
    (mm/vmstat.c vmstat_item_print_in_thp). A name that this kernel does not print is not in the result.
    """
    facts: dict[str, int] = {}
    for number, line in enumerate(whole_lines(data), 1):
        name, _, value = line.partition(b" ")
        facts[parse_name(name, number)] = parse_number(value, number)
    return facts
