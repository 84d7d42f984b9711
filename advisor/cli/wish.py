"""What is wanted for a process, on the command line: 4711=2M."""

from __future__ import annotations

import click

from advisor.cli.size import parse_size

POLICIES = "leave, thp, thp-off, pool, or a pool by page size as 2M, 1G"


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
