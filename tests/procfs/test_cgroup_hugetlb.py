"""hugetlb limits of cgroups, v1, v2 and both at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from advisor.procfs.cgroup import (
    parse_limit,
    parse_limit_hits,
    parse_v1_limit,
    read_all_cgroup_hugetlb,
    read_cgroup_hugetlb,
)
from advisor.procfs.errors import MalformedError
from advisor.procfs.facts import CgroupHugetlb, CgroupMembership
from advisor.procfs.fs import KernelFs
from advisor.units import GIB, MIB

V1_UNLIMITED_2M = (1 << 63) - 2 * MIB
"""What a 64-bit kernel with 4 KiB pages prints for no limit on 2 MiB pages, in bytes."""


def write_tree(root: Path, files: dict[str, str]) -> KernelFs:
    for name, text in files.items():
        path = root / "fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return KernelFs(str(root / "proc"), str(root))


def unified(path: str) -> list[CgroupMembership]:
    return [CgroupMembership(0, [], path)]


V2 = {
    "cgroup.controllers": "cpu hugetlb\n",
    "pods/hugetlb.2MB.max": f"{64 * MIB}\n",
    "pods/hugetlb.2MB.current": f"{4 * MIB}\n",
    "pods/hugetlb.2MB.events": "max 3\n",
    "pods/hugetlb.2MB.rsvd.max": "max\n",
    "pods/hugetlb.2MB.rsvd.current": "0\n",
    "pods/hugetlb.2MB.numa_stat": "total=4194304 N0=4194304\n",
    "pods/hugetlb.1GB.max": "max\n",
    "pods/hugetlb.1GB.current": "0\n",
    "pods/a/hugetlb.2MB.max": "max\n",
    "pods/a/hugetlb.2MB.current": f"{2 * MIB}\n",
    "plain/memory.max": "max\n",
    "plain/b/memory.max": "max\n",
}


def test_limits_above_a_process_are_seen_with_its_own(tmp_path: Path) -> None:
    assert read_cgroup_hugetlb(write_tree(tmp_path, V2), unified("/pods/a")) == [
        CgroupHugetlb("/pods", 2, 2 * MIB, 64 * MIB, 4 * MIB, None, 0, 3),
        CgroupHugetlb("/pods", 2, GIB, None, 0),
        CgroupHugetlb("/pods/a", 2, 2 * MIB, None, 2 * MIB),
    ]


def test_a_slice_without_the_controller_has_no_entry_and_nothing_below_is_looked_at(tmp_path: Path) -> None:
    fs = write_tree(tmp_path, V2 | {"plain/b/hugetlb.2MB.max": "1\n"})
    assert read_cgroup_hugetlb(fs, unified("/plain/b")) == []


def test_a_cgroup_that_is_gone_still_has_the_limits_above_it(tmp_path: Path) -> None:
    found = read_cgroup_hugetlb(write_tree(tmp_path, V2), unified("/pods/gone (deleted)"))
    assert [facts.path for facts in found] == ["/pods", "/pods"]


@pytest.mark.parametrize("path", ["/../outside", "/pods/../../../../secret", "/pods/..", "/a\0b", "/.."])
def test_a_path_out_of_the_namespace_is_never_followed(tmp_path: Path, path: str) -> None:
    fs = write_tree(tmp_path, V2 | {"../outside/hugetlb.2MB.max": "1\n", "../../secret/hugetlb.2MB.max": "1\n"})
    problems: dict[str, str] = {}
    assert read_cgroup_hugetlb(fs, unified(path), problems) == []
    assert problems == {}


def test_version_1_reads_its_own_files_from_the_root_down(tmp_path: Path) -> None:
    files = {
        "hugetlb/hugetlb.2MB.limit_in_bytes": f"{V1_UNLIMITED_2M}\n",
        "hugetlb/hugetlb.2MB.usage_in_bytes": f"{6 * MIB}\n",
        "hugetlb/hugetlb.2MB.failcnt": "0\n",
        "hugetlb/pod/hugetlb.2MB.limit_in_bytes": f"{8 * MIB}\n",
        "hugetlb/pod/hugetlb.2MB.usage_in_bytes": f"{6 * MIB}\n",
        "hugetlb/pod/hugetlb.2MB.max_usage_in_bytes": f"{6 * MIB}\n",
        "hugetlb/pod/hugetlb.2MB.failcnt": "9\n",
        "hugetlb/pod/hugetlb.2MB.rsvd.limit_in_bytes": f"{V1_UNLIMITED_2M}\n",
        "hugetlb/pod/hugetlb.2MB.rsvd.usage_in_bytes": "0\n",
    }
    membership = [CgroupMembership(7, ["memory"], "/pod"), CgroupMembership(3, ["hugetlb"], "/pod")]
    assert read_cgroup_hugetlb(write_tree(tmp_path, files), membership) == [
        CgroupHugetlb("/", 1, 2 * MIB, None, 6 * MIB, None, None, 0),
        CgroupHugetlb("/pod", 1, 2 * MIB, 8 * MIB, 6 * MIB, None, 0, 9),
    ]


def test_version_1_controllers_may_share_a_mount(tmp_path: Path) -> None:
    files = {"hugetlb,pids/hugetlb.1GB.limit_in_bytes": f"{GIB}\n"}
    (facts,) = read_cgroup_hugetlb(write_tree(tmp_path, files), [CgroupMembership(3, ["hugetlb", "pids"], "/")])
    assert (facts.page_bytes, facts.limit_bytes) == (GIB, GIB)


def test_the_unified_hierarchy_of_a_hybrid_host_is_found(tmp_path: Path) -> None:
    fs = write_tree(tmp_path, {f"unified/{name}": text for name, text in V2.items()})
    assert [facts.path for facts in read_cgroup_hugetlb(fs, unified("/pods"))] == ["/pods", "/pods"]


def test_many_processes_of_one_cgroup_give_its_facts_once(tmp_path: Path) -> None:
    found = read_all_cgroup_hugetlb(
        write_tree(tmp_path, V2), [unified("/pods/a"), unified("/pods"), unified("/pods/a"), []]
    )
    assert [(facts.path, facts.page_bytes) for facts in found] == [
        ("/pods", 2 * MIB),
        ("/pods", GIB),
        ("/pods/a", 2 * MIB),
    ]


def test_no_mount_or_no_controller_is_an_empty_answer(tmp_path: Path) -> None:
    fs = KernelFs(str(tmp_path), str(tmp_path))
    assert read_cgroup_hugetlb(fs, unified("/pods")) == []
    assert read_cgroup_hugetlb(fs, [CgroupMembership(3, ["hugetlb"], "/pods")]) == []
    assert read_cgroup_hugetlb(fs, []) == []


def test_a_broken_limit_costs_only_itself_where_problems_are_noted(tmp_path: Path) -> None:
    fs = write_tree(tmp_path, V2 | {"pods/hugetlb.2MB.max": "lots\n"})
    problems: dict[str, str] = {}
    found = read_cgroup_hugetlb(fs, unified("/pods"), problems)
    assert (found[0].limit_bytes, found[0].usage_bytes) == (None, 4 * MIB)
    assert problems == {"fs/cgroup/pods/hugetlb.2MB.max": "malformed"}
    with pytest.raises(MalformedError):
        read_cgroup_hugetlb(fs, unified("/pods"))


def test_limits_tell_max_from_a_number() -> None:
    assert parse_limit(b"max\n") is None
    assert parse_limit(b"0\n") == 0
    assert parse_v1_limit(b"0\n", 2 * MIB) == 0
    assert parse_v1_limit(str(4 * GIB).encode(), 2 * MIB) == 4 * GIB


@pytest.mark.parametrize("page_bytes", [64 << 10, 2 * MIB, 512 * MIB, GIB, 16 * GIB])
@pytest.mark.parametrize("base_page", [4096, 16384, 65536])
def test_the_largest_number_of_each_page_size_is_no_limit(page_bytes: int, base_page: int) -> None:
    in_base_pages = ((1 << 63) - 1) // base_page * base_page
    assert parse_v1_limit(str(in_base_pages // page_bytes * page_bytes).encode(), page_bytes) is None
    assert parse_v1_limit(b"18446744073709551615\n", page_bytes) is None


@pytest.mark.parametrize("wrong", [b"", b"\n", b"low 1\n", b"max\n", b"max x\n"])
def test_an_event_file_without_its_count_is_malformed(wrong: bytes) -> None:
    assert parse_limit_hits(b"low 0\nmax 12\n") == 12
    with pytest.raises(MalformedError):
        parse_limit_hits(wrong)


def test_reading_as_nobody_notes_what_is_denied(tmp_path: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("root is denied nothing")
    fs = write_tree(tmp_path, V2)
    (tmp_path / "fs/cgroup/pods/hugetlb.2MB.max").chmod(0)
    problems: dict[str, str] = {}
    read_cgroup_hugetlb(fs, unified("/pods"), problems)
    assert problems == {"fs/cgroup/pods/hugetlb.2MB.max": "denied"}
