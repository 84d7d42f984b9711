from __future__ import annotations

from typing import Any

import pytest

from advisor.features import feature_table
from advisor.features.program import cgroup_path
from advisor.procfs.facts import CgroupMembership, ElfFacts, ProgramFacts
from advisor.profile.model import ProcessFacts
from advisor.units import GIB, MIB
from tests.features.factory import PMD, mapping, process, profile, sample, stat, status


def row(facts: ProcessFacts | None, **sections: Any) -> dict[str, Any]:
    return feature_table(profile(sample(process(facts=facts, **sections)))).row(0, named=True)


def test_what_the_program_can_do_is_taken_over() -> None:
    elf = ElfFacts("/opt/db/bin/server", "executable", False, text_bytes=5 * MIB, text_alignment_bytes=PMD)
    program = ProgramFacts(elf, "jemalloc", "mapped", "go", "symbol", True, False)
    found = row(ProcessFacts("server", 0, "root", 1, "/opt/db/bin/server (deleted)", program=program))
    expected = {
        "host": "here",
        "name": "server",
        "user": "root",
        "executable": "server",
        "allocator": "jemalloc",
        "runtime": "go",
        "static_binary": False,
        "imports_madvise": True,
        "imports_hugetlb": False,
        "text_bytes": 5 * MIB,
        "text_alignment_bytes": PMD,
        "application_id": None,
        "is_vmm": False,
        "guest_ram_bytes": None,
    }
    assert {name: found[name] for name in expected} == expected


def test_a_process_without_facts_is_named_by_its_status_or_stat() -> None:
    assert row(None, status=status())["name"] == "prog"
    assert row(None, stat=stat())["name"] == "prog"
    assert row(None)["name"] is None
    assert row(None)["static_binary"] is None


def test_a_vmm_is_recognised_and_its_guest_ram_is_its_largest_memory_vma() -> None:
    maps = [mapping("file", 8 * GIB), mapping("shmem", 4 * GIB), mapping("hugetlb", 6 * GIB, page_bytes=PMD)]
    found = row(ProcessFacts("qemu-system-x86", executable="/usr/bin/qemu-system-x86_64"), maps=maps)
    assert (found["is_vmm"], found["guest_ram_bytes"], found["application_confidence"]) == (True, 6 * GIB, "high")
    assert found["application_id"] is not None


V2 = CgroupMembership(0, [], "/unified")
MEMORY_V1 = CgroupMembership(4, ["memory"], "/memory")
CPU_V1 = CgroupMembership(3, ["cpu", "cpuacct"], "/cpu")


@pytest.mark.parametrize(
    ("memberships", "path"),
    [
        ([V2], "/unified"),
        ([CPU_V1, MEMORY_V1], "/memory"),
        ([MEMORY_V1, V2], "/memory"),
        ([V2, MEMORY_V1], "/memory"),
        ([CPU_V1], None),
        ([], None),
        (None, None),
    ],
)
def test_the_cgroup_is_the_one_that_accounts_memory(
    memberships: list[CgroupMembership] | None, path: str | None
) -> None:
    assert cgroup_path(memberships) == path
