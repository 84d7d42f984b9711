"""What is known of a host beside its feature table: its configuration files, and how its programs were started."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from msgspec import Struct, field

from advisor.procfs.configuration import HostConfiguration
from advisor.recommendation.cgroup_plan import POD

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""

MACHINE_SLICE = "/machine.slice/"
LIBVIRT_FOLDER = "/var/lib/libvirt/"
"""Where libvirt's guests run and keep what their command lines name."""

HIDDEN = ("***", "...(cut)")
"""What redaction leaves in place of a secret or a long argument: such a command line cannot be run."""


class StartedAs(Struct, frozen=True):
    """How a program was started. executable: path; command_line: arguments, None where unknown."""

    executable: str | None
    command_line: list[str] | None


class Setup(Struct, frozen=True):
    """configuration: None where it was not recorded. default_page_bytes: of the host's default pool, None unknown.

    programs: by pid.
    """

    configuration: HostConfiguration | None = None
    default_page_bytes: int | None = None
    programs: dict[int, StartedAs] = field(default_factory=dict)

    def command(self, row: Row) -> list[str]:
        """The command line to show, with its whole path; the program's name alone where the rest is not known.

        Raises ValueError for a process without a name.
        """
        started = self.programs.get(row["pid"])
        arguments = started.command_line if started is not None else None
        name = row["executable"] or row["name"]
        if not arguments or any(mark in argument for argument in arguments for mark in HIDDEN):
            if not name:
                raise ValueError("the program has no name")
            return [str(name)]
        first = arguments[0]
        if started is not None and started.executable and not first.startswith("/"):
            first = started.executable
        return [first, *arguments[1:]]

    def libvirt_guest(self, row: Row) -> str | None:
        """The name of the guest that libvirt runs in this process; None where it is no such process.

        QEMU's -name guest=NAME,debug-threads=on, in which a comma of the name is doubled.
        """
        started = self.programs.get(row["pid"])
        arguments = (started.command_line if started is not None else None) or []
        below_machines = MACHINE_SLICE in (row["cgroup"] or "")
        if not below_machines and not any(LIBVIRT_FOLDER in argument for argument in arguments):
            return None
        for option, value in pairwise(arguments):
            if option == "-name":
                return _guest_of(value)
        return None


def _guest_of(value: str) -> str | None:
    """NAME of guest=NAME,... or NAME,...; None for none that was hidden."""
    parts = value.replace(",,", "\0").split(",")
    name = next((part.removeprefix("guest=") for part in parts if part.startswith("guest=")), None)
    if name is None and "=" not in parts[0]:
        name = parts[0]
    return name.replace("\0", ",") if name and not any(mark in name for mark in HIDDEN) else None


def in_kubernetes(row: Row) -> bool:
    """It runs in a pod."""
    return POD in (row["cgroup"] or "")


def label_of(row: Row) -> str:
    """What tells this process from others in the id of a text. Raises ValueError for a process without a name."""
    name = row["executable"] or row["name"]
    if not name:
        raise ValueError("the program has no name")
    return f"{name}-{row['pid']}"
