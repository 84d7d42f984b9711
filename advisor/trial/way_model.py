"""What is known when a page policy is to be brought to a command, and what each contributor answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from advisor.trial.document import Policy
from advisor.trial.way_command import Invocation
from advisor.trial.way_program import ProgramFile

GLIBC_WITH_HUGETLB_TUNABLE = (2, 35)
"""First release with glibc.malloc.hugetlb (NEWS of 2.35)."""


@dataclass(frozen=True)
class HostFacts:
    """What this host can give. glibc: release of the C library, None where it is another or unknown.

    thp_enabled, shmem_enabled: the modes now, None where the kernel has no such switch. pools: page bytes ->
    free pages that nobody has reserved. default_pool_bytes: the size that programs get without naming one.
    may_change: the user allowed changes of settings; root: they could be made, by who this is and where.
    """

    glibc: tuple[int, int] | None
    thp_enabled: str | None
    shmem_enabled: str | None
    pools: Mapping[int, int] = field(default_factory=dict)
    default_pool_bytes: int | None = None
    may_change: bool = False
    root: bool = False

    @property
    def changes(self) -> bool:
        """Settings may be changed, and can be."""
        return self.may_change and self.root

    @property
    def glibc_tunable(self) -> bool:
        return self.glibc is not None and self.glibc >= GLIBC_WITH_HUGETLB_TUNABLE


@dataclass(frozen=True)
class CustomWay:
    """What the user says brings a policy to the command: variables, and words of its command line.

    inserted: right after the program; appended: at the very end.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    inserted: tuple[str, ...] = ()
    appended: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One policy, one command. environment: the caller's with what the command's own wrappers set."""

    policy: Policy
    host: HostFacts
    invocation: Invocation
    environment: Mapping[str, str]
    file: ProgramFile

    @property
    def arguments(self) -> tuple[str, ...]:
        return self.invocation.arguments


@dataclass(frozen=True)
class Step:
    """One thing that is done for a policy. Several make a way; the last one to set arguments wins.

    madvises: the program then asks for THP by madvise, so that system mode "madvise" is enough.
    needs_shmem: the mode of shmem_enabled without which this step does nothing. instead_of_malloc: the memory that
    matters is none of malloc's, so nothing is asked of the allocator.
    """

    id: str
    description: str
    arguments: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    madvises: bool = False
    needs_shmem: str | None = None
    instead_of_malloc: bool = False


@dataclass(frozen=True)
class Unusable:
    """Why a policy cannot be brought to this command: one sentence without a full stop."""

    why: str


SIZE_UNITS = ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))


def size_label(size_bytes: int) -> str:
    """ "2M", "1G", "64K": the largest binary unit that leaves no remainder; plain bytes below 1 KiB."""
    for unit_bytes, unit in SIZE_UNITS:
        if size_bytes and size_bytes % unit_bytes == 0:
            return f"{size_bytes // unit_bytes}{unit}"
    return str(size_bytes)


Answer = Step | Unusable | None
"""None: nothing to add to the general way."""
