"""Memory limits of cgroups, v1 and v2, and whether hugetlb counts in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.procfs.cgroup_memory import parse_hugetlb_accounting, read_all_cgroup_memory
from advisor.procfs.facts import CgroupMembership, CgroupMemory
from advisor.units import GIB
from tests.procfs.test_cgroup_hugetlb import write_tree

V2 = {
    "cgroup.controllers": "memory\n",
    "system.slice/memory.max": f"{8 * GIB}\n",
    "system.slice/memory.current": f"{3 * GIB}\n",
    "system.slice/a.service/memory.max": f"{2 * GIB}\n",
    "system.slice/a.service/memory.current": f"{GIB}\n",
    "system.slice/a.service/memory.stat": "anon 5\nactive_file 4096\ninactive_file 8192\ntotal_active_file 1\n",
    "system.slice/b.service/memory.max": "max\n",
}
V1 = {
    "memory/memory.limit_in_bytes": "9223372036854771712\n",
    "memory/job/memory.limit_in_bytes": f"{GIB}\n",
    "memory/job/memory.usage_in_bytes": "4096\n",
    "memory/job/memory.stat": "inactive_file 1\nactive_file 1\ntotal_inactive_file 4096\ntotal_active_file 0\n",
}


def test_only_cgroups_with_a_limit_are_kept_and_each_once(tmp_path: Path) -> None:
    paths = ("/system.slice/a.service", "/system.slice/b.service")
    members = [[CgroupMembership(0, [], path)] for path in paths]
    assert read_all_cgroup_memory(write_tree(tmp_path, V2), members) == [
        CgroupMemory("/system.slice", 2, 8 * GIB, 3 * GIB),
        CgroupMemory("/system.slice/a.service", 2, 2 * GIB, GIB, 12288),
    ]


def test_the_kernels_largest_number_is_no_limit_in_v1(tmp_path: Path) -> None:
    member = [CgroupMembership(4, ["memory"], "/job"), CgroupMembership(3, ["cpu"], "/job")]
    assert read_all_cgroup_memory(write_tree(tmp_path, V1), [member]) == [CgroupMemory("/job", 1, GIB, 4096, 4096)]


@pytest.mark.parametrize("path", ["/../outside", "/a/../../b"])
def test_a_path_out_of_the_namespace_is_not_followed(tmp_path: Path, path: str) -> None:
    fs = write_tree(tmp_path, V2 | {"../outside/memory.max": "1\n"})
    assert read_all_cgroup_memory(fs, [[CgroupMembership(0, [], path)]]) == []


@pytest.mark.parametrize(
    ("mounts", "counted"),
    [
        (b"cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,memory_recursiveprot,memory_hugetlb_accounting 0 0\n", True),
        (b"cgroup2 /sys/fs/cgroup cgroup2 rw,memory_hugetlb_accounting 0 0\nproc /proc proc rw 0 0\n", True),
        (b"cgroup2 /sys/fs/cgroup cgroup2 rw,memory_recursiveprot 0 0\n", False),
        (b"tmpfs /sys/fs/cgroup tmpfs rw,memory_hugetlb_accounting 0 0\n", None),
    ],
)
def test_whether_hugetlb_counts_is_a_mount_option(mounts: bytes, counted: bool | None) -> None:
    assert parse_hugetlb_accounting(mounts) is counted
