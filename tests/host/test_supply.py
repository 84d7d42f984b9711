"""The forecast of supply against what the kernel then hands out, on memory that a test has fragmented."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from advisor.collect.host_reader import HostReader
from advisor.features.supply import Supply, supply
from advisor.procfs.fs import KernelFs
from advisor.procfs.meminfo import parse_meminfo
from advisor.units import GIB, MIB
from tests.host.knobs import POOLS, setting

pytestmark = pytest.mark.host

PROGRAM = Path(__file__).parents[1] / "fragment.py"
PMD_KIB, GIGANTIC_KIB = 2048, 1048576

LEAST_BYTES = 6 * GIB
"""Memory that must be available: a third of it is fragmented."""

FIRST_TO_GO = "1000"
"""oom_score_adj: the whole memory of the host goes into a pool for a second, and this process gives way."""

MORE_THAN_THERE_IS = "1000000"
MOST_WRITES = 12

IDLE_WRITES = 2
"""Writes in a row that got nothing, after which no more is expected: kswapd may free between two of them."""

PAGE_CACHE_SHARE = 0.15
"""Of the memory that is available, filled with page cache: enough that a forecast without it is off by more."""


def available_bytes() -> int:
    return KernelFs().parse_proc("meminfo", parse_meminfo)["MemAvailable"]


@contextmanager
def fragmented(kind: str, share: float, keep: int) -> Iterator[None]:
    """A share of the available memory fragmented inside the block; a second process gives way where memory ends."""
    if available_bytes() < LEAST_BYTES:
        pytest.skip("too little memory is available to fragment some")
    mib = int(available_bytes() * share / MIB)
    plans = [["holes", "256", "1"], [kind, str(mib), str(keep)]]
    processes = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), *plan], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for plan in plans
    ]
    try:
        for process in processes:
            Path(f"/proc/{process.pid}/oom_score_adj").write_text(FIRST_TO_GO)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def drop_page_cache() -> None:
    """Clean pages alone go: what is dirty is written first."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("1")


@contextmanager
def page_cache(folder: Path) -> Iterator[None]:
    """A share of the available memory full of page cache inside the block; skips where the disk is too small."""
    size = int(available_bytes() * PAGE_CACHE_SHARE) // MIB * MIB
    if shutil.disk_usage(folder).free < 2 * size:
        pytest.skip("the disk has too little room for page cache")
    file = folder / "cached"
    try:
        with file.open("wb") as stream:
            for _ in range(size // MIB):
                stream.write(b"\x01" * MIB)
            os.fsync(stream.fileno())
        yield
    finally:
        file.unlink()


def forecast(page_kib: int) -> Supply:
    """Of all nodes together; skips where the flags of physical pages cannot be read."""
    reader = HostReader(KernelFs(), deadline_s=5.0)
    facts = reader.facts()
    state = reader.contiguity(
        reader.state(with_pagetypes=True, cgroups=[], khugepaged_pid=None), facts.base_page_bytes
    )
    if state.contiguity is None:
        pytest.skip(f"/proc/kpageflags: {state.problems.get('kpageflags')}")
    found = [entry for entry in supply(state, facts.base_page_bytes) if entry.page_bytes == page_kib << 10]
    if not found:
        pytest.skip(f"this kernel has no pages of {page_kib} KiB")
    low, now, high = (sum(getattr(entry, name) or 0 for entry in found) for name in ("low", "available_now", "high"))
    return found[0]._replace(node=None, low=low, available_now=now, high=high)


def handed_out(page_kib: int) -> int:
    """Pages that the pool of this size can be given beside those it has: written until it grows no more.

    A write ends at the first page that the kernel does not get, also where the next write gets thousands (6.18).
    """
    file = POOLS / f"hugepages-{page_kib}kB" / "nr_hugepages"
    before = most = int(file.read_text())
    with setting(file, str(before)):
        idle = 0
        for _ in range(MOST_WRITES):
            Path("/proc/sys/vm/compact_memory").write_text("1")
            file.write_text(MORE_THAN_THERE_IS)
            got = int(file.read_text())
            idle = idle + 1 if got <= most else 0
            most = max(got, most)
            if idle == IDLE_WRITES:
                break
    return most - before


@pytest.mark.parametrize(("kind", "keep"), [("holes", 2)])
def test_supply_of_pmd_pages_is_within_a_tenth_of_what_the_kernel_hands_out(kind: str, keep: int) -> None:
    with fragmented(kind, 0.2, keep):
        drop_page_cache()
        found = forecast(PMD_KIB)
        got = handed_out(PMD_KIB)
    assert found.available_now == pytest.approx(got, rel=0.1), found
    assert found.low is not None and found.low <= got * 1.02


def test_with_page_cache_the_bounds_hold_what_the_kernel_hands_out(tmp_path: Path) -> None:
    with page_cache(tmp_path), fragmented("holes", 0.2, 2):
        found = forecast(PMD_KIB)
        got = handed_out(PMD_KIB)
    assert found.low is not None and found.high is not None and found.high > found.low
    assert found.low * 0.98 <= got <= found.high * 1.02, found


@pytest.mark.parametrize(("kind", "keep"), [("holes", 4)])
def test_supply_of_gigantic_pages_is_within_one_of_what_the_kernel_hands_out(kind: str, keep: int) -> None:
    with fragmented(kind, 0.15, keep):
        found = forecast(GIGANTIC_KIB)
        got = handed_out(GIGANTIC_KIB)
    assert found.available_now == pytest.approx(got, abs=1), found
