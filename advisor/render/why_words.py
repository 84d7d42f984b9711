"""Why memory is not on huge pages, in words: the same in text and Markdown, unescaped."""

from __future__ import annotations

from advisor.render.numbers import UNKNOWN_SHORT, count, duration, human_bytes
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
