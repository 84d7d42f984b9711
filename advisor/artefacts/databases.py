"""Huge pages as settings of database servers and caches."""

from __future__ import annotations

from typing import Literal

from advisor.artefacts.model import Artefact, lines, size_label, slug
from advisor.artefacts.quoting import comment

HugePages = Literal["on", "off", "try"]


def postgresql_huge_pages(
    name: str,
    page_bytes: int,
    *,
    default_page_bytes: int | None,
    mode: HugePages = "on",
    previous_mode: HugePages | None = None,
    previous_page_size: str | None = None,
) -> Artefact:
    """Lines of postgresql.conf that put the shared memory of one instance into a pool.

    name: what tells this instance from others. default_page_bytes: huge_page_size (PostgreSQL 14) is left out where
    page_bytes is the host's default. mode: on refuses to start where the pool is short, try falls back without a
    word. previous_*: what the file says now, None for nothing (try, 0). Raises ValueError for a previous size that
    PostgreSQL would not print.
    """
    if previous_page_size is not None and not previous_page_size.isalnum():
        raise ValueError(f"not a value of huge_page_size: {previous_page_size!r}")
    with_size = page_bytes != default_page_bytes
    size = [f"huge_page_size = {size_label(page_bytes)}B    # PostgreSQL 14 and later"] if with_size else []
    strict = mode == "on"
    back = [f"huge_pages = {previous_mode or 'try'}"]
    if with_size:
        back.append(f"huge_page_size = {previous_page_size or '0'}")
    return Artefact(
        id=f"postgresql-{slug(name)}",
        kind="postgresql",
        title=f"Shared memory of PostgreSQL {comment(name)} on pages of {size_label(page_bytes)}",
        path=None,
        text=lines(
            "# postgresql.conf, in force after a restart of the server. Pages needed (15 and later):",
            "#   SHOW shared_memory_size_in_huge_pages;",
            "# Whether it got them (17 and later): SHOW huge_pages_status;",
            *(
                ["# on: does not start with too few pages; try: starts on base pages and says nothing."]
                if strict
                else []
            ),
            f"huge_pages = {mode}",
            *size,
        ),
        undo=lines("# postgresql.conf, then a restart of the server", *back),
        by_hand=True,
    )


def mysql_large_pages(name: str, section: Literal["mysqld", "mariadbd"], page_bytes: int) -> Artefact:
    """Lines of my.cnf that put the buffer pool into the pool of the host's default page size.

    name: what tells this server from others; page_bytes: the default pool size, as the server takes no other.
    Sources: MySQL manual, "Enabling Large Page Support"; MariaDB, "Memory Huge Pages".
    """
    size = size_label(page_bytes)
    return Artefact(
        id=f"{section}-{slug(name)}",
        kind="mysql",
        title=f"Buffer pool of {comment(name)} on pages of {size}",
        path=None,
        text=lines(
            f"# my.cnf; in force after a restart. The server takes pages of the default size alone: {size} here.",
            "# With too few pages it warns (conventional memory) and goes on with base pages: read its error log.",
            "# MySQL up to 8.0.26 takes SysV shared memory, for which vm.hugetlb_shm_group must name its group.",
            f"[{section}]",
            "large-pages = ON",
        ),
        undo=lines(f"# my.cnf, section [{section}], then a restart of the server", "large-pages = OFF"),
        by_hand=True,
    )


def redis_without_thp(name: str, product: Literal["redis", "valkey"]) -> Artefact:
    """The line of redis.conf or valkey.conf with which the server switches THP off for itself.

    Source: redis.conf, disable-thp: forks copy whole huge pages, which costs memory and latency while it saves.
    """
    return Artefact(
        id=f"{product}-{slug(name)}",
        kind="redis",
        title=f"THP of {comment(name)} off, by itself",
        path=None,
        text=lines(
            f"# {product}.conf; in force after a restart. The default is yes: look for a line that says no.",
            "# Check: THP_enabled: 0 in /proc/PID/status where the host's mode is always.",
            "disable-thp yes",
        ),
        undo=lines(f"# {product}.conf, then a restart", "disable-thp no"),
        by_hand=True,
    )


def memcached_large_pages(name: str) -> Artefact:
    """The option of memcached that aligns its cache and asks for THP (no pool, whatever guides say)."""
    return Artefact(
        id=f"memcached-{slug(name)}",
        kind="memcached",
        title=f"Cache of {comment(name)} on THP",
        path=None,
        text=lines(
            "# memcached command line, or a line of /etc/memcached.conf; in force after a restart.",
            "# -L is THP by madvise and takes nothing from a pool. The cache becomes huge as it fills; with",
            "# transparent_hugepage/enabled=never memcached does not start with it.",
            "-L",
        ),
        undo=lines("# take out: -L"),
        by_hand=True,
    )
