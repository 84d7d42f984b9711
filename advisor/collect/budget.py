"""The sampler's own budget: CPU seconds it may spend, as a share of one CPU since it began."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

DEFAULT_SHARE = 0.01
"""One per cent of one CPU: below what operators notice; DAMON's published cost is of this order."""

SPENDING_SHARE = 0.8
"""Part of the budget that is planned for; the rest absorbs walks that cost more than predicted."""


@dataclass
class Budget:
    """Earns `share` CPU seconds a second and is charged what samples cost. May go into debt, which is paid back."""

    share: float
    clock: Callable[[], float]
    began_s: float
    spent_s: float = 0.0

    def available_s(self) -> float:
        """CPU seconds that may be spent now; negative is a debt."""
        return self.share * SPENDING_SHARE * (self.clock() - self.began_s) - self.spent_s

    def charge(self, cpu_s: float) -> None:
        self.spent_s += cpu_s

    def share_spent(self) -> float | None:
        """Share of one CPU spent so far; None before any time has passed."""
        elapsed = self.clock() - self.began_s
        return self.spent_s / elapsed if elapsed > 0 else None
