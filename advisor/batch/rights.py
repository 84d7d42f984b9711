"""What the workers of this machine may do: nothing but read what they were given to decode, and use temporary files.

Imports nothing that starts threads, which would keep what is given up after them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable

from advisor.privilege.capabilities import keep_only, without
from advisor.privilege.landlock import write_only_below
from advisor.privilege.needs import READ

READ_ALL = READ[0]

READS_ALL = "HUGEPAGE_ADVISOR_READS_ALL"
"""Set in the environment of workers where an input can only be read with READ_ALL."""

SEMAPHORES = "/dev/shm"  # noqa: S108  # where the C library keeps those of multiprocessing


def environment_for(files: Iterable[str]) -> dict[str, str]:
    """Of workers that are to read these: local files and folders, URLs. A folder may hold anything."""
    with without(READ):
        readable = all("://" in file or (os.path.isfile(file) and _is_readable(file)) for file in files)
    return {} if readable else {READS_ALL: "1"}


def give_up() -> None:
    """Every capability but, if need be, READ_ALL; and, where the kernel has Landlock, writing anywhere else."""
    keep_only([READ_ALL] if READS_ALL in os.environ else [])
    write_only_below([tempfile.gettempdir(), SEMAPHORES])


def _is_readable(file: str) -> bool:
    return os.access(file, os.R_OK, effective_ids=True)
