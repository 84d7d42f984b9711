"""TLB geometry by processor (`tlb.toml`): no file of the kernel exports it, and reading it needs CPUID.

The processor's name in /proc/cpuinfo decides the row. What a hypervisor hides of the TLB's CPUID leaves (it often
shows smaller arrays) does not matter for that, as the hardware that translates is still the host's; but a hypervisor
that presents another processor model than the real one also gets that model's row.
"""

from __future__ import annotations

import functools
from typing import Literal

from msgspec import Struct

from advisor.knowledge.files import load_knowledge
from advisor.procfs.facts import Cpu, TlbLevel

PAGE_SIZES = {
    "4K": 4 << 10,
    "16K": 16 << 10,
    "64K": 64 << 10,
    "2M": 2 << 20,
    "32M": 32 << 20,
    "512M": 512 << 20,
    "1G": 1 << 30,
}
"""Bytes of the page-size labels of the table. Labels of hardware page sizes, not assumptions on a host."""

KERNEL_LINE_FAMILY_OF_32S = 0x1A
"""From this AMD family on (Zen 5) CPUID counts the second level in units of 32 entries (L2TlbSizeX32, leaf
0x80000021 EAX bit 14), which kernels up to 6.18 at least do not apply."""

KERNEL_LINE_PAGE_BYTES = 4 << 10
"""Page size of "TLB size : 2560 4K pages", AMD's line of /proc/cpuinfo (arch/x86/kernel/cpu/proc.c)."""

PageSize = Literal["4K", "16K", "64K", "2M", "32M", "512M", "1G"]


class X86Row(Struct, frozen=True, forbid_unknown_fields=True):
    """models are inclusive ranges of the CPUID model; levels are (level, page size, entries)."""

    name: str
    vendor: str
    family: int
    models: list[tuple[int, int]]
    levels: list[tuple[int, PageSize, int]]
    source: str

    def fits(self, cpu: Cpu) -> bool:
        if cpu.vendor != self.vendor or cpu.family != self.family or cpu.model is None:
            return False
        return any(first <= cpu.model <= last for first, last in self.models)


class ArmRow(Struct, frozen=True, forbid_unknown_fields=True):
    """implementer and parts are fields of MIDR_EL1, as /proc/cpuinfo prints them."""

    name: str
    implementer: int
    parts: list[int]
    levels: list[tuple[int, PageSize, int]]
    source: str

    def fits(self, cpu: Cpu) -> bool:
        return cpu.implementer == self.implementer and cpu.part in self.parts


class TlbTable(Struct, frozen=True, forbid_unknown_fields=True):
    x86: list[X86Row]
    arm: list[ArmRow]


@functools.cache
def tlb_table() -> TlbTable:
    """The rows of `tlb.toml`. Raises KnowledgeError."""
    return load_knowledge("tlb.toml", TlbTable)


def tlb_levels(cpu: Cpu) -> list[TlbLevel]:
    """Data-TLB entries of one core of this processor, by level and page size; empty where nothing is known.

    A page size that a level cannot hold has no entry: on a processor whose second level takes no 1G pages the last
    word on 1G is the first level. On arm64 the list holds every size that an entry can hold; those that are no page
    size of the host's granule have no meaning there. On hybrid processors the numbers are those of the P cores.
    A processor that the table lacks falls back to the kernel's "TLB size", which counts instruction and data entries
    together and is therefore an upper bound; `source` says so.
    """
    table = tlb_table()
    rows: list[X86Row | ArmRow] = [*table.x86, *table.arm]
    row = next((row for row in rows if row.fits(cpu)), None)
    if row is not None:
        source = f"{row.name}: {row.source}"
        return [TlbLevel(level, PAGE_SIZES[size], entries, source) for level, size, entries in row.levels]
    return _kernel_levels(cpu)


def _kernel_levels(cpu: Cpu) -> list[TlbLevel]:
    """The kernel's "TLB size" line, which only AMD and Hygon processors have."""
    if not cpu.kernel_tlb_entries:
        return []
    source = "kernel cpuinfo: second level, instruction and data entries together (an upper bound)"
    entries = cpu.kernel_tlb_entries
    if cpu.vendor == "AuthenticAMD" and cpu.family is not None and cpu.family >= KERNEL_LINE_FAMILY_OF_32S:
        entries *= 32
        source += "; times 32, the unit since Zen 5"
    return [TlbLevel(2, KERNEL_LINE_PAGE_BYTES, entries, source)]
