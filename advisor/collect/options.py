"""How a sampler samples: whom, how often, inside which budget and deadlines."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.collect.budget import DEFAULT_SHARE
from advisor.collect.guard import DEADLINE_S
from advisor.collect.priority import LONGEST_WALK_S

DEFAULT_INTERVAL_S = 5.0
"""Seconds between samples: khugepaged's default pass is every 10 s, so each of its passes is seen."""


@dataclass(frozen=True)
class SamplerOptions:
    """pids: watch only these. complete_first: walk everybody in the first tick, whatever it costs.

    look_at_memory: in the first tick, look whether physical memory could be made into huge pages (root).
    budget_share: share of one CPU. spent_before_s: CPU seconds already spent on its account (start-up).
    deadline_s: for one process in one tick. interval_s: between ticks. front_end: pid of the process that shows what
    is sampled, where that is another one; it is left out as the sampler itself is. longest_walk_s: processes whose
    walk is predicted to take longer are not walked.
    """

    pids: frozenset[int] | None = None
    complete_first: bool = True
    look_at_memory: bool = False
    budget_share: float = DEFAULT_SHARE
    spent_before_s: float = 0.0
    deadline_s: float = DEADLINE_S
    interval_s: float = DEFAULT_INTERVAL_S
    front_end: int | None = None
    longest_walk_s: float = LONGEST_WALK_S
