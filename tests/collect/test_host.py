"""The host's facts and its state at one sample, live and from captured trees."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from advisor.collect.host import read_host_facts, read_host_state
from advisor.procfs.facts import CgroupMembership, HugetlbPool
from advisor.procfs.fs import KernelFs

THP = "sys/kernel/mm/transparent_hugepage"
POOL = "sys/kernel/mm/hugepages/hugepages-16384kB"
NODE = "sys/devices/system/node/node2"
CGROUP = "sys/fs/cgroup"

PAGE_BYTES = 65536
MANAGED_PAGES = 1000

STAT = "77 (khugepaged) S 2 0 0 0 -1 2129984 0 0 0 0 3 40 0 0 39 19 1 0 80 0 0 0 0\n"
PAGETYPEINFO = (
    "Page block order: 9\nPages per block:  512\n\nFree pages count per migrate type at order 0 1\n"
    "Node    2, zone Normal, type Movable 5 1\n\nNumber of blocks type Movable\nNode 2, zone Normal 7\n"
)

FILES = {
    "proc/meminfo": f"MemTotal: {MANAGED_PAGES * PAGE_BYTES // 1024} kB\nVmallocTotal: 34359738367 kB\n",
    "proc/vmstat": "thp_fault_alloc 4\n",
    "proc/buddyinfo": "Node 2, zone   Normal     1     2 \n",
    "proc/zoneinfo": f"Node 2, zone   Normal\n  pages free     5\n        managed  {MANAGED_PAGES}\n",
    "proc/pagetypeinfo": PAGETYPEINFO,
    "proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=9\n",
    "proc/77/stat": STAT,
    "proc/uptime": "12.34 20.00\n",
    "proc/cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t: 143\nflags\t: lm\n\n",
    "proc/sys/kernel/hostname": "db7\n",
    "proc/sys/kernel/osrelease": "5.14.0-427.el9.x86_64\n",
    "proc/sys/kernel/random/boot_id": "09c69f8b-2580-4c05-960a-053d28cdfacd\n",
    f"{THP}/enabled": "always [madvise] never\n",
    f"{THP}/hpage_pmd_size": "16777216\n",
    f"{POOL}/nr_hugepages": "3\n",
    f"{POOL}/free_hugepages": "2\n",
    f"{POOL}/surplus_hugepages": "0\n",
    f"{NODE}/meminfo": "Node 2 MemTotal: 64000 kB\n",
    f"{CGROUP}/cgroup.controllers": "hugetlb\n",
    f"{CGROUP}/db/hugetlb.16MB.max": "33554432\n",
}
UNIFIED = [CgroupMembership(0, [], "/db")]


def write_tree(root: Path, files: dict[str, str]) -> KernelFs:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return KernelFs(str(root / "proc"), str(root / "sys"))


def without(*beginnings: str) -> dict[str, str]:
    return {name: text for name, text in FILES.items() if not name.startswith(beginnings)}


def test_a_whole_tree_is_read_into_one_state(tmp_path: Path) -> None:
    fs = write_tree(tmp_path, FILES)
    state = read_host_state(fs, with_pagetypes=True, cgroups=[UNIFIED, UNIFIED], khugepaged_pid=77)
    assert state.problems == {"pressure/cpu": "missing", "pressure/io": "missing"}
    assert state.meminfo is not None
    assert state.meminfo["MemTotal"] == MANAGED_PAGES * PAGE_BYTES
    assert state.vmstat == {"thp_fault_alloc": 4}
    assert state.thp is not None
    assert (state.thp.enabled, state.thp.pmd_bytes) == ("madvise", 16 << 20)
    assert state.pools == [HugetlbPool(16 << 20, None, 3, 2, 0)]
    assert state.node_meminfo == {2: {"MemTotal": 64000 << 10}}
    assert [(facts.path, facts.page_bytes, facts.limit_bytes) for facts in state.cgroup_hugetlb] == [
        ("/db", 16 << 20, 32 << 20)
    ]
    assert state.khugepaged_ticks == 43
    assert state.pagetypeinfo is not None
    assert state.buddyinfo is not None
    assert state.zoneinfo is not None
    assert list(state.pressure) == ["memory"]


def test_pagetypeinfo_is_left_alone_unless_asked_for(tmp_path: Path) -> None:
    state = read_host_state(write_tree(tmp_path, FILES), with_pagetypes=False, cgroups=[], khugepaged_pid=None)
    assert state.pagetypeinfo is None
    assert "pagetypeinfo" not in state.problems
    assert state.khugepaged_ticks is None
    assert state.cgroup_hugetlb == []


@pytest.mark.parametrize(
    "name", ["meminfo", "vmstat", "buddyinfo", "zoneinfo", "pagetypeinfo", "pressure/memory", "77/stat"]
)
@pytest.mark.parametrize(("text", "reason"), [("nonsense: \n", "malformed"), ("", "incomplete")])
def test_a_broken_file_costs_only_its_own_facts(tmp_path: Path, name: str, text: str, reason: str) -> None:
    sound = read_host_state(
        write_tree(tmp_path / "a", FILES), with_pagetypes=True, cgroups=[UNIFIED], khugepaged_pid=77
    )
    fs = write_tree(tmp_path / "b", FILES | {f"proc/{name}": text})
    state = read_host_state(fs, with_pagetypes=True, cgroups=[UNIFIED], khugepaged_pid=77)
    new_problems = state.problems.items() - sound.problems.items()
    if name == "77/stat":
        reason = "incomplete"
    assert new_problems == {(name, reason)}
    differing = [field for field in state.__struct_fields__ if getattr(state, field) != getattr(sound, field)]
    assert len(differing) == 2


def test_an_empty_tree_gives_an_empty_state_with_every_reason(tmp_path: Path) -> None:
    fs = KernelFs(str(tmp_path / "proc"), str(tmp_path / "sys"))
    state = read_host_state(fs, with_pagetypes=True, cgroups=[UNIFIED], khugepaged_pid=77)
    absent = ("meminfo", "vmstat", "buddyinfo", "zoneinfo", "pagetypeinfo", "thp", "pools", "khugepaged_ticks")
    assert all(getattr(state, name) is None for name in absent)
    assert (state.node_meminfo, state.cgroup_hugetlb, state.pressure) == ({}, [], {})
    assert {"meminfo", "vmstat", "buddyinfo", "zoneinfo", "pagetypeinfo"} <= state.problems.keys()
    assert {"kernel/mm/transparent_hugepage", "kernel/mm/hugepages", "77/stat"} <= state.problems.keys()
    facts = read_host_facts(fs)
    unknown = ("hostname", "kernel", "arch", "boot_id", "cpu", "base_page_bytes", "nodes", "virtualization")
    assert all(getattr(facts, name) is None for name in unknown)
    assert facts.tlb == []


def test_a_tree_states_its_own_facts_and_none_of_this_machine(tmp_path: Path) -> None:
    facts = read_host_facts(write_tree(tmp_path, FILES))
    assert (facts.hostname, facts.kernel) == ("db7", "5.14.0-427.el9.x86_64")
    assert (facts.arch, facts.boot_id) == ("x86_64", "09c69f8b-2580-4c05-960a-053d28cdfacd")
    assert (facts.base_page_bytes, facts.clock_ticks_per_s, facts.nodes) == (PAGE_BYTES, 100, [2])
    assert (facts.virtualization, facts.cpu is not None) == ("none", True)
    assert facts.tlb


@pytest.mark.parametrize(
    ("changes", "arch"),
    [
        ({"proc/sys/kernel/arch": "riscv64\n"}, "riscv64"),
        ({"proc/sys/kernel/osrelease": "6.1.0-18-amd64\n"}, "x86_64"),
        ({"proc/sys/kernel/osrelease": "6.1\n", "proc/meminfo": "VmallocTotal: 122880 kB\n"}, None),
        ({"proc/sys/kernel/osrelease": "6.1\n", "proc/cpuinfo": "vendor_id       : IBM/S390\n"}, "s390x"),
        ({"proc/sys/kernel/osrelease": "6.1\n", "proc/cpuinfo": "CPU implementer\t: 0x41\n"}, "aarch64"),
        ({"proc/sys/kernel/osrelease": "6.1\n", "proc/cpuinfo": "cpu\t\t: POWER9\n"}, None),
    ],
)
def test_the_architecture_of_a_tree_is_told_or_follows_or_is_unknown(
    tmp_path: Path, changes: dict[str, str], arch: str | None
) -> None:
    assert read_host_facts(write_tree(tmp_path, FILES | changes)).arch == arch


def test_the_base_page_of_a_tree_needs_memory_in_bytes_and_in_pages(tmp_path: Path) -> None:
    node_only = write_tree(
        tmp_path / "a", without("proc/meminfo") | {f"{NODE}/meminfo": "Node 2 MemTotal: 16000 kB\n"}
    )
    host_only = write_tree(tmp_path / "b", without(NODE))
    neither = write_tree(tmp_path / "c", without("proc/zoneinfo"))
    found = [read_host_facts(fs).base_page_bytes for fs in (node_only, host_only, neither)]
    assert found == [16384, 65536, None]


def test_a_real_dump_of_files_is_one_host(corpus: Path, tmp_path: Path) -> None:
    proc = tmp_path / "proc"
    proc.mkdir()
    for kind in ("meminfo", "vmstat", "buddyinfo", "zoneinfo", "pagetypeinfo"):
        shutil.copy(corpus / kind / "khandevops-1.txt", proc / kind)
    fs = KernelFs(str(proc), str(tmp_path / "sys"))
    state = read_host_state(fs, with_pagetypes=True, cgroups=[], khugepaged_pid=None)
    assert not state.problems.keys() & {"meminfo", "vmstat", "buddyinfo", "zoneinfo", "pagetypeinfo"}
    assert read_host_facts(fs).base_page_bytes == 4096


def test_this_host_states_its_facts_and_reads_without_malformed_files() -> None:
    fs = KernelFs()
    if not Path("/proc/meminfo").exists():
        pytest.skip("no /proc here")
    facts = read_host_facts(fs)
    assert facts.base_page_bytes == os.sysconf("SC_PAGE_SIZE")
    assert facts.arch == os.uname().machine
    assert facts.kernel == os.uname().release
    state = read_host_state(fs, with_pagetypes=True, cgroups=[], khugepaged_pid=os.getpid())
    assert state.meminfo
    assert state.khugepaged_ticks is not None
    assert not {"malformed", "incomplete"} & set(state.problems.values()), state.problems
