"""Clearing the kernel's marks of use in one process: the only thing in this room that writes to a process."""

from __future__ import annotations

import os
import time
from typing import Literal

from advisor.procfs.errors import KernelTextError
from advisor.procfs.fs import KernelFs, process_error
from advisor.procfs.smaps_lines import parse_smaps_rollup

REFERENCED: Literal["1"] = "1"
SOFT_DIRTY: Literal["4"] = "4"
"""What /proc/PID/clear_refs takes (Documentation/filesystems/proc.rst)."""

CLEAR_S_PER_BYTE = 25e-3 / (1 << 30)
"""Seconds of mmap_lock, held for writing, for each byte on base pages: 25 ms for 1 GiB on a 6.18 guest."""

LONGEST_CLEAR_S = 0.25
"""A process whose page faults would stand still for longer is not probed: 10 GiB on base pages. Source: own choice;
a quarter of a second passes for a hiccup of the network or of a garbage collector."""

HUGE_FIELDS = ("AnonHugePages", "ShmemPmdMapped", "FilePmdMapped")


class TooCostlyError(KernelTextError):
    """The probe would stop the process for too long."""

    reason = "too-costly"


def clear(fs: KernelFs, pid: int, what: Literal["1", "4"]) -> float:
    """Write to clear_refs; seconds that it took, for all of which the process's mmap_lock was held for writing."""
    path = fs.mark(fs.proc_path(f"{pid}/clear_refs"))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            began = time.perf_counter()
            os.write(descriptor, what.encode())
            return time.perf_counter() - began
        finally:
            os.close(descriptor)
    except OSError as error:
        raise process_error(error, path) from error


def rollup(fs: KernelFs, pid: int) -> dict[str, int]:
    """smaps_rollup, bytes. A process without memory (zombie, kernel thread) is gone."""
    fields = fs.parse_process(pid, "smaps_rollup", parse_smaps_rollup)
    return fields or {}


def huge_bytes(fields: dict[str, int]) -> int | None:
    """Bytes of Rss that are PMD-mapped; None where the kernel prints none of the fields."""
    known = [fields[name] for name in HUGE_FIELDS if name in fields]
    return sum(known) if known else None


def refuse_if_costly(fields: dict[str, int]) -> None:
    """Raises TooCostlyError where one clearing would hold the lock for longer than LONGEST_CLEAR_S."""
    base_bytes = fields.get("Rss", 0) - (huge_bytes(fields) or 0)
    predicted_s = base_bytes * CLEAR_S_PER_BYTE
    if predicted_s > LONGEST_CLEAR_S:
        raise TooCostlyError(f"each clearing would hold its mmap_lock for about {predicted_s:.2f} s")
