"""What khugepaged says in its tracepoints: text of a trace -> looks at huge page slots, each with its result.

Source: include/trace/events/huge_memory.h. mm is printed hashed (%p): equal for one address space, and nothing else.
The page frame number is that of the page khugepaged looked at last, all ones where it met none. The status of a scan
is that of the whole attempt from 6.0 or so on; before, a failed collapse was told by an event of its own just before,
and the scan said "succeeded".
"""

from __future__ import annotations

import re
from typing import NamedTuple

from advisor.procfs.text import without_octal

SCAN_EVENTS = ("mm_khugepaged_scan_pmd", "mm_khugepaged_scan_file")
COLLAPSE_EVENTS = ("mm_collapse_huge_page", "mm_khugepaged_collapse_file")
EVENTS = SCAN_EVENTS + COLLAPSE_EVENTS
"""Events of the group huge_memory that are read; a kernel may lack the later ones."""

SUCCEEDED = "succeeded"
KHUGEPAGED = "khugepaged"

# Only these lines are looked at from near, and a field begins a word: else a MiB of blanks or letters takes minutes.
_LINE = re.compile(rf"\s*{KHUGEPAGED}-\d+ +\[\d+\].*? (?P<event>mm_\w+): (?P<fields>.*)")
# The last of two fields of one name counts: results of files stand behind the file's name, which anybody may choose.
_FIELD = re.compile(r"\b(\w+)=(.*?)(?:, |$)")
_NO_FRAME = frozenset((0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF))


class Look(NamedTuple):
    """One look at one slot. mm: address space, hashed; frame: page frame number, None without one; status: the
    kernel's word, "succeeded" where it made a huge page."""

    mm: str
    frame: int | None
    status: str


def parse_trace(data: bytes) -> list[Look]:
    """The looks of khugepaged itself, in order; what others ask for (MADV_COLLAPSE) is passed over."""
    looks: list[Look] = []
    failed: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        match = _LINE.match(line)
        if match is None or match["event"] not in EVENTS:
            continue
        fields = dict(_FIELD.findall(match["fields"]))
        mm, status = fields.get("mm", ""), fields.get("result" if match["event"].endswith("_file") else "status", "")
        if match["event"] in COLLAPSE_EVENTS:
            failed[mm] = status
            continue
        before = failed.pop(mm, SUCCEEDED)
        looks.append(Look(mm, _frame(fields.get("scan_pfn")), before if status == SUCCEEDED else status))
    return looks


def _frame(text: str | None) -> int | None:
    try:
        frame = int(text or "", 16)
    except ValueError:
        return None
    return None if frame in _NO_FRAME else frame


def parse_overruns(data: bytes) -> int:
    """Events lost to a full buffer, of one CPU's stats file of a trace instance."""
    match = re.search(rb"(?m)^overrun: (\d{1,19})$", data)
    return int(match[1]) if match else 0


def tracefs_of(mounts: bytes) -> str | None:
    """Where tracefs is mounted, by /proc/mounts: the usual place first; None where it is nowhere."""
    rows = [line.split(b" ") for line in mounts.splitlines() if b" tracefs " in line]
    paths = [without_octal(row[1]).decode("utf-8", "surrogateescape") for row in rows if row[2:3] == [b"tracefs"]]
    return min(paths, key=lambda path: path != "/sys/kernel/tracing", default=None)
