"""Drop-ins of systemd services: settings beside a unit, which come back to what they were when the file is gone."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from advisor.artefacts.model import MARK, Artefact, count, lines, unit_name
from advisor.artefacts.quoting import comment, systemd_word


def drop_in(unit: str, what: str, title: str, settings: Sequence[str], notes: Sequence[str]) -> Artefact:
    """A drop-in of its own name below [Service]. settings: whole lines, quoted already.

    Raises ValueError for a name that is no service's.
    """
    name = unit_name(unit)
    path = f"/etc/systemd/system/{name}.d/50-hugepage-advisor-{what}.conf"
    restart = f"systemctl daemon-reload && systemctl restart {shlex.quote(name)}"
    return Artefact(
        id=f"{what}-{name}",
        kind="systemd",
        title=title,
        path=path,
        text=lines(
            MARK,
            f"# In force after: {restart}",
            *(f"# {comment(note)}" for note in notes),
            "[Service]",
            *settings,
        ),
        undo=lines(f"rm {shlex.quote(path)}", restart),
        after=["systemctl daemon-reload"],
        undo_after=["systemctl daemon-reload"],
        restart=name,
    )


def locked_memory(unit: str) -> Artefact:
    """A drop-in that lets a service lock memory, which some databases do with what they put into a pool."""
    return drop_in(
        unit,
        "memlock",
        f"{unit} may lock memory",
        ["LimitMEMLOCK=infinity"],
        ["For memory that the service locks itself, as Oracle does with LOCK_SGA."],
    )


def memory_limit(unit: str, limit_bytes: int) -> Artefact:
    """A drop-in with the memory limit of a service where the host charges pool pages to it."""
    return drop_in(
        unit,
        "memory",
        f"Memory limit of {unit}, with its pages of the pool",
        [f"MemoryMax={count(limit_bytes, 'limit')}"],
        ["This host counts pool pages in memory limits (mount option memory_hugetlb_accounting of cgroup2)."],
    )


def wrapped_start(unit: str, what: str, title: str, command: Sequence[str], notes: Sequence[str]) -> Artefact:
    """A drop-in that starts a service by another command. command: absolute program first.

    By hand, as what the unit says of its start is not known here. Raises ValueError for a command that a unit cannot
    hold.
    """
    if not command or not command[0].startswith("/") or "$" in command[0]:
        raise ValueError(f"not a command with an absolute program: {list(command)!r}")
    line = " ".join(systemd_word(word, command=True) for word in command)
    made = drop_in(unit, what, title, ["ExecStart=", f"ExecStart={line}"], notes)
    return Artefact(
        id=made.id, kind=made.kind, title=title, path=None, text=made.text, undo=made.undo, by_hand=True, restart=None
    )
