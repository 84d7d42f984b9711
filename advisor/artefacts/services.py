"""The page size of one service or command: its THP switch, and glibc's malloc."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Literal

from msgspec.structs import replace

from advisor.artefacts.drop_ins import drop_in, wrapped_start
from advisor.artefacts.environment import environment_command, environment_drop_in, shown_command
from advisor.artefacts.model import Artefact, count, lines, size_label, slug
from advisor.artefacts.quoting import comment

GLIBC_TUNABLES = "GLIBC_TUNABLES"
"""The environment variable that glibc reads (tunables.texi)."""

TUNABLE = "glibc.malloc.hugetlb"
"""glibc 2.35+: 0 off, 1 MADV_HUGEPAGE, 2 default pool, else bytes of a pool's page size (tunables.texi)."""

MMAP_THRESHOLD = "glibc.malloc.mmap_threshold"
"""Set to the pool's page size with it: blocks between 128 KiB and a huge page would be mapped one by one, on base
pages (seen with glibc 2.36: 4 of 147 MiB came from the pool without it, all with it)."""

TUNABLES = re.compile(r"[a-z0-9_.]+=[A-Za-z0-9_.,+-]*(:[a-z0-9_.]+=[A-Za-z0-9_.,+-]*)*")
"""Shape of GLIBC_TUNABLES: name=value, separated by colons. What else it may hold is not repeated in a text."""

THP_OFF_PROGRAM = (
    "import ctypes,os,sys;"
    "ctypes.CDLL(None).prctl(41,*map(ctypes.c_ulong,(1,0,0,0)))and sys.exit('prctl failed');"
    "os.execvp(sys.argv[1],sys.argv[1:])"
)
"""PR_SET_THP_DISABLE (41, Linux 3.15) outlives execve, so that a wrapper can set it for any program (prctl(2))."""

MemoryThp = Literal["inherit", "disable", "madvise", "system"]


MEMORY_THP_SINCE = 260
"""systemd that first knows MemoryTHP= (its NEWS and pull request 39085)."""


def memory_thp(unit: str, value: MemoryThp) -> Artefact:
    """A drop-in that sets MemoryTHP= of a service: disable, or madvise (only memory that the program advises).

    unit: a name such as "redis.service". Raises ValueError for a name that is no service's.
    """
    notes = [
        f"MemoryTHP= needs systemd {MEMORY_THP_SINCE} or later; an older one ignores it and says so in the journal."
    ]
    if value == "madvise":
        notes.append("The value madvise needs Linux 6.18 or later.")
    return drop_in(unit, "thp", f"THP of {unit}: {value}", [f"MemoryTHP={value}"], notes)


def thp_off_start(unit: str, command: Sequence[str]) -> Artefact:
    """The same for an older systemd: a drop-in that starts the service through a wrapper; by hand.

    command: of the service's main process as it runs, absolute program first. Raises ValueError for a name that is no
    service's, and for a command that a unit cannot hold.
    """
    return wrapped_start(
        unit,
        "thp",
        f"THP of {unit}: off, by a wrapper around its start",
        ["/usr/bin/python3", "-c", THP_OFF_PROGRAM, *shown_command(command)],
        [
            f"MemoryTHP=disable does this from systemd {MEMORY_THP_SINCE} on; this host's is older.",
            f"Compare with ExecStart= of: systemctl cat {shlex.quote(unit)}",
            "What stands there after the wrapper must be the command of the unit; below is the one that runs now.",
            f"To be put into /etc/systemd/system/{unit}.d/50-hugepage-advisor-thp.conf",
        ],
    )


def thp_off_command(name: str, command: Sequence[str]) -> Artefact:
    """A command line that runs a program with THP switched off for it and its children: for any systemd, or none.

    name: what tells this command from others, such as its pid. Raises ValueError for an empty or unprintable command.
    """
    program = shown_command(command)
    return Artefact(
        id=f"thp-off-command-{slug(name)}",
        kind="shell",
        title=comment(f"{name} with THP off"),
        path=None,
        text=lines(shlex.join(["python3", "-c", THP_OFF_PROGRAM, *program])),
        undo=lines(shlex.join(program)),
        by_hand=True,
    )


def malloc_setting(page_bytes: int | None, existing: str | None = None) -> str:
    """The value of GLIBC_TUNABLES: page_bytes None asks for THP, otherwise for the pool of that page size.

    existing: the value in force, whose other tunables are kept. Raises ValueError where it is malformed.
    """
    kept = []
    if existing:
        if not TUNABLES.fullmatch(existing):
            raise ValueError(f"not a value of GLIBC_TUNABLES: {existing!r}")
        changed = (TUNABLE,) if page_bytes is None else (TUNABLE, MMAP_THRESHOLD)
        kept = [part for part in existing.split(":") if part.partition("=")[0] not in changed]
    if page_bytes is None:
        return ":".join([*kept, f"{TUNABLE}=1"])
    size_label(page_bytes)
    size = count(page_bytes, "page size")
    return ":".join([*kept, f"{TUNABLE}={size}", f"{MMAP_THRESHOLD}={size}"])


def malloc_drop_in(unit: str, page_bytes: int | None, existing: str | None = None) -> Artefact:
    """A drop-in that makes glibc's malloc of a service use THP (page_bytes None) or a pool of that page size.

    existing: GLIBC_TUNABLES of the service now. Raises ValueError for a malformed name or value.
    """
    return environment_drop_in(
        unit,
        "malloc",
        f"malloc of {unit} on {_what(page_bytes)}",
        {GLIBC_TUNABLES: malloc_setting(page_bytes, existing)},
        _malloc_notes(page_bytes),
    )


def malloc_command(
    name: str, command: Sequence[str], page_bytes: int | None, existing: str | None = None
) -> Artefact:
    """The same for a command that is no service. name: what tells it from others, such as its pid."""
    title = comment(f"malloc of {name} on {_what(page_bytes)}")
    variables = {GLIBC_TUNABLES: malloc_setting(page_bytes, existing)}
    made = environment_command(name, "malloc", title, command, variables, _malloc_notes(page_bytes))
    if not existing:
        return made
    return replace(made, undo=lines(shlex.join(["env", f"{GLIBC_TUNABLES}={existing}", *command])))


def _what(page_bytes: int | None) -> str:
    return "THP" if page_bytes is None else f"the pool of {size_label(page_bytes)} pages"


def _malloc_notes(page_bytes: int | None) -> list[str]:
    notes = ["glibc 2.35 and later; no effect on programs with another allocator, and on Go and Java heaps."]
    if page_bytes is None:
        notes.append("Has an effect where transparent_hugepage/enabled is madvise.")
    else:
        notes.append(
            "Falls back to base pages without a word when the pool is empty; after fork a child needs spare pages."
        )
    return notes
