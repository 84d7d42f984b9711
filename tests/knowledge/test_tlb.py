"""TLB geometry of processors."""

from __future__ import annotations

import pytest

from advisor.knowledge.tlb import PAGE_SIZES, ArmRow, X86Row, tlb_levels, tlb_table
from advisor.procfs.facts import Cpu, TlbLevel

INTEL, AMD = "GenuineIntel", "AuthenticAMD"


def last_level(cpu: Cpu) -> dict[str, tuple[int, int]]:
    """Page size -> (level, entries) of the highest level that holds it."""
    labels = {page_bytes: label for label, page_bytes in PAGE_SIZES.items()}
    found: dict[str, tuple[int, int]] = {}
    for level in tlb_levels(cpu):
        found[labels[level.page_bytes]] = max(
            found.get(labels[level.page_bytes], (0, 0)), (level.level, level.entries)
        )
    return found


@pytest.mark.parametrize(
    ("cpu", "expected"),
    [
        (Cpu(vendor=INTEL, family=6, model=0x2D), {"4K": (2, 512), "2M": (1, 32), "1G": (1, 4)}),
        (Cpu(vendor=INTEL, family=6, model=0x3F), {"4K": (2, 1024), "2M": (2, 1024), "1G": (1, 4)}),
        (Cpu(vendor=INTEL, family=6, model=0x55), {"4K": (2, 1536), "2M": (2, 1536), "1G": (2, 16)}),
        (Cpu(vendor=INTEL, family=6, model=0x8F), {"4K": (2, 2048), "2M": (2, 1024), "1G": (2, 1024)}),
        (Cpu(vendor=AMD, family=0x17, model=0x01), {"4K": (2, 1536), "2M": (2, 1536), "1G": (1, 64)}),
        (Cpu(vendor=AMD, family=0x17, model=0x31), {"4K": (2, 2048), "2M": (2, 2048), "1G": (1, 64)}),
        (Cpu(vendor=AMD, family=0x19, model=0x11), {"4K": (2, 3072), "2M": (2, 3072), "1G": (2, 64)}),
        (
            Cpu(vendor=AMD, family=0x1A, model=0x02, kernel_tlb_entries=192),
            {"4K": (2, 4096), "2M": (2, 4096), "1G": (2, 1024)},
        ),
    ],
)
def test_the_last_level_of_known_x86_processors(cpu: Cpu, expected: dict[str, tuple[int, int]]) -> None:
    assert last_level(cpu) == expected


def test_an_arm_processor_lists_the_sizes_of_every_granule() -> None:
    sizes = last_level(Cpu(implementer=0x41, part=0xD0C))
    assert sizes["4K"] == sizes["64K"] == sizes["2M"] == sizes["512M"] == (2, 1280)


def test_the_source_names_the_row_and_marks_what_was_not_checked() -> None:
    sources = {level.source for level in tlb_levels(Cpu(implementer=0x41, part=0xD4F))}
    assert sources == {"Neoverse V2: from memory"}


@pytest.mark.parametrize(
    "cpu",
    [
        Cpu(),
        Cpu(vendor=INTEL, family=6, model=0x01),
        Cpu(vendor=INTEL, family=6),
        Cpu(vendor=AMD, family=6, model=0x55),
        Cpu(implementer=0x41, part=0x001),
        Cpu(implementer=0x51, part=0xD0C),
    ],
)
def test_an_unknown_processor_has_no_levels_rather_than_guessed_ones(cpu: Cpu) -> None:
    assert tlb_levels(cpu) == []


def test_an_unknown_amd_processor_falls_back_to_what_the_kernel_prints() -> None:
    (level,) = tlb_levels(Cpu(vendor=AMD, family=0x15, model=2, kernel_tlb_entries=1536))
    assert (level.level, level.page_bytes, level.entries) == (2, 4096, 1536)
    assert "upper bound" in level.source


def test_the_kernel_s_number_is_in_units_of_32_since_zen_5() -> None:
    assert [level.entries for level in tlb_levels(Cpu(vendor=AMD, family=0x1B, model=0, kernel_tlb_entries=192))] == [
        6144
    ]


@pytest.mark.parametrize("row", [*tlb_table().x86, *tlb_table().arm], ids=lambda row: row.name)
def test_every_row_is_plausible_and_found_by_its_own_processors(row: X86Row | ArmRow) -> None:
    assert row.source
    if isinstance(row, X86Row):
        assert all(first <= last for first, last in row.models)
        cpus = [Cpu(vendor=row.vendor, family=row.family, model=last) for _, last in row.models]
    else:
        cpus = [Cpu(implementer=row.implementer, part=part) for part in row.parts]
    expected = [TlbLevel(n, PAGE_SIZES[size], count, f"{row.name}: {row.source}") for n, size, count in row.levels]
    assert len({(level, size) for level, size, _ in row.levels}) == len(row.levels)
    for cpu in cpus:
        assert tlb_levels(cpu) == expected
