"""Why memory is not on huge pages, in words: the same in text and Markdown, unescaped."""

from __future__ import annotations

from advisor.render.numbers import UNKNOWN_SHORT, count, duration, human_bytes, plural
from advisor.report.host import Listened, SlotLooks
from advisor.report.process import WhyNotHuge

BESIDE = {"not-populated": "of address space", "swapped": "in swap", "file-pages": "of page cache"}
"""What `beside_bytes` of a reason is."""


def amount(base: WhyNotHuge) -> str:
    """How much it concerns: 48 GiB; 2 MiB and 62 MiB in swap; 1.2 GiB of address space."""
    parts = [] if base.bytes == 0 and base.beside_bytes else [human_bytes(base.bytes)]
    if base.beside_bytes:
        parts.append(f"{human_bytes(base.beside_bytes)} {BESIDE.get(base.reason, '')}".rstrip())
    return " and ".join(parts)


def vmas(base: WhyNotHuge) -> str:
    return count(base.vmas, UNKNOWN_SHORT)


def title(base: WhyNotHuge) -> str:
    """The reason in words; of a report that has none, its name."""
    return base.title or base.reason


def advice(base: WhyNotHuge) -> str:
    """What belongs to it on this host, then what would help."""
    wait = "" if base.wait_s is None else f"One pass of khugepaged takes at least {duration(base.wait_s)} here."
    note = "" if base.note is None else f"On this host {base.note}."
    return " ".join(filter(None, (note, wait, base.remedy)))


RESULTS = {
    "succeeded": "made huge",
    "page_pmd_mapped": "huge already",
    "pmd_none": "nothing there",
    "pmd_null": "nothing there",
    "page_not_in_lru": "in use by the kernel just then",
}
"""What some of khugepaged's words for the result of a look mean; others are told as they are."""


def listened(heard: Listened) -> str:
    """What khugepaged was heard to do: it looked at 48 slots in 30 s: 32 too sparse for max_ptes_none, ..."""
    total = sum(look.times for look in heard.looks)
    lead = f"khugepaged looked at {plural(total, 'huge page slot')} in {duration(heard.seconds)}"
    results = ", ".join(f"{count(look.times)} {_result(look)}" for look in heard.looks)
    lost = f"; {plural(heard.lost, 'more event')} lost" if heard.lost else ""
    return f"{lead}{': ' if results else ''}{results}{lost}"


def _result(look: SlotLooks) -> str:
    return look.title or RESULTS.get(look.result, look.result)
