"""PostgreSQL, reading: `postgres_load.py FOLDER prepare | pgbench | scan SECONDS`.

The cluster is made once in FOLDER by "prepare" and kept. Policies: huge_pages and huge_page_size for a pool, else
none; shared memory under THP is the trial's (shmem_enabled). As root it runs as the user "postgres".
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from servers import folder, page_bytes, server
from steady import repeat

SCALE = 15
"""pgbench's scale: 1.5 million accounts, about 230 MiB with their index."""

SHARED_MIB = 320
USER = "postgres"
READY_S = 20.0


def programs() -> Path:
    """Folder of PostgreSQL's own programs: the newest release that Debian installed, else that of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return found[-1] if found else Path("/usr/bin")


def user() -> str | None:
    return USER if os.geteuid() == 0 else None


def run(*words: str) -> str:
    """Runs one of PostgreSQL's programs and answers what it printed. Raises RuntimeError with its errors."""
    command = [str(programs() / words[0]), *words[1:]]
    name = user()
    done = subprocess.run(command, user=name, group=name, capture_output=True, text=True, cwd="/", check=False)
    if done.returncode:
        raise RuntimeError(f"{words[0]}: {done.stderr.strip()}")
    return done.stdout


def wait_until_ready(sockets: Path) -> None:
    deadline = time.monotonic() + READY_S
    while subprocess.run([str(programs() / "pg_isready"), "-q", "-h", str(sockets)], check=False).returncode:
        if time.monotonic() > deadline:
            raise RuntimeError("PostgreSQL does not answer")
        time.sleep(0.02)


def server_command(data: Path, sockets: Path, page: int | None) -> list[str]:
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "shared_buffers": f"{SHARED_MIB}MB",
        "huge_pages": "on" if page else "off",
        "huge_page_size": f"{page >> 10}kB" if page else "0",
        "fsync": "off",
        "autovacuum": "off",
        "max_parallel_workers_per_gather": "0",
        "jit": "off",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return [str(programs() / "postgres"), "-D", str(data), *options]


def prepare(data: Path) -> None:
    if (data / "campaign-ready").exists():
        return
    data.mkdir(parents=True, exist_ok=True)
    if user():
        subprocess.run(["chown", USER, str(data)], check=True)
    run("initdb", "-D", str(data), "-A", "trust", "-U", USER, "--no-sync")
    with folder(user()) as sockets, server(server_command(data, sockets, None), user=user()):
        wait_until_ready(sockets)
        run("pgbench", "-h", str(sockets), "-U", USER, "-i", "-q", "-s", str(SCALE), "postgres")
        run("psql", "-h", str(sockets), "-U", USER, "-c", "create extension pg_prewarm", "postgres")
    (data / "campaign-ready").touch()


def measure(data: Path, job: str, seconds: float) -> None:
    with folder(user()) as sockets, server(server_command(data, sockets, page_bytes()), user=user()):
        wait_until_ready(sockets)
        connection = ("-h", str(sockets), "-U", USER)
        warm = "select pg_prewarm('pgbench_accounts'), pg_prewarm('pgbench_accounts_pkey')"
        run("psql", *connection, "-c", warm, "postgres")
        if job == "pgbench":
            print("ready", flush=True)
            whole = str(max(1, round(seconds)))
            text = run("pgbench", *connection, "-S", "-n", "-M", "prepared", "-T", whole, "postgres")
            rate = re.search(r"tps = ([0-9.]+)", text)
            if rate is None:
                raise RuntimeError(f"no rate in: {text}")
            print(f"value {1e9 / float(rate[1]):.6g}", flush=True)
        else:
            repeat(seconds, lambda: scan(connection))


def scan(connection: tuple[str, ...]) -> int:
    """A join through the index in random order, inside one statement; operations are rows."""
    rows = 100_000
    run(
        "psql",
        *connection,
        "-c",
        "set enable_hashjoin = off; set enable_mergejoin = off; select sum(abalance) from "
        f"(select (n * 7919) % {SCALE * 100_000} + 1 as wanted from generate_series(1, {rows}) n) s "
        "join pgbench_accounts on aid = wanted",
        "postgres",
    )
    return rows


def main() -> None:
    data = Path(sys.argv[1])
    if sys.argv[2] == "prepare":
        prepare(data)
    else:
        measure(data, sys.argv[2], float(sys.argv[3]))


if __name__ == "__main__":
    main()
