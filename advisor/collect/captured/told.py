"""What commands printed into a sosreport, where the files of /proc that say the same are not in it."""

from __future__ import annotations

import os
from typing import NamedTuple

from advisor.procfs.errors import KernelTextError
from advisor.procfs.fs import decode
from advisor.procfs.text import parse_word

_LEAST_UNAME_WORDS = 4
"""uname(1) -a: system, host name, release, version (several words), machine (on some three times), and, on some, the
operating system."""

_PS_COLUMNS = 11
"""Of ps aux: user, pid, and, from the eleventh on, the command with its arguments."""

_PS_PID, _PS_COMMAND = 1, 10


class Uname(NamedTuple):
    """Host name, kernel release and machine, as uname(2) has them."""

    hostname: str
    release: str
    machine: str


class PsLine(NamedTuple):
    """A process as ps aux shows it. user: cut by ps where it is long. arguments: cut at blanks, as ps joins them."""

    user: str
    arguments: list[str]


def parse_uname(data: bytes) -> Uname | None:
    """`uname -a`; None for anything else."""
    text = decode(data).strip()
    words = text.removesuffix(" GNU/Linux").split()
    if "\n" in text or len(words) < _LEAST_UNAME_WORDS or words[0] != "Linux":
        return None
    return Uname(words[1], words[2], words[-1])


def parse_hostname(data: bytes) -> str | None:
    """`hostname`; None for what is no name, such as an error message of several words."""
    try:
        name = parse_word(data)
    except KernelTextError:
        return None
    return name if " " not in name else None


def parse_ps(data: bytes) -> dict[int, PsLine]:
    """`ps aux` with any more of its letters, by pid. Threads (pid "-") and kernel threads ("[name]") are left out."""
    found: dict[int, PsLine] = {}
    for line in decode(data).splitlines():
        fields = line.split(None, _PS_COLUMNS - 1)
        if len(fields) < _PS_COLUMNS or not fields[_PS_PID].isdigit() or len(fields[_PS_PID]) > _PS_COLUMNS - 1:
            continue
        command = fields[_PS_COMMAND]
        if not (command.startswith("[") and command.endswith("]")):
            found[int(fields[_PS_PID])] = PsLine(fields[0], command.split())
    return found


def name_of(arguments: list[str]) -> str:
    """What the kernel would most likely call a program: the file's name, 15 characters of it (TASK_COMM_LEN)."""
    return os.path.basename(arguments[0].rstrip(":"))[:15] if arguments else ""
