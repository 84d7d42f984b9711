"""Environment variables of one service or command, and the settings of allocators that are made of them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from advisor.artefacts.drop_ins import drop_in
from advisor.artefacts.model import Artefact, count, lines, size_label, slug
from advisor.artefacts.quoting import printable, systemd_word
from advisor.units import GIB

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""Names of environment variables (environ(7), POSIX)."""


def allocator_settings(allocator: str, page_bytes: int | None, heap_bytes: int | None = None) -> dict[str, str]:
    """Variables that put an allocator's memory on THP (page_bytes None) or into the pool of a page size; {}: none do.

    heap_bytes: what a reservation must hold. glibc has a module of its own (`services.malloc_setting`). Sources:
    jemalloc TUNING.md (thp:always has an effect in mode madvise), gperftools README (TCMALLOC_MEMFS_*),
    mimalloc's documentation of environment options.
    """
    if allocator == "jemalloc":
        return {"MALLOC_CONF": "thp:always,metadata_thp:auto"} if page_bytes is None else {}
    if allocator == "mimalloc":
        return _mimalloc(page_bytes, heap_bytes)
    if allocator == "tcmalloc" and page_bytes is not None:
        return {
            "TCMALLOC_MEMFS_MALLOC_PATH": f"/dev/hugepages{_label(page_bytes)}/tcm_",
            "TCMALLOC_MEMFS_MAP_PRIVATE": "1",
        }
    return {}


def allocator_off(allocator: str) -> dict[str, str]:
    """Variables that keep an allocator's memory off THP; {}: none do."""
    if allocator == "jemalloc":
        return {"MALLOC_CONF": "thp:never"}
    return {"MIMALLOC_ALLOW_THP": "0"} if allocator == "mimalloc" else {}


def _mimalloc(page_bytes: int | None, heap_bytes: int | None) -> dict[str, str]:
    if page_bytes is None:
        return {"MIMALLOC_ALLOW_THP": "1"}
    if page_bytes < GIB:
        return {"MIMALLOC_ALLOW_LARGE_OS_PAGES": "1"}
    pages = -(-count(heap_bytes or 0, "heap") // page_bytes)
    return {"MIMALLOC_RESERVE_HUGE_OS_PAGES": str(pages)} if pages else {}


def _label(page_bytes: int) -> str:
    return "" if page_bytes < GIB else size_label(page_bytes)


def environment_drop_in(
    unit: str, what: str, title: str, variables: Mapping[str, str], notes: Sequence[str] = ()
) -> Artefact:
    """A drop-in that sets variables of a service. what: tells this drop-in from others of the service.

    Raises ValueError for a name that is no service's or no variable's, and for control characters in a value.
    """
    settings = [
        f"Environment={systemd_word(_assignment(name, variables[name]), command=False)}" for name in variables
    ]
    return drop_in(unit, what, title, settings, [*notes, *_replaces(variables)])


def environment_command(
    name: str,
    what: str,
    title: str,
    command: Sequence[str],
    variables: Mapping[str, str],
    notes: Sequence[str] = (),
) -> Artefact:
    """The same for a command that is no service. name: what tells it from others, such as its pid."""
    program = shown_command(command)
    assignments = [_assignment(variable, variables[variable]) for variable in variables]
    return Artefact(
        id=f"{what}-command-{slug(name)}",
        kind="environment",
        title=title,
        path=None,
        text=lines(*(f"# {note}" for note in notes), shlex.join(["env", *assignments, *program])),
        undo=lines(shlex.join(program)),
        by_hand=True,
    )


def shown_command(command: Sequence[str]) -> list[str]:
    """A command that can be pasted: not empty, and without control characters. Raises ValueError."""
    if not command or any(not character.isprintable() for word in command for character in word):
        raise ValueError(f"not a command that can be pasted: {list(command)!r}")
    return list(command)


def _assignment(name: str, value: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"not the name of a variable: {name!r}")
    return f"{name}={printable(value, name)}"


def _replaces(variables: Mapping[str, str]) -> list[str]:
    """systemd.exec(5): a later Environment= replaces the variable, EnvironmentFile= goes before both."""
    return [f"Replaces what the unit says of {' and '.join(variables)}; an EnvironmentFile= that sets it wins."]
