"""What the host cannot give to all who are advised it: room for pools, and what a mode or pool asked for denies.

Whoever is refused is decided anew without that policy; what it would have had stays among its alternatives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from advisor.recommendation.demands import Demand, shared_object, without_room
from advisor.recommendation.model import Alternative, ProcessAdvice, Reason, Words
from advisor.recommendation.pool_plan import copies_after_fork, in_use
from advisor.recommendation.pool_state import HostNow
from advisor.recommendation.sizing import concerns_shmem, moved_bytes
from advisor.recommendation.tenants import MODE_DENIES, NO_ROOM, POOL_TOO_SMALL, Means, Need, need_of, thp_means
from advisor.recommendation.wishes import ASKED_FOR, Wishes
from advisor.rules import Policy, Severity, Status

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""

BY_ITS_OWN = frozenset({Means.ALLOCATOR, Means.APPLICATION})
"""Means by which a process goes on to have THP under a stricter mode, if somebody sets them."""


class Refusal(NamedTuple):
    """What a process cannot have, and why."""

    policy: Policy
    why: str


def refusals(
    rows: Sequence[Row], advice: Sequence[ProcessAdvice], demands: Sequence[Demand], now: HostNow, wishes: Wishes
) -> dict[int, Refusal]:
    """Who is advised what the host, or what was asked for, does not give; by row. wishes: those that it can have."""
    others = [demand for demand in demands if demand.page_bytes not in wishes.pools]
    held = _held_bytes(rows, now, wishes.pools)
    found = _places(rows, without_room(rows[0], others, now, held), NO_ROOM)
    found |= _places(rows, _beyond(demands, rows, now, wishes.pools), POOL_TOO_SMALL)
    if wishes.thp_enabled is not None:
        denied = Refusal(Policy.THP, MODE_DENIES)
        found |= {
            place: denied
            for place, (row, one) in enumerate(zip(rows, advice, strict=True))
            if _wants_anonymous_thp(one) and thp_means(row, wishes.thp_enabled, row["host_thp_enabled"]) is None
        }
    return found


def instead(before: ProcessAdvice, after: ProcessAdvice, why: str) -> ProcessAdvice:
    """The advice that was made anew, saying that what was asked for the host keeps the process from a better one."""
    lost, advised = before.recommendation, after.recommendation
    alternatives = advised.alternatives
    if not any(other.why_not == why for other in alternatives):
        cost = (lost.pages, lost.bloat_bytes, lost.bloat_basis)
        alternatives = [Alternative(lost.policy, lost.page_bytes, lost.expected_gain, why, *cost), *alternatives]
    unasked = f"unasked, the advice is {WORDS.get(lost.policy, lost.policy)}"
    said = _reason(Severity.MEDIUM, f"Not what would be advised: {why}; {unasked}.")
    return replace(
        after,
        recommendation=replace(
            advised,
            decided_by="user",
            override_reason=unasked,
            alternatives=alternatives,
            reasons=[*advised.reasons[:1], said, *advised.reasons[1:]],
        ),
    )


WORDS = {"thp": "THP", "hugetlb": "a pool", "thp-off": "THP off"}
"""Policies as part of a sentence."""


def keeping_thp(row: Row, one: ProcessAdvice, mode: str | None) -> ProcessAdvice:
    """The advice of a process that keeps its THP under the mode that was asked for only if told to ask for it."""
    advised = one.recommendation
    if mode is None or advised.policy != Policy.LEAVE or need_of(one) is not Need.THP:
        return one
    if thp_means(row, mode, row["host_thp_enabled"]) not in BY_ITS_OWN:
        return one
    said = _reason(Severity.LOW, f"It has THP by mode {row['host_thp_enabled']}; under {mode} it must ask for it.")
    kept = replace(
        advised,
        policy=Policy.THP.value,
        page_bytes=row["host_pmd_bytes"],
        decided_by="user",
        override_reason="unasked, the advice is to leave it",
        reasons=[*advised.reasons[:1], said, *advised.reasons[1:]],
    )
    return replace(one, recommendation=kept, moved_bytes=moved_bytes(row, kept))


def _reason(severity: Severity, message: str) -> Reason:
    return Reason(ASKED_FOR, Status.MATCHED.value, severity.name.lower(), Words(message))


def _wants_anonymous_thp(one: ProcessAdvice) -> bool:
    return one.recommendation.policy == Policy.THP and not concerns_shmem(one.recommendation)


def _held_bytes(rows: Sequence[Row], now: HostNow, pools: Mapping[int, int]) -> int:
    """What the pools that were asked for keep from everybody else, beyond their pages in use."""
    return sum(max(pages - in_use(now, rows, size), 0) * size for size, pages in pools.items())


def _beyond(demands: Sequence[Demand], rows: Sequence[Row], now: HostNow, pools: Mapping[int, int]) -> list[Demand]:
    """The demands that do not fit into the pools that were asked for, those with most at stake served first."""
    rooms = {size: pages - in_use(now, rows, size) - copies_after_fork(rows, size) for size, pages in pools.items()}
    refused = []
    for demand in demands:
        if demand.page_bytes not in rooms:
            continue
        if demand.pages > rooms[demand.page_bytes]:
            refused.append(demand)
        else:
            rooms[demand.page_bytes] -= demand.pages
    return refused


def _places(rows: Sequence[Row], refused: Sequence[Demand], why: str) -> dict[int, Refusal]:
    """Processes that share an object stand or fall together."""
    if not refused:
        return {}
    pids = {demand.pid for demand in refused}
    objects = {shared_object(row) for row in rows if row["pid"] in pids and row["sharing_leader"]}
    return {
        place: Refusal(Policy.HUGETLB, why)
        for place, row in enumerate(rows)
        if row["pid"] in pids or (row["sharing_leader"] is False and shared_object(row) in objects)
    }
