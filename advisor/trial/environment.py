"""What the kernel says about the machine under trial: facts for the document, CPU time, free memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from advisor.procfs.cpuinfo import parse_cpuinfo
from advisor.procfs.errors import KernelTextError, MalformedError
from advisor.procfs.facts import Thp
from advisor.procfs.fs import KernelFs
from advisor.procfs.meminfo import parse_meminfo
from advisor.procfs.text import parse_number, parse_value, parse_word
from advisor.procfs.thp import read_thp
from advisor.procfs.virtualization import detect_virtualization
from advisor.trial.document import Environment

T = TypeVar("T")

PAGE_REPORTING_ORDER = "module/page_reporting/parameters/page_reporting_order"
"""Since 5.14. Above LARGEST_REPORTED_ORDER until a driver registers for free page reporting (mm/page_reporting.c)."""

LARGEST_REPORTED_ORDER = 20
"""Above every MAX_PAGE_ORDER that an architecture configures (10 on x86, 13 on arm64 with 64K pages)."""

BALLOON_DEVICES = "bus/virtio/drivers/virtio_balloon"
VIRTIO_BALLOON_F_REPORTING = 5
"""Feature bit by which the guest reports free pages (include/uapi/linux/virtio_balloon.h)."""

_COUNTED_CPU_FIELDS = 8
"""user nice system idle iowait irq softirq steal; guest and guest_nice are inside user and nice (proc_stat(5))."""


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Sums over all CPUs since boot, seconds. busy: neither idle, waiting for I/O nor stolen."""

    total_s: float
    busy_s: float
    steal_s: float


def parse_cpu_times(data: bytes, ticks_per_s: int) -> CpuTimes:
    """The first line of `/proc/stat` (proc_stat(5)). Raises MalformedError where it is another."""
    words = data.partition(b"\n")[0].split()
    if words[:1] != [b"cpu"] or len(words) <= _COUNTED_CPU_FIELDS:
        raise MalformedError("not the CPU line of stat", line=1)
    ticks = [parse_number(field, 1) for field in words[1 : 1 + _COUNTED_CPU_FIELDS]]
    total, steal = sum(ticks), ticks[7]
    busy = total - ticks[3] - ticks[4] - steal
    return CpuTimes(total / ticks_per_s, busy / ticks_per_s, steal / ticks_per_s)


def read_cpu_times(fs: KernelFs) -> CpuTimes | None:
    """CPU time of the host since boot; None where it cannot be read."""
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    return _attempt(lambda: fs.parse_proc("stat", lambda data: parse_cpu_times(data, ticks_per_s)))


def cpu_shares(before: CpuTimes | None, after: CpuTimes | None, own_s: float) -> tuple[float | None, float | None]:
    """(share of all CPUs that others used, share stolen by the hypervisor) between two readings.

    own_s: CPU seconds of the command and of its watch meanwhile, which are not others'. None where a reading is
    missing or no tick has passed.
    """
    if before is None or after is None or after.total_s <= before.total_s:
        return None, None
    total_s = after.total_s - before.total_s
    other_s = after.busy_s - before.busy_s - own_s
    return min(max(other_s / total_s, 0.0), 1.0), max((after.steal_s - before.steal_s) / total_s, 0.0)


def memory_available_bytes(fs: KernelFs) -> int | None:
    """MemAvailable: what can be allocated without swapping; None where it cannot be read."""
    meminfo = _attempt(lambda: fs.parse_proc("meminfo", parse_meminfo))
    return meminfo.get("MemAvailable") if meminfo else None


def reports_free_pages(fs: KernelFs) -> bool:
    """Whether a driver hands this guest's free memory back to its host (free page reporting, 5.7+)."""
    order = _attempt(lambda: fs.parse_sys(PAGE_REPORTING_ORDER, parse_value))
    if order is not None:
        return order <= LARGEST_REPORTED_ORDER
    devices = _attempt(lambda: fs.list_sys(BALLOON_DEVICES)) or []
    return any(_balloon_reports(fs, f"{BALLOON_DEVICES}/{name}/features") for name in devices)


def _balloon_reports(fs: KernelFs, name: str) -> bool:
    """The features file is a row of 0 and 1, bit 0 first."""
    bits = _attempt(lambda: fs.read_sys(name)) or b""
    return bits[VIRTIO_BALLOON_F_REPORTING : VIRTIO_BALLOON_F_REPORTING + 1] == b"1"


def read_environment(fs: KernelFs) -> Environment:
    """The machine as it is now; what cannot be read is None."""
    cpu = _attempt(lambda: fs.parse_proc("cpuinfo", parse_cpuinfo))
    thp = _attempt(lambda: read_thp(fs, {})) or Thp()
    meminfo = _attempt(lambda: fs.parse_proc("meminfo", parse_meminfo)) or {}
    return Environment(
        kernel=_attempt(lambda: fs.parse_proc("sys/kernel/osrelease", parse_word)),
        arch=os.uname().machine,
        cpu_model=cpu.model_name if cpu else None,
        cpus=os.cpu_count(),
        virtualization=detect_virtualization(fs, cpu),
        memory_total_bytes=meminfo.get("MemTotal"),
        base_page_bytes=os.sysconf("SC_PAGE_SIZE"),
        thp_page_bytes=thp.pmd_bytes,
        thp_enabled=thp.enabled,
        thp_defrag=thp.defrag,
        shmem_enabled=thp.shmem_enabled,
        libc=_libc(),
        load_1min=os.getloadavg()[0],
        free_page_reporting=reports_free_pages(fs),
    )


def _libc() -> str | None:
    """ "glibc 2.36"; None with a C library that does not say."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        return None


def _attempt(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except KernelTextError:
        return None
