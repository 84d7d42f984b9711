"""What the host does from sample to sample, for curves over the last minutes. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from advisor.profile.model import Sample
from advisor.watch.frames import Pulse

KEPT_PULSES = 120
"""Points of a curve that are kept. Source: own choice. Reason: wider than any curve on a screen."""


class PulseTaker:
    """Takes the pulse of each sample against the one before it."""

    def __init__(self, clock_ticks_per_s: int) -> None:
        self._ticks_per_s = clock_ticks_per_s
        self._before: Sample | None = None
        self.pulses: deque[Pulse] = deque(maxlen=KEPT_PULSES)

    def add(self, sample: Sample) -> None:
        """One more pulse; that of the first sample has no rates."""
        self.pulses.append(self._pulse(sample))
        self._before = sample

    def _pulse(self, sample: Sample) -> Pulse:
        before = self._before
        available = (sample.host.meminfo or {}).get("MemAvailable")
        if before is None or sample.t_s <= before.t_s:
            return Pulse(sample.t_s, None, None, None, None, available)
        seconds = sample.t_s - before.t_s
        old, new = before.host.vmstat or {}, sample.host.vmstat or {}
        granted, refused = _moved(old, new, "thp_fault_alloc"), _moved(old, new, "thp_fault_fallback")
        asked = None if granted is None or refused is None else granted + refused
        ticks = (before.host.khugepaged_ticks, sample.host.khugepaged_ticks)
        busy = None if ticks[0] is None or ticks[1] is None else (ticks[1] - ticks[0]) / self._ticks_per_s
        return Pulse(
            t_s=sample.t_s,
            collapsed_per_s=_per(_moved(old, new, "thp_collapse_alloc"), seconds),
            khugepaged_cpu=_per(busy, seconds),
            stalls_per_s=_per(_moved(old, new, "compact_stall"), seconds),
            fallback_share=refused / asked if asked and refused is not None else None,
            available_bytes=available,
        )


def pulses_of(samples: Iterable[Sample], clock_ticks_per_s: int) -> list[Pulse]:
    """The newest pulses of a recording."""
    taker = PulseTaker(clock_ticks_per_s)
    for sample in samples:
        taker.add(sample)
    return list(taker.pulses)


def _moved(old: dict[str, int], new: dict[str, int], counter: str) -> int | None:
    """How far a counter went; None where it is unknown or began anew."""
    if counter not in old or counter not in new or new[counter] < old[counter]:
        return None
    return new[counter] - old[counter]


def _per(amount: float | None, seconds: float) -> float | None:
    return None if amount is None or amount < 0 else amount / seconds
