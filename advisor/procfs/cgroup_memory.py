"""The memory controller of cgroups, v1 and v2: which limits bound a process, and whether pools count in them.

Source: cgroup-v2.rst (memory.max, memory_hugetlb_accounting), cgroup-v1/memory.rst.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from advisor.procfs.cgroup import ancestors, parse_limit, under_controller
from advisor.procfs.facts import CgroupMembership, CgroupMemory
from advisor.procfs.fs import KernelFs
from advisor.procfs.text import LARGEST_NUMBER, parse_number, parse_value, read_optional

V1_NO_LIMIT_SLACK_BYTES = 1 << 20
"""A v1 limit this close below 2**63 is none: the kernel rounds its largest number down to the base page, which is
64 KiB at most where Linux runs (mm/page_counter.c)."""

_ACCOUNTING = re.compile(rb"(?m)^\S+ \S+ cgroup2 (?:\S*,)?memory_hugetlb_accounting(?:,\S*)? ")
_ANY_CGROUP2 = re.compile(rb"(?m)^\S+ \S+ cgroup2 ")


def parse_hugetlb_accounting(mounts: bytes) -> bool | None:
    """Whether hugetlb pages are charged to memory.max, from /proc/mounts (6.7+); None without a v2 hierarchy."""
    return bool(_ACCOUNTING.search(mounts)) if _ANY_CGROUP2.search(mounts) else None


def parse_v1_memory_limit(data: bytes) -> int | None:
    """A v1 limit in bytes; None where it is the kernel's largest number, which is no limit."""
    text = data.strip()
    if text == b"18446744073709551615":
        return None
    limit = parse_number(text, 1)
    return None if limit > LARGEST_NUMBER - V1_NO_LIMIT_SLACK_BYTES else limit


def parse_cache(data: bytes, version: int) -> int | None:
    """Active and inactive file pages of memory.stat, bytes; v1 counts children under total_*. None: not printed."""
    prefix = b"total_" if version == 1 else b""
    values = dict(line.split(b" ", 1) for line in data.splitlines() if b" " in line)
    lines = [values.get(prefix + name) for name in (b"active_file", b"inactive_file")]
    return sum(parse_number(line, 1) for line in lines if line is not None) if None not in lines else None


def read_all_cgroup_memory(
    fs: KernelFs, memberships: Iterable[Sequence[CgroupMembership]], problems: dict[str, str] | None = None
) -> list[CgroupMemory]:
    """Every cgroup with a memory limit that bounds one of these processes, each once; those without are left out.

    Failures other than absence as in `read_thp`.
    """
    found: dict[tuple[int, str], CgroupMemory | None] = {}
    for root, version, path in under_controller(fs, memberships, "memory", problems):
        for step in ancestors(path):
            if (version, step) not in found:
                found[version, step] = _read(fs, f"{root}{step.rstrip('/')}", version, step, problems)
    return [facts for facts in found.values() if facts is not None]


def _read(fs: KernelFs, folder: str, version: int, path: str, problems: dict[str, str] | None) -> CgroupMemory | None:
    """Usage is read only where there is a limit: most cgroups of a host have none."""
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    parser = parse_limit if version == 2 else parse_v1_memory_limit
    limit = read_optional(fs, f"{folder}/{names[0]}", parser, problems)
    if limit is None:
        return None

    def cache(data: bytes) -> int | None:
        return parse_cache(data, version)

    usage = read_optional(fs, f"{folder}/{names[1]}", parse_value, problems)
    return CgroupMemory(path, version, limit, usage, read_optional(fs, f"{folder}/memory.stat", cache, problems))
