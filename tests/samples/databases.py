"""PostgreSQL, Redis and memcached under their usual load generators."""

from __future__ import annotations

import time
from pathlib import Path

from tests.samples import knobs
from tests.samples.bench import PROGRAMS, PYTHON, Bench
from tests.samples.scenario import Scenario

POSTGRES_BIN = "/usr/lib/postgresql/15/bin"
POSTGRES_USER = "postgres"
POSTGRES_CLIENTS = 40
POSTGRES_SCALE = 50
"""pgbench's scale: 50 make 750 MB of tables and indexes, which fill three quarters of the shared buffers."""

POSTGRES_REPORTS = 20
"""Weight of the range query among 100 lookups: through it each backend comes to map the whole table."""

POSTGRES_WARM_S = 150.0
"""Seconds of load before the recording: until the backends have touched nearly all of the table and fault no more."""

POSTGRES_RECORD_S = 270
"""Longer than usual: walking the page tables of 40 backends takes the recorder's budget of four minutes."""

POSTGRES_INTERVAL_S = 15
"""Longer than usual, to keep the profile small."""

REDIS_SERVER = "/usr/bin/redis-server"
REDIS_KEYS = 700_000
REDIS_FILLS = 1_400_000
"""Random writes of the fill; twice the keys leave 86 % of them written, about 700 MB."""

REDIS_VALUE_BYTES = 1000
REDIS_WARM_S = 5.0

MEMCACHED_MIB = 640
MEMCACHED_ITEMS = 480_000
"""Items of 1000 bytes and their headers: 512 MiB of slabs."""


def postgres(bench: Bench, huge_pages: str, pool_share: float) -> str:
    """huge_pages: the setting. pool_share: 2M pool pages as a share of what PostgreSQL says that it needs."""
    room = bench.room("postgres", user=POSTGRES_USER)
    data = str(room / "data")
    bench.run([f"{POSTGRES_BIN}/initdb", "-D", data, "--auth=trust", "--locale=C.UTF-8"], user=POSTGRES_USER)
    server = [f"{POSTGRES_BIN}/postgres", "-D", data, "-k", str(room), "-c", "listen_addresses="]
    server += ["-c", "shared_buffers=1GB", "-c", "max_wal_size=4GB", "-c", f"huge_pages={huge_pages}"]
    if pool_share:
        needed = bench.ask([*server, "-C", "shared_memory_size_in_huge_pages"], user=POSTGRES_USER)
        pages = int(int(needed.splitlines()[-1]) * pool_share)
        bench.pool(knobs.pmd_bytes(), pages)
    started = bench.start(server, user=POSTGRES_USER)
    bench.wait(lambda: "ready to accept connections" in bench.log_of(started).read_text(), started)
    reports = bench.copy(PROGRAMS / "reports.sql")
    pgbench = [f"{POSTGRES_BIN}/pgbench", "-h", str(room), "-d", "postgres"]
    bench.run([*pgbench, "-i", "-q", "-s", str(POSTGRES_SCALE)], user=POSTGRES_USER)
    pgbench += ["-n", "-s", str(POSTGRES_SCALE), "-b", "select-only@100", "-f", f"{reports}@{POSTGRES_REPORTS}"]
    bench.start([*pgbench, "-c", str(POSTGRES_CLIENTS), "-j", "2", "-T", "3600"], user=POSTGRES_USER)
    time.sleep(POSTGRES_WARM_S)
    return bench.ask([server[0], "--version"], user=POSTGRES_USER)


def redis(bench: Bench) -> str:
    socket = str(bench.folder / "redis.sock")
    server = bench.start([REDIS_SERVER, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no"])
    bench.wait(lambda: Path(socket).exists(), server)
    load = ["/usr/bin/redis-benchmark", "-s", socket, "-r", str(REDIS_KEYS), "-d", str(REDIS_VALUE_BYTES), "-q"]
    bench.run([*load, "-t", "set", "-n", str(REDIS_FILLS), "-P", "16"])
    bench.start([*load, "-t", "get,set", "-n", "100000", "-c", "20", "-l"])
    time.sleep(REDIS_WARM_S)
    return bench.ask([REDIS_SERVER, "--version"])


def memcached(bench: Bench) -> str:
    room = bench.room("memcached", user="nobody")
    socket = str(room / "socket")
    server = bench.start(["/usr/bin/memcached", "-m", str(MEMCACHED_MIB), "-s", socket, "-u", "nobody"])
    bench.wait(lambda: Path(socket).exists(), server)
    load = bench.copy(PROGRAMS / "memcached_load.py")
    bench.start_until_ready([PYTHON, load, socket, str(MEMCACHED_ITEMS)])
    return bench.ask(["/usr/bin/memcached", "--version"])


SCENARIOS = (
    Scenario(
        "postgres-huge-pages-off",
        "pgbench, 40 clients that look up rows and sum ranges in 750 MB; shared_buffers=1GB, huge_pages=off",
        "40 backends share 1 GiB of buffers on base pages; each has page tables of its own for it. "
        "A pool of 2M pages of the size that PostgreSQL states, with huge_pages=on, is right; "
        "THP cannot help, for shmem_enabled is never.",
        ("postgres", "pgbench"),
        lambda bench: postgres(bench, "off", 0.0),
        duration_s=POSTGRES_RECORD_S,
        interval_s=POSTGRES_INTERVAL_S,
    ),
    Scenario(
        "postgres-huge-pages-on",
        "as postgres-huge-pages-off, with huge_pages=on and a pool of exactly the pages that PostgreSQL states",
        "The shared buffers are in a 2M pool of the right size; page tables are small. Nothing is to be changed.",
        ("postgres", "pgbench"),
        lambda bench: postgres(bench, "on", 1.0),
        duration_s=POSTGRES_RECORD_S,
        interval_s=POSTGRES_INTERVAL_S,
    ),
    Scenario(
        "postgres-pool-too-small",
        "as postgres-huge-pages-off, with huge_pages=try and a pool of half the pages that PostgreSQL states",
        "The pool does not suffice, so PostgreSQL fell back to base pages without a word: the pool lies idle "
        "and is lost to all others. The pool must grow to the stated size and PostgreSQL be restarted.",
        ("postgres", "pgbench"),
        lambda bench: postgres(bench, "try", 0.5),
        duration_s=POSTGRES_RECORD_S,
        interval_s=POSTGRES_INTERVAL_S,
    ),
    Scenario(
        "redis-madvise",
        "redis-benchmark, 20 clients that get and set 1000-byte values at random among 700,000 keys; no snapshots",
        "About 700 MB of heap (jemalloc) on base pages, because THP needs madvise and Redis does not ask for it; "
        "read and written at random. Redis advises against THP, for its latency when it forks.",
        ("redis-server", "redis-benchmark"),
        redis,
    ),
    Scenario(
        "redis-always",
        "as redis-madvise, on a host whose THP mode is always",
        "Redis switched THP off for itself (disable-thp yes, the default): THP_enabled is 0 and "
        "its heap is on base pages although the host's mode is always.",
        ("redis-server", "redis-benchmark"),
        redis,
        thp="always",
    ),
    Scenario(
        "memcached",
        "512 MiB of 1000-byte items, then random gets of 50 keys at a time over a Unix socket",
        "More than 512 MiB of anonymous slabs on base pages, read at random; "
        "THP by madvise does not reach them, for memcached does not ask.",
        ("memcached",),
        memcached,
    ),
)
