"""Policies brought to malloc: glibc's tunables, and the settings of other allocators."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from advisor.trial.way_model import Answer, Case, Step, Unusable, size_label

TUNABLES = "GLIBC_TUNABLES"
HUGETLB = "glibc.malloc.hugetlb"
MMAP_THRESHOLD = "glibc.malloc.mmap_threshold"

ASK_FOR_THP = "1"
"""Value of glibc.malloc.hugetlb: heaps are aligned to THP's size, and madvised where the system mode is madvise."""


FIRST_HEAP_ALONE_BYTES = 1 << 30
"""Pages from this size on serve the main thread's heap alone (seen with 1G on glibc 2.36; 2M serves all threads)."""


def with_setting(text: str | None, name: str, value: str, *, between: str, separator: str) -> str:
    """A list of settings such as "a=1:b=2" with one of them set; what else it holds is kept, in its order."""
    kept = [part for part in (text or "").split(separator) if part and part.partition(between)[0] != name]
    return separator.join([*kept, f"{name}{between}{value}"])


def with_tunables(text: str | None, values: Mapping[str, str]) -> str:
    """GLIBC_TUNABLES with these values set."""
    for name, value in values.items():
        text = with_setting(text, name, value, between="=", separator=":")
    return text or ""


def tunables_off(case: Case) -> Step | None:
    """Undoes a glibc.malloc.hugetlb that the caller's environment brings along; None where there is none."""
    text = case.environment.get(TUNABLES, "")
    if HUGETLB not in text or case.invocation.environment_lost:
        return None
    return Step(
        id="glibc-tunables-off",
        description=f"the caller's {HUGETLB} is switched off",
        environment={TUNABLES: with_tunables(text, {HUGETLB: "0"})},
    )


def glibc_obstacle(case: Case) -> str | None:
    """Why glibc's tunables do not reach this program's memory, None where nothing speaks against it."""
    file, invocation = case.file, case.invocation
    if invocation.environment_lost:
        return invocation.environment_lost
    if file.allocator:
        return f"{invocation.name} allocates with {file.allocator}, which glibc.malloc.hugetlb does not reach"
    if file.libc == "static":
        return f"{invocation.name} is statically linked: glibc.malloc.hugetlb is not known to reach it"
    if file.libc == "musl":
        return f"{invocation.name} uses musl, whose malloc takes no huge pages"
    if file.setuid:
        return f"{invocation.name} is setuid or setgid: glibc ignores its tunables there"
    if not case.host.glibc_tunable:
        return "this host has no glibc of 2.35 or later, so malloc takes no huge pages"
    return None


def thp_of_malloc(case: Case) -> Answer:
    """What makes malloc's memory fit for THP: glibc's alignment of heaps, or the allocator's own setting."""
    setting = ALLOCATOR_THP.get(case.file.allocator or "")
    if setting is not None and not case.invocation.environment_lost:
        return setting(case.environment)
    if glibc_obstacle(case):
        return None
    return Step(
        id="glibc-tunables",
        description=f"{HUGETLB}={ASK_FOR_THP} aligns malloc's heaps to huge pages",
        environment={TUNABLES: with_tunables(case.environment.get(TUNABLES), {HUGETLB: ASK_FOR_THP})},
        madvises=True,
    )


def pool_of_malloc(case: Case) -> Answer:
    """malloc's memory from the pool. Unusable where the allocator has no way to it."""
    setting = ALLOCATOR_POOL.get(case.file.allocator or "")
    if setting is not None and not case.invocation.environment_lost:
        return setting(case)
    obstacle = glibc_obstacle(case)
    if obstacle:
        return Unusable(obstacle)
    page_bytes = str(case.policy.page_bytes)
    # Without the threshold, blocks of 128 KiB up to one huge page are mapped one by one on base pages: of 300
    # blocks of 500 kB (147 MiB) 4 MiB came from a 2M pool without it and all of them with it (glibc 2.36).
    values = {HUGETLB: page_bytes, MMAP_THRESHOLD: page_bytes}
    first_alone = (case.policy.page_bytes or 0) >= FIRST_HEAP_ALONE_BYTES
    return Step(
        id="glibc-tunables",
        description=f"{HUGETLB}={page_bytes} takes malloc's memory from the pool; {MMAP_THRESHOLD} keeps blocks "
        f"smaller than {size_label(case.policy.page_bytes or 0)} on the heap, where it can"
        + ("; heaps of all threads but the first stay on base pages" if first_alone else ""),
        environment={TUNABLES: with_tunables(case.environment.get(TUNABLES), values)},
    )


def _jemalloc_thp(environment: Mapping[str, str]) -> Step:
    text = environment.get("MALLOC_CONF")
    return Step(
        id="jemalloc-conf",
        description="thp:always makes jemalloc madvise its memory",
        environment={"MALLOC_CONF": with_setting(text, "thp", "always", between=":", separator=",")},
        madvises=True,
    )


def _mimalloc_pool(case: Case) -> Answer:
    if case.policy.page_bytes != 2 << 20:
        return Unusable(
            "mimalloc has to be told how many such pages to reserve: give a way of your own, "
            "MIMALLOC_RESERVE_HUGE_OS_PAGES=N"
        )
    return Step(
        id="mimalloc-options",
        description="MIMALLOC_ALLOW_LARGE_OS_PAGES=1 takes mimalloc's memory from the pool",
        environment={"MIMALLOC_ALLOW_LARGE_OS_PAGES": "1"},
    )


ALLOCATOR_THP: Mapping[str, Callable[[Mapping[str, str]], Step]] = {"jemalloc": _jemalloc_thp}
"""Allocators, by the names of the knowledge base, that madvise when told to; mimalloc does by itself from 1.9.6."""

ALLOCATOR_POOL: Mapping[str, Callable[[Case], Answer]] = {"mimalloc": _mimalloc_pool}
"""Allocators that take pool pages: mimalloc by its readme, not seen live. gperftools' tcmalloc needs a hugetlbfs
mount of the user: a way of one's own."""
