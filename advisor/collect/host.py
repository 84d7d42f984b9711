"""The host's part of a profile: facts that stay, and the state at one sample.

A file that cannot be read or understood costs only its own facts: it is named in `problems` with the reason.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from advisor.collect.configuration import installed_systemd, read_configuration
from advisor.knowledge.tlb import tlb_levels
from advisor.procfs.buddyinfo import parse_buddyinfo, parse_pagetypeinfo
from advisor.procfs.cgroup import read_all_cgroup_hugetlb
from advisor.procfs.cgroup_memory import parse_hugetlb_accounting, read_all_cgroup_memory
from advisor.procfs.cpuinfo import parse_cpuinfo
from advisor.procfs.errors import KernelTextError
from advisor.procfs.facts import CgroupHugetlb, CgroupMembership, CgroupMemory, Cpu, Pressure
from advisor.procfs.fs import KernelFs
from advisor.procfs.hugetlb import NODES_FOLDER, POOLS_FOLDER, list_nodes, read_pools
from advisor.procfs.meminfo import parse_meminfo, parse_node_meminfo
from advisor.procfs.pressure import parse_pressure
from advisor.procfs.process import parse_stat
from advisor.procfs.systemd import parse_systemd_version
from advisor.procfs.text import parse_uptime, parse_version, parse_word
from advisor.procfs.thp import THP_FOLDER, read_thp
from advisor.procfs.virtualization import detect_virtualization
from advisor.procfs.visibility import in_pid_namespace, parse_hidepid
from advisor.procfs.vmstat import parse_vmstat
from advisor.procfs.zoneinfo import base_page_bytes_of, parse_zoneinfo
from advisor.profile.model import HostFacts, HostState

T = TypeVar("T")

PRESSURE_FILES = ("cpu", "io", "memory")
"""Files below /proc/pressure that are kept: memory is the question, cpu and io tell other stalls from its."""

USUAL_CLOCK_TICKS_PER_S = 100
"""USER_HZ of nearly every architecture (include/uapi/asm-generic/param.h); a captured tree cannot say."""

VMALLOC_BYTES_OF_64_BITS = 1 << 32
"""meminfo's VmallocTotal is above 4 GiB only where the kernel itself has 64-bit addresses."""

_RELEASE_ARCH = re.compile(r"[.-](x86_64|aarch64|ppc64le|s390x|riscv64)$")
"""Distributions that end their release in the architecture (5.14.0-427.el9.x86_64)."""


def read_host_facts(fs: KernelFs) -> HostFacts:
    """What does not change while a profile is made; None where neither a file nor a sound inference says it.

    Of a captured tree nothing is taken from this machine: architecture and base page come from its own files.
    """
    cpu = _parse_proc(fs, "cpuinfo", parse_cpuinfo, {})
    kernel = _read_word(fs, "sys/kernel/osrelease") or _parse_proc(fs, "version", parse_version, {})
    return HostFacts(
        hostname=_read_word(fs, "sys/kernel/hostname"),
        kernel=kernel,
        arch=os.uname().machine if fs.is_live else _infer_arch(fs, kernel, cpu),
        boot_id=_read_word(fs, "sys/kernel/random/boot_id"),
        base_page_bytes=os.sysconf("SC_PAGE_SIZE") if fs.is_live else _infer_base_page(fs),
        clock_ticks_per_s=os.sysconf("SC_CLK_TCK") if fs.is_live else USUAL_CLOCK_TICKS_PER_S,
        cpu=cpu,
        tlb=tlb_levels(cpu) if cpu else [],
        virtualization=detect_virtualization(fs, cpu),
        nodes=_attempt({}, NODES_FOLDER, lambda: list_nodes(fs)),
        systemd_version=_systemd_version(fs),
        configuration=read_configuration(fs),
        hidepid=_parse_proc(fs, "mounts", parse_hidepid, {}) if fs.is_live else None,
        in_pid_namespace=_attempt({}, "ns/pid", lambda: in_pid_namespace(fs, os.getpid())) if fs.is_live else None,
    )


def read_host_state(
    fs: KernelFs,
    *,
    with_pagetypes: bool,
    cgroups: Iterable[list[CgroupMembership]],
    khugepaged_pid: int | None,
) -> HostState:
    """Every host-wide file once. `problems` names each that gave nothing, by its path below procfs or sysfs.

    with_pagetypes: pagetypeinfo walks the free lists with interrupts off; read it rarely, never in a loop.
    cgroups: memberships of the processes whose hugetlb limits matter; each cgroup is read once.
    khugepaged_pid: the kernel thread whose CPU time is wanted, None where it is not known.
    """
    problems: dict[str, str] = {}
    bounding = list(cgroups)
    return HostState(
        meminfo=_parse_proc(fs, "meminfo", parse_meminfo, problems),
        vmstat=_parse_proc(fs, "vmstat", parse_vmstat, problems),
        buddyinfo=_parse_proc(fs, "buddyinfo", parse_buddyinfo, problems),
        zoneinfo=_parse_proc(fs, "zoneinfo", parse_zoneinfo, problems),
        pagetypeinfo=_parse_proc(fs, "pagetypeinfo", parse_pagetypeinfo, problems) if with_pagetypes else None,
        thp=_attempt(problems, THP_FOLDER, lambda: read_thp(fs, problems)),
        pools=_attempt(problems, POOLS_FOLDER, lambda: read_pools(fs, problems)),
        pressure=_read_pressure(fs, problems),
        node_meminfo=_read_node_meminfo(fs, problems),
        cgroup_hugetlb=_read_cgroups(fs, bounding, problems),
        cgroup_memory=_read_memory_limits(fs, bounding, problems),
        hugetlb_in_memcg=_parse_proc(fs, "mounts", parse_hugetlb_accounting, {}),
        khugepaged_ticks=_read_khugepaged_ticks(fs, khugepaged_pid, problems),
        uptime_s=_parse_proc(fs, "uptime", parse_uptime, problems),
        problems=problems,
    )


def _attempt(problems: dict[str, str], name: str, read: Callable[[], T]) -> T | None:
    try:
        return read()
    except KernelTextError as error:
        problems[name] = error.reason
        return None


def _parse_proc(fs: KernelFs, name: str, parser: Callable[[bytes], T], problems: dict[str, str]) -> T | None:
    return _attempt(problems, name, lambda: fs.parse_proc(name, parser))


def _read_word(fs: KernelFs, name: str) -> str | None:
    return _parse_proc(fs, name, parse_word, {})


def _read_pressure(fs: KernelFs, problems: dict[str, str]) -> dict[str, Pressure]:
    found: dict[str, Pressure] = {}
    for name in PRESSURE_FILES:
        pressure = _parse_proc(fs, f"pressure/{name}", parse_pressure, problems)
        if pressure is not None:
            found[name] = pressure
    return found


def _read_node_meminfo(fs: KernelFs, problems: dict[str, str]) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    for node in _attempt(problems, NODES_FOLDER, lambda: list_nodes(fs)) or []:
        path = f"{NODES_FOLDER}/node{node}/meminfo"
        try:
            found |= fs.parse_sys(path, parse_node_meminfo)
        except KernelTextError as error:
            problems[path] = error.reason
    return found


def _read_cgroups(
    fs: KernelFs, cgroups: Iterable[list[CgroupMembership]], problems: dict[str, str]
) -> list[CgroupHugetlb]:
    found = read_all_cgroup_hugetlb(fs, cgroups, problems)
    return sorted(found, key=lambda facts: (facts.version, facts.path, facts.page_bytes))


def _read_memory_limits(
    fs: KernelFs, cgroups: Iterable[list[CgroupMembership]], problems: dict[str, str]
) -> list[CgroupMemory]:
    found = read_all_cgroup_memory(fs, cgroups, problems)
    return sorted(found, key=lambda facts: (facts.version, facts.path))


def _read_khugepaged_ticks(fs: KernelFs, pid: int | None, problems: dict[str, str]) -> int | None:
    """CPU time of the kernel thread since boot, user and system, in clock ticks."""
    if pid is None:
        return None
    stat = _attempt(problems, f"{pid}/stat", lambda: fs.parse_process(pid, "stat", parse_stat))
    return stat.user_ticks + stat.system_ticks if stat else None


def _systemd_version(fs: KernelFs) -> int | None:
    """By PID 1's mapped library; where that may not be read, by what is installed, if systemd runs."""
    version = _attempt({}, "1/maps", lambda: fs.parse_process(1, "maps", parse_systemd_version))
    runs = fs.has_config("run/systemd/system")
    return version if version is not None or not runs else installed_systemd(fs)


def _infer_arch(fs: KernelFs, kernel: str | None, cpu: Cpu | None) -> str | None:
    """uname's machine of a captured tree: as told (6.1+), as its release ends, or by CPU and address space."""
    told = _read_word(fs, "sys/kernel/arch")
    if told:
        return told
    release = _RELEASE_ARCH.search(kernel or "")
    if release:
        return release[1]
    if cpu is None:
        return None
    if cpu.vendor == "IBM/S390":
        return "s390x"
    meminfo = _parse_proc(fs, "meminfo", parse_meminfo, {}) or {}
    if meminfo.get("VmallocTotal", 0) <= VMALLOC_BYTES_OF_64_BITS:
        return None
    if cpu.family is not None:
        return "x86_64"
    return "aarch64" if cpu.implementer is not None else None


def _infer_base_page(fs: KernelFs) -> int | None:
    """Base page of a captured tree: its memory in bytes, divided by the same memory in pages."""
    zones = _parse_proc(fs, "zoneinfo", parse_zoneinfo, {})
    if not zones:
        return None
    of_nodes = sum(node.get("MemTotal", 0) for node in _read_node_meminfo(fs, {}).values())
    of_host = (_parse_proc(fs, "meminfo", parse_meminfo, {}) or {}).get("MemTotal", 0)
    return base_page_bytes_of(of_nodes, zones) or base_page_bytes_of(of_host, zones)
