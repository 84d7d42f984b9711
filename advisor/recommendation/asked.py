"""What was asked for, and what of it the host can have: nothing that cannot be granted is an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from advisor.recommendation.model import Asked, ProcessAdvice
from advisor.recommendation.pool_state import HostNow
from advisor.recommendation.thp_plan import MODES
from advisor.recommendation.wishes import ASKED_FOR, Wish, Wishes
from advisor.rules import Policy
from advisor.rules.text import show_bytes

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""


def granted(wishes: Wishes, host: Row, now: HostNow) -> Wishes:
    """The wishes without what the host cannot have; those for processes are judged when each is decided."""
    refused = _refused_pools(wishes.pools, host, now)
    mode = wishes.thp_enabled if _why_no_mode(wishes.thp_enabled, host) is None else None
    pools = {size: pages for size, pages in sorted(wishes.pools.items()) if size not in refused}
    return wishes._replace(thp_enabled=mode, pools=pools)


def asked_for(wishes: Wishes, rows: Sequence[Row], advice: Sequence[ProcessAdvice], now: HostNow) -> list[Asked]:
    """Everything that was asked for: the mode, pools by size, processes by pid."""
    host = rows[0]
    return [*_mode(wishes, host), *_pools(wishes, host, now), *_policies(wishes, rows, advice)]


def _mode(wishes: Wishes, host: Row) -> Iterator[Asked]:
    mode = wishes.thp_enabled
    if mode is None:
        return
    why = _why_no_mode(mode, host)
    today = "it is the mode of today" if mode == host["host_thp_enabled"] else f"today {host['host_thp_enabled']}"
    yield Asked("thp-mode", f"THP mode {mode}", why is None, today if why is None else why, thp_enabled=mode)


def _pools(wishes: Wishes, host: Row, now: HostNow) -> Iterator[Asked]:
    refused = _refused_pools(wishes.pools, host, now)
    for size, pages in sorted(wishes.pools.items()):
        what = f"{pages} pages of {show_bytes(size)} in all"
        note = refused.get(size) or f"today {now.pools[size].total}"
        yield Asked("pool", what, size not in refused, note, page_bytes=size, pages=pages)


def _policies(wishes: Wishes, rows: Sequence[Row], advice: Sequence[ProcessAdvice]) -> Iterator[Asked]:
    found = {one.pid: (row, one) for row, one in zip(rows, advice, strict=True) if one.pid in wishes.policies}
    for pid, wish in sorted(wishes.policies.items()):
        row, one = found.get(pid, (None, None))
        if row is None or one is None or not wish.is_for(row):
            yield _policy(pid, None, wish, False, "no such process is there")
            continue
        advised = one.recommendation
        if _is_given(wish, row, one):
            yield _policy(pid, row["name"], wish, True, advised.override_reason)
        else:
            said = next((reason.message for reason in advised.reasons if reason.rule == ASKED_FOR), None)
            yield _policy(pid, row["name"], wish, False, said)


def _policy(pid: int, name: str | None, wish: Wish, given: bool, note: str | None) -> Asked:
    what = f"{wish.in_words()} for {name or 'process'} (pid {pid})"
    return Asked("policy", what, given, note, pid=pid, policy=wish.policy.value, page_bytes=wish.page_bytes)


def _is_given(wish: Wish, row: Row, one: ProcessAdvice) -> bool:
    advised = one.recommendation
    if advised.policy != wish.policy:
        return False
    return wish.policy is not Policy.HUGETLB or advised.page_bytes == (wish.page_bytes or row["host_pmd_bytes"])


def _why_no_mode(mode: str | None, host: Row) -> str | None:
    """Why the host cannot have this mode; None where it can."""
    if mode is not None and mode not in MODES:
        return f"there is no such mode: {', '.join(MODES)}"
    return "this host's kernel has no THP, or its mode is unknown" if host["host_thp_enabled"] not in MODES else None


def _refused_pools(pools: Mapping[int, int], host: Row, now: HostNow) -> dict[int, str]:
    """Why the host cannot have these pools, by page size: no pages of this size, or more than its memory holds."""
    sizes = sorted(size for size, pool in now.pools.items() if pool.total is not None)
    total = host["host_memory_total_bytes"]
    others = sum((now.pools[size].total or 0) * size for size in sizes if size not in pools)
    refused = {}
    for size, pages in sorted(pools.items()):
        if size not in sizes:
            has = f"it has {' and '.join(map(show_bytes, sizes))}" if sizes else "its kernel has none at all"
            refused[size] = f"this host has no pool of pages of {show_bytes(size)}: {has}"
        elif pages < 0:
            refused[size] = "a pool cannot have less than no page"
        elif total is not None and others + pages * size > total:
            beside = f" beside {show_bytes(others)} in other pools" if others else ""
            refused[size] = f"{show_bytes(pages * size)}{beside} is more than its memory of {show_bytes(total)}"
        else:
            others += pages * size
    return refused
