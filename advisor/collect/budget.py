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
    every_tick_s: float = 0.0
    """What the last tick cost without its walks: about what the next one costs."""

    _ticks: int = 0

    def available_s(self) -> float:
        """CPU seconds that may be spent now; negative is a debt."""
        return self.share * SPENDING_SHARE * (self.clock() - self.began_s) - self.spent_s

    def charge_tick(self, cpu_s: float, walks_s: float) -> None:
        """The cost of a tick, and of its walks alone, which are planned one by one. The first looks at everybody and
        says nothing about the next."""
        self.spent_s += cpu_s
        self._ticks += 1
        self.every_tick_s = max(0.0, cpu_s - walks_s) if self._ticks > 1 else 0.0

    def charge_also(self, cpu_s: float) -> None:
        """What was done with the sample of the last tick."""
        self.spent_s += cpu_s
        if self._ticks > 1:
            self.every_tick_s += cpu_s

    def delay_s(self, interval_s: float) -> float:
        """Seconds to wait until the next tick: the interval, longer where what every tick costs exceeds the budget.

        It gets the part that is planned for; the rest pays back debts, as those of the start.
        """
        share = self.share * SPENDING_SHARE
        return max(interval_s, self.every_tick_s / share if share > 0 else 0.0)

    def share_spent(self) -> float | None:
        """Share of one CPU spent so far; None before any time has passed."""
        elapsed = self.clock() - self.began_s
        return self.spent_s / elapsed if elapsed > 0 else None
