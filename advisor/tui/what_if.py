"""What somebody wants in place of the advice, put together wish by wish. Pure: a new order from the one before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual.message import Message

from advisor.render.numbers import human_bytes, plural
from advisor.render.words import POLICY_WORDS
from advisor.report.host import Host
from advisor.report.plan import HostPlan
from advisor.report.process import ProcessEntry
from advisor.report.reasons import PolicyName
from advisor.tui.columns import identity
from advisor.watch.frames import WantedPolicy, WantedPool, WhatIf

MODES = ("always", "madvise", "never")
"""Modes of THP (transhuge.rst)."""

NOTHING = WhatIf()


class Wanted(Message):
    """Somebody wants the plan under this."""

    def __init__(self, what_if: WhatIf) -> None:
        super().__init__()
        self.what_if = what_if


class Policy(NamedTuple):
    """A policy that can be chosen for a process. page_bytes: of the pool."""

    name: PolicyName
    page_bytes: int | None = None

    def in_words(self) -> str:
        """hugetlb 2 MiB."""
        return f"{POLICY_WORDS[self.name]} {human_bytes(self.page_bytes, '')}".rstrip()


def policies(host: Host) -> list[Policy]:
    """All that this host has, a pool of each of its page sizes among them."""
    return [
        Policy("leave"),
        Policy("thp"),
        Policy("thp-off"),
        *(Policy("hugetlb", size) for size in pool_sizes(host)),
    ]


def pool_sizes(host: Host) -> list[int]:
    """Page sizes of the host's pools, the smallest first."""
    return sorted({pool.page_bytes for pool in host.pools if pool.node is None})


def pool_pages(plan: HostPlan, page_bytes: int) -> int:
    """Pages of this size in all, with the plan."""
    return sum(pool.pages for pool in plan.pools if pool.page_bytes == page_bytes)


def with_policy(what_if: WhatIf, processes: Sequence[ProcessEntry], policy: Policy | None) -> WhatIf:
    """The policy for these processes; None takes back what was wanted for them."""
    meant = {identity(process) for process in processes}
    others = tuple(one for one in what_if.policies if (one.pid, one.start_ticks) not in meant)
    wanted = () if policy is None else tuple(_wanted(one, policy) for one in processes)
    return WhatIf(others + wanted, what_if.thp_enabled, what_if.pools)


def without(what_if: WhatIf, wish: WantedPolicy) -> WhatIf:
    """Without this wish."""
    return WhatIf(tuple(one for one in what_if.policies if one != wish), what_if.thp_enabled, what_if.pools)


def with_mode(what_if: WhatIf, mode: str | None) -> WhatIf:
    """The mode for the host; None is the advised one."""
    return WhatIf(what_if.policies, mode, what_if.pools)


def with_pool(what_if: WhatIf, page_bytes: int, pages: int | None) -> WhatIf:
    """So many pages of this size in all; None: as many as are advised."""
    others = tuple(one for one in what_if.pools if one.page_bytes != page_bytes)
    wanted = () if pages is None else (WantedPool(page_bytes, max(pages, 0)),)
    pools = sorted(others + wanted, key=lambda one: one.page_bytes)
    return WhatIf(what_if.policies, what_if.thp_enabled, tuple(pools))


def wanted_pages(what_if: WhatIf, page_bytes: int) -> int | None:
    """Pages of this size that are wanted; None where nobody wants other than is advised."""
    return next((one.pages for one in what_if.pools if one.page_bytes == page_bytes), None)


def wanted_policy(what_if: WhatIf, process: ProcessEntry) -> Policy | None:
    """What is wanted for a process; None where nothing is."""
    for one in what_if.policies:
        if (one.pid, one.start_ticks) == identity(process):
            return Policy(one.policy, one.page_bytes)
    return None


def in_words(what_if: WhatIf, *, waiting: bool) -> str:
    """For the top of the screen: that it is no advice, and how it is taken back; empty where nothing is wanted.

    waiting: the answer has not come yet.
    """
    wishes = len(what_if.policies) + len(what_if.pools) + (what_if.thp_enabled is not None)
    more = " ..." if waiting else ""
    if not wishes:
        return f"what if: taken back{more}" if waiting else ""
    return f"WHAT IF, {plural(wishes, 'wish', 'wishes')}: H takes back{more}"


def _wanted(process: ProcessEntry, policy: Policy) -> WantedPolicy:
    return WantedPolicy(process.pid, policy.name, policy.page_bytes, process.start_ticks)
