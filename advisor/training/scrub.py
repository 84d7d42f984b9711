"""What must not be in a published measurement: names, boots, folders, users and control groups of a machine."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from advisor.profile.model import Header, ProcessRecord, Sample

PRIVATE_PATH = re.compile(r"/(?:work|root|home|tmp|var/tmp|mnt|run/user)(?:/[\w.+@%~-]+)*/?(?=/|\W|$)")
"""Folders that tell about whoever measured, as a whole path."""

FOLDER = "{folder}"
"""Stands for such a folder; the last name is kept, since it says which program or file it is."""

T = TypeVar("T")


class PrivateTextError(Exception):
    """Something of this machine is left in a measurement."""


def neutral_places(build: Path, programs: Path, python: str) -> dict[str, str]:
    """Folders and files of this machine -> the placeholder that stands for each; the longest come first."""
    places = {
        str(build): "{build}",
        str(build.resolve()): "{build}",
        str(programs): "{programs}",
        str(programs.resolve()): "{programs}",
        python: "{python}",
        str(Path(python).resolve()): "{python}",
        sys.prefix: FOLDER,
        sys.base_prefix: FOLDER,
    }
    kept = {place: neutral for place, neutral in places.items() if place not in ("", "/", "/usr", ".")}
    return dict(sorted(kept.items(), key=lambda item: -len(item[0])))


def scrubbed(thing: T, kind: type[T], places: Mapping[str, str]) -> T:
    """A document without folders of this machine. Raises PrivateTextError where its name is left."""
    text = msgspec.json.encode(thing).decode()
    if places:
        known = re.compile("(" + "|".join(map(re.escape, places)) + r")(?![\w.-])")
        text = known.sub(lambda match: places[match[1]], text)
    text = PRIVATE_PATH.sub(_neutral_path, text)
    name = platform.node()
    if len(name) > 3 and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text):
        raise PrivateTextError(f"the name of this machine, {name!r}, is left in the measurement")
    return msgspec.json.decode(text, type=kind)


def _neutral_path(match: re.Match[str]) -> str:
    last = match[0].rstrip("/").rpartition("/")[2]
    is_top = match[0].rstrip("/").count("/") == 1
    return FOLDER if is_top else f"{FOLDER}/{last}"


def scrubbed_header(header: Header, places: Mapping[str, str]) -> Header:
    """A profile's header without the machine's name and boot."""
    host = msgspec.structs.replace(header.host, hostname=None, boot_id=None)
    return scrubbed(msgspec.structs.replace(header, host=host), Header, places)


def scrubbed_sample(sample: Sample, pids: frozenset[int], places: Mapping[str, str]) -> Sample:
    """The sample with these processes alone, without users and control groups."""
    host = msgspec.structs.replace(sample.host, cgroup_hugetlb=[])
    kept = msgspec.structs.replace(
        sample,
        host=host,
        processes=[_nameless(record) for record in sample.processes if record.pid in pids],
        skipped=[skipped for skipped in sample.skipped if skipped.pid in pids],
        gone=[identity for identity in sample.gone if identity[0] in pids],
    )
    return scrubbed(kept, Sample, places)


def _nameless(record: ProcessRecord) -> ProcessRecord:
    if record.facts is None:
        return record
    groups = record.facts.cgroup and [msgspec.structs.replace(group, path="/") for group in record.facts.cgroup]
    facts = msgspec.structs.replace(record.facts, cgroup=groups, user=None)
    return msgspec.structs.replace(record, facts=facts)
