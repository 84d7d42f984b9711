"""What a journal says: its lines, and what is left to undo after them. Pure functions of bytes.

One JSON object a line. Line 1: {"journal": 1, "pid", "start_ticks", "boot_id"}, the owner. Then {"change": path,
"before", "during"}, {"anew": path, "before"} for what somebody else has set meanwhile, {"restored": path},
{"started": pid, "start_ticks"}, {"ended": pid}. A line is written before what it announces, so that a last line
without its end announces something that was not done; a second "change" says what the kernel made of the first.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import msgspec

from advisor import foreign_json

FORMAT = 1
"""Version of the lines. History: 1 = first (0.2.0)."""

LONGEST_VALUE = 4096
"""Bytes of one setting: sysfs and sysctl hand out at most one page."""

SHOWN = 200
"""Bytes of a damaged line that are shown."""

MOST_DAMAGED = 100
"""Lines that may be damaged. Source: own choice. Reason: a full disk or a cut damages one; a file with more is no
journal, and each is a line on a terminal."""

_LINE = msgspec.json.Decoder(dict[str, Any])


class OtherFormatError(ValueError):
    """The journal is of another version of this program: its lines may mean something else."""


@dataclass(frozen=True)
class Owner:
    """The trial that writes the journal. start_ticks: clock ticks since boot; boot_id: empty where unknown."""

    pid: int
    start_ticks: int
    boot_id: str


@dataclass
class Changed:
    """One setting: what it held before the first change, and everything that was written since, or that the kernel
    made of it, in order."""

    before: str
    written: list[str]

    @property
    def steps(self) -> list[str]:
        """All that it held, the first value first."""
        return [self.before, *self.written]


@dataclass
class Record:
    """What is left to undo. changes: by path, in the order of the first change. groups: pid -> start_ticks.

    damaged: lines that were not understood, as text fit for a terminal. whole_bytes: length up to the last line end.
    other_format: in words, why nothing of it was taken.
    """

    owner: Owner | None = None
    changes: dict[str, Changed] = field(default_factory=dict)
    groups: dict[int, int] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    whole_bytes: int = 0
    other_format: str | None = None

    def apply(self, entry: dict[str, Any]) -> None:
        """Take one line. Raises ValueError where it is none of the known ones."""
        match entry:
            case {"change": str(path), "before": str(before), "during": str(during)}:
                _check_value(before)
                _check_value(during)
                self.changes.setdefault(path, Changed(before, [])).written.append(during)
            case {"anew": str(path), "before": str(before)}:
                _check_value(before)
                self.changes[path] = Changed(before, [before])  # in its old place: the order decides what comes last
            case {"restored": str(path)}:
                self.changes.pop(path, None)
            case {"started": int(pid), "start_ticks": int(ticks)}:
                self.groups[pid] = ticks
            case {"ended": int(pid)}:
                self.groups.pop(pid, None)
            case {"journal": int(version), "pid": int(pid), "start_ticks": int(ticks), "boot_id": str(boot)}:
                if version != FORMAT:
                    raise OtherFormatError(f"format {version} is not known")
                self.owner = Owner(pid, ticks, boot)
            case _:
                raise ValueError("not a line of a journal")


def header(owner: Owner) -> dict[str, Any]:
    """The first line."""
    return {"journal": FORMAT, "pid": owner.pid, "start_ticks": owner.start_ticks, "boot_id": owner.boot_id}


def line_of(entry: dict[str, Any]) -> bytes:
    """One line with its end."""
    return json.dumps(entry).encode("ascii") + b"\n"


def parse_journal(data: bytes) -> Record:
    """Never raises: what is damaged is noted, the rest is taken; a torn last line is nothing.

    After MOST_DAMAGED lines it is not read on, which is noted as one more.
    """
    record = Record(whole_bytes=data.rfind(b"\n") + 1)
    for line in data[: record.whole_bytes].split(b"\n")[:-1]:
        try:
            record.apply(foreign_json.decode(line, _LINE))
        except OtherFormatError as error:
            return Record(whole_bytes=record.whole_bytes, other_format=str(error))
        except ValueError:
            record.damaged.append(ascii(line[:SHOWN].decode("ascii", "replace")))
            if len(record.damaged) == MOST_DAMAGED:
                record.damaged.append("what follows so many is not read")
                break
    return record


def _check_value(value: str) -> None:
    """A setting is one short line of printable ASCII, perhaps with tabs."""
    if not (0 < len(value) <= LONGEST_VALUE and value.isascii() and value.replace("\t", " ").isprintable()):
        raise ValueError("not the value of a setting")
