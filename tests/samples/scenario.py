"""What one sample profile is: a program, its load, and what is true of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.samples.bench import Bench

USUAL_DURATION_S = 45
"""Seconds recorded: ten samples at the usual interval, several passes of khugepaged."""

USUAL_INTERVAL_S = 5
"""Seconds between samples; the default of `record`."""

MADVISE = "madvise"
"""The kernel's and most distributions' default THP mode."""


@dataclass(frozen=True)
class Scenario:
    """name: of the profile. truth: what holds in it, known from how it was made and not from the profile.

    processes: names (comm) of those that the profile is about; their mappings must be in it.
    set_up starts program and load on the bench and returns when both are in full swing: the program's version.
    """

    name: str
    workload: str
    truth: str
    processes: tuple[str, ...]
    set_up: Callable[[Bench], str]
    thp: str = MADVISE
    duration_s: int = USUAL_DURATION_S
    interval_s: int = USUAL_INTERVAL_S
