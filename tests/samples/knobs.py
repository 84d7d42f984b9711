"""The host's THP mode and pools, set for the length of a recording and restored afterwards, whatever happens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

THP_ENABLED = Path("/sys/kernel/mm/transparent_hugepage/enabled")
PMD_BYTES = Path("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")
POOLS = Path("/sys/kernel/mm/hugepages")


PATIENCE_S = 600.0
"""Longest wait for a pool that others use: a test run of theirs."""


class KnobError(Exception):
    """The host did not take a setting; nothing is left changed."""


@contextmanager
def thp_mode(mode: str) -> Iterator[None]:
    """`enabled` is `mode` inside: always, madvise or never."""
    before = THP_ENABLED.read_text().partition("[")[2].partition("]")[0]
    try:
        THP_ENABLED.write_text(mode)
        yield
    finally:
        THP_ENABLED.write_text(before)


@contextmanager
def pool_of(page_bytes: int, pages: int) -> Iterator[None]:
    """The pool of this page size holds exactly `pages` inside. KnobError: it cannot grow or is not free."""
    wait_for_empty_pools()
    file = POOLS / f"hugepages-{page_bytes // 1024}kB" / "nr_hugepages"
    try:
        file.write_text(str(pages))
        if (got := int(file.read_text())) != pages:
            raise KnobError(f"{file}: {pages} pages wanted, {got} got")
        yield
    finally:
        file.write_text("0")


def wait_for_empty_pools() -> None:
    """Until no pool of any size holds a page: somebody else may use one. Raises KnobError after PATIENCE_S."""
    deadline = time.monotonic() + PATIENCE_S
    while used := [file for file in POOLS.glob("*/nr_hugepages") if int(file.read_text())]:
        if time.monotonic() > deadline:
            raise KnobError(f"not 0: {', '.join(map(str, used))}; somebody else uses the pool")
        time.sleep(1.0)


def pmd_bytes() -> int:
    """Size of a transparent huge page."""
    return int(PMD_BYTES.read_text())
