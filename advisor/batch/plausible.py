"""Whether totals of a profile can be true: what passed for JSON may still be nonsense, and sums would hide it.

Sizes of mappings are looked at while they are decoded (`advisor.profile.model.Size`).
"""

from __future__ import annotations

from advisor.profile.model import MOST_BYTES
from advisor.profile.timeline import Timeline

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
        for name in STATUS_SIZES if process.status is not None else ():
            if not _can_be(value := getattr(process.status, name)):
                return f"process {process.pid}", _said(f"{name} of status", value)
    return None


def _can_be(value: int | None) -> bool:
    return value is None or 0 <= value <= MOST_BYTES


def _said(what: str, value: int) -> str:
    return f"{what} says {value:,d} bytes, which no machine has; use an undamaged copy"
