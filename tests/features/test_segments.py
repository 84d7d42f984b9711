"""What programs would take from a pool, from their mappings and command lines."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from advisor.features import feature_table
from advisor.procfs.facts import HugetlbPool, ProgramFacts
from advisor.profile.model import Mapping, ProcessFacts
from advisor.units import GIB, KIB, MIB
from tests.features.factory import host_state, mapping, process, profile, sample, thp

ARENA = 0x7F1724000000
"""A multiple of 64 MiB, where glibc puts the heap of a thread's arena."""


def row(maps: list[Mapping], facts: ProcessFacts | None = None, *, gigantic: bool = True) -> dict[str, Any]:
    pools = [HugetlbPool(size, None, 0, 0, 0, 0) for size in (2 * MIB, GIB) if gigantic or size < GIB]
    host = host_state(thp=thp(), pools=pools)
    made = profile(sample(process(facts=facts or ProcessFacts("prog"), maps=maps), host=host))
    return feature_table(made).row(0, named=True)


def pages(*maps: Mapping) -> tuple[int, int]:
    found = row(list(maps))
    return found["malloc_pmd_pages"], found["malloc_gigantic_pages"]


def test_each_piece_of_malloc_is_rounded_up_alone() -> None:
    heap = mapping("heap", 11484 * KIB, start=0x5590CD8E2000)
    large = mapping("anon", 50 * MIB + 4 * KIB, start=0x7F00706FE000)
    assert pages(heap, large) == (6 + 26, 2)
    assert row([heap, large])["malloc_mapped_bytes"] == 61 * MIB + 224 * KIB


def test_blocks_side_by_side_are_expected_in_a_large_mapping() -> None:
    two = mapping("anon", 300 * MIB + 8 * KIB, start=0x7F00706FE000)
    heap = mapping("heap", 300 * MIB, start=0x5590CD800000)
    assert (pages(two)[0], pages(heap)[0]) == (151 + 1, 150)


def test_an_arena_counts_by_its_used_part() -> None:
    used = 22944 * KIB
    parts = mapping("anon", used, start=ARENA), mapping("anon", 64 * MIB - used, start=ARENA + used, writable=False)
    assert pages(*parts) == (12, 4)


def test_each_arena_is_made_of_heaps_of_four_pages() -> None:
    """128 MiB and 1896 KiB in heaps of 64 MiB, as on base pages: 16 heaps of 8 MiB, and one begun."""
    full = mapping("anon", 128 * MIB, start=ARENA)
    rest = mapping("anon", 63640 * KIB, start=ARENA + 128 * MIB + 1896 * KIB, writable=False)
    assert pages(full, rest) == (64 + 4, 1 + 4)
    assert row([full, rest])["malloc_arenas"] == 1


def test_an_arena_with_a_small_used_part_takes_a_heap() -> None:
    """The used part is folded away; the rest without access shows that it is there."""
    assert pages(mapping("anon", 65404 * KIB, start=ARENA + 132 * KIB, writable=False)) == (4, 4)


def test_stacks_are_no_memory_of_malloc() -> None:
    old = mapping("anon", 8 * MIB, start=0x7F25502810000)
    new = mapping("anon", 4 * MIB, start=0x7F25602810000, advice="nh")
    assert pages(old, new, mapping("stack", 2 * MIB, start=0x7FFF00000000)) == (0, 0)


def test_small_mappings_and_files_do_not_count() -> None:
    small = mapping("anon", 3 * MIB, count=9, start=None)
    assert pages(small, mapping("file", 100 * MIB, start=0x7F0000000000)) == (0, 0)


def test_without_gigantic_pages_their_number_is_unknown() -> None:
    found = row([mapping("heap", 4 * MIB, start=0x5590CD800000)], gigantic=False)
    assert (found["malloc_pmd_pages"], found["malloc_gigantic_pages"]) == (2, None)


JVM = ProgramFacts(None, "glibc", "mapped", "jvm", "mapped", True, False)


def java(command: str | None, *maps: Mapping) -> tuple[Any, ...]:
    arguments = command.split() if command is not None else None
    found = row(list(maps), ProcessFacts("java", command_line=arguments, program=JVM))
    return found["jvm_heap_bytes"], found["jvm_code_cache_bytes"], found["jvm_collector"]


HEAP = (
    mapping("anon", 376 * MIB, start=0x740000000),
    mapping("anon", 2696 * MIB, start=0x740000000 + 376 * MIB, writable=False),
)
"""A heap of 3 GiB of which 376 MiB are in use."""


def with_code(*parts: tuple[int, int, bool]) -> list[Mapping]:
    """start, size, whether it is in use: executable."""
    made = []
    for start, size, used in parts:
        plain = mapping("anon", size, start=start, writable=used)
        made.append(replace(plain, executable=used))
    return made


def test_the_command_line_says_how_large_the_heap_is() -> None:
    assert java("java -Xmx2g -XX:+UseSerialGC -XX:ReservedCodeCacheSize=64m Main", *HEAP) == (
        2 * GIB,
        64 * MIB,
        "Serial",
    )


def test_without_it_the_mappings_do() -> None:
    base = 0x7FD051400000
    bitmap = mapping("anon", 64 * MIB, start=base - 64 * MIB)
    code = with_code((base, 4 * MIB, True), (base + 4 * MIB, 116 * MIB, False), (base + 120 * MIB, 3 * MIB, True))
    assert java(None, *HEAP, bitmap, *code) == (3 * GIB, 123 * MIB, None)


def test_a_code_cache_that_is_not_recorded_has_the_default_size() -> None:
    assert java("java Main", *HEAP) == (3 * GIB, 240 * MIB, None)


def test_a_jvm_of_which_nothing_is_known() -> None:
    assert java(None) == (None, None, None)


def guest(command: str) -> tuple[Any, ...]:
    facts = ProcessFacts("qemu-system-x86", executable="/usr/bin/qemu-system-x86_64", command_line=command.split())
    found = row([mapping("anon", GIB, start=0x7F0000000000)], facts)
    return found["guest_ram_bytes"], found["guest_pmd_pages"], found["guest_gigantic_pages"]


def test_each_memory_backend_of_a_guest_is_rounded_up_alone() -> None:
    backends = "-object memory-backend-ram,id=a,size=1025M -object memory-backend-ram,id=b,size=511M"
    assert guest(f"qemu {backends} -m 1536 -numa node,memdev=a -numa node,memdev=b") == (1536 * MIB, 513 + 256, 3)


def test_without_a_size_on_the_command_line_the_largest_mapping_is_the_guest() -> None:
    assert guest("qemu -nodefaults") == (GIB, None, None)
