"""Whether numbers of a profile can be true: what passed for JSON may still be nonsense, and sums would hide it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from advisor.profile.timeline import ProcessState, Timeline

MOST_BYTES = 1 << 57
"""What no size on any machine exceeds. Source: Documentation/arch/x86/x86_64/5level-paging.rst. Reason: addresses of
57 bits are the widest of the architectures that Linux runs on; even VmallocTotal stays below."""

HOST_SIZES = ("MemTotal", "MemFree", "MemAvailable", "AnonHugePages", "Hugetlb")
"""Of meminfo, what advice stands on. Others were printed wrapped around by kernels with bugs, which is no damage."""

STATUS_SIZES = ("vm_rss_bytes", "vm_pte_bytes", "vm_swap_bytes", "hugetlb_bytes")


def implausible(timeline: Timeline) -> tuple[str, str] | None:
    """Place and reason where a size is negative or beyond any machine; None where all can be."""
    meminfo = timeline.host_last.meminfo or {}
    for name in HOST_SIZES:
        if not _can_be(meminfo.get(name)):
            return "meminfo", _said(name, meminfo[name])
    for process in timeline.processes.values():
        for what, value in _sizes(process):
            if not _can_be(value):
                return f"process {process.pid}", _said(what, value)
    return None


def _sizes(process: ProcessState) -> Iterator[tuple[str, int]]:
    """Of each section the smallest and the largest, with the section's name."""
    if process.status is not None:
        known = [value for name in STATUS_SIZES if (value := getattr(process.status, name)) is not None]
        yield from (("status", value) for value in (min(known, default=0), max(known, default=0)))
    if process.rollup:
        yield from (("smaps_rollup", value) for value in (min(process.rollup.values()), max(process.rollup.values())))
    if process.maps:
        values = list(chain.from_iterable(mapping.values for mapping in process.maps))
        values += [mapping.size for mapping in process.maps]
        yield from (("smaps", value) for value in (min(values), max(values)))


def _can_be(value: int | None) -> bool:
    return value is None or 0 <= value <= MOST_BYTES


def _said(what: str, value: int) -> str:
    return f"{what} says {value:,d} bytes, which no machine has; use an undamaged copy"
