"""Real programs whose makers have a word on huge pages, and a dozen small ones that nobody should touch."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.host.knobs import THP, setting
from tests.in_process import advisor

pytestmark = pytest.mark.host

START_S = 30.0
"""Seconds in which a server must be there; a busy host needs several."""

FILL = ("-t", "set", "-n", "120000", "-r", "120000", "-d", "1500", "-P", "64", "-q")
"""redis-benchmark: about 120 MB of values."""

FIRST_SLABS_BYTES = 16 << 20
"""Less than what memcached touches at its start, as huge pages."""

SMALL_PROGRAMS = (
    ["sleep", "600"],
    ["bash", "-c", "read -r line"],
    ["sh", "-c", "read -r line"],
    ["cat"],
    ["less", "-"],
    ["tail", "-f", "/dev/null"],
    ["sed", "-u", "s/a/b/"],
    ["awk", "{ print }"],
    ["perl", "-e", "<STDIN>"],
    ["tee", "/dev/null"],
    ["sort"],
    ["dd", "of=/dev/null", "status=none"],
    [sys.executable, "-c", "import sched, time; input()"],
    [sys.executable, "-c", "import http.server, socketserver; input()"],
)
"""Programs that wait for their input or for ever: shells, pagers, filters, a clock, interpreters."""


@contextmanager
def running(command: list[str]) -> Iterator[int]:
    """The pid of a program that waits, ended at the end; skips where it is not installed."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S
    while not holds():
        assert time.monotonic() < deadline, "did not come up"
        time.sleep(0.05)


@contextmanager
def redis(folder: Path, *options: str) -> Iterator[int]:
    """A Redis with about 200 MB resident, on a socket of its own; it ends with the block."""
    socket = folder / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    with running([*command, *options]) as pid:
        wait_for(socket.exists)
        subprocess.run(["redis-benchmark", "-s", str(socket), *FILL], check=True, stdout=subprocess.DEVNULL)
        yield pid


def huge_bytes(pid: int) -> int:
    """AnonHugePages of all its mappings together."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(text.partition("AnonHugePages:")[2].split()[0]) * 1024


def report_of(*pids: int) -> dict[str, Any]:
    done = advisor("report", "--json", "--duration=0.5", *(f"--pid={pid}" for pid in pids))
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("mode", ["always", "madvise"])
def test_redis_has_thp_off_on_purpose_and_gets_no_pool(tmp_path: Path, mode: str) -> None:
    with setting(THP / "enabled", mode), redis(tmp_path) as pid:
        report = report_of(pid)
        switched_off = "THP_enabled:\t0" in Path(f"/proc/{pid}/status").read_text()
    assert switched_off == (mode == "always"), "Redis itself switches THP off where the mode is always"
    (entry,) = report["processes"]
    advice = entry["recommendation"]
    assert (advice["policy"], advice["changes"], advice["artefacts"]) == ("leave", False, [])
    reason = advice["reasons"][0]
    assert reason["rule"] == "application-avoids-thp"
    assert "THP off is right" in reason["message"] and "fork" in reason["message"]
    assert "redis.conf" in reason["sources"][0]
    assert "thp-disabled-by-process" not in {one["rule"] for one in advice["reasons"]}
    assert [pool for pool in report["plan"]["pools"] if pid in pool["for_pids"]] == []
    assert report["plan"]["artefacts"] == []
    assert entry["application"]["version"] == redis_version(), "read from its file, without running it"
    assert entry["application"]["thp_stance"] == "self-disables"
    assert {"glibc-malloc", "jemalloc"} <= {one["id"] for one in entry["components"]}


def redis_version() -> str:
    """As the server itself prints it."""
    said = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v=(\d+\.\d+\.\d+)", said)
    assert found is not None
    return found[1]


def test_redis_without_its_own_protection_is_to_have_thp_off(tmp_path: Path) -> None:
    with setting(THP / "enabled", "always"), redis(tmp_path, "--disable-thp", "no") as pid:
        report = report_of(pid)
    (entry,) = report["processes"]
    advice = entry["recommendation"]
    assert (advice["policy"], advice["changes"]) == ("thp-off", True)
    assert advice["reasons"][0]["rule"] == "application-exposed-to-thp"
    assert "redis.conf" in advice["reasons"][0]["sources"][0]
    assert report["plan"]["pools"] == [] or all(pid not in pool["for_pids"] for pool in report["plan"]["pools"])


def test_large_pages_of_memcached_are_thp_and_no_pool(tmp_path: Path) -> None:
    """It touches a page of each slab class at its start, some 40 MB; the rest comes with its items."""
    command = ["memcached", "-L", "-m", "256", "-s", str(tmp_path / "socket"), "-u", "root"]
    with setting(THP / "enabled", "madvise"), running(command) as pid:
        wait_for(lambda: huge_bytes(pid) >= FIRST_SLABS_BYTES)
        report = report_of(pid)
    (entry,) = report["processes"]
    assert entry["memory"]["hugetlb_bytes"] == 0
    assert entry["memory"]["anon_huge_bytes"] >= FIRST_SLABS_BYTES
    assert entry["recommendation"]["policy"] == "leave"
    assert "hugetlb" not in {one["policy"] for one in entry["recommendation"]["alternatives"]}
    assert entry["application"]["thp_stance"] == "asks-if-told"


def test_a_dozen_small_programs_are_left_alone() -> None:
    present = [command for command in SMALL_PROGRAMS if shutil.which(command[0])]
    assert len(present) >= 12
    with ExitStack() as stack:
        stack.enter_context(setting(THP / "enabled", "madvise"))
        pids = {stack.enter_context(running(command)) for command in present}
        time.sleep(0.5)
        report = report_of(*pids)
    assert {entry["pid"] for entry in report["processes"]} == pids
    assert {entry["recommendation"]["policy"] for entry in report["processes"]} == {"leave"}
    assert report["plan"]["artefacts"] == []
    assert report["plan"]["thp"]["changed"] == []
