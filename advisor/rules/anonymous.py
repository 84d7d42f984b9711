"""Rules about anonymous memory: what transparent huge pages give it, could give it, or would cost it."""

from __future__ import annotations

import polars as pl

from advisor.rules.conditions import (
    COVERED_SHARE,
    KHUGEPAGED,
    LARGE_BYTES,
    TRANSHUGE,
    col,
    dense,
    large_on_base_pages,
    sparse,
    would_get_thp,
)
from advisor.rules.engine import Confidence, Policy, Severity, rule

THEME = "anonymous memory"
"""Theme of every rule in this file."""

MADVISE = "madvise(2): MADV_HUGEPAGE, MADV_COLLAPSE"
MALLOC_TUNABLE = "glibc manual, Memory Allocation Tunables: glibc.malloc.hugetlb (2.35+)"

ADVISE_REMEDY = (
    "Let the program advise its memory: madvise(MADV_HUGEPAGE), GLIBC_TUNABLES=glibc.malloc.hugetlb=1 for "
    "glibc's malloc (2.35+), -XX:+UseTransparentHugePages for a JVM, thp:always in MALLOC_CONF for "
    "jemalloc; then restart it."
)

BOUND_PROBLEM = (
    "Where its pages could not be scanned (huge_page_growth_basis is smaps), the figure is a bound that assumes "
    "every touched base page alone in its slot."
)

PROTECT_SHARE = 0.1
"""Share of MemTotal. Source: own choice. Reason: growth by a tenth of the host's memory is what an operator
would want to be protected from, whoever switches the mode to always one day."""


@rule(
    id="large-anon-host-never",
    title="Large anonymous memory is on base pages because the host's THP mode is never",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.MEDIUM,
    proposes=Policy.THP,
    gains_time=True,
    message="{slotted_anon_bytes} of anonymous memory could be huge, {anon_huge_bytes} is: the host's THP "
    "mode is {host_thp_enabled}.",
    remedy="Set the host's THP mode to madvise, which changes nothing for others. " + ADVISE_REMEDY,
    sources=(TRANSHUGE, MADVISE),
    known_problems="Whoever set never may have had a reason that memory statistics do not show.",
)
def large_anon_host_never() -> pl.Expr:
    """What it does: matches much densely used anonymous memory on base pages under `enabled` = never.

    Why it matters: every page walk that a huge page would have saved is paid; never also denies it to those
    who ask.

    Example: a 1 GiB heap, all base pages, on a host with never.
    """
    return large_on_base_pages() & dense() & (col("host_thp_enabled") == "never")


@rule(
    id="large-anon-not-advised",
    title="Large anonymous memory is on base pages because the process does not ask for huge pages",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.HIGH,
    proposes=Policy.THP,
    gains_time=True,
    message="{slotted_anon_bytes} of anonymous memory could be huge, {anon_huge_bytes} is: the host's THP "
    "mode is {host_thp_enabled} and the process advises {advised_anon_rss_bytes} of it.",
    remedy=ADVISE_REMEDY,
    sources=(TRANSHUGE, MADVISE, MALLOC_TUNABLE),
    known_problems="How much time is gained depends on how the program walks its memory: sequential access "
    "gains little.",
)
def large_anon_not_advised() -> pl.Expr:
    """What it does: matches much densely used anonymous memory on base pages, not advised, under mode
    madvise.

    Why it matters: the host permits huge pages, nobody asks for them. One call or one environment variable
    does.

    Example: a program with random access to a private 1 GiB mapping, mode madvise, no MADV_HUGEPAGE.
    """
    return (
        large_on_base_pages()
        & dense()
        & (col("host_thp_enabled") == "madvise")
        & (col("advised_anon_rss_bytes") < 0.5 * col("slotted_anon_bytes"))
    )


@rule(
    id="large-anon-not-collapsed",
    title="Large anonymous memory may be huge by policy, has aligned slots, and is still on base pages",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.MEDIUM,
    proposes=Policy.THP,
    gains_time=True,
    message="{slotted_anon_bytes} of anonymous memory has aligned slots and may be huge (mode "
    "{host_thp_enabled}), yet only {anon_huge_bytes} is.",
    remedy="It was touched when no huge page was free, or in parts: let khugepaged scan faster, or collapse "
    "it with process_madvise(MADV_COLLAPSE) (6.1+), or restart the program.",
    sources=(KHUGEPAGED, MADVISE),
    known_problems="A slot is made huge at fault only when it is empty; memory touched before the mode was "
    "changed, and pages shared after fork, wait for khugepaged.",
)
def large_anon_not_collapsed() -> pl.Expr:
    """What it does: matches much densely used anonymous memory on base pages although mode and advice permit
    huge ones.

    Why it matters: policy is right and the result is missing; the cause is supply, khugepaged's pace or
    history.

    Example: a 4 GiB heap under always, 200 MiB of it huge.
    """
    allowed = (col("host_thp_enabled") == "always") | (
        (col("host_thp_enabled") == "madvise") & (col("advised_anon_rss_bytes") >= 0.5 * col("slotted_anon_bytes"))
    )
    return large_on_base_pages() & dense() & allowed


@rule(
    id="partly-populated-memory",
    title="Large anonymous memory on base pages is only partly populated",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.LOW,
    proposes=Policy.THP,
    gains_time=True,
    message="{slotted_anon_bytes} of anonymous memory could be huge, at the risk of growing by up to "
    "{huge_page_growth_bytes}.",
    remedy="Try it on this program and watch its RSS. " + ADVISE_REMEDY,
    sources=(TRANSHUGE, KHUGEPAGED),
    known_problems=BOUND_PROBLEM + " Heaps that fill from one end grow far less than that.",
)
def partly_populated_memory() -> pl.Expr:
    """What it does: matches much anonymous memory on base pages that huge pages could make two to five times
    as large.

    Why it matters: huge pages save page walks and cost the memory that they fill up with zeros, so this is a
    trade.

    Example: a heap of 12 GiB with 4 GiB touched.
    """
    return large_on_base_pages() & ~dense() & ~sparse()


@rule(
    id="thp-already-covers",
    title="Transparent huge pages already cover the anonymous memory",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.MEDIUM,
    proposes=Policy.LEAVE,
    message="{anon_huge_bytes} of anonymous memory, {anon_huge_coverage} of it, is on transparent huge pages.",
    remedy="Nothing to do.",
    sources=(TRANSHUGE,),
    known_problems="Huge pages of which little is used look the same; compare RSS with what the program "
    "believes it uses.",
)
def thp_already_covers() -> pl.Expr:
    """What it does: matches a process with at least 64 MiB and 80 % of its anonymous memory PMD-mapped.

    Why it matters: the policy in force works; a pool would cost memory and save almost no further page walk.

    Example: a 1 GiB mapping with MADV_HUGEPAGE, all of it huge.
    """
    return (col("anon_huge_bytes") >= LARGE_BYTES // 2) & (col("anon_huge_coverage") >= COVERED_SHARE)


@rule(
    id="sparse-memory-would-bloat",
    title="Sparse memory is exposed to transparent huge pages",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.MEDIUM,
    proposes=Policy.THP_OFF,
    forbids=frozenset({Policy.THP}),
    message="{anon_bytes} of anonymous memory could grow by up to {huge_page_growth_bytes} under THP "
    "mode {host_thp_enabled}.",
    remedy="Switch THP off for this program: prctl(PR_SET_THP_DISABLE) before it starts, or "
    "madvise(MADV_NOHUGEPAGE) on the sparse mappings.",
    sources=(TRANSHUGE, KHUGEPAGED, "PR_SET_THP_DISABLE(2const)"),
    known_problems=BOUND_PROBLEM,
)
def sparse_memory_would_bloat() -> pl.Expr:
    """What it does: matches touched memory thinly spread over large mappings where the mode gives huge pages.

    Why it matters: one touched base page is enough to back a whole huge page, at fault or by khugepaged.

    Example: 200 threads with stacks of 8 MiB, a few pages touched in each, under always.
    """
    return sparse() & would_get_thp()


@rule(
    id="sparse-memory-unexposed",
    title="Sparse memory is safe only as long as the host's THP mode stays",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.MEDIUM,
    proposes=Policy.THP_OFF,
    forbids=frozenset({Policy.THP}),
    message="{anon_bytes} of anonymous memory is spread so thinly that huge pages could add "
    "{huge_page_growth_bytes}; THP mode {host_thp_enabled} does not give it any now, always would.",
    remedy="Protect it from a later change of mode: prctl(PR_SET_THP_DISABLE) before the program starts.",
    sources=(TRANSHUGE, "PR_SET_THP_DISABLE(2const)"),
    known_problems=BOUND_PROBLEM,
)
def sparse_memory_unexposed() -> pl.Expr:
    """What it does: matches sparse memory that gets no huge pages today and would take a tenth of the host if
    it did.

    Why it matters: the mode is one host-wide switch; the next person who sets always takes this program
    along.

    Example: an 8 GiB mapping with one page touched in each 2 MiB, 24 GiB host, mode madvise, not advised.
    """
    risky = col("huge_page_growth_bytes") >= PROTECT_SHARE * col("host_memory_total_bytes")
    return sparse() & risky & ~would_get_thp() & (col("host_thp_enabled") != "never")


@rule(
    id="sparse-memory-spared",
    title="Sparse memory gets no transparent huge pages, which is right",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.HIGH,
    proposes=Policy.LEAVE,
    forbids=frozenset({Policy.THP}),
    message="{anon_bytes} of anonymous memory is spread thinly; THP mode {host_thp_enabled} gives it no "
    "huge pages, which saves up to {huge_page_growth_bytes}.",
    remedy="Nothing to do while the mode stays.",
    sources=(TRANSHUGE,),
    known_problems=BOUND_PROBLEM,
)
def sparse_memory_spared() -> pl.Expr:
    """What it does: matches sparse memory that gets no huge pages, under never or where the growth is small
    for the host.

    Why it matters: base pages are the right answer for such memory, and it has them.

    Example: a service with 100 idle threads, mode madvise.
    """
    small_growth = col("huge_page_growth_bytes") < PROTECT_SHARE * col("host_memory_total_bytes")
    return sparse() & ~would_get_thp() & (small_growth | (col("host_thp_enabled") == "never"))


@rule(
    id="growth-exceeds-available",
    title="Huge pages could need more memory than the host has available",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.MEDIUM,
    proposes=Policy.LEAVE,
    forbids=frozenset({Policy.THP}),
    message="Huge pages could add up to {huge_page_growth_bytes}; {host_memory_available_bytes} is available.",
    remedy="Measure the growth with a trial on this program, or lower khugepaged/max_ptes_none first.",
    sources=(TRANSHUGE, KHUGEPAGED),
    known_problems=BOUND_PROBLEM,
)
def growth_exceeds_available() -> pl.Expr:
    """What it does: matches partly populated memory whose worst growth is more than what the host has
    available.

    Why it matters: the growth would be paid with reclaim, swap or the OOM killer.

    Example: 4 GiB touched of a 12 GiB heap, 5 GiB available.
    """
    growth = col("huge_page_growth_bytes")
    return (col("anon_bytes") >= LARGE_BYTES) & ~dense() & (growth > col("host_memory_available_bytes"))


RULES = (
    large_anon_host_never,
    large_anon_not_advised,
    large_anon_not_collapsed,
    partly_populated_memory,
    thp_already_covers,
    sparse_memory_would_bloat,
    sparse_memory_unexposed,
    sparse_memory_spared,
    growth_exceeds_available,
)
