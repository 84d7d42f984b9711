"""In which order the policies take turns. Pure.

Each block runs every policy once. Whatever drifts during a trial (clock rate, neighbours, fragmentation) must not
meet one policy more than another, and what one run leaves behind must not always meet the same follower: blocks
are the rows of a Williams design (E. J. Williams, Aust. J. Sci. Res. A 2, 1949), a Latin square in which every
policy follows every other equally often.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WARM_UP_ROUND = 0
"""Number of the block that is run and not compared."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One run that is due: policy by name, and the number of its block (0 is the warm-up)."""

    policy: str
    round: int


def schedule(policies: Sequence[str], rounds: int, warm_up: int = 1, seed: int = 0) -> list[Slot]:
    """All runs in their order: `warm_up` blocks in the order given, then `rounds` blocks in balanced order.

    In every whole square (as many blocks as policies) each policy stands in each place once; `seed` decides which
    policy plays which part and in which order the rows come.
    """
    if not policies:
        return []
    slots = [Slot(policy, WARM_UP_ROUND) for _ in range(warm_up) for policy in policies]
    rows = _rows(len(policies), random.Random(seed))  # noqa: S311 - an order, not a secret
    for number in range(1, rounds + 1):
        slots += [Slot(policies[place], number) for place in next(rows)]
    return slots


def _rows(count: int, chance: random.Random) -> Iterator[list[int]]:
    """Rows without end, square after square, with new roles after two: the second square is the first one's mirror
    image, because with an odd number of policies only both together balance who follows whom."""
    while True:
        roles = chance.sample(range(count), count)
        for places in (_zigzag(count), _zigzag(count)[::-1]):
            for shift in chance.sample(range(count), count):
                yield [roles[(place + shift) % count] for place in places]


def _zigzag(count: int) -> list[int]:
    """0, 1, n-1, 2, n-2, ...: neighbours differ by each distance once."""
    return [(place + 1) // 2 if place % 2 else (count - place // 2) % count for place in range(count)]
