"""PostgreSQL with 1 GiB of shared buffers, which many backends map: a pool is advised without being asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.host.end_to_end import advise, applied, assert_as_forecast, host_on_base_pages, in_pool, needs
from tests.host.knobs import POOLS
from tests.samples.bench import Bench, NotReady

pytestmark = pytest.mark.host

USER = "postgres"
CLIENTS = 48
"""Each maps 800 MiB of buffers: together 77 MiB of page tables, more than the rules call heavy."""

ROWS = 100_000
"""One a page of 8 KiB."""

TABLE = f"""
create unlogged table wide (number int, filler text) with (fillfactor = 10);
alter table wide alter filler set storage plain;
insert into wide select number, repeat('x', 4200) from generate_series(1, {ROWS}) as number;
"""  # noqa: S608 (a constant)
SCRIPT = "select count(*) from wide;\nselect pg_sleep(600);\n"


def server_folder() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        pytest.skip("no PostgreSQL of Debian's packages on this host")
    return found[-1]


def started(bench: Bench, server: list[str], *options: str) -> int:
    """pid of the postmaster once it is ready."""
    process = bench.start([*server, *options], user=USER)
    bench.wait(lambda: "ready to accept connections" in bench.log_of(process).read_text(), process)
    return process.pid


def stated_pages(bench: Bench, server: list[str]) -> int:
    """Pages that PostgreSQL itself says it needs; it must not be running."""
    return int(bench.ask([*server, "-C", "shared_memory_size_in_huge_pages"], user=USER).splitlines()[-1])


def loaded(bench: Bench, tools: Path, room: Path, postmaster: int) -> list[int]:
    """pids of the postmaster and of CLIENTS backends that have read the table."""
    (bench.folder / "load.sql").write_text(SCRIPT)
    pgbench = [str(tools / "pgbench"), "-h", str(room), "-n", "-f", str(bench.folder / "load.sql")]
    load = bench.start([*pgbench, "-c", str(CLIENTS), "-T", "600", "postgres"], user=USER)
    waiting = [str(tools / "psql"), "-h", str(room), "-Atc"]
    waiting += ["select pid from pg_stat_activity where wait_event = 'PgSleep'", "postgres"]
    bench.wait(lambda: len(bench.ask(waiting, user=USER).split()) == CLIENTS, load)
    return [postmaster, *map(int, bench.ask(waiting, user=USER).split())]


def test_the_shared_memory_is_in_the_pool_that_was_forecast() -> None:
    tools = server_folder()
    needs("setpriv")
    with host_on_base_pages() as bench:
        room = bench.room("postgresql", user=USER)
        data = room / "data"
        bench.run([str(tools / "initdb"), "-D", str(data), "-A", "trust", "--no-sync"], user=USER)
        server = [str(tools / "postgres"), "-D", str(data), "-k", str(room)]
        server += ["-c", "listen_addresses=", "-c", "shared_buffers=1GB"]
        postmaster = started(bench, server)
        (bench.folder / "table.sql").write_text(TABLE)
        psql = [str(tools / "psql"), "-h", str(room), "-v", "ON_ERROR_STOP=1", "-qf", str(bench.folder / "table.sql")]
        bench.run([*psql, "postgres"], user=USER)
        advice = advise(bench, loaded(bench, tools, room, postmaster), postmaster)
        assert advice.recommendation["reasons"][0]["rule"] == "shared-memory-heavy-page-tables"
        bench.end_all()
        assert advice.recommendation["pages"] == stated_pages(bench, server)
        with applied(advice):
            with (data / "postgresql.conf").open("a") as settings:
                settings.write(advice.text("postgresql"))
            postmaster = started(bench, server, "-c", "huge_pages=on")
            assert_as_forecast(advice, in_pool(postmaster).mapped)
            assert bench.ask([str(tools / "psql"), "-h", str(room), "-Atc", "select 1", "postgres"], user=USER) == "1"
            bench.end_all()
            pool = POOLS / f"hugepages-{advice.recommendation['page_bytes'] // 1024}kB/nr_hugepages"
            pool.write_text(str(advice.recommendation["pages"] - 1))
            with pytest.raises(NotReady, match="could not map anonymous shared memory"):
                started(bench, server, "-c", "huge_pages=on")
            bench.end_all()
