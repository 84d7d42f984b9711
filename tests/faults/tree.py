"""A constructed host with something of everything that is read: two nodes, pools, mTHP, cgroups, io_uring."""

from __future__ import annotations

from pathlib import Path

from advisor.units import MIB
from tests.fake_proc import FakeProc
from tests.procfs.test_pagemap_scan import MAPS
from tests.procfs.test_parsers_on_damaged_text import SOUND
from tests.procfs.test_smaps import MODERN, entry

PIDS = (1, 10, 11)
HUGETLB = {"KernelPageSize": 2048, "MMUPageSize": 2048}
"""Of a VMA, KiB."""

MEMINFO = {
    "MemTotal": 64 * MIB,
    "MemFree": 30 * MIB,
    "MemAvailable": 50 * MIB,
    "AnonHugePages": 2048,
    "Hugepagesize": 2048,
    "Hugetlb": 800 * 1024,
}
"""KiB."""

KHUGEPAGED = {
    "defrag": 1,
    "pages_to_scan": 4096,
    "scan_sleep_millisecs": 10000,
    "alloc_sleep_millisecs": 60000,
    "max_ptes_none": 511,
    "max_ptes_swap": 64,
    "max_ptes_shared": 256,
    "full_scans": 3,
    "pages_collapsed": 4,
}

WORDS = {
    "sys/kernel/hostname": "db7",
    "sys/kernel/osrelease": "6.12.0-test",
    "sys/kernel/arch": "x86_64",
    "sys/kernel/random/boot_id": "0f0f0f0f-0000-0000-0000-000000000000",
    "version": "Linux version 6.12.0-test (a@b) #1 SMP",
    "uptime": "3517.47 2343.90",
    "cmdline": "quiet hugepagesz=2M hugepages=400",
    "sys/vm/nr_hugepages": "400",
    "self/status": "Name:\tadvisor\nCapEff:\t000001ffffffffff",
    "mounts": "tracefs /sys/kernel/tracing tracefs rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0",
    "self/mounts": "hugetlbfs /dev/hugepages hugetlbfs rw,pagesize=2M 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0",
}
"""Of /proc, each a line or more."""


def make_host(root: Path) -> FakeProc:
    """Writes it below `root`."""
    host = FakeProc(root)
    sound = {parser.__name__: text for parser, text in SOUND.items()}
    for name, text in WORDS.items():
        _write(host.procfs / name, f"{text}\n")
    for name in ("vmstat", "buddyinfo", "pagetypeinfo", "zoneinfo", "cpuinfo"):
        _write(host.procfs / name, sound[f"parse_{name}"])
    for name in ("cpu", "io", "memory"):
        _write(host.procfs / "pressure" / name, sound["parse_pressure"])
    _write(host.procfs / "meminfo", "".join(f"{name}: {kib} kB\n" for name, kib in MEMINFO.items()))
    _processes(host)
    _thp(host.sysfs / "kernel/mm/transparent_hugepage")
    _pools(host.sysfs)
    _cgroups(host.sysfs / "fs/cgroup")
    return host


def _processes(host: FakeProc) -> None:
    for pid in PIDS:
        host.add(pid, name=f"name{pid}", rss=200_000)
        folder = host.folder(pid)
        (folder / "smaps").write_text(
            entry(0x7F0000000000, 800_000, Rss=780_000, Anonymous=780_000, AnonHugePages=2048)
            + entry(
                0x7F8000000000,
                8192,
                "rw-p 00000000 00:0f 99  /anon_hugepage (deleted)",
                Private_Hugetlb=8192,
                **HUGETLB,
            )
            + entry(0x7FFC00000000, 132, "rw-p 00000000 00:00 0                          [stack]", Rss=8, Anonymous=8)
        )
        _write(folder / "smaps_rollup", _rollup())
        _write(folder / "maps", MAPS)
        _write(folder / "comm", f"name{pid}\n")
        _write(folder / "numa_maps", "7f0000000000 bind:1 anon=195000 dirty=195000 N1=195000 kernelpagesize_kB=4\n")
        with (folder / "status").open("a") as status:
            status.write("RssAnon:\t780000 kB\nVmPin:\t4096 kB\nMems_allowed_list:\t0-1\nHugetlbPages:\t8192 kB\n")
        (folder / "fd").mkdir()
        (folder / "fd/3").symlink_to("anon_inode:[io_uring]")
        _write(folder / "fdinfo/3", "pos:\t0\nUserBufs:\t1\n    0: 0x7f0000000000/33554432\nPollList:\n")


def _rollup() -> str:
    numbers = {"Rss": 788_200, "Anonymous": 780_008, "AnonHugePages": 2048}
    lines = [f"{name + ':':16}{numbers.get(name, 0):8d} kB\n" for name in MODERN[3:]]
    return "7f0000000000-7ffc00021000 ---p 00000000 00:00 0                          [rollup]\n" + "".join(lines)


def _thp(folder: Path) -> None:
    for name, number in KHUGEPAGED.items():
        _write(folder / "khugepaged" / name, f"{number}\n")
    _write(folder / "shmem_enabled", "always within_size advise [never] deny force\n")
    _write(folder / "use_zero_page", "1\n")
    for kib in (64, 2048):
        size = folder / f"hugepages-{kib}kB"
        _write(size / "enabled", "always inherit [madvise] never\n")
        _write(size / "shmem_enabled", "always inherit within_size advise [never]\n")
        _write(size / "stats/anon_fault_alloc", "7\n")


def _pools(sysfs: Path) -> None:
    counts = {"nr_hugepages": 400, "free_hugepages": 200, "surplus_hugepages": 0}
    more = {"resv_hugepages": 10, "nr_overcommit_hugepages": 0}
    for kib, numbers in ((2048, counts | more), (MIB, dict.fromkeys(counts | more, 0))):
        _numbers(sysfs / f"kernel/mm/hugepages/hugepages-{kib}kB", numbers)
    for node in (0, 1):
        folder = sysfs / f"devices/system/node/node{node}"
        _numbers(folder / "hugepages/hugepages-2048kB", {name: count // 2 for name, count in counts.items()})
        sizes = f"Node {node} MemTotal: {32 * MIB} kB\nNode {node} MemFree: {15 * MIB} kB\n"
        _write(folder / "meminfo", f"{sizes}Node {node} Active(file): 0 kB\n")
    _write(sysfs / "devices/system/node/online", "0-1\n")


def _cgroups(folder: Path) -> None:
    _write(folder / "cgroup.controllers", "memory hugetlb\n")
    for name, most in (("system.slice", 40 * MIB * 1024), ("system.slice/worker.service", 20 * MIB * 1024)):
        _numbers(folder / name, {"memory.max": most, "memory.current": most // 2})
        _numbers(folder / name, {"hugetlb.2MB.max": 1 << 30, "hugetlb.2MB.current": 1 << 20})
        _write(folder / name / "memory.stat", "anon 5\nactive_file 4096\ninactive_file 8192\n")
        _write(folder / name / "hugetlb.2MB.events", "max 0\n")


def _numbers(folder: Path, numbers: dict[str, int]) -> None:
    for name, number in numbers.items():
        _write(folder / name, f"{number}\n")


def _write(path: Path, data: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
