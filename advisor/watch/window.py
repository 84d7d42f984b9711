"""The newest samples of a host that is watched for hours, in constant memory.

Samples hold only what changed, so an old one cannot simply be dropped: it is merged into the next one, which then
says all that was known. Counters begin there, so rates are those of the window, not of the hours before.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from advisor.profile.model import HostState, ProcessRecord, Sample
from advisor.profile.timeline import HOST_SECTIONS, is_read

KEPT_SAMPLES = 60
"""Samples in the window. Source: own choice. Reason: two minutes at two seconds; a pass of khugepaged takes ten."""


class Window:
    """Samples, oldest first; the first of them stands for all before it."""

    def __init__(self, keep: int = KEPT_SAMPLES) -> None:
        self._keep = keep
        self.samples: list[Sample] = []

    def add(self, sample: Sample) -> None:
        """One more, and the two oldest into one where there are too many."""
        self.samples.append(sample)
        if len(self.samples) > self._keep:
            self.samples[:2] = [merged(self.samples[0], self.samples[1])]


def merged(older: Sample, newer: Sample) -> Sample:
    """One sample, of the time and cost of the newer, that says what both said. The newer has the last word."""
    fields = _common_fields(older, newer)
    gone = {tuple(identity) for identity in newer.gone}
    new_owner = {record.pid: record.start_ticks for record in newer.processes}
    records: dict[tuple[int, int], ProcessRecord] = {}
    for record in older.processes:
        identity = (record.pid, record.start_ticks)
        if identity not in gone and new_owner.get(record.pid, record.start_ticks) == record.start_ticks:
            records[identity] = _with_fields(record, older.smaps_fields, fields)
    for record in newer.processes:
        record = _with_fields(record, newer.smaps_fields, fields)
        identity = (record.pid, record.start_ticks)
        records[identity] = _merged_record(records[identity], record) if identity in records else record
    return structs.replace(
        newer,
        host=_merged_host(older.host, newer.host),
        smaps_fields=fields,
        processes=list(records.values()),
        gone=[],
    )


def _merged_record(older: ProcessRecord, newer: ProcessRecord) -> ProcessRecord:
    """Section by section. A rollup that was read after maps puts them out of date, and the other way round."""
    sections = {name: value for name in newer.__struct_fields__ if (value := getattr(newer, name)) is not None}
    if newer.maps is not None and newer.rollup is None:
        sections["rollup"] = None
    if newer.rollup is not None and newer.maps is None:
        sections["maps"] = None
    return structs.replace(older, **sections)


def _merged_host(older: HostState, newer: HostState) -> HostState:
    read = {name: value for name in HOST_SECTIONS if is_read(value := getattr(newer, name))}
    return structs.replace(older, **read, problems=newer.problems)


def _common_fields(older: Sample, newer: Sample) -> list[str]:
    """Names of smaps values that both have; a sample without walks has no say."""
    if not (older.smaps_fields and newer.smaps_fields):
        return older.smaps_fields or newer.smaps_fields
    return [name for name in older.smaps_fields if name in newer.smaps_fields]


def _with_fields(record: ProcessRecord, has: Sequence[str], wanted: Sequence[str]) -> ProcessRecord:
    if record.maps is None or list(has) == list(wanted):
        return record
    places = [has.index(name) for name in wanted]
    maps = [structs.replace(one, values=[one.values[place] for place in places]) for one in record.maps]
    return structs.replace(record, maps=maps)
