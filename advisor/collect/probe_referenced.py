"""Probe `referenced`: how the memory that a process touches grows with the time it is watched.

Random access saturates: half of the memory within milliseconds, the rest ever slower. A stream grows straight.
"""

from __future__ import annotations

import time

from advisor.collect.probe_clear import REFERENCED, clear, huge_bytes, refuse_if_costly, rollup
from advisor.procfs.errors import MissingError
from advisor.procfs.fs import KernelFs
from advisor.profile.probes import TouchReading

DELAYS_S = (0.001, 0.004, 0.016, 0.064, 0.256)
"""Seconds from a clearing to its reading, a factor of 4 apart. On 1 GiB, random access
touched 104, 133, 233, 552, 982 MiB, a stream 52, 53, 113, 411, 1024 MiB."""


def probe_referenced(fs: KernelFs, pid: int) -> list[TouchReading]:
    """One reading a delay, each after a clearing of its own. Raises KernelTextError."""
    refuse_if_costly(rollup(fs, pid))
    return [_read(fs, pid, delay_s) for delay_s in DELAYS_S]


def _read(fs: KernelFs, pid: int, delay_s: float) -> TouchReading:
    clear_s = clear(fs, pid, REFERENCED)
    cleared = time.perf_counter()
    time.sleep(delay_s)
    began = time.perf_counter()
    fields = rollup(fs, pid)
    ended = time.perf_counter()
    if "Referenced" not in fields or "Rss" not in fields:
        raise MissingError("smaps_rollup has no Referenced", path=fs.proc_path(f"{pid}/smaps_rollup"))
    return TouchReading(
        asked_s=delay_s,
        waited_s=round((began + ended) / 2 - cleared, 6),
        clear_s=round(clear_s, 6),
        read_s=round(ended - began, 6),
        referenced_bytes=fields["Referenced"],
        rss_bytes=fields["Rss"],
        huge_bytes=huge_bytes(fields),
    )
