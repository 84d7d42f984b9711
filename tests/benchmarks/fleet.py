"""A made-up fleet for load: profiles of hosts whose processes are drawn from recorded ones.

`python -m tests.benchmarks.fleet FOLDER --hosts 1000 --processes 300`. Every process is a recording of a real one
(`sample_profiles/`), with a pid of its own and its memory scaled; which ones run together, and how large, is chance.
The header says `origin: synthetic`: for measuring how much a batch costs, never for learning anything from it.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from advisor.profile.codec import ProfileWriter, load_profile
from advisor.profile.model import SYNTHETIC, Mapping, ProcessRecord, Profile, Sample

SAMPLES = Path(__file__).resolve().parents[2] / "sample_profiles"
ORIGIN = f"{SYNTHETIC}: resampled from recorded profiles, for load only"
MOST_SAMPLES = 10
SCALES = (1, 1, 1, 2, 4, 8)
"""Factors on the sizes of a process. Whole ones, so that pages stay whole."""

FIRST_PID = 1000


class Drawn(NamedTuple):
    """One recorded process: its record in each sample that has one, from the first sample on."""

    records: dict[int, ProcessRecord]
    smaps_fields: list[str]


def recorded(profiles: Sequence[Profile]) -> list[Drawn]:
    """Every process of these profiles that is there from their first sample on."""
    found = []
    for profile in profiles:
        by_process: dict[tuple[int, int], dict[int, ProcessRecord]] = {}
        for number, sample in enumerate(profile.samples[:MOST_SAMPLES]):
            for record in sample.processes:
                by_process.setdefault((record.pid, record.start_ticks), {})[number] = record
        fields = profile.samples[0].smaps_fields
        found += [Drawn(records, fields) for records in by_process.values() if 0 in records]
    return found


def scaled(record: ProcessRecord, pid: int, factor: int) -> ProcessRecord:
    """The record under another pid, with so many times the memory."""
    maps = None if record.maps is None else [_scaled_mapping(one, factor) for one in record.maps]
    rollup = None if record.rollup is None else {name: value * factor for name, value in record.rollup.items()}
    return replace(record, pid=pid, maps=maps, rollup=rollup)


def _scaled_mapping(mapping: Mapping, factor: int) -> Mapping:
    if factor == 1:
        return mapping
    slots = None if mapping.slot_bytes is None else mapping.slot_bytes * factor
    values = [value * factor for value in mapping.values]
    return replace(mapping, size=mapping.size * factor, slot_bytes=slots, values=values)


def make_host(path: Path, number: int, processes: int, hosts: Sequence[Profile], drawn: Sequence[Drawn]) -> None:
    """One profile. The number of the host decides everything about it."""
    chance = random.Random(number)
    host = chance.choice(hosts)
    alike = [one for one in drawn if one.smaps_fields == host.samples[0].smaps_fields]
    chosen = [(chance.choice(alike).records, chance.choice(SCALES)) for _ in range(processes)]
    facts = replace(host.header.host, hostname=f"synthetic-{number:06}")
    with ProfileWriter(path) as writer:
        writer.write_header(replace(host.header, host=facts, origin=ORIGIN))
        for place, sample in enumerate(host.samples[:MOST_SAMPLES]):
            records = [
                scaled(of[place], FIRST_PID + pid, factor) for pid, (of, factor) in enumerate(chosen) if place in of
            ]
            writer.write_sample(_with(sample, records), redact=False)


def _with(sample: Sample, records: list[ProcessRecord]) -> Sample:
    return replace(sample, processes=records, gone=[], skipped=[])


def make_fleet(folder: Path, hosts: int, processes: int) -> list[Path]:
    """The profiles of a fleet, in a new or empty folder. Raises OSError."""
    profiles = [load_profile(path) for path in sorted(SAMPLES.glob("*.jsonl.zst"))]
    drawn = recorded(profiles)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:06}.jsonl.zst" for number in range(hosts)]
    for number, path in enumerate(paths):
        make_host(path, number, processes, profiles, drawn)
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=300)
    given = parser.parse_args()
    paths = make_fleet(given.folder, given.hosts, given.processes)
    print(f"{given.folder}: {len(paths)} profiles, {sum(path.stat().st_size for path in paths) >> 20} MiB")


if __name__ == "__main__":
    main()
