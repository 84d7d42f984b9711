"""smaps of one tick, made to agree: one list of fields for all processes."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from advisor.collect.smaps_batch import ProcessMaps


def align_fields(results: dict[int, ProcessMaps]) -> list[str]:
    """The fields of all processes of a tick, in the order of first sight; values are brought into that order.

    One kernel prints the same fields for every VMA, so normally nothing is to be done. In edited dumps a process
    may lack a field that others have: it counts 0 bytes there, as the kernel would have printed.
    """
    fields: list[str] = []
    for maps in results.values():
        fields.extend(name for name in maps.fields if name not in fields)
    for maps in results.values():
        if maps.parts and list(maps.fields) != fields:
            places = {name: place for place, name in enumerate(maps.fields)}
            maps.parts = [
                [
                    msgspec.structs.replace(
                        mapping, values=[mapping.values[places[name]] if name in places else 0 for name in fields]
                    )
                    for mapping in part
                ]
                for part in maps.parts
            ]
    return fields


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
