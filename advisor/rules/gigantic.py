"""Rules about pages larger than the PMD page: whether they would help, and whether the host has them."""

from __future__ import annotations

import polars as pl

from advisor.rules.conditions import GIGANTIC_APPLICATIONS, HUGETLBPAGE, POOL_APPLICATIONS, col, is_one_of
from advisor.rules.engine import Confidence, PageSize, Policy, Severity, rule
from advisor.units import GIB

THEME = "gigantic pages"
"""Theme of every rule in this file."""

BEYOND_REACH = 2.0
"""Ratio of memory to PMD reach. Source: own choice. Reason: at twice the reach every other random access
misses."""

WITHIN_REACH = 1.0
"""Ratio of memory to PMD reach. Source: arithmetic. Reason: up to one, every page has its TLB entry."""

GIGANTIC_PAGES_FILLED = 4
"""Gigantic pages. Source: own choice. Reason: with fewer the rounding up to whole pages wastes more than it
gains."""

WORTH_A_NOTE_BYTES = 1 * GIB
"""Bytes. Source: own choice. Reason: nobody considers gigantic pages for less."""

FEW_ENTRIES = 8
"""Entries. Source: vendor TLB tables: 4 from Sandy Bridge to Cascade Lake, 8 from Ice Lake to Granite Rapids, 64 and
more of Zen. Reason: where the first level holds so few, memory of more pages than that misses it on most accesses
that 32 entries for 2 MiB pages serve, if what is hot lies scattered."""

TLB_TABLES = "vendor TLB tables: last-level data TLB entries by page size"


def beyond_pmd_reach() -> pl.Expr:
    """The memory exceeds what PMD entries reach, and gigantic entries reach further."""
    return (
        (col("resident_memory_bytes") >= GIGANTIC_PAGES_FILLED * col("host_pool_gigantic_page_bytes"))
        & (col("memory_to_pmd_reach") >= BEYOND_REACH)
        & (col("tlb_reach_gigantic_bytes") > col("tlb_reach_pmd_bytes"))
    )


def can_use_gigantic() -> pl.Expr:
    """It uses hugetlb pages of a size that is not known to be fixed, or can name a larger size. ZGC cannot."""
    is_zgc = (col("collector") == "zgc").fill_null(False)
    bound_to_one_size = is_one_of(tuple(set(POOL_APPLICATIONS) - set(GIGANTIC_APPLICATIONS))) | is_zgc
    return ((col("hugetlb_bytes") > 0) | is_one_of(GIGANTIC_APPLICATIONS)) & ~bound_to_one_size


@rule(
    id="gigantic-worth-considering",
    title="Gigantic pages are worth considering",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.LOW,
    proposes=Policy.HUGETLB,
    page=PageSize.GIGANTIC,
    gains_time=True,
    message="{resident_memory_bytes} is {memory_to_pmd_reach} times what the TLB reaches with PMD pages "
    "({tlb_reach_pmd_bytes}); pages of {host_pool_gigantic_page_bytes} reach {tlb_reach_gigantic_bytes}.",
    remedy="Try it: reserve gigantic pages at boot, let the program use that page size, and compare with PMD pages.",
    sources=(HUGETLBPAGE, TLB_TABLES),
    known_problems="Reach is arithmetic: how much is won over PMD pages depends on how random the access "
    "is; often little.",
)
def gigantic_worth_considering() -> pl.Expr:
    """What it does: matches a possible pool user with at least twice the memory that PMD entries of the TLB
    reach.

    Why it matters: beyond the reach even huge pages need page walks, though short and well cached ones.

    Example: a 40 GiB in-memory database on a processor with 3 GiB of PMD reach and 16 GiB of gigantic reach.
    """
    return (col("resident_memory_bytes") >= WORTH_A_NOTE_BYTES) & can_use_gigantic() & beyond_pmd_reach()


@rule(
    id="gigantic-not-needed",
    title="PMD pages are enough: gigantic pages would gain nothing",
    theme=THEME,
    severity=Severity.INFO,
    confidence=Confidence.MEDIUM,
    message="{resident_memory_bytes} fits into what the TLB reaches with PMD pages ({tlb_reach_pmd_bytes}).",
    remedy="Do not reserve gigantic pages for it.",
    sources=(TLB_TABLES,),
    known_problems="Programs beside it share the TLB between context switches and hyper-threads.",
)
def gigantic_not_needed() -> pl.Expr:
    """What it does: matches a process of at least 1 GiB whose memory PMD entries of the TLB reach completely.

    Why it matters: gigantic pages are rigid and hard to get; here there is nothing left for them to win.

    Example: 2 GiB on a processor with 3 GiB of PMD reach.
    """
    return (
        (col("resident_memory_bytes") >= WORTH_A_NOTE_BYTES)
        & (col("memory_to_pmd_reach") <= WITHIN_REACH)
        & (col("tlb_reach_pmd_bytes") > 0)
    )


@rule(
    id="gigantic-not-better-on-this-cpu",
    title="This processor reaches no further with gigantic pages",
    theme=THEME,
    severity=Severity.INFO,
    confidence=Confidence.MEDIUM,
    message="The TLB reaches {tlb_reach_gigantic_bytes} with gigantic pages and {tlb_reach_pmd_bytes} with "
    "PMD pages.",
    remedy="Stay with PMD pages.",
    sources=(TLB_TABLES,),
    known_problems="A walk that ends at a gigantic page is still one load shorter.",
)
def gigantic_not_better_on_this_cpu() -> pl.Expr:
    """What it does: matches a large process beyond PMD reach on a processor with few TLB entries for gigantic
    pages.

    Why it matters: larger pages are not better when the TLB holds so few of them.

    Example: 16 GiB on a processor whose TLB has no last-level entries for gigantic pages.
    """
    return (
        (col("resident_memory_bytes") >= WORTH_A_NOTE_BYTES)
        & (col("memory_to_pmd_reach") > WITHIN_REACH)
        & (col("tlb_reach_gigantic_bytes") <= col("tlb_reach_pmd_bytes"))
    )


@rule(
    id="gigantic-not-suppliable-now",
    title="The host cannot hand out the gigantic pages now",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.MEDIUM,
    message="{resident_memory_bytes} would need more pages of {host_pool_gigantic_page_bytes} than the "
    "pool's {host_pool_gigantic_unused_pages} unused and the {host_gigantic_supply_pages} that could be "
    "formed now.",
    remedy="Reserve them on the kernel command line, where memory is still whole; that needs a reboot.",
    sources=(HUGETLBPAGE, "Documentation/admin-guide/kernel-parameters.txt: hugepages=, hugetlb_cma="),
    known_problems="Migration may form more than is free now, or fewer, as unmovable pages are in the way.",
)
def gigantic_not_suppliable_now() -> pl.Expr:
    """What it does: matches memory that gigantic pages would suit where pool and free memory hold too few of
    them.

    Why it matters: unlike PMD pages, gigantic pages rarely can be formed on a host that has been running.

    Example: 40 GiB wanted, an empty pool, two aligned free ranges of 1 GiB.
    """
    available = col("host_pool_gigantic_unused_pages") + col("host_gigantic_supply_pages")
    return (
        (col("resident_memory_bytes") >= WORTH_A_NOTE_BYTES)
        & can_use_gigantic()
        & beyond_pmd_reach()
        & (available * col("host_pool_gigantic_page_bytes") < col("resident_memory_bytes"))
        & (col("hugetlb_gigantic_bytes") == 0)
    )


@rule(
    id="gigantic-few-entries",
    title="The TLB holds few gigantic pages at once",
    theme=THEME,
    severity=Severity.INFO,
    confidence=Confidence.MEDIUM,
    message="The first level of the TLB has {host_tlb_first_gigantic_entries} entries for pages of "
    "{host_pool_gigantic_page_bytes}; {resident_memory_bytes} are more than they reach.",
    remedy="Measure with the program's own load before reserving gigantic pages: scattered access can be slower.",
    sources=(TLB_TABLES,),
    known_problems="A second level for this size (from Broadwell on, and Zen 3) makes up for most of it.",
)
def gigantic_few_entries() -> pl.Expr:
    """What it does: matches a possible user of gigantic pages, beyond PMD reach, on a processor whose first-level TLB
    has at most 8 entries for them, fewer than the memory has pages.

    Why it matters: each access outside these few pages then goes to the second level or walks, where PMD pages of
    what is hot would have had an entry.

    Example: a 40 GiB database on Skylake: 4 entries of 1 GiB.
    """
    return (
        can_use_gigantic()
        & beyond_pmd_reach()
        & (col("host_tlb_first_gigantic_entries") <= FEW_ENTRIES)
        & (
            col("resident_memory_bytes")
            > col("host_tlb_first_gigantic_entries") * col("host_pool_gigantic_page_bytes")
        )
    )


@rule(
    id="gigantic-guest-not-whole",
    title="The guest's RAM is no whole number of gigantic pages",
    theme=THEME,
    severity=Severity.INFO,
    confidence=Confidence.HIGH,
    message="The guest has {guest_ram_bytes} of RAM, no multiple of {host_pool_gigantic_page_bytes}.",
    remedy="For gigantic pages give the guest a whole number of them; else use PMD pages.",
    sources=(HUGETLBPAGE,),
    known_problems="Memory for the firmware and video is beside the guest's RAM and needs no gigantic page.",
)
def gigantic_guest_not_whole() -> pl.Expr:
    """What it does: matches a guest that is large enough for gigantic pages and has a part of one in its RAM.

    Why it matters: QEMU refuses a memory backend whose size is no multiple of its page size.

    Example: a guest of 40.5 GiB.
    """
    return (
        (col("guest_ram_bytes") >= GIGANTIC_PAGES_FILLED * col("host_pool_gigantic_page_bytes"))
        & (col("guest_ram_bytes") % col("host_pool_gigantic_page_bytes") != 0)
        & col("is_vmm")
    )


RULES = (
    gigantic_worth_considering,
    gigantic_not_needed,
    gigantic_not_better_on_this_cpu,
    gigantic_not_suppliable_now,
    gigantic_few_entries,
    gigantic_guest_not_whole,
)
