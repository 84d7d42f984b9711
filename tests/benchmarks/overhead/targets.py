"""Programs under load. Each is started on a bench and can then be put under load again and again."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from tests.benchmarks.overhead import sparse
from tests.samples.bench import Bench
from tests.samples.databases import POSTGRES_BIN, POSTGRES_USER, REDIS_SERVER

REDIS_KEYS = 700_000
REDIS_VALUE_BYTES = 1000
REDIS_REQUESTS_PER_S = 40_000
"""To make as many requests as fill the time: redis-benchmark knows no duration. Source: two CPUs, 50 clients."""

PGBENCH_SCALE = 50
PGBENCH_CLIENTS = "8"
SPARSE_GIB = 50
SPARSE_VMAS = 60_000


class Load(NamedTuple):
    """per_s: requests, transactions or rounds a second. p99_s, longest_s: how long 99 % of them take at most, and how
    long all of them do."""

    per_s: float
    p99_s: float
    longest_s: float


class Target(NamedTuple):
    """A program that stands. pid: its main process. load: put it under load for so many seconds."""

    pid: int
    load: Callable[[float], Load]


def redis(bench: Bench) -> Target:
    """Gets and sets of 1000 bytes at random among 700,000 keys; some 700 MB."""
    socket = str(bench.folder / "redis.sock")
    server = bench.start([REDIS_SERVER, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no"])
    bench.wait(lambda: Path(socket).exists(), server)
    client = ["/usr/bin/redis-benchmark", "-s", socket, "-r", str(REDIS_KEYS), "-d", str(REDIS_VALUE_BYTES)]
    bench.run([*client, "-q", "-t", "set", "-n", str(2 * REDIS_KEYS), "-P", "16"])

    def load(seconds: float) -> Load:
        requests = int(seconds * REDIS_REQUESTS_PER_S / 2)
        said = bench.ask([*client, "--csv", "-t", "set,get", "-n", str(requests)])
        rows = list(csv.DictReader(said.splitlines()))
        took_s = sum(requests / float(row["rps"]) for row in rows)
        p99_ms, longest_ms = (max(float(row[f"{name}_latency_ms"]) for row in rows) for name in ("p99", "max"))
        return Load(requests * len(rows) / took_s, p99_ms / 1000, longest_ms / 1000)

    return Target(server.pid, load)


def postgresql(bench: Bench) -> Target:
    """pgbench's simple updates by 8 clients on 750 MB; commits do not wait for the disk: it is noisy."""
    room = bench.room("postgres", user=POSTGRES_USER)
    data, logs = room / "data", room / "log"
    bench.run([f"{POSTGRES_BIN}/initdb", "-D", str(data), "--auth=trust", "--locale=C.UTF-8"], user=POSTGRES_USER)
    server = [f"{POSTGRES_BIN}/postgres", "-D", str(data), "-k", str(room), "-c", "listen_addresses="]
    server += ["-c", "shared_buffers=1GB", "-c", "max_wal_size=4GB", "-c", "fsync=off", "-c", "autovacuum=off"]
    started = bench.start(server, user=POSTGRES_USER)
    bench.wait(lambda: "ready to accept connections" in bench.log_of(started).read_text(), started)
    pgbench = [f"{POSTGRES_BIN}/pgbench", "-h", str(room), "-d", "postgres"]
    bench.run([*pgbench, "-i", "-q", "-s", str(PGBENCH_SCALE)], user=POSTGRES_USER)
    pgbench += ["-n", "-b", "simple-update", "-c", PGBENCH_CLIENTS, "-j", "2", "-l", "--log-prefix", str(logs)]

    def load(seconds: float) -> Load:
        bench.ask([*pgbench, "-T", str(int(seconds))], user=POSTGRES_USER)
        took_us = []
        for log in room.glob("log.*"):
            took_us += [int(line.split()[2]) for line in log.read_text().splitlines()]
            log.unlink()
        return Load(len(took_us) / seconds, float(np.percentile(took_us, 99)) / 1e6, max(took_us) / 1e6)

    return Target(started.pid, load)


def sparse_program(bench: Bench) -> Target:
    """50 GiB with one page in each 2 MiB beside 60,000 mappings; maps, touches and unmaps 64 KiB all the time."""
    command = [sys.executable, str(Path(sparse.__file__)), str(SPARSE_GIB), str(SPARSE_VMAS)]
    program = bench.start_until_ready(command)
    log = bench.log_of(program)

    def load(seconds: float) -> Load:
        before = len(log.read_text().splitlines())
        assert program.stdin is not None
        program.stdin.write(f"{seconds}\n".encode())
        program.stdin.flush()
        bench.wait(lambda: len(log.read_text().splitlines()) > before, program)
        return Load(*map(float, log.read_text().splitlines()[-1].split()))

    return Target(program.pid, load)


TARGETS: dict[str, Callable[[Bench], Target]] = {
    "redis": redis,
    "postgresql": postgresql,
    "sparse": sparse_program,
}


def at_usual_priority(bench: Bench) -> None:
    """What stands is as important as the sampler; a bench's programs are not, as a rule."""
    for pid in bench.pids():
        with suppress(psutil.NoSuchProcess):  # a worker that has ended
            psutil.Process(pid).nice(0)
