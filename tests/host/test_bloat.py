"""The forecast of bloat against the RSS that is measured once THP is on: started under it, and collapsed."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from advisor.collect.options import SamplerOptions
from advisor.collect.sampler import Sampler
from advisor.collect.session import make_header
from advisor.features.bloat import Forecast
from advisor.features.pages import forecast_of
from advisor.procfs.fs import KernelFs
from advisor.profile.timeline import Timeline
from tests.host.knobs import THP, setting
from tests.programs import planted

pytestmark = pytest.mark.host

CLOSE = 0.05
"""Of the RSS measured: how far the forecast may be off."""

SHAPES_MIB = {"tiny": 128, "sparse": 256, "half": 128, "churn": 96, "trimmed": 96}
"""Dense, one page a slot, every other page, glibc's malloc and free, and the same after malloc_trim."""

KHUGEPAGED = THP / "khugepaged"
PASSES = 2
"""Full passes of khugepaged to wait for: the first may have begun before the process was known to it."""

PATIENCE_S = 60.0

MORE_BYTES = 4 << 20
"""What a planted program maps and touches when it is told to."""


@pytest.fixture
def host() -> Iterator[None]:
    """THP never, as long as the test does not say otherwise."""
    if (THP / "hpage_pmd_size").exists() and int((THP / "hpage_pmd_size").read_text()) != 2 << 20:
        pytest.skip("the planted programs are made for slots of 2 MiB")
    with setting(THP / "enabled", "never"):
        yield


def rss_bytes(pid: int) -> int:
    found = re.search(r"(?m)^Rss: +(\d+) kB$", Path(f"/proc/{pid}/smaps_rollup").read_text())
    assert found is not None
    return int(found[1]) * 1024


def observed(pid: int) -> Forecast:
    sampler = Sampler(KernelFs(), SamplerOptions(pids=frozenset({pid})))
    sample = sampler.tick()
    timeline = Timeline(make_header(sampler, redacted=True))
    timeline.add(sample)
    (process,) = timeline.processes.values()
    if "pagemap" in (process.problems or {}):
        pytest.skip(f"pagemap: {process.problems}")
    made = forecast_of(process, timeline.host_last)
    assert made is not None
    assert made.unscanned_bytes == 0
    return made


@pytest.mark.parametrize("shape", SHAPES_MIB)
def test_started_under_thp_a_program_grows_as_forecast(host: None, shape: str) -> None:
    with planted(shape, SHAPES_MIB[shape]) as process:
        forecast = observed(process.pid)
        expected = rss_bytes(process.pid) + forecast.fault
    with setting(THP / "enabled", "always"), planted(shape, SHAPES_MIB[shape]) as process:
        assert rss_bytes(process.pid) == pytest.approx(expected, rel=CLOSE)


@pytest.mark.parametrize(("shape", "max_ptes_none"), [*((shape, 511) for shape in SHAPES_MIB), ("half", 128)])
def test_khugepaged_makes_a_program_grow_as_forecast(host: None, shape: str, max_ptes_none: int) -> None:
    with setting(KHUGEPAGED / "max_ptes_none", str(max_ptes_none)), planted(shape, SHAPES_MIB[shape]) as process:
        forecast = observed(process.pid)
        assert forecast.khugepaged is not None
        expected = rss_bytes(process.pid) + MORE_BYTES + forecast.khugepaged
        with fast_khugepaged():
            make_known(process)
            assert settled_rss_bytes(process.pid) == pytest.approx(expected, rel=CLOSE)


@contextmanager
def fast_khugepaged() -> Iterator[None]:
    with ExitStack() as stack:
        for name, value in (("scan_sleep_millisecs", 0), ("alloc_sleep_millisecs", 0), ("pages_to_scan", 1 << 20)):
            stack.enter_context(setting(KHUGEPAGED / name, str(value)))
        stack.enter_context(setting(THP / "enabled", "always"))
        stack.enter_context(preferred("khugepaged"))
        yield


@contextmanager
def preferred(name: str) -> Iterator[None]:
    """A kernel thread, which is the nicest there is, before other programs: on a busy machine it starves."""
    threads = [int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat") if is_named(stat, name)]
    before = {thread: os.getpriority(os.PRIO_PROCESS, thread) for thread in threads}
    try:
        for thread in threads:
            os.setpriority(os.PRIO_PROCESS, thread, -10)
        yield
    finally:
        for thread, nice in before.items():
            os.setpriority(os.PRIO_PROCESS, thread, nice)


def is_named(stat: Path, name: str) -> bool:
    try:
        return f"({name})" in stat.read_text()
    except OSError:
        return False


def make_known(process: subprocess.Popen[bytes]) -> None:
    """khugepaged knows who faulted in, or mapped, memory that may be huge since the mode was changed."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b"more\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"mapped\n"


def settled_rss_bytes(pid: int) -> int:
    """RSS that stays for a second and for PASSES passes of khugepaged, which skips what it cannot lock at once."""
    ends = time.monotonic() + PATIENCE_S
    before = -1
    while (now := rss_bytes(pid)) != before:
        before, begun, until = now, passes(), time.monotonic() + 1
        while passes() < begun + PASSES or time.monotonic() < until:
            if time.monotonic() > ends:
                pytest.skip(f"khugepaged did not settle in {PATIENCE_S:g} s")
            time.sleep(0.1)
    return now


def passes() -> int:
    return int((KHUGEPAGED / "full_scans").read_text())
