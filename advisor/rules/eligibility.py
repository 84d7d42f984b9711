"""Rules that say why memory gets no transparent huge pages although the host's mode allows them."""

from __future__ import annotations

import polars as pl

from advisor.rules.conditions import LARGE_BYTES, THP_OFF_STANCES, TRANSHUGE, col
from advisor.rules.engine import Confidence, Policy, Severity, rule
from advisor.units import MIB

THEME = "eligibility"
"""Theme of every rule in this file."""

LOST_BYTES = 64 * MIB
"""Bytes. Source: own choice. Reason: half of what the rules call large; less is not worth moving an allocator
for."""

LOST_SHARE = 0.25
"""Share of anonymous memory. Source: own choice. Reason: below a quarter the rest decides what the process
gains."""

MOST_SHARE = 0.5
"""Share of anonymous memory. Source: own choice. Reason: what holds for more than half is what the process is
like."""

INELIGIBLE_SHARE = 0.1
"""Share of slotted memory. Source: own choice. Reason: allows for a few eligible mappings that were
advised."""

PRCTL = "PR_SET_THP_DISABLE(2const)"


@rule(
    id="thp-disabled-by-process",
    title="The process has switched transparent huge pages off for itself",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.HIGH,
    proposes=Policy.LEAVE,
    forbids=frozenset({Policy.THP}),
    message="THP is disabled by the process itself or by who started it (prctl PR_SET_THP_DISABLE); its "
    "{anon_bytes} of anonymous memory stays on base pages.",
    remedy="Respect it. If nobody remembers why: look for PR_SET_THP_DISABLE in the program, its service "
    "manager and its container runtime, lift it there, and measure.",
    sources=(PRCTL, "Documentation/filesystems/proc.rst: THP_enabled (5.0+)"),
    known_problems="The flag is inherited over fork and exec, so it may have been meant for another program.",
)
def thp_disabled_by_process() -> pl.Expr:
    """What it does: matches a process with considerable memory for which PR_SET_THP_DISABLE is in force, unless
    the program is known to want it (see application-avoids-thp).

    Why it matters: it is a decision that somebody made for this program; services whose makers advise against THP
    are often started so.

    Example: 600 MiB of anonymous memory, THP_enabled: 0 in status.
    """
    on_purpose = col("application_stance").is_in(THP_OFF_STANCES).fill_null(False)
    return (col("anon_bytes") >= LOST_BYTES) & ~on_purpose & col("thp_disabled_by_process")


@rule(
    id="thp-limited-to-advised",
    title="The process gets transparent huge pages only where it advises them",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.MEDIUM,
    proposes=Policy.LEAVE,
    forbids=frozenset({Policy.THP}),
    message="Of {slotted_anon_bytes} with aligned slots only {thp_eligible_anon_rss_bytes} is eligible "
    "under THP mode {host_thp_enabled}, and no switch on the host says why.",
    remedy="Look for PR_SET_THP_DISABLE with PR_THP_DISABLE_EXCEPT_ADVISED (6.18+) in whoever starts it.",
    sources=(PRCTL, "Documentation/filesystems/proc.rst: THPeligible"),
    known_problems="The kernel does not show this state directly; it is concluded from eligibility.",
)
def thp_limited_to_advised() -> pl.Expr:
    """What it does: matches memory with aligned slots that is not eligible under always, without prctl or
    madvise.

    Why it matters: since 6.18 a process can be limited to what it advises; status still says THP_enabled: 1.

    Example: 1 GiB in one mapping, always, THPeligible 0, no nh flag.
    """
    slotted = col("slotted_anon_bytes")
    return (
        (col("anon_bytes") >= LARGE_BYTES)
        & (slotted >= LARGE_BYTES)
        & (col("host_thp_enabled") == "always")
        & (col("thp_eligible_anon_rss_bytes") < INELIGIBLE_SHARE * slotted)
        & (col("advised_against_anon_bytes") < MOST_SHARE * slotted)
        & ~col("thp_disabled_by_process")
    )


@rule(
    id="advised-against-huge-pages",
    title="The program has advised against huge pages for most of its memory",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.HIGH,
    proposes=Policy.LEAVE,
    forbids=frozenset({Policy.THP}),
    message="{advised_against_anon_bytes} of {anon_bytes} anonymous memory is marked MADV_NOHUGEPAGE by the program.",
    remedy="Respect it. Go up to 1.21 and some allocators do so to return memory in small pieces; look for "
    "their own switch.",
    sources=("madvise(2): MADV_NOHUGEPAGE", "Documentation/filesystems/proc.rst: VmFlags nh"),
    known_problems="Which part of the program gave the advice is not visible.",
)
def advised_against_huge_pages() -> pl.Expr:
    """What it does: matches a process in which at least half of the anonymous memory carries the flag nh.

    Why it matters: even MADV_COLLAPSE is refused there, so any advice to use huge pages would be empty.

    Example: a Go service whose heap arenas are all nh.
    """
    against = col("advised_against_anon_bytes")
    return (col("anon_bytes") >= LOST_BYTES) & (against >= LOST_BYTES) & (against >= MOST_SHARE * col("anon_bytes"))


@rule(
    id="mappings-too-small",
    title="The anonymous memory is in mappings too small for a huge page",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.HIGH,
    proposes=Policy.LEAVE,
    gains_time=True,
    message="{unslotted_anon_bytes} of {anon_bytes} anonymous memory is in mappings without one aligned "
    "slot of {host_pmd_bytes} ({anon_vma_count} anonymous mappings).",
    remedy="Let the allocator ask for larger pieces (glibc: a higher glibc.malloc.mmap_threshold and fewer "
    "arenas; or use jemalloc, tcmalloc), or enable a smaller mTHP size where the kernel has it (6.8+).",
    sources=(TRANSHUGE, "mallopt(3): M_MMAP_THRESHOLD"),
    known_problems="Adjacent mappings that the kernel did not merge count as separate.",
)
def mappings_too_small() -> pl.Expr:
    """What it does: matches when at least half of the anonymous memory lies where no aligned slot fits.

    Why it matters: no THP setting of the host can help this memory; only the program's allocator can.

    Example: 3,000 blocks of 200 KiB, each mapped by malloc on its own.
    """
    lost = col("unslotted_anon_bytes")
    return (
        (col("anon_bytes") >= LOST_BYTES)
        & (lost >= LOST_BYTES)
        & (lost >= MOST_SHARE * col("anon_bytes"))
        & (col("host_pmd_bytes") > 0)
        & (col("anon_vma_count") > 0)
    )


@rule(
    id="mappings-misaligned",
    title="Mappings are large enough for huge pages but badly aligned",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.HIGH,
    gains_time=True,
    message="Up to {alignment_loss_bytes} of {anon_bytes} anonymous memory lies outside every aligned slot, "
    "only {unslotted_anon_bytes} of it in mappings too small for one.",
    remedy="Map in multiples of the huge page size at aligned addresses (aligned_alloc, mmap with a hint), "
    "or use a kernel that aligns large mappings by itself (6.7+).",
    sources=(TRANSHUGE, "commit efa7df3e3bb5: mm: align larger anonymous mappings on THP boundaries"),
    known_problems="The loss is an upper bound: the untouched part of a mapping may be the part outside its slots.",
)
def mappings_misaligned() -> pl.Expr:
    """What it does: matches when at least a quarter of the anonymous memory is at the edges of mappings with
    slots.

    Why it matters: a mapping of 3 MiB at a wrong address has no huge page to win, at a right one it has.

    Example: 400 mappings of 3 MiB at odd addresses: 1 MiB lost in each.
    """
    edges = col("alignment_loss_bytes") - col("unslotted_anon_bytes")
    return (col("anon_bytes") >= LOST_BYTES) & (edges >= LOST_BYTES) & (edges >= LOST_SHARE * col("anon_bytes"))


RULES = (
    thp_disabled_by_process,
    thp_limited_to_advised,
    advised_against_huge_pages,
    mappings_too_small,
    mappings_misaligned,
)
