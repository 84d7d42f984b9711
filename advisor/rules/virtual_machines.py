"""Rules about the memory of virtual machines: the guest's RAM as the host maps it."""

from __future__ import annotations

import polars as pl

from advisor.rules.conditions import COVERED_SHARE, HUGETLBPAGE, TRANSHUGE, col
from advisor.rules.engine import Confidence, PageSize, Policy, Severity, rule
from advisor.rules.gigantic import beyond_pmd_reach, can_use_gigantic
from advisor.units import MIB

THEME = "virtual machines"
"""Theme of every rule in this file."""

GUEST_RAM_BYTES = 512 * MIB
"""Bytes. Source: own choice. Reason: smaller guests are appliances whose memory is not what limits them."""

NESTED = "Documentation/virt/kvm/x86/mmu.rst"


def _resident_base() -> pl.Expr:
    """Resident memory of the process on base pages, anonymous or shared; the guest's RAM is most of it."""
    return col("anon_base_bytes") + col("shmem_base_bytes")


def _guest_on_base_pages() -> pl.Expr:
    return (
        (col("resident_memory_bytes") >= GUEST_RAM_BYTES)
        & col("is_vmm")
        & (col("guest_ram_bytes") >= GUEST_RAM_BYTES)
        & (col("hugetlb_bytes") == 0)
        & (_resident_base() >= 0.5 * col("resident_memory_bytes"))
    )


@rule(
    id="guest-memory-on-base-pages",
    title="A virtual machine's RAM is on base pages",
    theme=THEME,
    severity=Severity.HIGH,
    confidence=Confidence.MEDIUM,
    proposes=Policy.HUGETLB,
    page=PageSize.PMD,
    gains_time=True,
    message="The guest has {guest_ram_bytes} of RAM; of {resident_memory_bytes} resident, {anon_base_bytes} "
    "anonymous and {shmem_base_bytes} shared memory is on base pages.",
    remedy="Back the guest with a hugetlb pool (libvirt <memoryBacking><hugepages/>, QEMU "
    "memory-backend-memfd,hugetlb=on), or advise its memory for THP (QEMU does so by itself unless the "
    "host's mode is never); then start it again.",
    sources=(HUGETLBPAGE, TRANSHUGE, NESTED),
    known_problems="Guests that are ballooned, merged by KSM or overcommitted need base pages: hugetlb "
    "pages cannot be given back, merged or swapped.",
)
def guest_memory_on_base_pages() -> pl.Expr:
    """What it does: matches a virtual machine monitor whose guest RAM is mostly on base pages.

    Why it matters: with nested paging a walk goes through two tables, up to 24 loads instead of 4; the full
    gain needs huge pages in the host and in the guest.

    Example: QEMU with 8 GiB of RAM in a memfd on base pages.
    """
    return _guest_on_base_pages()


@rule(
    id="guest-memory-beyond-pmd-reach",
    title="A virtual machine's RAM on base pages is beyond the reach of PMD pages too",
    theme=THEME,
    severity=Severity.HIGH,
    confidence=Confidence.MEDIUM,
    proposes=Policy.HUGETLB,
    page=PageSize.GIGANTIC,
    gains_time=True,
    message="The guest's {guest_ram_bytes} are on base pages and {memory_to_pmd_reach} times what the TLB "
    "reaches with PMD pages; with pages of {host_pool_gigantic_page_bytes} it reaches "
    "{tlb_reach_gigantic_bytes}.",
    remedy="Reserve gigantic pages at boot (default_hugepagesz=, hugepagesz=, hugepages=) and back the "
    "guest with them.",
    sources=(HUGETLBPAGE, NESTED, "vendor TLB tables"),
    known_problems="TLB entries for gigantic pages are few on older processors; the reach is arithmetic, "
    "not a measurement.",
)
def guest_memory_beyond_pmd_reach() -> pl.Expr:
    """What it does: matches a guest on base pages whose memory is at least twice what PMD entries reach.

    Why it matters: its RAM has to be moved to a pool anyway; with gigantic pages the host's half of the walk
    nearly goes.

    Example: a 64 GiB guest on a processor whose TLB reaches 3 GiB with 2 MiB pages and 16 GiB with 1 GiB
    pages.
    """
    return _guest_on_base_pages() & can_use_gigantic() & beyond_pmd_reach()


@rule(
    id="guest-memory-on-hugetlb",
    title="A virtual machine's RAM is in explicit huge pages",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.HIGH,
    proposes=Policy.HUGETLB,
    message="{hugetlb_bytes} of the guest's {guest_ram_bytes} are in hugetlb pages of {hugetlb_page_bytes}.",
    remedy="Keep it. See that the guest uses huge pages inside as well.",
    sources=(HUGETLBPAGE, NESTED),
    known_problems="What the guest does inside is not visible from the host.",
)
def guest_memory_on_hugetlb() -> pl.Expr:
    """What it does: matches a virtual machine monitor with at least 80 % of its guest's RAM in hugetlb pages.

    Why it matters: the host's half of the nested walk is as short as that page size makes it.

    Example: QEMU with memory-backend-file on a hugetlbfs mount.
    """
    return (
        (col("hugetlb_bytes") >= GUEST_RAM_BYTES)
        & col("is_vmm")
        & (col("hugetlb_bytes") >= COVERED_SHARE * col("guest_ram_bytes"))
        & (col("hugetlb_page_bytes") > 0)
    )


RULES = (guest_memory_on_base_pages, guest_memory_beyond_pmd_reach, guest_memory_on_hugetlb)
