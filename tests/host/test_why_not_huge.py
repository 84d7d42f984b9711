"""VMAs that are not huge, each in another way, on this kernel: the report names the reason of each."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import asdict

from advisor.advise import advise
from advisor.collect.khugepaged_trace import PREFIX
from advisor.collect.options import SamplerOptions
from advisor.collect.sampler import Sampler
from advisor.collect.session import listening, make_header
from advisor.procfs.fs import KernelFs
from advisor.procfs.khugepaged_trace import tracefs_of
from advisor.profile.model import Profile
from advisor.units import MIB
from tests.host.knobs import THP, setting
from tests.in_process import advisor
from tests.planted_vmas import SIZE, pmd_bytes
from tests.programs import planted_vma

pytestmark = pytest.mark.host

KHUGEPAGED = THP / "khugepaged"
SLEEP_MS = 600_000
"""Longer than any test: khugepaged looks at nothing new meanwhile."""

Why = dict[str, dict[str, Any]]
"""Entries of why_not_huge by reason."""


@contextmanager
def sleeping_khugepaged() -> Iterator[None]:
    """khugepaged has just looked at a program of its own and now sleeps longer than the test."""
    with setting(KHUGEPAGED / "scan_sleep_millisecs", str(SLEEP_MS)), planted_vma("eligible") as bait:
        ends = time.monotonic() + 3
        while time.monotonic() < ends and not huge_bytes(bait.pid):
            time.sleep(0.05)
        time.sleep(0.2)
        yield


def huge_bytes(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kib) * 1024 for kib in re.findall(r"(?m)^AnonHugePages: +(\d+) kB$", text))


def why_not_huge(pids: dict[str, int]) -> dict[str, Why]:
    """By kind, what the report of these processes says now."""
    sampler = Sampler(KernelFs(), SamplerOptions(pids=frozenset(pids.values())))
    report = advise(Profile(make_header(sampler, redacted=True), [sampler.tick()]))
    entries = {entry.pid: entry for entry in report.processes}
    return {kind: {one.reason: asdict(one) for one in entries[pid].why_not_huge} for kind, pid in pids.items()}


def why_not_huge_by_command(pids: dict[str, int], *options: str) -> dict[str, Why]:
    """The same by the command line."""
    named = [f"--pid={pid}" for pid in pids.values()]
    done = advisor("report", "--json", "--duration=0", *options, *named)
    assert done.returncode == 0, done.stderr
    entries = {entry["pid"]: entry for entry in json.loads(done.stdout)["processes"]}
    return {kind: {one["reason"]: one for one in entries[pid]["why_not_huge"]} for kind, pid in pids.items()}


@contextmanager
def swap_file(folder: Path) -> Iterator[None]:
    """Swap space for the time of the block; skips where there can be none."""
    path = folder / "swap"
    path.write_bytes(bytes(4 * SIZE))
    path.chmod(0o600)
    try:
        subprocess.run(["mkswap", path], check=True, capture_output=True)
        subprocess.run(["swapon", path], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        path.unlink()
        pytest.skip(f"no swap file here: {error}")
    try:
        yield
    finally:
        subprocess.run(["swapoff", path], check=True, capture_output=True)
        path.unlink()


WHERE_ADVISED = {
    "plain": ("not-advised", SIZE),
    "eligible": ("khugepaged-not-yet", SIZE),
    "locked": ("khugepaged-not-yet", SIZE),
    "advised-against": ("advised-against", SIZE),
    "prctl": ("prctl", SIZE),
    "too-small": ("mapping-too-small", SIZE),
    "misaligned": ("misaligned", SIZE * 9 // 10),
    "shared-memory": ("shmem-not-enabled", SIZE),
    "file-copy": ("private-file-copy", SIZE),
    "memfd-copy": ("private-file-copy", SIZE),
    "sparse": ("too-sparse", SIZE // 4),
    "shared": ("shared", SIZE),
    "userfaultfd": ("userfaultfd", SIZE // 2),
    "pinned": ("pinned", SIZE),
    "idle": ("not-referenced", SIZE),
}
"""Kind of program -> (its reason, bytes of it at least), where the host gives huge pages to those who ask."""


@pytest.fixture(scope="module")
def where_advised() -> Iterator[dict[str, Why]]:
    with ExitStack() as stack:
        stack.enter_context(setting(THP / "enabled", "madvise"))
        stack.enter_context(setting(THP / "shmem_enabled", "never"))
        stack.enter_context(setting(KHUGEPAGED / "max_ptes_none", "64"))
        stack.enter_context(sleeping_khugepaged())
        pids = {}
        for kind in [*WHERE_ADVISED, "unused"]:
            try:
                pids[kind] = stack.enter_context(planted_vma(kind)).pid
            except RuntimeError:
                continue  # what this kernel does not have (io_uring, userfaultfd); its test skips
        yield why_not_huge_by_command(pids)


@pytest.mark.parametrize("kind", WHERE_ADVISED)
def test_each_mapping_is_not_huge_for_its_own_reason(where_advised: dict[str, Why], kind: str) -> None:
    if kind not in where_advised:
        pytest.skip(f"{kind}: this kernel does not let it")
    reason, size = WHERE_ADVISED[kind]
    found = where_advised[kind]
    assert reason in found, found
    assert found[reason]["bytes"] >= size, found
    assert max(found.values(), key=lambda one: one["bytes"])["reason"] == reason
    assert found[reason]["remedy"] and found[reason]["title"]


def test_memory_that_nobody_touched_is_told_as_address_space(where_advised: dict[str, Why]) -> None:
    unused = where_advised["unused"]["not-populated"]
    assert (unused["bytes"], unused["vmas"]) == (0, 1)
    assert unused["beside_bytes"] == SIZE


def test_how_long_khugepaged_needs_is_said(where_advised: dict[str, Why]) -> None:
    assert where_advised["eligible"]["khugepaged-not-yet"]["wait_s"] > SLEEP_MS / 1000


def test_memory_in_swap_is_told_from_memory_that_khugepaged_would_take(tmp_path: Path) -> None:
    with (
        swap_file(tmp_path),
        setting(THP / "enabled", "madvise"),
        sleeping_khugepaged(),
        planted_vma("swapped") as one,
    ):
        swapped = why_not_huge({"swapped": one.pid})["swapped"].get("swapped")
    assert swapped is not None
    assert swapped["bytes"] >= SIZE * 3 // 4 * 9 // 10
    assert swapped["beside_bytes"] >= SIZE // 4 * 9 // 10
    assert "max_ptes_swap is 64 of 512" in swapped["note"]


def test_a_process_that_takes_thp_only_where_advised_is_told_from_one_that_takes_none() -> None:
    with setting(THP / "enabled", "always"), sleeping_khugepaged(), ExitStack() as stack:
        try:
            excepted = stack.enter_context(planted_vma("prctl-except-advised"))
        except RuntimeError:
            pytest.skip("this kernel has no PR_THP_DISABLE_EXCEPT_ADVISED (6.18)")
        found = why_not_huge({"excepted": excepted.pid, "off": stack.enter_context(planted_vma("prctl")).pid})
    assert found["excepted"]["prctl-except-advised"]["bytes"] >= SIZE
    assert "prctl" not in found["excepted"]
    assert found["off"]["prctl"]["bytes"] >= SIZE


def test_a_host_that_says_never_is_named_and_shared_memory_follows_its_own_switch() -> None:
    with ExitStack() as stack:
        stack.enter_context(setting(THP / "enabled", "never"))
        stack.enter_context(setting(THP / "shmem_enabled", "advise"))
        pids = {kind: stack.enter_context(planted_vma(kind)).pid for kind in ("eligible", "shared-memory")}
        found = why_not_huge(pids)
    assert found["eligible"]["host-mode-never"]["bytes"] >= SIZE
    assert found["shared-memory"]["shmem-not-advised"]["bytes"] >= SIZE


def test_shared_memory_filled_before_its_switch_was_on_waits_for_khugepaged() -> None:
    with ExitStack() as stack:
        stack.enter_context(setting(THP / "shmem_enabled", "never"))
        stack.enter_context(sleeping_khugepaged())
        pids = {name: stack.enter_context(planted_vma(f"shared-memory-{name}")).pid for name in ("advised", "askew")}
        stack.enter_context(setting(THP / "shmem_enabled", "always"))
        found = why_not_huge(pids)
    assert found["advised"]["khugepaged-not-yet"]["bytes"] >= SIZE - 2 * MIB
    assert found["askew"]["misaligned"]["bytes"] >= SIZE


def test_memory_on_smaller_huge_pages_is_told_as_such() -> None:
    """Sizes between the base and the PMD page on for all, the PMD size for nobody: folios of 64 KiB."""
    size = THP / "hugepages-64kB" / "enabled"
    if not size.exists():
        pytest.skip("this kernel has no mTHP (6.8), or no size of 64 KiB")
    with setting(THP / "enabled", "never"), setting(size, "always"), planted_vma("plain") as one:
        found = why_not_huge({"one": one.pid})["one"]
    if "already-mthp" not in found and os.geteuid() != 0:
        pytest.skip("kpageflags is for root")
    assert found["already-mthp"]["bytes"] >= SIZE * 9 // 10, found
    assert found["already-mthp"]["bytes"] + found.get("host-mode-never", {"bytes": 0})["bytes"] >= SIZE


@contextmanager
def memory_cgroup() -> Iterator[Path]:
    """A cgroup of the memory controller, v1 or v2, below that of this test; empty again at the end of the block."""
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    v1 = next((path for _, names, path in lines if "memory" in names.split(",")), None)
    root = Path("/sys/fs/cgroup/memory") if v1 is not None else Path("/sys/fs/cgroup")
    folder = root / (v1 or "/").lstrip("/") / f"hugepage-advisor-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no memory cgroup can be made here: {error}")
    try:
        if not any((folder / name).exists() for name in ("memory.max", "memory.limit_in_bytes")):
            pytest.skip("the memory controller is not handed on to new cgroups")
        yield folder
    finally:
        folder.rmdir()


def test_a_process_whose_cgroup_is_full_is_told_so() -> None:
    with ExitStack() as stack:
        stack.enter_context(setting(THP / "enabled", "madvise"))
        stack.enter_context(sleeping_khugepaged())
        folder = stack.enter_context(memory_cgroup())
        limit, usage = "memory.max", "memory.current"
        if not (folder / limit).exists():
            limit, usage = "memory.limit_in_bytes", "memory.usage_in_bytes"
        with planted_vma("held", folder) as one:
            (folder / limit).write_text(str(int((folder / usage).read_text()) + MIB))
            found = why_not_huge({"one": one.pid})["one"]
    assert found["allocation-failed"]["bytes"] >= SIZE
    assert f"{folder.name} has no room" in found["allocation-failed"]["note"]


@contextmanager
def mounted_tracefs(folder: Path) -> Iterator[None]:
    """tracefs is there inside the block: where it is, or mounted at a folder of ours."""
    if tracefs_of(Path("/proc/mounts").read_bytes()) is not None:
        yield
        return
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tracefs", "none", folder], capture_output=True).returncode:
        pytest.skip("tracefs cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


REFUSED = ("not_suitable_page_count", "exceed_none_pte")
"""What the kernel says of pinned and of empty pages."""


def test_khugepaged_itself_says_what_no_file_tells(tmp_path: Path) -> None:
    """A page held by a pipe: only its tracepoint tells, and only its frame says whose it is."""
    with ExitStack() as stack:
        stack.enter_context(mounted_tracefs(tmp_path / "tracing"))
        for name, value in (("scan_sleep_millisecs", "50"), ("pages_to_scan", "16384"), ("max_ptes_none", "64")):
            stack.enter_context(setting(KHUGEPAGED / name, value))
        stack.enter_context(setting(THP / "enabled", "madvise"))
        heard = stack.enter_context(listening(KernelFs()))
        instances = Path(tracefs_of(Path("/proc/mounts").read_bytes()) or "") / "instances"
        assert [one.name for one in instances.iterdir() if one.name.startswith(f"{PREFIX}{os.getpid()}-")]
        spliced, sparse = (stack.enter_context(planted_vma(kind)) for kind in ("spliced", "sparse"))
        ends = time.monotonic() + 30
        (trace,) = (one / "trace" for one in instances.glob(f"{PREFIX}{os.getpid()}-*"))
        while min(trace.read_text().count(f"status={word}") for word in REFUSED) < SIZE // pmd_bytes() // 2:
            if time.monotonic() > ends:
                pytest.skip("khugepaged has no time on this host")
            time.sleep(0.1)
        sampler = Sampler(KernelFs(), SamplerOptions(pids=frozenset((spliced.pid, sparse.pid))))
        report = advise(Profile(make_header(sampler, redacted=True), [heard(sampler, sampler.tick())]))
    assert not [one.name for one in instances.glob(f"{PREFIX}{os.getpid()}-*")]
    found = {entry.pid: {one.reason: one.bytes for one in entry.why_not_huge} for entry in report.processes}
    assert (found[spliced.pid]["pinned"] or 0) >= SIZE // 2, found
    assert "pinned" not in found[sparse.pid]
    listened = report.host.khugepaged.listened
    assert listened is not None and listened.attributed >= 2
    assert set(REFUSED) <= {look.result for look in listened.looks}


def test_an_instance_that_a_killed_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    with mounted_tracefs(tmp_path / "tracing"):
        root = tracefs_of(Path("/proc/mounts").read_bytes())
        left = Path(f"{root}/instances/{PREFIX}{os.getpid()}-1")
        try:
            left.mkdir()
        except OSError as error:
            pytest.skip(str(error))
        with listening(KernelFs()):
            assert not left.exists()
