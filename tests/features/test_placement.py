"""What bounds a process: nodes, cgroup limits, reservations."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from msgspec.structs import replace

from advisor.features import feature_table
from advisor.procfs.facts import CgroupHugetlb, CgroupMembership, CgroupMemory, HugetlbPool, NumaPlacement
from advisor.profile.model import ProcessFacts
from advisor.units import GIB, MIB
from tests.features.factory import PMD, host_state, mapping, process, profile, sample, status

SERVICE = [CgroupMembership(0, [], "/pods/a")]


def row(record: Any, nodes: list[int] | None = None, **host: Any) -> dict[str, Any]:
    table = feature_table(profile(sample(record, host=host_state(**host)), nodes=nodes or [0]))
    return table.to_dicts()[0]


@pytest.mark.parametrize(
    ("allowed", "bound", "nodes"),
    [
        ("0-1", None, None),
        ("1", None, "1"),
        ("0-1", "0", "0"),
        (None, "1", "1"),
        ("0", "1", None),
        ("nonsense", "0-9999999999", None),
        (None, None, None),
    ],
)
def test_nodes_are_named_where_they_are_fewer_than_the_hosts(
    allowed: str | None, bound: str | None, nodes: str | None
) -> None:
    facts = ProcessFacts("prog", numa=NumaPlacement(bound) if bound else None)
    assert row(process(facts=facts, status=status(mems_allowed=allowed)), [0, 1])["numa_nodes"] == nodes
    assert row(process(facts=facts, status=status(mems_allowed=allowed)), [0])["numa_nodes"] is None


def test_the_narrowest_limit_above_a_process_counts() -> None:
    limits = [
        CgroupHugetlb("/pods", 2, PMD, 4 * GIB, 3 * GIB, None, 0),
        CgroupHugetlb("/pods/a", 2, PMD, 2 * GIB, 512 * MIB, 3 * GIB, GIB),
        CgroupHugetlb("/other", 2, PMD, 0, 0),
        CgroupHugetlb("/pods", 1, PMD, 0, 0),
    ]
    memory = [CgroupMemory("/pods", 2, 8 * GIB, 2 * GIB), CgroupMemory("/pods/a", 2, 4 * GIB, 3 * GIB)]
    found = row(process(facts=ProcessFacts("prog", cgroup=SERVICE)), cgroup_hugetlb=limits, cgroup_memory=memory,
                pools=[HugetlbPool(GIB, None, 0, 0, 0, 0, 0)])  # fmt: skip
    assert (found["cgroup_pmd_pool_room_bytes"], found["cgroup_pool_limited_by"]) == (GIB, "/pods")
    assert found["cgroup_gigantic_pool_room_bytes"] is None
    assert found["cgroup_memory_limit_bytes"] == 4 * GIB
    assert (found["cgroup_memory_room_bytes"], found["cgroup_memory_limited_by"]) == (GIB, "/pods/a")


def test_reservations_and_copies_are_those_of_hugetlb_alone() -> None:
    huge = {"page_bytes": PMD, "pmd": PMD}
    maps = [
        mapping("hugetlb", GIB, **huge, Private_Hugetlb=512 * MIB),
        mapping("hugetlb", GIB, **huge, start=1 << 40, Shared_Hugetlb=256 * MIB),
        mapping("hugetlb", GIB, **huge, start=1 << 41, shared=True, Shared_Hugetlb=GIB),
        mapping("anon", GIB, start=1 << 42),
    ]
    flags = (True, False, False, None)
    found = row(process(maps=[replace(one, noreserve=flag) for one, flag in zip(maps, flags, strict=True)]))
    assert (found["hugetlb_noreserve_bytes"], found["hugetlb_noreserve_resident_bytes"]) == (GIB, 512 * MIB)
    assert found["hugetlb_copied_on_write_bytes"] == 256 * MIB
    unknown = row(process(maps=maps))
    assert unknown["hugetlb_noreserve_bytes"] is None, "recorded before it was read"
    assert row(process(maps=maps[3:]))["hugetlb_noreserve_bytes"] == 0


def test_a_frame_of_many_processes_keeps_each_its_own() -> None:
    table = feature_table(
        profile(sample(process(1, status=status(mems_allowed="0")), process(2, status=status())), nodes=[0, 1])
    )
    assert table.select("pid", "numa_nodes").rows() == [(1, "0"), (2, None)]
    assert table["numa_nodes"].dtype == pl.String
