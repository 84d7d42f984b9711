"""What must not be in a published profile: this machine's name, boot, folders and control groups."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from advisor.profile.model import Header, Profile, Sample

HOSTNAME = "sample-host"

NEUTRAL_FOLDER = "/srv/sample"
"""Stands in a profile for the temporary folder in which its programs ran."""

PRIVATE = re.compile(r"/(?:work|root|home|tmp|mnt|run/user)(?:/|\b)|\.pyenv|/venv/")
"""Folders that tell about whoever recorded a profile."""

T = TypeVar("T")


class PrivateText(Exception):
    """Something of this machine is left in a profile."""


def scrubbed(profile: Profile, folders: Iterable[str], origin: str) -> Profile:
    """The profile under another name, with `folders` as NEUTRAL_FOLDER and no control group. Raises PrivateText."""
    places = dict.fromkeys(folders, NEUTRAL_FOLDER)
    host = msgspec.structs.replace(profile.header.host, hostname=HOSTNAME, boot_id=None)
    header = msgspec.structs.replace(profile.header, host=host, origin=origin)
    clean = Profile(_replaced(header, places, Header), [_sample(sample, places) for sample in profile.samples])
    if found := private_text(clean):
        raise PrivateText(f"left in the profile: {found}")
    return clean


def private_text(profile: Profile) -> list[str]:
    """Texts in a profile that tell about the machine on which it was recorded."""
    forbidden = _control_groups_here()
    found = [
        text
        for text in _texts(msgspec.to_builtins([profile.header, profile.samples]))
        if PRIVATE.search(text) or any(group in text for group in forbidden)
    ]
    name = profile.header.host.hostname
    if name == platform.node():
        found.append(name)
    return found


def _sample(sample: Sample, places: Mapping[str, str]) -> Sample:
    processes = []
    for record in sample.processes:
        facts = record.facts
        if facts is not None and facts.cgroup is not None:
            groups = [msgspec.structs.replace(group, path="/") for group in facts.cgroup]
            record = msgspec.structs.replace(record, facts=msgspec.structs.replace(facts, cgroup=groups))
        processes.append(record)
    host = msgspec.structs.replace(sample.host, cgroup_hugetlb=[])
    return _replaced(msgspec.structs.replace(sample, processes=processes, host=host), places, Sample)


def _replaced(thing: T, places: Mapping[str, str], kind: type[T]) -> T:
    return msgspec.convert(_with_places(msgspec.to_builtins(thing), places), kind)


def _with_places(thing: Any, places: Mapping[str, str]) -> Any:
    if isinstance(thing, str):
        for place, neutral in places.items():
            thing = thing.replace(place, neutral)
        return thing
    if isinstance(thing, list | tuple):
        return [_with_places(item, places) for item in thing]
    if isinstance(thing, dict):
        return {_with_places(key, places): _with_places(value, places) for key, value in thing.items()}
    return thing


def _texts(thing: Any) -> Iterable[str]:
    if isinstance(thing, str):
        yield thing
    elif isinstance(thing, list | tuple):
        for item in thing:
            yield from _texts(item)
    elif isinstance(thing, dict):
        for key, value in thing.items():
            yield from _texts(key)
            yield from _texts(value)


def _control_groups_here() -> list[str]:
    """Paths of the control groups in which this process runs; the root is everybody's."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    return [path for line in lines if len(path := line.split(":", 2)[-1]) > 1]
