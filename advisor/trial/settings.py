"""The host's settings that a policy needs: THP modes and pools, changed through a journal.

Raises SettingError with one line that names file and remedy; TightMemoryError before memory would get tight.
"""

from __future__ import annotations

from pathlib import Path

from advisor.procfs.errors import KernelTextError
from advisor.procfs.fs import KernelFs
from advisor.procfs.hugetlb import POOLS_FOLDER
from advisor.procfs.meminfo import parse_meminfo
from advisor.procfs.text import parse_value
from advisor.procfs.thp import THP_FOLDER
from advisor.trial.errors import BusyError, SettingError, TightMemoryError
from advisor.trial.journal import Journal
from advisor.trial.knob import current_value
from advisor.units import KIB, MIB

__all__ = ["BusyError", "HostSettings", "SettingError", "TightMemoryError"]


RESERVE = "sys/vm/min_free_kbytes"
"""Below the procfs root. Any write of a THP mode raises it to what khugepaged recommends (mm/khugepaged.c
set_recommended_min_free_kbytes), over a lower value of the administrator's, and no mode lowers it again."""

LEAST_LEFT_BYTES = 512 * MIB
"""MemAvailable that a pool must leave on any host. Pool memory cannot be reclaimed or swapped, so what is left has to
carry the system's services, this tool and what the command under trial takes beside the pool."""

LEAST_LEFT_SHARE = 0.05
"""The same as a share of MemTotal: large hosts run more beside the trial. Whichever is more counts."""


class HostSettings:
    """Changes what is needed and nothing else: a setting that is right already is not written or journalled."""

    def __init__(self, journal: Journal, fs: KernelFs) -> None:
        self._journal = journal
        self._fs = fs

    def thp_enabled(self, mode: str) -> None:
        """`transparent_hugepage/enabled`: "always", "madvise" or "never". Sizes with a mode of their own keep it."""
        self._choose("enabled", mode)

    def shmem_enabled(self, mode: str) -> None:
        """`transparent_hugepage/shmem_enabled`: "always", "within_size", "advise", "never", "deny" or "force"."""
        self._choose("shmem_enabled", mode)

    def pool(self, page_bytes: int, pages: int) -> int:
        """Grow the pool of this size until `pages` of it are free and reserved by nobody, if the kernel can.

        Never shrinks it. Answers how many are: fewer than asked for where the kernel finds no contiguous memory,
        as with gigantic pages on a host that has run for long. Raises TightMemoryError where the growth would leave
        less than the floor, SettingError where this kernel has no such pool or it cannot be changed.
        """
        missing = pages - self._available(page_bytes)
        if missing > 0:
            self._check_memory(page_bytes, missing)
            # Growing turns surplus pages into persistent ones first, so the count goes up from the total with them.
            total = self._number(page_bytes, "nr_hugepages")
            self._journal.change(self._pool_path(page_bytes, "nr_hugepages"), str(total + missing))
        return self._available(page_bytes)

    def _choose(self, name: str, mode: str) -> None:
        path = Path(self._fs.sys_path(f"{THP_FOLDER}/{name}"))
        self._journal.change(path, mode, also=(Path(self._fs.proc_path(RESERVE)),))
        found = current_value(path)
        if found != mode:
            raise SettingError(f"{path}: should be {mode!r}, the kernel made it {found!r}")

    def _available(self, page_bytes: int) -> int:
        """Pages that a new mapping can have: reserved ones are counted in the free ones."""
        return max(0, self._number(page_bytes, "free_hugepages") - self._number(page_bytes, "resv_hugepages"))

    def _number(self, page_bytes: int, name: str) -> int:
        path = f"{POOLS_FOLDER}/{_folder(page_bytes)}/{name}"
        try:
            return self._fs.parse_sys(path, parse_value)
        except KernelTextError as error:
            raise SettingError(f"{error}; no pool of {page_bytes} byte pages can be used here") from error

    def _pool_path(self, page_bytes: int, name: str) -> Path:
        return Path(self._fs.sys_path(f"{POOLS_FOLDER}/{_folder(page_bytes)}/{name}"))

    def _check_memory(self, page_bytes: int, missing: int) -> None:
        """Raises TightMemoryError where `missing` pages more would leave too little memory available."""
        try:
            meminfo = self._fs.parse_proc("meminfo", parse_meminfo)
            available, total = meminfo["MemAvailable"], meminfo["MemTotal"]
        except (KernelTextError, KeyError) as error:
            raise SettingError(f"how much memory is available cannot be read: {error}") from error
        growth = missing * page_bytes
        least = max(LEAST_LEFT_BYTES, int(total * LEAST_LEFT_SHARE))
        if available - growth < least:
            raise TightMemoryError(
                f"{missing} more pages of {page_bytes // KIB} KiB take {growth // MIB} MiB of {available // MIB} MiB "
                f"available and would leave {(available - growth) // MIB} MiB; at least {least // MIB} MiB must stay"
            )


def _folder(page_bytes: int) -> str:
    return f"hugepages-{page_bytes // KIB}kB"
