from __future__ import annotations

from typing import Any

import pytest

from advisor.features import feature_table
from advisor.profile.model import ProcessRecord, Sample
from advisor.units import GIB, KIB, MIB
from tests.features.factory import PMD, SMAPS_FIELDS, host_state, mapping, process, profile, sample, stat, status, thp


def row(*records: ProcessRecord | Sample, **facts: Any) -> dict[str, Any]:
    """The only row of a profile of one sample with these records, or of these samples."""
    samples = [record for record in records if isinstance(record, Sample)]
    table = feature_table(
        profile(*samples, **facts)
        if samples
        else profile(sample(*(record for record in records if isinstance(record, ProcessRecord))), **facts)
    )
    return table.row(0, named=True)


def test_sizes_are_the_sums_over_vmas_to_the_byte() -> None:
    maps = [
        mapping(
            "anon", 64 * MIB, Rss=10 * MIB, Pss=9 * MIB, Anonymous=10 * MIB, AnonHugePages=4 * MIB, Swap=12 * KIB
        ),
        mapping("heap", 3 * MIB, Rss=MIB, Pss=MIB, Anonymous=MIB),
        mapping("shmem", 32 * MIB, Rss=9 * MIB, Pss=3 * MIB, Anonymous=MIB, ShmemPmdMapped=4 * MIB),
        mapping("file", 8 * MIB, Rss=5 * MIB, Pss=MIB, Anonymous=16 * KIB, FilePmdMapped=2 * MIB),
        mapping("hugetlb", 2 * GIB, page_bytes=GIB, Private_Hugetlb=GIB),
        mapping("hugetlb", 8 * MIB, page_bytes=PMD, Shared_Hugetlb=2 * MIB, Private_Hugetlb=4 * MIB, locked=True),
    ]
    found = row(
        process(maps=maps, stat=stat(rss_pages=1), status=status(vm_pte_bytes=40 * KIB, vm_size_bytes=3 * GIB))
    )
    expected = {
        "rss_bytes": 25 * MIB,
        "pss_bytes": 14 * MIB,
        "anon_bytes": 12 * MIB + 16 * KIB,
        "swap_bytes": 12 * KIB,
        "shmem_rss_bytes": 8 * MIB,
        "file_rss_bytes": 5 * MIB - 16 * KIB,
        "locked_bytes": 8 * MIB,
        "vsize_bytes": 3 * GIB,
        "hugetlb_bytes": GIB + 6 * MIB,
        "hugetlb_page_bytes": GIB,
        "hugetlb_mapped_bytes": 2 * GIB + 8 * MIB,
        "hugetlb_gigantic_bytes": GIB,
        "anon_huge_bytes": 4 * MIB,
        "shmem_huge_bytes": 4 * MIB,
        "file_huge_bytes": 2 * MIB,
        "page_table_bytes": 40 * KIB,
        "resident_memory_bytes": GIB + 31 * MIB,
        "anon_base_bytes": 8 * MIB + 16 * KIB,
        "shmem_base_bytes": 4 * MIB,
        "private_anon_virtual_bytes": 67 * MIB,
        "largest_anon_vma_bytes": 64 * MIB,
        "largest_resident_vma_bytes": GIB,
        "memory_source": "maps",
    }
    assert {name: found[name] for name in expected} == expected
    assert found["anon_huge_coverage"] == 4 * MIB / (12 * MIB + 16 * KIB)
    assert found["shmem_huge_coverage"] == 0.5
    memory = 12 * MIB + 16 * KIB + 8 * MIB + GIB + 6 * MIB
    assert found["huge_coverage"] == (4 * MIB + 4 * MIB + GIB + 6 * MIB) / memory


def test_a_field_that_the_kernel_does_not_print_is_null_and_never_0() -> None:
    fields = ["Rss", "Pss", "Swap"]
    vma = mapping("anon", 4 * MIB, fields=fields, Rss=8 * KIB, Pss=8 * KIB)
    found = row(sample(process(maps=[vma], status=status()), fields=fields))
    assert (found["rss_bytes"], found["swap_bytes"]) == (8 * KIB, 0)
    for name in ("anon_bytes", "anon_huge_bytes", "shmem_huge_bytes", "anon_base_bytes", "huge_coverage"):
        assert found[name] is None, name
    assert found["hugetlb_bytes"] == 0


def test_hugetlb_of_a_kernel_that_does_not_print_it_is_unknown_only_where_some_is_mapped() -> None:
    fields = SMAPS_FIELDS[:-2]
    vma = mapping("hugetlb", 4 * MIB, page_bytes=PMD, fields=fields)
    found = row(sample(process(maps=[vma]), fields=fields))
    assert (found["hugetlb_mapped_bytes"], found["hugetlb_bytes"], found["resident_memory_bytes"]) == (
        4 * MIB,
        None,
        None,
    )


def test_without_smaps_the_counters_of_status_are_used_where_they_mean_the_same() -> None:
    counters = status(
        vm_rss_bytes=9 * MIB,
        rss_anon_bytes=5 * MIB,
        rss_file_bytes=3 * MIB,
        rss_shmem_bytes=MIB,
        vm_swap_bytes=KIB,
        vm_locked_bytes=2 * KIB,
        hugetlb_bytes=2 * MIB,
    )
    found = row(process(status=counters, problems={"smaps": "denied"}))
    expected = {
        "memory_source": "counters",
        "maps_known": False,
        "rss_bytes": 9 * MIB,
        "anon_bytes": 5 * MIB,
        "file_rss_bytes": 3 * MIB,
        "shmem_rss_bytes": MIB,
        "swap_bytes": KIB,
        "locked_bytes": 2 * KIB,
        "hugetlb_bytes": 2 * MIB,
        "resident_memory_bytes": 11 * MIB,
        "pss_bytes": None,
        "anon_huge_bytes": None,
        "anon_base_bytes": None,
        "huge_coverage": None,
        "slot_bytes": None,
        "vma_count": None,
        "walk_age_s": None,
    }
    assert {name: found[name] for name in expected} == expected


def test_rss_is_known_from_stat_alone_in_the_pages_of_the_host() -> None:
    assert row(process(stat=stat(rss_pages=3)), base_page_bytes=64 * KIB)["rss_bytes"] == 192 * KIB
    assert row(process(facts=None))["rss_bytes"] is None


def test_a_rollup_that_was_read_later_than_smaps_gives_the_totals() -> None:
    vma = mapping("anon", 4 * MIB, Rss=MIB, Anonymous=MIB)
    rollup = {
        "Rss": 3 * MIB,
        "Anonymous": 2 * MIB,
        "AnonHugePages": 2 * MIB,
        "Shared_Hugetlb": 0,
        "Private_Hugetlb": PMD,
    }
    found = row(
        sample(process(maps=[vma], status=status(rss_shmem_bytes=KIB))),
        sample(process(facts=None, rollup=rollup), t_s=2.0),
        sample(t_s=5.0),
    )
    assert found["memory_source"] == "rollup"
    assert (found["rss_bytes"], found["anon_bytes"], found["hugetlb_bytes"]) == (3 * MIB, 2 * MIB, PMD)
    assert (found["anon_base_bytes"], found["anon_huge_coverage"]) == (0, 1.0)
    assert found["shmem_rss_bytes"] == KIB
    assert found["slot_bytes"] == 4 * MIB
    assert found["walk_age_s"] == 3.0


def test_smaps_is_preferred_to_a_rollup_of_the_same_sample() -> None:
    vma = mapping("anon", 4 * MIB, Rss=MIB, Anonymous=MIB)
    found = row(process(maps=[vma], rollup={"Rss": 5}))
    assert (found["memory_source"], found["rss_bytes"]) == ("maps", MIB)


def test_pmd_mapped_pages_of_a_tmpfs_that_looks_like_a_file_count_as_shmem() -> None:
    vma = mapping("file", 8 * MIB, Rss=6 * MIB, ShmemPmdMapped=4 * MIB)
    found = row(process(maps=[vma]))
    assert (found["shmem_rss_bytes"], found["shmem_huge_bytes"], found["file_rss_bytes"]) == (
        4 * MIB,
        4 * MIB,
        2 * MIB,
    )
    assert found["huge_coverage"] == 1.0


def test_coverage_is_null_where_there_is_nothing_to_cover() -> None:
    found = row(process(maps=[mapping("file", MIB, Rss=KIB)]))
    assert (found["huge_coverage"], found["anon_huge_coverage"], found["shmem_huge_coverage"]) == (None, None, None)


def test_a_process_with_an_empty_smaps_has_none_of_anything() -> None:
    found = row(process(maps=[], stat=stat()))
    for name in ("rss_bytes", "anon_bytes", "anon_huge_bytes", "slot_bytes", "vma_count", "shared_object_bytes"):
        assert found[name] == 0, name
    assert found["hugetlb_page_bytes"] is None


def test_small_vmas_that_were_recorded_together_are_not_taken_for_a_large_one() -> None:
    folded = mapping("anon", 64 * MIB, count=64, start=None, Rss=32 * MIB, Anonymous=32 * MIB)
    found = row(process(maps=[folded]))
    assert (found["largest_anon_vma_bytes"], found["largest_resident_vma_bytes"]) == (MIB, 512 * KIB)
    assert (found["vma_count"], found["private_anon_virtual_bytes"], found["slot_bytes"]) == (64, 64 * MIB, 0)


@pytest.mark.parametrize("pmd", [None, 32 * MIB, 512 * MIB])
def test_which_hugetlb_pages_are_gigantic_depends_on_the_pmd_size_of_the_host(pmd: int | None) -> None:
    vma = mapping("hugetlb", 64 * MIB, page_bytes=32 * MIB, Private_Hugetlb=64 * MIB)
    found = row(sample(process(maps=[vma]), host=host_state(thp=thp(pmd_bytes=pmd))))
    assert found["hugetlb_gigantic_bytes"] == (None if pmd is None else 0)
    assert found["hugetlb_page_bytes"] == 32 * MIB


def test_profiles_of_two_kernels_in_one_file_keep_their_own_field_order() -> None:
    old = ["Anonymous", "Rss"]
    first = sample(process(1, maps=[mapping("anon", MIB, fields=old, Anonymous=KIB, Rss=2 * KIB)]), fields=old)
    second = sample(process(2, maps=[mapping("anon", MIB, Anonymous=3 * KIB, Rss=4 * KIB)]), t_s=1.0)
    table = feature_table(profile(first, second))
    assert table["anon_bytes"].to_list() == [KIB, 3 * KIB]
    assert table["rss_bytes"].to_list() == [2 * KIB, 4 * KIB]
    assert table["anon_huge_bytes"].to_list() == [None, 0]
