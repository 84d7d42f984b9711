"""The verdict on gigantic pages for one process: would they reach further than 2 MiB pages, and are there any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.recommendation.model import ProcessAdvice
from advisor.rules import Policy
from advisor.rules.gigantic import BEYOND_REACH, FEW_ENTRIES, WITHIN_REACH, WORTH_A_NOTE_BYTES
from advisor.rules.text import show_bytes

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""


def gigantic_verdict(row: Row) -> str | None:
    """One sentence or a few; None where nobody would ask: little memory, or no such page size on this host."""
    page, pmd, resident = row["host_pool_gigantic_page_bytes"], row["host_pmd_bytes"], row["resident_memory_bytes"]
    if not page or not pmd or resident is None or resident < WORTH_A_NOTE_BYTES:
        return None
    touched = row["probe_touched_bytes"]
    used, what = (resident, "resident, the bound of its working set") if touched is None else (touched, "touched")
    small, large = show_bytes(pmd), show_bytes(page)
    reach, reach_gigantic = row["tlb_reach_pmd_bytes"], row["tlb_reach_gigantic_bytes"]
    if not reach:
        return f"Whether {large} pages would help cannot be told: the TLB of this CPU is not known."
    if used <= WITHIN_REACH * reach:
        return f"{small} is enough: {show_bytes(used)} {what}, fits into what the TLB reaches, {show_bytes(reach)}."
    if reach_gigantic is None or reach_gigantic <= reach:
        further = "has no entries for it" if reach_gigantic is None else f"reaches {show_bytes(reach_gigantic)}"
        most = f"with {small} {show_bytes(reach)}"
        return f"{small} is enough: with {large} pages the last level of this TLB {further}, {most}."
    times = f"{show_bytes(used)} {what}, is {used / reach:.1f} times what the TLB reaches with {small} pages"
    if used < BEYOND_REACH * reach:
        return f"{small} is nearly enough: {times}; a trial would tell whether {large} pages gain anything."
    parts = [f"{large} could gain over {small}: {times}, with {large} pages it reaches {show_bytes(reach_gigantic)}."]
    parts += [text for text in (_few_entries(row, large), _guest(row, page), _supply(row, page)) if text]
    return " ".join(parts)


def gigantic_line(host: Row, advice: Sequence[ProcessAdvice]) -> str | None:
    """The host's line of the plan where somebody is advised gigantic pages: how many there are for them."""
    page = host["host_pool_gigantic_page_bytes"]
    asking = [
        one.recommendation.pages or 0
        for one in advice
        if page and one.recommendation.policy == Policy.HUGETLB and one.recommendation.page_bytes == page
    ]
    if not asking:
        return None
    who = "1 process is" if len(asking) == 1 else f"{len(asking)} processes are"
    return f"Pages of {show_bytes(page)}: {who} advised to use them. {_available(host)}."


def _few_entries(row: Row, large: str) -> str | None:
    entries = row["host_tlb_first_gigantic_entries"]
    if entries is None or entries > FEW_ENTRIES:
        return None
    return f"The first level of this TLB holds only {entries} of {large}: scattered access can be slower with them."


def _guest(row: Row, page: int) -> str | None:
    ram = row["guest_ram_bytes"] if row["is_vmm"] else None
    if not ram or ram % page == 0:
        return None
    return f"The guest's {show_bytes(ram)} are no whole number of them: give it {show_bytes(-(-ram // page) * page)}."


def _supply(row: Row, page: int) -> str:
    needed = -(-row["resident_memory_bytes"] // page)
    return f"It needs {needed}. {_available(row)}."


def _available(row: Row) -> str:
    unused, now = row["host_pool_gigantic_unused_pages"], row["host_gigantic_supply_pages"]
    boot = row["host_gigantic_boot_pages"]
    parts = [
        f"the pool has {unused} unused" if unused is not None else "what the pool has unused is unknown",
        f"{now} more could be had now" if now is not None else "how many could be had now is unknown",
        f"about {boot} in all if reserved at boot" if boot is not None else "how many at boot is unknown",
    ]
    text = ", ".join(parts)
    return text[0].upper() + text[1:]
