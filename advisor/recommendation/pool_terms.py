"""What a pool's size is made of: pages in use, new demand, headroom, and what stays or was asked for beyond that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from advisor.recommendation.demands import Demand, spread
from advisor.recommendation.model import PoolTerm
from advisor.recommendation.pool_state import PoolNow

HEADROOM_SHARE = 0.01
"""Share of the pages that are new in a pool, rounded down. Source: own choice. Reason: pages are counted exactly for
each application, so that headroom is for what it maps later (one more segment), and nobody else can use it. Fewer
than a hundred pages get none, gigantic ones hardly ever."""

HEADROOM_BYTES = 64 << 20
"""Bytes of headroom at most. Source: own choice. Reason: one more segment is not larger because the pool is."""

COPIES_REASON = "for copies of private pages after fork"
HEADROOM_REASON = "1 % of the new pages, at most 64 MiB"


class Part(NamedTuple):
    """What one pool, of the host or of a node, must hold. now: that pool as it is."""

    node: int | None
    now: PoolNow
    in_use: int
    demands: list[tuple[Demand, int]]
    copies: int

    @property
    def new(self) -> int:
        """Pages that advice asks for."""
        return sum(pages for _, pages in self.demands)

    @property
    def needed(self) -> int:
        """Pages that are spoken for, now or by advice."""
        return self.in_use + self.new


def advised_terms(size: int, part: Part, *, may_shrink: bool) -> list[PoolTerm]:
    """What the pool should hold. may_shrink: what is unused goes; else it stays."""
    terms = [*_needed(part), *_headroom(size, part)]
    more = (part.now.total or 0) - sum(term.pages for term in terms)
    if more > 0 and not may_shrink:
        terms.append(PoolTerm("kept", more))
    return terms


def asked_terms(size: int, parts: Sequence[Part], pages: int) -> list[list[PoolTerm]]:
    """So many pages in all, by part: what is needed, headroom as far as there is room, and the rest for nobody yet.

    Pages in use that were not asked for cannot be taken away: they are a negative summand.
    """
    return [_asked(size, part, own) for part, own in zip(parts, _share_out(parts, pages), strict=True)]


def _asked(size: int, part: Part, pages: int) -> list[PoolTerm]:
    terms = _needed(part)
    rest = pages - part.needed
    if rest < 0:
        return [*terms, PoolTerm("surplus", rest)]
    for term in reversed(_headroom(size, part)):
        terms.append(PoolTerm(term.kind, min(term.pages, rest), None, term.why))
        rest -= terms[-1].pages
    kept = min(max((part.now.total or 0) - (pages - rest), 0), rest)
    terms += [PoolTerm("kept", kept), PoolTerm("asked", rest - kept)]
    return [term for term in terms if term.pages or term.kind == "in-use"]


def _share_out(parts: Sequence[Part], pages: int) -> list[int]:
    """Where the pages of a host go: to what is needed, then to where they are today, then evenly."""
    needed = [part.needed for part in parts]
    spare = [max((part.now.total or 0) - part.needed, 0) for part in parts]
    rest = pages - sum(needed)
    if rest < 0:
        return _in_proportion(pages, needed)
    if rest < sum(spare):
        return [least + more for least, more in zip(needed, _in_proportion(rest, spare), strict=True)]
    even = spread(rest - sum(spare), range(len(parts)))
    return [least + more + even[place] for place, (least, more) in enumerate(zip(needed, spare, strict=True))]


def _in_proportion(amount: int, weights: Sequence[int]) -> list[int]:
    """An amount, at most the sum of the weights, in proportion to them; none gets more than its weight."""
    total = sum(weights)
    shares = [amount * weight // total if total else 0 for weight in weights]
    for place, weight in enumerate(weights):
        shares[place] += min(amount - sum(shares), weight - shares[place])
    return shares


def _needed(part: Part) -> list[PoolTerm]:
    """Pages in use, and those that advice asks for."""
    new = [PoolTerm("new", pages, demand.pid, demand.why) for demand, pages in part.demands]
    return [PoolTerm("in-use", part.in_use), *new]


def _headroom(size: int, part: Part) -> list[PoolTerm]:
    """For the new pages a share of them; for copies on write, exactly as many as there can be."""
    spare = min(int(part.new * HEADROOM_SHARE), HEADROOM_BYTES // size)
    terms = [PoolTerm("headroom", spare, None, HEADROOM_REASON)]
    terms.append(PoolTerm("headroom", part.copies, None, COPIES_REASON))
    return [term for term in terms if term.pages]
