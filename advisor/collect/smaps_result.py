"""smaps of one tick, made to agree: one list of fields for all processes."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from advisor.collect.smaps_batch import ProcessMaps
from advisor.profile.model import Mapping


def align_fields(results: dict[int, ProcessMaps]) -> list[str]:
    """The fields that smaps of every process has, in the order of the first; all values are brought into that order.

    One kernel prints the same fields for every VMA, so normally nothing is to be done. In trees put together from
    several dumps a field that one process lacks is unknown for all: a sample has one list of fields, and a 0 in its
    place would be invented.
    """
    read = [maps for maps in results.values() if maps.parts]
    if not read:
        return []
    fields = [name for name in read[0].fields if all(name in maps.fields for maps in read)]
    for maps in read:
        if list(maps.fields) != fields:
            places = [maps.fields.index(name) for name in fields]
            maps.parts = [[_only(mapping, places) for mapping in part] for part in maps.parts]
    return fields


def _only(mapping: Mapping, places: list[int]) -> Mapping:
    """The mapping with the values at these places, in this order."""
    return msgspec.structs.replace(mapping, values=[mapping.values[place] for place in places])


def smallest_page_bytes(results: Iterable[ProcessMaps]) -> int | None:
    """The base page size, as the smallest KernelPageSize of any mapping; None where smaps has no such line."""
    pages = [
        mapping.page_bytes
        for maps in results
        for part in maps.parts
        for mapping in part
        if mapping.page_bytes is not None
    ]
    return min(pages, default=None)
