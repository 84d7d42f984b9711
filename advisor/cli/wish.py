"""What is wanted, on the command line: for a process 4711=2M, for a pool 2M=512."""

from __future__ import annotations

import click

from advisor.cli.size import parse_size

POLICIES = "leave, thp, thp-off, pool, or a pool by page size as 2M, 1G"

MODES = ("always", "madvise", "never")
"""Modes of THP (transhuge.rst)."""

MOST_PAGES = 1 << 40
"""Pages. Reason: more is a slip of the keyboard, and no number that the kernel's counters hold."""


class Wanted(click.ParamType[tuple[int, str, int | None]]):
    """PID=POLICY as (pid, policy, page bytes of a pool or None)."""

    name = "PID=POLICY"

    def convert(
        self, value: object, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[int, str, int | None]:
        pid, separator, policy = str(value).partition("=")
        if not separator or not pid.isascii() or not pid.isdigit():
            self.fail(f"{value!r} is not PID=POLICY; POLICY is one of {POLICIES}", parameter, context)
        if policy in ("leave", "thp", "thp-off"):
            return int(pid), policy, None
        page_bytes = None if policy == "pool" else parse_size(policy)
        if policy != "pool" and page_bytes is None:
            self.fail(f"{policy!r} is no policy: {POLICIES}", parameter, context)
        return int(pid), "hugetlb", page_bytes


class WantedPool(click.ParamType[tuple[int, int]]):
    """SIZE=PAGES as (page bytes, pages in all)."""

    name = "SIZE=PAGES"

    def convert(
        self, value: object, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[int, int]:
        size, _, pages = str(value).partition("=")
        page_bytes = parse_size(size)
        if page_bytes is None or not pages.isascii() or not pages.isdigit() or int(pages[:16]) > MOST_PAGES:
            self.fail(f"{value!r} is not SIZE=PAGES, such as 2M=512 or 1G=4", parameter, context)
        return page_bytes, int(pages)
