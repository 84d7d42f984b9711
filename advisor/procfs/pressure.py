"""`/proc/pressure/*` and cgroup `*.pressure` (Documentation/accounting/psi.rst). Pure functions of bytes."""

from __future__ import annotations

import re

from advisor.procfs.errors import MalformedError
from advisor.procfs.facts import Pressure, PressureLine
from advisor.procfs.text import parse_number, whole_lines

_LINE = re.compile(
    rb"(some|full) avg10=([0-9]{1,3}\.[0-9]{2}) avg60=([0-9]{1,3}\.[0-9]{2}) avg300=([0-9]{1,3}\.[0-9]{2})"
    rb" total=([0-9]+)"
)


def parse_pressure(data: bytes) -> Pressure:
    """The some and full lines; None where the kernel prints only one (irq: no some)."""
    lines: dict[bytes, PressureLine] = {}
    for number, line in enumerate(whole_lines(data), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise MalformedError("not a pressure line", line=number)
        kind, avg10, avg60, avg300, total = match.groups()
        lines[kind] = PressureLine(float(avg10), float(avg60), float(avg300), parse_number(total, number))
    return Pressure(some=lines.get(b"some"), full=lines.get(b"full"))
