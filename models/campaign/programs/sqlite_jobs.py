"""SQLite in memory: `sqlite_jobs.py JOB THOUSANDS SECONDS`, rows of about 120 bytes."""

from __future__ import annotations

import random
import sqlite3
import sys
from collections.abc import Callable

from steady import repeat

BATCH = 2000
Job = Callable[[], int]


def filled(count: int) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("create table item (id integer primary key, other integer, text text)")
    text = "x" * 100
    rows = ((number, number * 7919 % count, text) for number in range(count))
    connection.execute("begin")
    connection.executemany("insert into item values (?, ?, ?)", rows)
    connection.execute("commit")
    return connection


def select(count: int) -> Job:
    """Rows by primary key, at random."""
    connection = filled(count)
    choose = random.Random(1)

    def step() -> int:
        for key in choose.choices(range(count), k=BATCH):
            connection.execute("select other from item where id = ?", (key,)).fetchone()
        return BATCH

    return step


def join(count: int) -> Job:
    """Each row of a part joined with another one by primary key, inside the engine."""
    connection = filled(count)
    choose = random.Random(1)

    def step() -> int:
        start = choose.randrange(count - 50_000)
        query = (
            "select sum(there.other) from item here join item there on there.id = here.other"
            " where here.id between ? and ?"
        )
        connection.execute(query, (start, start + 49_999)).fetchone()
        return 50_000

    return step


JOBS: dict[str, Callable[[int], Job]] = {"select": select, "join": join}


def main() -> None:
    job, thousands, seconds = sys.argv[1:]
    repeat(float(seconds), JOBS[job](int(thousands) * 1000))


if __name__ == "__main__":
    main()
