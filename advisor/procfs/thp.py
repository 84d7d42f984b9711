"""The tree `/sys/kernel/mm/transparent_hugepage` (Documentation/admin-guide/mm/transhuge.rst)."""

from __future__ import annotations

import re
from collections.abc import Callable

from advisor.procfs.errors import MalformedError
from advisor.procfs.facts import Thp, ThpSize
from advisor.procfs.fs import KernelFs
from advisor.procfs.text import list_optional, page_bytes_of_folder, parse_page_size, parse_value, read_optional

THP_FOLDER = "kernel/mm/transparent_hugepage"

INHERIT = "inherit"
ANON_MODES = frozenset({"always", "madvise"})
SHMEM_MODES = frozenset({"always", "within_size", "advise", "force"})
"""Modes under which somebody may get pages of a size."""

_CHOICES = re.compile(rb"(?:[a-z_+]+ )*\[([a-z_+]+)\](?: [a-z_+]+)*\s*")
"""Words separated by one blank, exactly one of them in brackets."""

_COUNTER_NAME = re.compile(r"[a-z0-9_]+")


def parse_choice(data: bytes) -> str:
    """The word in brackets of "always [madvise] never"; raises MalformedError where not exactly one is."""
    match = _CHOICES.fullmatch(data)
    if match is None:
        raise MalformedError("not words with one of them in brackets", line=1)
    return match.group(1).decode("ascii")


def read_thp(fs: KernelFs, problems: dict[str, str] | None = None) -> Thp:
    """The switches, khugepaged's numbers and every size with its counters; sizes sorted, smallest first.

    Raises MissingError on a kernel or CPU without THP. A single file that cannot be read or understood is
    noted in `problems` (path below sysfs -> reason) and left out; without `problems` its error is raised.
    """
    names = fs.list_sys(THP_FOLDER)

    def choice(name: str) -> str | None:
        return read_optional(fs, f"{THP_FOLDER}/{name}", parse_choice, problems) if name in names else None

    def number(name: str, parser: Callable[[bytes], int] = parse_value) -> int | None:
        return read_optional(fs, f"{THP_FOLDER}/{name}", parser, problems) if name in names else None

    folders = {size: name for name in names if (size := page_bytes_of_folder(name)) is not None}
    return Thp(
        enabled=choice("enabled"),
        defrag=choice("defrag"),
        shmem_enabled=choice("shmem_enabled"),
        use_zero_page=number("use_zero_page"),
        shrink_underused=number("shrink_underused"),
        pmd_bytes=number("hpage_pmd_size", parse_page_size),
        sizes=[_read_size(fs, size, f"{THP_FOLDER}/{folders[size]}", problems) for size in sorted(folders)],
        khugepaged=_read_counters(fs, f"{THP_FOLDER}/khugepaged", problems),
    )


def has_mthp(thp: Thp) -> bool | None:
    """Whether anonymous or shared memory is, or may become, mTHP: pages between the base and the PMD page.

    Memory that is there already counts by stats/nr_anon. None on kernels without sizes of their own (before 6.8).
    """
    small = [size for size in thp.sizes if size.page_bytes != thp.pmd_bytes]
    if not small:
        return None
    return any(
        size.stats.get("nr_anon", 0) > 0
        or (thp.enabled if size.enabled == INHERIT else size.enabled) in ANON_MODES
        or (thp.shmem_enabled if size.shmem_enabled == INHERIT else size.shmem_enabled) in SHMEM_MODES
        for size in small
    )


def _read_size(fs: KernelFs, page_bytes: int, folder: str, problems: dict[str, str] | None) -> ThpSize:
    return ThpSize(
        page_bytes=page_bytes,
        enabled=read_optional(fs, f"{folder}/enabled", parse_choice, problems),
        shmem_enabled=read_optional(fs, f"{folder}/shmem_enabled", parse_choice, problems),
        stats=_read_counters(fs, f"{folder}/stats", problems),
    )


def _read_counters(fs: KernelFs, folder: str, problems: dict[str, str] | None) -> dict[str, int]:
    """Every number in a folder by its file name; empty where there is no such folder."""
    counters: dict[str, int] = {}
    for name in list_optional(fs, folder, problems):
        if _COUNTER_NAME.fullmatch(name):
            value = read_optional(fs, f"{folder}/{name}", parse_value, problems)
            if value is not None:
                counters[name] = value
    return counters
