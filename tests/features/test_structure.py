from __future__ import annotations

from typing import Any

from advisor.features import feature_table
from advisor.profile.model import ProcessRecord
from advisor.units import GIB, KIB, MIB
from tests.features.factory import PMD, mapping, process, profile, sample, status

SHARING = ["shared_object_bytes", "sharing_processes", "sharing_page_table_bytes", "sharing_leader"]


def rows(*records: ProcessRecord) -> list[dict[str, Any]]:
    return feature_table(profile(sample(*records))).rows(named=True)


def shm(name: str, size: int = 64 * MIB) -> Any:
    return mapping("shmem", size, shared=True, object=name)


def test_vmas_are_counted_one_by_one_also_where_they_were_recorded_together() -> None:
    maps = [
        mapping("anon", MIB, count=7, start=None),
        mapping("stack", MIB),
        mapping("file", MIB, count=3, start=None),
    ]
    (found,) = rows(process(maps=maps))
    assert (found["vma_count"], found["anon_vma_count"]) == (11, 8)


def test_processes_that_map_one_object_are_found_with_their_page_tables_and_one_leader() -> None:
    records = [
        process(pid, maps=[shm("0:1"), shm(f"0:{pid}", PMD)], status=status(vm_pte_bytes=pid * KIB))
        for pid in (21, 22, 20)
    ]
    found = rows(*records, process(9, maps=[shm("0:9")]))
    assert [[row[name] for name in SHARING] for row in found] == [
        [64 * MIB, 1, None, True],
        [64 * MIB, 3, 63 * KIB, True],
        [64 * MIB, 3, 63 * KIB, False],
        [64 * MIB, 3, 63 * KIB, False],
    ]


def test_parts_of_one_object_are_added_up_before_the_largest_is_chosen() -> None:
    (found,) = rows(process(maps=[shm("0:1", 6 * MIB), shm("0:2", 4 * MIB), shm("0:2", 4 * MIB)]))
    assert (found["shared_object_bytes"], found["shmem_mapped_bytes"]) == (8 * MIB, 14 * MIB)


def test_page_tables_that_are_not_known_are_left_out_of_the_sum() -> None:
    found = rows(process(1, maps=[shm("0:1")], status=status(vm_pte_bytes=KIB)), process(2, maps=[shm("0:1")]))
    assert [row["sharing_page_table_bytes"] for row in found] == [KIB, KIB]


def test_without_a_shared_object_nothing_is_shared_and_without_smaps_nothing_is_known() -> None:
    found = rows(process(1, maps=[mapping("anon", MIB)]), process(2))
    assert [found[0][name] for name in SHARING] == [0, 0, 0, None]
    assert [found[1][name] for name in SHARING] == [None] * 4


def test_shared_hugetlb_is_followed_apart_from_shmem() -> None:
    pool = mapping("hugetlb", GIB, page_bytes=PMD, shared=True, object="0:1")
    private = mapping("hugetlb", GIB, page_bytes=PMD, object="0:5")
    found = rows(process(1, maps=[pool]), process(2, maps=[pool, shm("0:1")]), process(3, maps=[private]))
    assert [row["hugetlb_sharing_processes"] for row in found] == [2, 2, 0]
    assert [row["hugetlb_sharing_leader"] for row in found] == [True, False, None]
    assert [row["sharing_processes"] for row in found] == [0, 1, 0]
