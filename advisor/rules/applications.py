"""Rules about what a program's makers say of THP, and what known programs and libraries do with it by themselves."""

from __future__ import annotations

import polars as pl

from advisor.rules.conditions import LARGE_BYTES, THP_OFF_STANCES, TRANSHUGE, col, large_on_base_pages
from advisor.rules.engine import Confidence, Policy, Severity, rule
from advisor.units import MIB

THEME = "applications"
"""Theme of every rule in this file."""

CONCERNED_BYTES = 64 * MIB
"""Bytes. Source: as for the rule on prctl. Reason: half of what the rules call large; makers' words hold for a
program whatever its size, but nobody changes a setting for less."""

TABLE = "the table of known applications (hugepage-advisor explain NAME)"
PRCTL = "PR_SET_THP_DISABLE(2const)"

NOT_ALWAYS = ("avoid-always", "wants-madvise")
"""Stances of those whose makers object to mode always."""


def _stance(*stances: str) -> pl.Expr:
    """The program's makers, or a library in it, have this stance; not known is a "no", not a "cannot tell"."""
    return col("application_stance").is_in(stances).fill_null(False)


def _with_words() -> pl.Expr:
    """The words and their source are there, which they are wherever there is a stance."""
    return col("application_says").is_not_null() & col("application_source").is_not_null()


def _large_enough() -> pl.Expr:
    return (col("anon_bytes") >= CONCERNED_BYTES) | (col("shmem_rss_bytes") >= CONCERNED_BYTES)


def _gets_thp_unasked() -> pl.Expr:
    """Mode always serves it, whether it asks or not."""
    return (col("host_thp_enabled") == "always") & ~col("thp_disabled_by_process")


@rule(
    id="application-avoids-thp",
    title="Transparent huge pages are off for the application, which its makers want",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.HIGH,
    proposes=Policy.LEAVE,
    forbids=frozenset({Policy.THP}),
    cites="application_source",
    message="THP off is right for it, and is what it has (mode {host_thp_enabled}). {application_says}.",
    remedy="Nothing to do: it is on purpose. Who wants to know better can measure.",
    sources=(TABLE, PRCTL),
    known_problems="The reason is mostly latency of copy-on-write after fork, or growth; an instance that never "
    "forks may gain.",
)
def application_avoids_thp() -> pl.Expr:
    """What it does: matches an application whose makers want THP off, or let it switch THP off, where the host's mode
    or the process's own switch keeps it off.

    Why it matters: under always some programs switch it off by themselves, and that is no fault to repair; under
    madvise they must not be talked into the opposite.

    Example: Redis with 4 GiB, mode madvise; Redis with THP_enabled 0, mode always.
    """
    return _large_enough() & _stance(*THP_OFF_STANCES) & _with_words() & ~_gets_thp_unasked()


@rule(
    id="application-exposed-to-thp",
    title="The application gets transparent huge pages that its makers want off",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.HIGH,
    proposes=Policy.THP_OFF,
    forbids=frozenset({Policy.THP}),
    cites="application_source",
    message="THP is on for it (mode {host_thp_enabled}), and is to be off. {application_says}.",
    remedy="Switch it off for this program alone, by its own option, by systemd's MemoryTHP=disable, or by prctl "
    "before it starts; or set the host's mode to madvise. Then restart it.",
    sources=(TABLE, PRCTL),
    known_problems="Somebody may have switched its own protection off after measuring.",
)
def application_exposed_to_thp() -> pl.Expr:
    """What it does: matches an application whose makers want THP off on a host with mode always, if it has not been
    switched off for the process.

    Why it matters: the makers know their program's forks, allocator and latency; memory statistics do not show them.

    Example: MongoDB 7 under always; Redis with disable-thp no under always.
    """
    return _large_enough() & _stance(*THP_OFF_STANCES) & _with_words() & _gets_thp_unasked()


@rule(
    id="application-against-always",
    title="The application's makers object to the host's THP mode",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.HIGH,
    proposes=Policy.THP_OFF,
    forbids=frozenset({Policy.THP}),
    cites="application_source",
    message="The mode is {host_thp_enabled}. {application_says}.",
    remedy="Set the host's mode to madvise, which serves those who ask; or switch THP off for this program "
    "(MemoryTHP=disable, prctl). Then restart it.",
    sources=(TABLE, TRANSHUGE),
    known_problems="Where it makes good use of the pages that it gets, the change costs their gain.",
)
def application_against_always() -> pl.Expr:
    """What it does: matches an application whose makers advise against mode always, under mode always, unless it asks
    for huge pages itself or has them switched off.

    Why it matters: such programs neither ask for huge pages nor expect them, and grow or stall with them.

    Example: ClickHouse under always.
    """
    return _large_enough() & _stance(*NOT_ALWAYS) & _with_words() & _gets_thp_unasked() & (col("advised_bytes") == 0)


@rule(
    id="application-not-to-be-advised",
    title="The application is not to be talked into transparent huge pages",
    theme=THEME,
    severity=Severity.INFO,
    confidence=Confidence.HIGH,
    forbids=frozenset({Policy.THP}),
    cites="application_source",
    message="The mode is {host_thp_enabled}. {application_says}.",
    remedy="Leave its private memory on base pages.",
    sources=(TABLE, TRANSHUGE),
    known_problems="Of some makers the word is older than the kernels in use.",
)
def application_not_to_be_advised() -> pl.Expr:
    """What it does: matches an application whose makers advise against mode always, where it gets no huge pages
    unasked and does not ask.

    Why it matters: telling its allocator to ask would bring what its makers advise against. An explicit pool is
    another matter, which several of them recommend.

    Example: PostgreSQL under madvise.
    """
    return _large_enough() & _stance(*NOT_ALWAYS) & _with_words() & ~_gets_thp_unasked() & (col("advised_bytes") == 0)


@rule(
    id="application-wants-thp",
    title="The application's makers want transparent huge pages, and it has none",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.HIGH,
    proposes=Policy.THP,
    forbids=frozenset({Policy.THP_OFF}),
    gains_time=True,
    seen_by_model=False,
    cites="application_source",
    message="{slotted_anon_bytes} of anonymous memory could be huge, {anon_huge_bytes} is (mode {host_thp_enabled}). "
    "{application_says}.",
    remedy="Set the host's mode to always, which it needs as it does not ask itself; protect others from it one by "
    "one (MemoryTHP=disable). Lift what switches THP off for it. Then restart it.",
    sources=(TABLE, TRANSHUGE),
    known_problems="Mode always is for everybody on the host: see what the plan says of the others.",
)
def application_wants_thp() -> pl.Expr:
    """What it does: matches much anonymous memory on base pages of a program whose makers want mode always, where the
    mode is another one or THP is switched off for it.

    Why it matters: an allocator that is made for huge pages gains most from them and does not advise its heap, so
    that madvise is not enough.

    Example: MongoDB 8 on a host that was set to never for MongoDB 7.
    """
    return large_on_base_pages() & _stance("wants-on") & _with_words() & ~_gets_thp_unasked()


@rule(
    id="application-keeps-thp",
    title="The application has the transparent huge pages that its makers want",
    theme=THEME,
    severity=Severity.LOW,
    confidence=Confidence.HIGH,
    proposes=Policy.LEAVE,
    forbids=frozenset({Policy.THP_OFF}),
    cites="application_source",
    message="The mode is {host_thp_enabled}. {application_says}.",
    remedy="Nothing to do.",
    sources=(TABLE, TRANSHUGE),
    known_problems="How much of it is huge at the moment is another question.",
)
def application_keeps_thp() -> pl.Expr:
    """What it does: matches a program whose makers want mode always, under mode always.

    Why it matters: its memory may look sparse, and its allocator is made for just that.

    Example: MongoDB 8 under always.
    """
    return _large_enough() & _stance("wants-on") & _with_words() & _gets_thp_unasked()


@rule(
    id="application-version-unknown",
    title="What the application's makers want depends on its version, which is not known",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.LOW,
    proposes=Policy.LEAVE,
    forbids=frozenset({Policy.THP, Policy.THP_OFF}),
    cites="application_source",
    message="It depends on its version, which its files do not tell. {application_says}.",
    remedy="Find its version, and follow what holds for it.",
    sources=(TABLE,),
    known_problems="A program whose file was replaced since it started, or that may not be read, tells no version.",
)
def application_version_unknown() -> pl.Expr:
    """What it does: matches an application whose makers say different things for different versions or processors,
    where neither a path nor a file tells which it is.

    Why it matters: half of the time either advice would be wrong.

    Example: MongoDB from a profile without versions.
    """
    depends = col("application_stance").is_null() & col("application_says").is_not_null()
    return _large_enough() & depends & col("application_source").is_not_null()


@rule(
    id="application-asks-for-thp",
    title="The program asks for transparent huge pages by itself",
    theme=THEME,
    severity=Severity.INFO,
    confidence=Confidence.HIGH,
    message="{asks_for_thp} in it advises memory for huge pages, {advised_bytes} now: mode madvise is enough for it "
    "(it is {host_thp_enabled}).",
    remedy="Nothing to do under madvise or always. Do not set the mode to never.",
    sources=(TABLE, TRANSHUGE),
    known_problems="An option or variable may keep it from asking; then nothing is advised.",
)
def application_asks_for_thp() -> pl.Expr:
    """What it does: matches a large program with a library, allocator or runtime that advises memory for huge pages
    without being told.

    Why it matters: for such programs always brings nothing that madvise does not, and never takes away what they
    count on.

    Example: Python with NumPy and a large array.
    """
    asks = col("asks_for_thp").is_not_null() & col("host_thp_enabled").is_not_null()
    return (col("anon_bytes") >= LARGE_BYTES) & asks & (col("advised_bytes") >= 0)


@rule(
    id="advised-in-vain",
    title="The program asks for transparent huge pages and the host's mode denies them",
    theme=THEME,
    severity=Severity.MEDIUM,
    confidence=Confidence.HIGH,
    proposes=Policy.THP,
    gains_time=True,
    message="{advised_anon_rss_bytes} of anonymous memory is advised for huge pages; the mode is {host_thp_enabled}.",
    remedy="Set the host's mode to madvise: it serves those who ask and changes nothing for the others.",
    sources=(TRANSHUGE, "madvise(2): MADV_HUGEPAGE"),
    known_problems="Whoever set never may have had a reason that memory statistics do not show.",
)
def advised_in_vain() -> pl.Expr:
    """What it does: matches a program that advised much of its memory for huge pages on a host with mode never.

    Why it matters: its authors expect huge pages there, and got none.

    Example: NumPy arrays of 1 GiB, mode never.
    """
    return (
        (col("anon_bytes") >= LARGE_BYTES)
        & (col("advised_anon_rss_bytes") >= LARGE_BYTES)
        & (col("host_thp_enabled") == "never")
    )


@rule(
    id="malloc-has-no-tunable",
    title="The C library is too old to be told about huge pages",
    theme=THEME,
    severity=Severity.INFO,
    confidence=Confidence.HIGH,
    message="{slotted_anon_bytes} could be huge, but its {allocator} has no glibc.malloc.hugetlb yet (2.35).",
    remedy="Let the program advise its memory itself, preload an allocator that can (jemalloc with thp:always), or "
    "use a newer system.",
    sources=("glibc NEWS, 2.35", TABLE),
    known_problems="Distributions may have taken the tunable into older releases.",
)
def malloc_has_no_tunable() -> pl.Expr:
    """What it does: matches large memory on base pages of a program on a glibc before 2.35.

    Why it matters: the usual advice, one environment variable, has no effect there, and says nothing of it.

    Example: a service on a distribution of 2020.
    """
    too_old = (~col("malloc_tunable")).fill_null(False)
    return large_on_base_pages() & too_old & (col("allocator") == "glibc")


RULES = (
    application_avoids_thp,
    application_exposed_to_thp,
    application_against_always,
    application_not_to_be_advised,
    application_wants_thp,
    application_keeps_thp,
    application_version_unknown,
    application_asks_for_thp,
    advised_in_vain,
    malloc_has_no_tunable,
)
