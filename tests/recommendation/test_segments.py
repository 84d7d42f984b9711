"""Pages of a pool for each kind of program, as counted on real ones (JDK 17, glibc 2.36)."""

from __future__ import annotations

import pytest

from advisor.recommendation.segments import in_words, pieces
from advisor.units import GIB, MIB
from tests.recommendation.planted_rows import program
from tests.rules.rows import PMD, Values, frame

BIG = {"anon_bytes": 2 * GIB, "slotted_anon_bytes": 2 * GIB}


def pages(page: int = PMD, **values: object) -> tuple[int, str]:
    (row,) = frame(program(1, **{**BIG, **values})).to_dicts()
    found = pieces(row, page)
    return sum(piece.pages for piece in found), in_words(found)


JAVA: Values = {"runtime": "jvm", "jvm_heap_bytes": 2 * GIB, "jvm_code_cache_bytes": 240 * MIB}


@pytest.mark.parametrize(
    ("collector", "expected"),
    [("G1", 1182), (None, 1182), ("Parallel", 1176), ("Serial", 1144), ("Shenandoah", 1208), ("Z", 1144)],
)
def test_a_jvm_takes_heap_tables_and_code(collector: str | None, expected: int) -> None:
    assert pages(**JAVA, jvm_collector=collector)[0] == expected


def test_the_arithmetic_of_a_jvm_is_shown() -> None:
    assert pages(**JAVA)[1] == "Java heap 1024 + the collector's tables 38 + code cache 120"


def test_what_is_smaller_than_a_page_stays_on_base_pages() -> None:
    assert pages(GIB, **JAVA) == (2, "Java heap")
    small = {**JAVA, "jvm_heap_bytes": 64 * MIB, "jvm_code_cache_bytes": 12 * MIB}
    assert pages(**small) == (32, "Java heap")


def test_the_bitmap_of_the_parallel_collector_is_on_large_pages_only_where_it_fills_them() -> None:
    odd = {**JAVA, "jvm_heap_bytes": 1500 * MIB, "jvm_collector": "Parallel"}
    assert pages(**odd)[0] == 750 + 120


def test_a_guest_takes_its_backends() -> None:
    row = {"is_vmm": True, "guest_ram_bytes": 1536 * MIB, "guest_pmd_pages": 769}
    assert pages(**row) == (769, "the guest's RAM")
    assert pages(**{**row, "guest_pmd_pages": None}) == (768, "the guest's RAM")


def test_glibc_takes_heap_arenas_and_blocks() -> None:
    row = {"allocator": "glibc", "runtime": None, "malloc_mapped_bytes": 80 * MIB, "malloc_pmd_pages": 42}
    assert pages(**row) == (42, "memory of malloc today, an estimate")
    words = "memory of malloc today, an estimate 42 + room to align an arena 4"
    assert pages(**row, malloc_arenas=3) == (46, words)
    assert pages(**{**row, "malloc_pmd_pages": 400}, malloc_arenas=3)[0] == 400


def test_of_other_allocators_there_is_an_estimate() -> None:
    assert pages(allocator="jemalloc") == (1024, "its anonymous memory in large mappings today, an estimate")


def test_shared_memory_is_taken_once_and_whole() -> None:
    shared = {"slotted_anon_bytes": MIB, "shared_object_bytes": 1073 * MIB, "sharing_leader": True}
    assert pages(**shared) == (537, "its largest shared object")


def test_what_is_in_a_pool_is_what_it_takes() -> None:
    assert pages(hugetlb_mapped_bytes=GIB, hugetlb_page_bytes=PMD) == (512, "its hugetlb mappings")


def test_nothing_is_known_of_a_program_without_mappings() -> None:
    assert pages(slotted_anon_bytes=None, shared_object_bytes=None)[0] == 0
