"""memcached: its own option for large pages is THP by madvise, and no pool."""

from __future__ import annotations

import re
import shlex
import tempfile
from pathlib import Path

import pytest

from tests.host.end_to_end import advise, applied, host_on_base_pages, in_pool, needs
from tests.samples.bench import PROGRAMS, PYTHON, Bench

pytestmark = pytest.mark.host

CACHE_MIB = 512
ITEMS = 300_000
"""Of 1000 bytes and their headers: some 330 MB."""


def filled(bench: Bench, *options: str) -> int:
    """pid of a memcached that holds ITEMS."""
    (program,) = needs("memcached")
    room = Path(tempfile.mkdtemp(dir=bench.folder))
    room.chmod(0o777)
    socket = room / "socket"
    server = bench.start([program, "-m", str(CACHE_MIB), "-s", str(socket), "-u", "nobody", *options])
    bench.wait(socket.exists, server)
    bench.start_until_ready([PYTHON, bench.copy(PROGRAMS / "memcached_load.py"), str(socket), str(ITEMS)])
    return server.pid


def kept(pid: int, name: str) -> int:
    """Bytes of one line of smaps_rollup."""
    (kib,) = re.findall(rf"(?m)^{name}: +(\d+) kB$", Path(f"/proc/{pid}/smaps_rollup").read_text())
    return int(kib) * 1024


def test_large_pages_of_memcached_are_transparent_and_take_no_pool() -> None:
    needs("memcached", PYTHON)
    with host_on_base_pages() as bench:
        pid = filled(bench)
        assert kept(pid, "AnonHugePages") == 0
        advice = advise(bench, [pid], pid)
        assert advice.recommendation["policy"] == "thp"
        assert advice.plan["pools"] == []
        bench.end_all()
        with applied(advice):
            options = [word for line in advice.lines("memcached") for word in shlex.split(line)]
            assert options == ["-L"]
            pid = filled(bench, *options)
            assert kept(pid, "Anonymous") >= ITEMS * 1000
            assert kept(pid, "AnonHugePages") >= 0.9 * kept(pid, "Anonymous")
            assert in_pool(pid).mapped == 0
            bench.end_all()
